"""A stage as a run of the catalogue: begun or continued, and always closed with a reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING, Any

from data.catalogue import Catalogue
from data.errors import BudgetReached, GlossError, Stopped
from data.imports.foreign import plain
from data.ledger import Cancelled
from data.records import Progress, Stage
from data.runs import Plan, end_run, set_done, start_run

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NOTED = 65_536  # tokens between two notes of progress in the catalogue


@contextmanager
def running(catalogue: Catalogue, plan: Plan, total: int, done: int = 0) -> Iterator[int]:
    """Give the run_id; whatever ends the block ends the run with the right status.

    A killed process cannot close its run: the next look at the runs finds the process gone.
    """
    run_id = start_run(catalogue, plan, total, done)
    try:
        yield run_id
    except Cancelled:
        end_run(catalogue, run_id, "cancelled", "stopped by request; finished features are kept")
        raise GlossError(
            f"run {run_id} was cancelled; what was finished is kept, the same command goes on"
        ) from None
    except (BudgetReached, Stopped) as error:
        end_run(catalogue, run_id, "interrupted", str(error).splitlines()[0])
        raise
    except Exception as error:
        end_run(catalogue, run_id, "failed", str(error).splitlines()[0] if str(error) else None)
        raise
    except BaseException:  # Ctrl+C, or the caller has stopped listening
        end_run(catalogue, run_id, "interrupted")
        raise
    end_run(catalogue, run_id, "done")


def plan_as_asked(
    stage: Stage,
    cache_id: int,
    request: "DataclassInstance",
    hookpoint_id: int | None = None,
    *,
    paid: bool = False,
) -> Plan:
    """The run that a request asks for: all that it says is a setting, but for its command."""
    settings: dict[str, Any] = plain(asdict(request))  # a path may be no text of a catalogue's
    command = settings.pop("command")
    return Plan(stage, cache_id, hookpoint_id, None, settings, command, paid)


def noted(catalogue: Catalogue, run_id: int, steps: Iterator[Progress]) -> Iterator[Progress]:
    """Pass steps on, and note in the catalogue how far their stage "caching" is."""
    last = 0
    for step in steps:
        due = step.done - last >= NOTED or step.done == step.total
        if step.stage == "caching" and due:
            last = step.done
            set_done(catalogue, run_id, last, step.total)
        yield step


class Meter:
    """Counts units and says how fast they come."""

    def __init__(self, stage: str, total: int, unit: str = "features", note: str = "") -> None:
        self.stage, self.total, self.unit, self.note = stage, total, unit, note
        self.done = 0
        self._start = monotonic()

    def advance(self, n: int) -> Progress:
        """Count n more units."""
        self.done += n
        return self.now()

    def now(self) -> Progress:
        """The present state."""
        spent = monotonic() - self._start
        rate = self.done / spent if self.done and spent > 0 else None
        return Progress(self.stage, self.done, self.total, self.unit, rate, self.note)
