"""A stage as a command: done with its progress drawn, or priced; then the next step in a line."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from core.commands.options import open_store
from core.commands.printing import say

if TYPE_CHECKING:
    from core.llm.planning import Plan
    from data.catalogue import Catalogue
    from data.records import Progress

Request = TypeVar("Request")


def do(
    store: Path,
    request: Request,
    stage: "Callable[[Catalogue, Request], Iterator[Progress]]",
    goes_on: str,
) -> None:
    """Run a stage; goes_on: the command that comes next."""
    idle = why_idle(stage(open_store(store), request))
    say(f"next: {goes_on}, or gloss serve" if idle is None else f"nothing to do: {idle}")


def why_idle(steps: "Iterator[Progress]") -> str | None:
    """Run a stage with its progress drawn; why there was nothing to do, None where there was.

    A stage goes hookpoint by hookpoint, so its last step alone does not say: work at any counts.
    """
    from core.progress import draw

    units = 0

    def counted() -> "Iterator[Progress]":
        nonlocal units
        for step in steps:
            units += step.total
            yield step

    done = draw(counted())
    if units:
        return None
    return done.note if done else "no feature was chosen"


def price(plans: Sequence["Plan"], *, as_json: bool) -> None:
    """Print what `--dry-run` found, one plan a model."""
    for plan in plans:
        if as_json:
            say(json.dumps(plan.as_dict(), ensure_ascii=False), as_json=True)
        else:
            say("\n".join(plan.lines()))
