"""`gloss export`: what is known of a cache, for other programs and for people."""

from pathlib import Path
from typing import Annotated

import typer

from core.commands.options import DEFAULT_STORE, CacheName, Features, Hookpoints, Store, open_store
from core.commands.printing import say

commands = typer.Typer(
    help="Write a cache in other formats.", no_args_is_help=True, add_completion=False
)
Out = Annotated[Path, typer.Option(help="Folder; new, empty, or an earlier export of this format.")]


@commands.callback()
def _theme() -> None:
    """Write a cache in other formats."""


@commands.command()
def parquet(cache: CacheName, out: Out, store: Store = DEFAULT_STORE) -> None:
    """Write the catalogue's tables as Parquet files, one a table, with a manifest."""
    _tables(cache, out, store, "parquet")


@commands.command()
def csv(cache: CacheName, out: Out, store: Store = DEFAULT_STORE) -> None:
    """Write the catalogue's tables as CSV files, one a table, with a manifest."""
    _tables(cache, out, store, "csv")


def _tables(cache: str, out: Path, store: Path, format: str) -> None:
    from core.progress import draw
    from data import exporting
    from data.exports import folder

    draw(exporting.export(open_store(store), cache, out, "csv" if format == "csv" else "parquet"))
    found = folder.read_manifest(out)
    rows = sum(found.rows.values()) if found else 0
    say(f"{rows:,} rows of {cache} are in {out}, one file a table, listed in manifest.json")


@commands.command()
def delphi(
    cache: CacheName,
    out: Out,
    store: Store = DEFAULT_STORE,
    hookpoint: Hookpoints = None,
    run: Annotated[int | None, typer.Option(
        help="Run whose explanations are written.",
        show_default="an import's own, else the one that pages show of each feature")] = None,
) -> None:  # fmt: skip
    """Write activations, explanations and verdicts as a delphi run directory."""
    from core.exporting.delphi import DelphiRequest, export_delphi
    from core.progress import draw

    request = DelphiRequest(cache, out, tuple(hookpoint or ()), run)
    draw(export_delphi(open_store(store), request))
    _contents(out)


@commands.command()
def neuronpedia(
    cache: CacheName,
    out: Out,
    store: Store = DEFAULT_STORE,
    hookpoint: Hookpoints = None,
    features: Features = "all",
    vectors: Annotated[bool, typer.Option(
        "--vectors", help="Decoder rows and histograms of logits too; loads subject and SAE.",
    )] = False,
    user_id: Annotated[str | None, typer.Option(
        help="Who is named as the maker; must exist where it is loaded.",
        show_default="that of public exports")] = None,
    model_id: Annotated[str | None, typer.Option(help="Name of the subject there.",
                                                 show_default="the subject's name")] = None,
    set_name: Annotated[str | None, typer.Option("--set", help="Name of the set of sources.",
                                                 show_default="cache and place")] = None,
) -> None:  # fmt: skip
    """Write features, contexts, explanations and scores in Neuronpedia's upload layout."""
    from core.exporting.neuronpedia import NeuronpediaRequest, export_neuronpedia
    from core.progress import draw
    from data.exports.neuronpedia import USER

    request = NeuronpediaRequest(
        cache, out, tuple(hookpoint or ()), features, vectors, user_id or USER, model_id, set_name
    )
    draw(export_neuronpedia(open_store(store), request))
    _contents(out, "v1")


@commands.command()
def html(
    cache: CacheName,
    out: Annotated[Path, typer.Option(
        help="Folder; new, empty, or an earlier export. Of one feature also a file NAME.html.")],
    store: Store = DEFAULT_STORE,
    hookpoint: Hookpoints = None,
    features: Annotated[str | None, typer.Option(
        help="all, 0-99, 3,17, first:200, random:200.", show_default="those explained")] = None,
) -> None:  # fmt: skip
    """Write a static report, a page a feature, that opens without a server."""
    from core.exporting.report import ReportRequest, export_report
    from core.progress import draw
    from data.exports import folder

    draw(export_report(open_store(store),
                       ReportRequest(cache, out, tuple(hookpoint or ()), features)))  # fmt: skip
    found = folder.read_manifest(out)
    if found is None:
        say(f"the report is {out}, {out.stat().st_size / 1e6:,.2f} MB")
        return
    say(f"{found.rows['pages']:,} pages of {found.cache}, {found.rows['bytes'] / 1e6:,.1f} MB, "
        f"begin with {out / 'index.html'}")  # fmt: skip


def _contents(out: Path, below: str = "") -> None:
    """What lies in a folder, and on stderr what does not."""
    from data.exports import folder

    found = folder.read_manifest(out)
    if found is None:
        return
    parts = ", ".join(f"{n:,} {part}" for part, n in found.rows.items())
    say(f"{parts} of {found.cache} are in {out / below}")
    for note in found.notes:
        say(note, aside=True)
