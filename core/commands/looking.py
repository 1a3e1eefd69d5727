"""`gloss show`, `status`, `serve` and `bench`: what there is, and how fast."""

import json
from pathlib import Path
from typing import Annotated

import typer

from core.commands.options import (
    DEFAULT_STORE,
    CacheName,
    Hookpoints,
    Json,
    Port,
    Store,
    open_store,
)
from core.commands.printing import say
from data.errors import BadInput


def show(
    cache: CacheName,
    feature: Annotated[str | None, typer.Argument(help="HOOKPOINT/INDEX, or INDEX.")] = None,
    store: Store = DEFAULT_STORE,
    hookpoint: Hookpoints = None,
    collisions: Annotated[bool, typer.Option(
        "--collisions", help="Count features that share their explanation with another, by a "
        "sentence encoder.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Say what is known of a cache or of one feature."""
    from core import show as shown

    catalogue = open_store(store)
    if collisions:
        from core.collisions import collision_lines
        from core.encoder import packaged

        if feature is not None:
            raise BadInput("--collisions is about a whole cache: leave the feature out")
        lines = collision_lines(catalogue, packaged(), cache, hookpoint, as_json=as_json)
    elif feature is None:
        lines = shown.cache_lines(catalogue, cache, hookpoint, as_json=as_json)
    else:
        lines = shown.feature_lines(catalogue, cache, _address(feature, hookpoint),
                                    as_json=as_json)  # fmt: skip
    for line in lines:
        say(line, as_json=as_json)


def status(store: Store = DEFAULT_STORE, as_json: Json = False) -> None:
    """List caches and runs, and what is half done."""
    from core import status as state

    for line in state.lines(open_store(store), as_json=as_json):
        say(line, as_json=as_json)


def serve(store: Store = DEFAULT_STORE, port: Port = 0) -> None:
    """Open the dashboard."""
    from core.serving import Server

    if store.exists() and not store.is_dir():
        raise BadInput(f"--store {store} is a file; name a folder")
    with Server(store, port) as server:
        say(f"Gloss is at {server.address} (Ctrl+C ends it)", aside=True)
        server.wait()


def bench(
    work: Annotated[list[str] | None, typer.Argument(
        help="caching, loading, examples, grammar, judging, interventions, dashboard, blog or "
        "all.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")
                       ] = None,
    quick: Annotated[bool, typer.Option(help="Smaller sizes, for a first look.")] = False,
) -> None:  # fmt: skip
    """Measure our own speed and memory beside their limits, in one process."""
    from core.bench import run as bench_run

    met = True
    rows = []
    for figure in bench_run(work or ["all"], quick=quick):
        rows.append(figure._asdict())
        met = met and figure.met is not False
        say(str(figure))
    if as_json is not None:
        as_json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if not met:
        raise typer.Exit(1)


def _address(feature: str, hookpoints: list[str] | None) -> str:
    """HOOKPOINT/INDEX from a feature and --hookpoint."""
    if not hookpoints:
        return feature
    if len(hookpoints) > 1 or "/" in feature:
        raise BadInput(f"feature {feature} needs one hookpoint: write HOOKPOINT/INDEX")
    return f"{hookpoints[0]}/{feature}"
