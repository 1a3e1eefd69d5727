"""`gloss import`: other tools' runs and exports into a store of ours."""

import json
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from core.commands.options import DEFAULT_STORE, Json, Store, open_store, typed
from core.commands.printing import say

if TYPE_CHECKING:
    from core.importing.stage import ImportRequest, Steps
    from data.records import Progress

commands = typer.Typer(
    help="Bring other tools' runs into the store.", no_args_is_help=True, add_completion=False
)
Outcome = TypeVar("Outcome")
Folder = Annotated[Path, typer.Argument(help="Folder of the run or export.")]
Name = Annotated[str | None, typer.Option(help="Name of the cache.", show_default="the folder's")]
SaeName = Annotated[str | None, typer.Option(
    "--sae", help="Which SAE it is about, where the files do not say.")]  # fmt: skip


@commands.callback()
def _theme() -> None:
    """Bring other tools' runs into the store."""


@commands.command()
def delphi(
    path: Annotated[Path, typer.Argument(
        help="Folder of the run; or a file of published explanations, or a table of the blog.")],
    store: Store = DEFAULT_STORE,
    name: Name = None,
    subject: Annotated[Path | None, typer.Option(
        help="Folder of the subject, for its tokenizer.",
        show_default="what the run names, if it is here")] = None,
    tokens: Annotated[Path | None, typer.Option(
        help="File with the tokens of an older run, which kept none.")] = None,
    sae: SaeName = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Import a delphi run: its activations, explanations, verdicts and neighbours."""
    from core.importing.delphi import import_delphi

    _bring(import_delphi, store, path, name, sae=sae, subject=subject, tokens=tokens,
           as_json=as_json)  # fmt: skip


@commands.command()
def neuronpedia(
    path: Folder, store: Store = DEFAULT_STORE, name: Name = None, sae: SaeName = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Import an export of Neuronpedia: features, contexts, explanations, and our scores."""
    from core.importing.neuronpedia import import_neuronpedia

    _bring(import_neuronpedia, store, path, name, sae=sae, as_json=as_json)


@commands.command()
def saedashboard(
    path: Folder, store: Store = DEFAULT_STORE, name: Name = None, sae: SaeName = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Import the batches that SAEDashboard writes: features and their contexts."""
    from core.importing.neuronpedia import import_saedashboard

    _bring(import_saedashboard, store, path, name, sae=sae, as_json=as_json)


@commands.command()
def explanations(
    path: Annotated[Path, typer.Argument(
        help="File or folder of published explanations, or folder of a delphi run.")],
    into: Annotated[str, typer.Option(help="Name of the cache that they are about.")],
    store: Store = DEFAULT_STORE,
    hookpoint: Annotated[str | None, typer.Option(
        help="Hookpoint of the cache.", show_default="as the files say")] = None,
    model: Annotated[str | None, typer.Option(
        help="Who wrote them.", show_default="as the files or the paper say")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Add somebody else's explanations to a cache of ours, to be scored there."""
    from core.importing.attach import AttachRequest, attach_explanations

    request = AttachRequest(path, into, hookpoint, model, typed())
    came = _through(attach_explanations(open_store(store), request))
    if as_json:
        places = [one._asdict() for one in came]
        say(json.dumps({"cache": into, "hookpoints": places}, ensure_ascii=False), as_json=True)
        return
    for one in came:
        none = f", and {one.failed:,} that say there is none" if one.failed else ""
        say(f"{into} at {one.hookpoint}: {one.explanations:,} explanations{none}; "
            f"{one.written:,} of them new")  # fmt: skip
    say(f"next: gloss score {into}, or gloss show {into}")


def _bring(
    stage: "Callable[[Path, ImportRequest], Steps]", store: Path, path: Path, name: str | None, *,
    sae: str | None, subject: Path | None = None, tokens: Path | None = None, as_json: bool,
) -> None:  # fmt: skip
    """Run an import, then say what it brought."""
    from core.importing.stage import ImportRequest
    from core.importing.summary import lines, summary
    from data.catalogue import Catalogue

    request = ImportRequest(path, name, subject, tokens, sae, typed())
    result = _through(stage(store, request))
    with Catalogue(store).reading() as con:
        found = summary(con, result.cache)
    if as_json:
        say(json.dumps(found | {"is_new": result.is_new}, ensure_ascii=False), as_json=True)
        return
    if not result.is_new:
        say(f"nothing to do: this was imported before, as cache {result.cache}")
        return
    headline, *report = lines(found)
    say(headline)
    say("\n".join(report), aside=True)
    say(f"next: gloss show {result.cache}, or gloss serve")


def _through(steps: "Generator[Progress, None, Outcome]") -> Outcome:
    """Draw a stage to its end, and give what it returns."""
    from core.progress import draw

    came: list[Outcome] = []

    def followed() -> "Iterator[Progress]":
        came.append((yield from steps))

    draw(followed())
    return came[0]
