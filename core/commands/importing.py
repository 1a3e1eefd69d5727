"""`gloss import`: other tools' runs and exports into a store of ours."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.options import DEFAULT_STORE, Json, Store, open_store, typed
from core.commands.printing import say

if TYPE_CHECKING:
    from core.importing.stage import Imported, ImportRequest, Steps

commands = typer.Typer(
    help="Bring other tools' runs into the store.", no_args_is_help=True, add_completion=False
)
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
    from core.importing.stage import ImportRequest

    request = ImportRequest(path, name, subject, tokens, sae, typed())
    _bring(import_delphi, store, request, as_json=as_json)


@commands.command()
def neuronpedia(
    path: Folder, store: Store = DEFAULT_STORE, name: Name = None, sae: SaeName = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Import an export of Neuronpedia: features, contexts, explanations, and our scores."""
    from core.importing.neuronpedia import import_neuronpedia
    from core.importing.stage import ImportRequest

    request = ImportRequest(path, name, sae=sae, command=typed())
    _bring(import_neuronpedia, store, request, as_json=as_json)


@commands.command()
def saedashboard(
    path: Folder, store: Store = DEFAULT_STORE, name: Name = None, sae: SaeName = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Import the batches that SAEDashboard writes: features and their contexts."""
    from core.importing.neuronpedia import import_saedashboard
    from core.importing.stage import ImportRequest

    request = ImportRequest(path, name, sae=sae, command=typed())
    _bring(import_saedashboard, store, request, as_json=as_json)


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
) -> None:  # fmt: skip
    """Add somebody else's explanations to a cache of ours, to be scored there."""
    from core.importing.attach import AttachRequest, attach_explanations
    from core.progress import draw

    request = AttachRequest(path, into, hookpoint, model, typed())
    draw(attach_explanations(open_store(store), request))
    print(f"next: gloss score {into}, or gloss show {into}")


def _bring(
    stage: "Callable[[Path, ImportRequest], Steps]",
    store: Path,
    request: "ImportRequest",
    *,
    as_json: bool,
) -> None:
    """Run an import, then say what it brought."""
    from core.importing.summary import lines, summary
    from core.progress import draw
    from data.catalogue import Catalogue

    came: list[Imported] = []

    def steps():
        came.append((yield from stage(store, request)))

    draw(steps())
    (result,) = came
    with Catalogue(store).reading() as con:
        found = summary(con, result.cache)
    if as_json:
        say(json.dumps(found | {"is_new": result.is_new}, ensure_ascii=False), as_json=True)
        return
    if not result.is_new:
        print(f"nothing to do: this was imported before, as cache {result.cache}")
        return
    headline, *report = lines(found)
    say(headline)
    say("\n".join(report), aside=True)
    print(f"next: gloss show {result.cache}, or gloss serve")
