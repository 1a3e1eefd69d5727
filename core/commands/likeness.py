"""`gloss similarity`: how alike the SAEs of one cache, or of two, are."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.doing import why_idle
from core.commands.options import (
    DEFAULT_STORE,
    CacheName,
    Hookpoints,
    Json,
    Store,
    open_store,
    parts,
    typed,
)
from core.commands.printing import say

if TYPE_CHECKING:
    from data.catalogue import Row
    from data.records import Progress


def similarity(
    cache: CacheName,
    other: Annotated[str | None, typer.Argument(
        help="Another cache: its SAEs are compared with those of the first.",
        show_default="the hookpoints of one cache with each other")] = None,
    store: Store = DEFAULT_STORE,
    hookpoint: Hookpoints = None,
    measure: Annotated[str, typer.Option(
        help="Comma-separated: decoder, explanations, co-firing.",
        show_default="all that can be had")] = "",
    features: Annotated[int, typer.Option(
        help="Of an SAE, at most, drawn by the cache's seed; weights are compared of all.",
        min=2)] = 5_000,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Match the features of two SAEs one to one, and say how alike the pairs are.

    decoder: cosine of the weights, of two caches at one hookpoint; shared
    where decoder and encoder are both above 0.7. explanations: cosine of
    sentence vectors. co-firing: tokens on which both fire, of those on
    which one does. Each beside the same figure of its control, which is
    what chance gives, with a 95 % interval of the difference.

    --json gives one object a comparison: measure, first, second, value,
    baseline, interval of the difference, n, method, shared.
    """
    from core.likeness.words import sentence
    from core.pipeline.likeness import LikenessRequest, likeness_stage
    from data import caches, likeness

    catalogue = open_store(store)
    request = LikenessRequest(cache, other, tuple(hookpoint or ()), parts(measure), features,
                              typed())  # fmt: skip
    idle = why_idle(_without_notes(likeness_stage(catalogue, request)))
    if idle is not None:
        say(f"nothing to do: {idle}", aside=True)
    record = caches.cache(catalogue, cache)
    with catalogue.reading() as con:
        found = likeness.cells(con, record.cache_id)
    names = {cache, other or cache}
    records = [caches.cache(catalogue, name) for name in names]
    places = {
        one.hookpoint_id
        for of in records
        for one in [caches.hookpoint(of, name) for name in request.hookpoints] or of.hookpoints
    }
    for row in found:
        if {row["first_cache"], row["second_cache"]} != names:
            continue
        if not {row["first_id"], row["second_id"]} <= places:
            continue
        if request.measures and row["measure"] not in request.measures:
            continue
        said = json.dumps(as_object(row), ensure_ascii=False) if as_json else sentence(row)
        say(said, as_json=as_json)


def _without_notes(steps: "Iterator[Progress]") -> "Iterator[Progress]":
    """Say what cannot be compared, a line each, and pass on the rest."""
    from core.pipeline.likeness import LEFT_OUT

    for step in steps:
        if step.stage == LEFT_OUT:
            say(f"left out: {step.note}", aside=True)
        else:
            yield step


def as_object(row: "Row") -> dict[str, object]:
    """One comparison for scripts."""
    has_interval = row["low"] is not None
    return {
        "measure": row["measure"],
        "first": {"cache": row["first_cache"], "hookpoint": row["first"], "n": row["n_first"]},
        "second": {"cache": row["second_cache"], "hookpoint": row["second"], "n": row["n_second"]},
        "n": row["n_pairs"],
        "value": row["value"],
        "baseline": row["baseline"],
        "difference": row["value"] - row["baseline"] if row["baseline"] is not None else None,
        "interval": [row["low"], row["high"]] if has_interval else None,
        "method": row["method"],
        "shared": row["n_shared"],
        "detail": json.loads(row["detail"]) if row["detail"] else None,
    }
