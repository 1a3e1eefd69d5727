"""`gloss import`: other tools' runs into a store of ours."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.options import DEFAULT_STORE, Json, Store, typed

if TYPE_CHECKING:
    from data.records import Progress

commands = typer.Typer(
    help="Bring other tools' runs into the store.", no_args_is_help=True, add_completion=False
)


@commands.callback()
def _theme() -> None:
    """Bring other tools' runs into the store."""


@commands.command()
def delphi(
    path: Annotated[Path, typer.Argument(help="Folder of the run.")],
    store: Store = DEFAULT_STORE,
    name: Annotated[str | None, typer.Option(help="Name of the cache.",
                                             show_default="the run's folder")] = None,
    subject: Annotated[Path | None, typer.Option(
        help="Folder of the subject, for its tokenizer.",
        show_default="what the run names, if it is here")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Import a delphi run: its activations, explanations, verdicts and neighbours."""
    from core.importing.delphi import Imported, ImportRequest, import_delphi
    from core.importing.judging import PRESET
    from core.importing.summary import lines, summary
    from core.progress import draw
    from data.catalogue import Catalogue

    came: list[Imported] = []

    def steps() -> "Iterator[Progress]":
        came.append((yield from import_delphi(store, request)))

    request = ImportRequest(path, name, subject, typed())
    draw(steps())
    (result,) = came
    with Catalogue(store).reading() as con:
        found = summary(con, result.cache, PRESET)
    if as_json:
        print(json.dumps(found | {"is_new": result.is_new}, ensure_ascii=False))
        return
    if not result.is_new:
        print(f"nothing to do: this run was imported before, as cache {result.cache}")
        return
    headline, *report = lines(found)
    print(headline)
    print("\n".join(report), file=sys.stderr)
    print(f"next: gloss show {result.cache}, or gloss serve")
