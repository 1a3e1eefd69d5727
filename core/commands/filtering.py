"""`gloss filters`: what can be said of features without reading a context."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.doing import do, why_idle
from core.commands.options import (
    DEFAULT_STORE,
    CacheName,
    Hookpoints,
    Json,
    Store,
    open_store,
    typed,
)
from core.commands.printing import say

if TYPE_CHECKING:
    from core.pipeline.filtering import FilterRequest
    from data.catalogue import Catalogue


def filters(
    cache: CacheName,
    store: Store = DEFAULT_STORE,
    hookpoint: Hookpoints = None,
    run: Annotated[bool, typer.Option(
        help="Try unigram features on random tokens, by running the subject.")] = True,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Label features that are positional, unigram, prior-token or single-token; measure tokens.

    --json gives one object a hookpoint: features, measured, flags with
    how many have each and of how many it is known, and what was not
    measured.
    """
    from core.pipeline.filtering import FilterRequest, filter_stage

    request = FilterRequest(cache, tuple(hookpoint or ()), run, typed())
    if not as_json:
        do(store, request, filter_stage, f"gloss show {cache}")
        return
    catalogue = open_store(store)
    why_idle(filter_stage(catalogue, request))
    for one in objects(catalogue, request):
        say(json.dumps(one, ensure_ascii=False), as_json=True)


def objects(catalogue: "Catalogue", request: "FilterRequest") -> Iterator[dict[str, Any]]:
    """What is known of each hookpoint that was asked for."""
    from data import caches, flags

    record = caches.cache(catalogue, request.cache)
    wanted = {caches.hookpoint(record, name).hookpoint_id for name in request.hookpoints}
    with catalogue.reading() as con:
        every = flags.counts(con, record.cache_id)
    for one in every:
        if not wanted or one.hookpoint_id in wanted:
            yield {
                "cache": record.name, "hookpoint": one.hookpoint, "features": one.n_features,
                "measured": one.n_measured,
                "flags": {str(c.flag): {"n": c.n, "of": c.known} for c in one.flags.values()},
                "few_firings": one.few_firings, "few_for_entropy": one.few_for_entropy,
                "no_position": one.no_position, "unchecked": one.unchecked,
            }  # fmt: skip
