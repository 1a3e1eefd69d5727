"""`gloss collection`: lists of features over several hookpoints, e.g. of a circuit."""

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.doing import do
from core.commands.options import (
    DEFAULT_STORE,
    CacheName,
    Json,
    Store,
    Workers,
    is_typed,
    open_store,
    parts,
    typed,
)
from core.commands.printing import say
from core.explain.settings import ExplainerId
from core.flags import Group, with_flags
from core.llm.settings import EndpointSettings
from data.errors import BadInput

if TYPE_CHECKING:
    from data.catalogue import Catalogue
    from data.collections import Collection

commands = typer.Typer(
    help="Keep lists of features over several hookpoints, e.g. of a circuit.",
    no_args_is_help=True, add_completion=False,
)  # fmt: skip
Name = Annotated[str, typer.Argument(help="Name of the collection.")]


@commands.callback()
def _theme() -> None:
    """Keep lists of features over several hookpoints, e.g. of a circuit."""


@commands.command()
def new(
    name: Name,
    cache: CacheName,
    source: Annotated[Path, typer.Option(
        "--from", help="File with the list, - for standard input: HOOKPOINT/INDEX lines, JSON "
        "pairs or objects, or the annotations of Sparse Feature Circuits.")],
    store: Store = DEFAULT_STORE,
) -> None:  # fmt: skip
    """Make a collection of a list; entries that the cache does not have are all named."""
    from core.collections.words import repeated_words
    from core.pipeline.collecting import make
    from data.imports.foreign import shown

    if str(source) == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    else:
        text = _read(source)
    said = "standard input" if str(source) == "-" else shown(source.name)
    found, repeated = make(open_store(store), name, cache, text, said)
    again = f"; {repeated_words(repeated)}" if repeated else ""
    say(f"{found.name}: {found.n_members:,} features at {found.n_hookpoints:,} hookpoints of "
        f"{found.cache}{again}")  # fmt: skip
    say(f"next: gloss collection explain {shlex.quote(found.name)}, or gloss serve")


def _read(source: Path) -> str:
    from core.collections.listing import LARGEST
    from data.imports.foreign import read_bytes, shown

    if not source.is_file():
        raise BadInput(f"--from {shown(source)} is no file: name the file with the list")
    return read_bytes(source, 4 * LARGEST).decode("utf-8", "replace")


@commands.command("list")
def list_(store: Store = DEFAULT_STORE, as_json: Json = False) -> None:
    """List the collections of the store, newest first."""
    from dataclasses import asdict

    from data import collections

    with open_store(store).reading() as con:
        found = collections.collections(con)
    for one in found:
        if as_json:
            say(json.dumps(asdict(one), ensure_ascii=False), as_json=True)
        else:
            say(f"{one.name}: {one.n_members:,} features at {one.n_hookpoints:,} hookpoints of "
                f"{one.cache}, from {one.source}")  # fmt: skip
    if not found and not as_json:
        say("there is no collection yet; gloss collection new makes one")


@commands.command()
def show(name: Name, store: Store = DEFAULT_STORE, as_json: Json = False) -> None:
    """Say what is known of every feature of a collection.

    --json prints one object: name, cache, and features with their
    explanations (reads, does), tokens, scores and role.
    """
    from core.collections import words
    from core.collections.table import table
    from data import collections

    catalogue = open_store(store)
    found = collections.collection(catalogue, name)
    strings = _strings(catalogue, found)
    with catalogue.reading() as con:
        rows = table(con, found.collection_id, strings)
    if as_json:
        say(json.dumps(words.as_json(found, rows), ensure_ascii=False), as_json=True)
    else:
        say("\n".join(words.lines(found, rows)))


def _strings(catalogue: "Catalogue", found: "Collection") -> list[str]:
    from data import caches
    from data.cachefiles import CacheFiles

    record = caches.cache(catalogue, found.cache)
    return CacheFiles.open(catalogue.store / record.folder).vocabulary.strings


@commands.command()
@with_flags(endpoint=Group(EndpointSettings, "Endpoint of the language model"))
def explain(
    name: Name,
    endpoint: EndpointSettings,
    store: Store = DEFAULT_STORE,
    explainer: Annotated[ExplainerId | None, typer.Option(
        help="Of the language model; cot is told to show logit effects and to mark from 0.7 of a "
        "context's peak on, output says what the feature does, without --model by a list of the "
        "tokens.", show_default="grammar; with --model cot")] = None,
    workers: Workers = 0,
) -> None:  # fmt: skip
    """Explain every feature of a collection: by the grammar, or with --model by that model."""
    from dataclasses import replace

    from core.commands.explaining import chosen_endpoint
    from core.pipeline.collecting import CIRCUIT, CollectionRequest, explain_collection

    request = CollectionRequest(name, workers=workers, command=typed())
    who = explainer or ("cot" if is_typed("model", "base-url") or endpoint.model else None)
    if who is not None:
        request = replace(request, settings=replace(CIRCUIT, explainer=who),
                          endpoint=chosen_endpoint(who, endpoint))  # fmt: skip
    do(store, request, explain_collection, f"gloss collection score {shlex.quote(name)}")


@commands.command()
@with_flags("model", endpoint=Group(EndpointSettings, "Endpoint of the language model"))
def score(
    name: Name,
    endpoint: EndpointSettings,
    store: Store = DEFAULT_STORE,
    scorers: Annotated[str, typer.Option(
        help="Comma-separated, as for score; output-side tells what acts on predictions.")
        ] = "detection,fuzzing",
    judge: Annotated[str, typer.Option(help="Who judges: grammar, or a model's id.")] = "grammar",
    preset: Annotated[str, typer.Option(help="Sizes and definitions, as for score.")] = "gloss",
    workers: Workers = 0,
) -> None:  # fmt: skip
    """Score the explanations of a collection, with the shuffled ones that a role is told by."""
    from core.pipeline.collecting import CollectionRequest, score_collection
    from core.pipeline.scorers import Means

    request = CollectionRequest(name, means=Means(judge=judge, endpoint=endpoint),
                                scorers=parts(scorers), preset=preset, workers=workers,
                                command=typed())  # fmt: skip
    do(store, request, score_collection, f"gloss collection show {shlex.quote(name)}")
