"""`gloss baselines` and `gloss coverage`: what scores are worth, what all of them would cost."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.doing import why_idle
from core.commands.judging import Judge, Preset, Scorers, answering
from core.commands.options import (
    DEFAULT_STORE,
    CacheName,
    DryRun,
    Hookpoints,
    Json,
    Store,
    Workers,
    known_seed,
    open_store,
    parts,
    typed,
)
from core.commands.printing import say
from core.flags import Group, with_flags
from core.llm.settings import EndpointSettings

if TYPE_CHECKING:
    from core.pipeline.baselines import BaselineRequest

STEPS = 300  # core.baselines.kinds.STEPS


@with_flags(endpoint=Group(EndpointSettings, "Endpoint of the language model"))
def baselines(
    cache: CacheName,
    endpoint: EndpointSettings,
    store: Store = DEFAULT_STORE,
    features: Annotated[str, typer.Option(
        help="Of each cache: random:100, first:100, 0-99.")] = "random:100",
    only: Annotated[str, typer.Option(
        help="Comma-separated: neurons, random-sae, re-randomised, random-embeddings, "
        "same-recipe, shuffled, always-yes.",
        show_default="all but random-embeddings and same-recipe")] = "",
    hookpoint: Hookpoints = None,
    explainer: Annotated[str, typer.Option(
        help="Who explains: grammar, plain, activations, ...",
        show_default="grammar; with --model activations")] = "",
    scorers: Scorers = "detection,fuzzing",
    judge: Judge = "",
    preset: Preset = "gloss",
    steps: Annotated[int, typer.Option(
        help="Train the SAE of the re-randomised subject for so many steps of 2,048 tokens; 0 = "
        "read it with a random SAE.", min=0, max=1_000_000)] = STEPS,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or balanced.")] = "auto",
    dry_run: DryRun = False,
    as_json: Json = False,
    seed: Annotated[int, typer.Option(
        help="Of directions, weights and draws.", min=0, callback=known_seed)] = 0,
    workers: Workers = 0,
) -> None:  # fmt: skip
    """Put an SAE's scores beside those of things that have learned less.

    Neurons, a random SAE, an SAE on the subject with its weights drawn
    anew, explanations of other features: each becomes a cache
    CACHE.BASELINE over the same tokens, and a sample of its features is
    explained and scored in the same way. What is there is not made again.
    """
    from core.pipeline.baselines import BaselineRequest
    from core.pipeline.variations import variations

    who = answering((explainer,) if explainer else (), endpoint, judge)
    (settings,) = variations(who.explainers, ())
    request = BaselineRequest(
        cache=cache,
        hookpoints=tuple(hookpoint or ()),
        features=features,
        only=parts(only),
        settings=settings,
        endpoint=who.endpoint,
        means=who.means,
        scorers=parts(scorers),
        preset=preset,
        steps=steps,
        seed=seed,
        device=device,
        workers=workers,
        command=typed(),
    )
    if dry_run:
        _say_what_is_left(store, request, as_json=as_json)
    else:
        _run(store, request, as_json=as_json)


def _say_what_is_left(store: Path, request: "BaselineRequest", *, as_json: bool) -> None:
    from core.pipeline.baseline_plan import plan_baselines

    plan = plan_baselines(open_store(store), request)
    if as_json:
        for part in plan.objects():
            say(json.dumps(part, ensure_ascii=False), as_json=True)
    else:
        say("\n".join(plan.lines()))


def _run(store: Path, request: "BaselineRequest", *, as_json: bool) -> None:
    """Make what is missing with progress drawn, then print the table."""
    from core.baselines import words
    from core.pipeline.baseline_plan import table_of
    from core.pipeline.baselines import baseline_stage

    catalogue = open_store(store)
    idle = why_idle(baseline_stage(catalogue, request))
    found, problems = table_of(catalogue, request)
    if as_json:
        for row in words.objects(found, problems):
            say(json.dumps(row, ensure_ascii=False), as_json=True)
        return
    if idle is not None:
        say(f"nothing to do: {idle}")
    say("\n".join(words.lines(found, problems)))


def coverage(
    cache: CacheName,
    store: Store = DEFAULT_STORE,
    hookpoint: Hookpoints = None,
    as_json: Json = False,
) -> None:
    """Say how much of a dictionary is explained and scored, and what all of it would cost.

    Prices are of tokens as counted by endpoints for calls made in this
    store, else of the real prompts of a sample of features; models are
    those of prices.toml and those that the literature gives a price of.
    """
    from core.coverage import lines, objects

    catalogue = open_store(store)
    if as_json:
        for one in objects(catalogue, cache, hookpoint or ()):
            say(json.dumps(one, ensure_ascii=False), as_json=True)
    else:
        say("\n".join(lines(catalogue, cache, hookpoint or ())))
