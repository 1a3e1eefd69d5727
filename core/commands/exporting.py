"""`gloss export`: what is known of a cache, for other programs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from core.commands.options import DEFAULT_STORE, CacheName, Store, open_store


def export(
    format: Annotated[Literal["parquet", "csv"], typer.Argument(help="parquet or csv.")],
    cache: CacheName,
    out: Annotated[Path, typer.Option(help="Folder; new, empty, or an earlier export.")],
    store: Store = DEFAULT_STORE,
) -> None:
    """Write the catalogue's tables of one cache as files, one a table, with a manifest."""
    from core.progress import draw
    from data import exporting

    draw(exporting.export(open_store(store), cache, out, format))
    found = exporting.read_manifest(out)
    rows = sum(found.rows.values()) if found else 0
    print(f"{rows:,} rows of {cache} are in {out}, one file a table, listed in manifest.json")
