"""`gloss score` and `gloss translate`: what explanations are worth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.commands.doing import do, price
from core.commands.options import (
    DEFAULT_STORE,
    CacheName,
    DryRun,
    Features,
    Hookpoints,
    Json,
    Store,
    Workers,
    open_store,
    parts,
    typed,
)
from core.flags import Group, with_flags
from core.llm.settings import EndpointSettings

if TYPE_CHECKING:
    from core.pipeline.judging import ScoreRequest

Run = Annotated[int | None, typer.Option(help="Only explanations of this run.", show_default="all")]


@with_flags("model", endpoint=Group(EndpointSettings, "Endpoint of the language model"))
def score(
    cache: CacheName,
    endpoint: EndpointSettings,
    store: Store = DEFAULT_STORE,
    scorers: Annotated[str, typer.Option(
        help="Comma-separated: detection, fuzzing, intruder, simulation, generation, sensitivity, "
        "neighbour, discrimination, output-side, embedding, surprisal.")] = "detection,fuzzing",
    features: Features = "all",
    hookpoint: Hookpoints = None,
    run: Run = None,
    judge: Annotated[str, typer.Option(help="Who judges: grammar, or a model's id.")] = "grammar",
    preset: Annotated[Literal["gloss", "paper", "blog", "delphi", "quick"], typer.Option(
        help="Sizes and definitions.")] = "gloss",
    kinds: Annotated[str, typer.Option(
        help="Harder non-activating contexts, reported apart: token, neighbour, similar.")] = "",
    nulls: Annotated[str, typer.Option(
        help="Also score explanations that are not meant: shuffled, neighbour, always-yes; "
        "random-sae compares with a cache of a random SAE.")] = "",
    simulation: Annotated[Literal["json", "logprobs"], typer.Option(
        help="How a model simulates: lists of values, or prompt log-probabilities of a completions "
        "endpoint.")] = "json",
    encoder: Annotated[str, typer.Option(
        help="Sentence encoder: a name, a folder, or endpoint:MODEL.",
        show_default="the packaged MiniLM")] = "",
    reader: Annotated[str, typer.Option(
        help="Local language model of surprisal.", show_default="the subject")] = "",
    dry_run: DryRun = False,
    as_json: Json = False,
    workers: Workers = 0,
) -> None:  # fmt: skip
    """Judge explanations on contexts that their explainer has not seen."""
    from core.pipeline.judging import ScoreRequest
    from core.pipeline.scorers import Means

    means = Means(
        judge=judge, endpoint=endpoint, encoder=encoder, reader=reader, simulation=simulation,
    )  # fmt: skip
    request = ScoreRequest(
        cache=cache,
        hookpoints=tuple(hookpoint or ()),
        features=features,
        scorers=parts(scorers),
        run_id=run,
        preset=preset,
        kinds=parts(kinds),
        workers=workers,
        means=means,
        nulls=parts(nulls),
        command=typed(),
    )
    _score(store, request, dry_run=dry_run, as_json=as_json)


@with_flags("model", endpoint=Group(EndpointSettings, "Endpoint of the language model"))
def translate(
    cache: CacheName,
    endpoint: EndpointSettings,
    judge: Annotated[str, typer.Option("--model", help="The model that translates.")],
    store: Store = DEFAULT_STORE,
    features: Features = "all",
    hookpoint: Hookpoints = None,
    run: Run = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Translate explanations in free text into rules, and check those exactly over the corpus."""
    from core.pipeline.judging import ScoreRequest
    from core.pipeline.scorers import TRANSLATED, Means

    request = ScoreRequest(
        cache=cache,
        hookpoints=tuple(hookpoint or ()),
        features=features,
        scorers=(TRANSLATED,),
        run_id=run,
        means=Means(judge=judge, endpoint=endpoint),
        command=typed(),
    )
    _score(store, request, dry_run=dry_run, as_json=as_json)


def _score(store: Path, request: "ScoreRequest", *, dry_run: bool, as_json: bool) -> None:
    from core.pipeline.scoring import score_stage

    if dry_run:
        from core.pipeline.pricing import price_scoring

        price(price_scoring(open_store(store), request), as_json=as_json)
        return
    do(store, request, score_stage, f"gloss show {request.cache}")
