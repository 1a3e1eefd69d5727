"""`gloss filters`: what can be said of features without reading a context."""

from typing import Annotated

import typer

from core.commands.doing import do
from core.commands.options import DEFAULT_STORE, CacheName, Hookpoints, Store, typed


def filters(
    cache: CacheName,
    store: Store = DEFAULT_STORE,
    hookpoint: Hookpoints = None,
    run: Annotated[bool, typer.Option(
        help="Try unigram features on random tokens, by running the subject.")] = True,
) -> None:  # fmt: skip
    """Label features that are positional, unigram, prior-token or single-token; measure tokens."""
    from core.pipeline.filtering import FilterRequest, filter_stage

    request = FilterRequest(cache, tuple(hookpoint or ()), run, typed())
    do(store, request, filter_stage, f"gloss show {cache}")
