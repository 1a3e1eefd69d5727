"""A stage as a command: done with its progress drawn, or priced; then the next step in a line."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from core.commands.options import open_store

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
    from core.progress import draw

    done = draw(stage(open_store(store), request))
    if done and done.total:
        print(f"next: {goes_on}, or gloss serve")
    else:
        print(f"nothing to do: {done.note if done else 'no hookpoint was chosen'}")


def price(plans: Sequence["Plan"], *, as_json: bool) -> None:
    """Print what `--dry-run` found, one plan a model."""
    for plan in plans:
        if as_json:
            print(json.dumps(plan.as_dict(), ensure_ascii=False))
        else:
            print("\n".join(plan.lines()))
