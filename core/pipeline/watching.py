"""One run that a page watches: it says how far it is and stops when it is asked to.

A thread looks after the work while that waits: at the event of the page, at the catalogue (another
page or the command line may cancel the run) and at the client's traffic; it shows a sign of life.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic

from core.llm.calls import Traffic
from core.llm.client import EndpointClient
from core.llm.requests import Client
from core.pipeline.running import running
from data.catalogue import Catalogue
from data.errors import Stopped, StoreTrouble
from data.ledger import Cancelled
from data.records import NO_USAGE, Progress
from data.runs import Plan, beat, is_cancelled

LOOK = 0.1  # seconds between two looks at the event and the traffic
CATALOGUE = 1.0  # seconds between two looks at the catalogue
SIGN = 20.0  # seconds between two signs of life

Say = Callable[[Progress], None]


def nothing(_progress: Progress) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Hearing:
    """How the one who asked is told, and tells to stop."""

    stop: Event = field(default_factory=Event)
    say: Say = nothing


class Watch(Thread):
    """Looks after one run until it is over."""

    def __init__(
        self, catalogue: Catalogue, run_id: int, hearing: Hearing, client: Client | None, stage: str
    ) -> None:
        """Get ready; stage: what is being done, in words."""
        super().__init__(name=f"watching run {run_id}", daemon=True)
        self.cancelled = False
        self.stage = stage
        self._catalogue, self._run_id, self._hearing = catalogue, run_id, hearing
        self._client = client if isinstance(client, EndpointClient) else None
        self._over = Event()
        self._looked = self._signed = monotonic()

    def run(self) -> None:
        """Look, until it is over or somebody wants it to stop."""
        while not self._over.is_set():
            self._tell()
            if self._unwanted():
                self.cancelled = True
                if self._client is not None:
                    self._client.stop()
                return
            self._over.wait(LOOK)

    def end(self) -> None:
        """Stop looking."""
        self._over.set()
        self.join()

    def require_wanted(self) -> None:
        """Raise Cancelled where somebody asked for an end."""
        if self.cancelled or self._hearing.stop.is_set():
            raise Cancelled

    def _unwanted(self) -> bool:
        now = monotonic()
        with suppress(StoreTrouble):  # it is held by somebody: the next look will do
            if now - self._looked >= CATALOGUE:
                self._looked = now
                with self._catalogue.reading() as con:
                    if is_cancelled(con, self._run_id):
                        return True
            if now - self._signed >= SIGN:
                self._signed = now
                with self._catalogue.writing() as con:
                    beat(con, self._run_id, done=0, usage=NO_USAGE)
        return self._hearing.stop.is_set()

    def _tell(self) -> None:
        if self._client is None:
            self._hearing.say(Progress(self.stage, 0, 0))
        else:
            self._hearing.say(of_traffic(self.stage, self._client.traffic, self._client.notes))


def of_traffic(stage: str, traffic: Traffic, notes: tuple[str, ...] = ()) -> Progress:
    """How far a client's calls are, e.g. "12 of 40 calls", with what they have cost so far."""
    done = traffic.answered + traffic.known + traffic.failed
    words = [f"{traffic.known:,} known already"] if traffic.known else []
    words += [f"{traffic.retries:,} tried again"] if traffic.retries else []
    words += [f"{traffic.failed:,} failed"] if traffic.failed else []
    words += [f"${traffic.spent_usd:.4g} so far"] if traffic.spent_usd else []
    words += [f"told to wait {traffic.pause:.0f} s"] if traffic.pause > 0 else []
    total = done + traffic.in_flight + traffic.waiting
    rate = traffic.rate or None
    return Progress(stage, done, total, "calls", rate, " · ".join([*words, *notes]))


class Watched:
    """A run at work, for the one who does it."""

    def __init__(self, run_id: int, watch: Watch) -> None:
        self.run_id, self._watch = run_id, watch

    def now(self, stage: str) -> None:
        """Say what comes next; Cancelled where nothing is to come."""
        self._watch.require_wanted()
        self._watch.stage = stage

    def require_wanted(self) -> None:
        """Raise Cancelled where somebody asked for an end."""
        self._watch.require_wanted()


@contextmanager
def watched(
    catalogue: Catalogue, plan: Plan, hearing: Hearing, client: Client | None, stage: str
) -> Iterator[Watched]:
    """Run a plan for one feature under a watch; what is stopped is closed as cancelled."""
    with running(catalogue, plan, 1) as run_id:
        watch = Watch(catalogue, run_id, hearing, client, stage)
        watch.start()
        try:
            yield Watched(run_id, watch)
        except Stopped:
            if watch.cancelled:
                raise Cancelled from None
            raise
        finally:
            watch.end()
