"""`gloss intervene`: do explanations say what features do to the text that follows?"""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.doing import why_idle
from core.commands.options import (
    DEFAULT_STORE,
    CacheName,
    DryRun,
    Features,
    Hookpoints,
    Json,
    Store,
    open_store,
    parts,
    typed,
)
from core.commands.printing import say
from core.flags import Group, with_flags
from core.llm.settings import EndpointSettings

if TYPE_CHECKING:
    from core.pipeline.intervening import InterveneRequest
    from data.catalogue import Catalogue
    from data.interventions import Place

KEPT = (
    "arm", "feature", "target", "text", "strength", "kl", "value", "low", "high", "error",
    "per_token", "n_prompts", "n_failed", "reason", "note", "other",
)  # fmt: skip


@with_flags("model", endpoint=Group(EndpointSettings, "Endpoint of the language model"))
def intervene(
    cache: CacheName,
    endpoint: EndpointSettings,
    store: Store = DEFAULT_STORE,
    features: Features = "random:50",
    hookpoint: Hookpoints = None,
    kl: Annotated[str, typer.Option(
        help="How far the next token's distribution is moved, nats.")] = "0.1,0.33,1,3",
    judge_model: Annotated[str, typer.Option(
        help="Folder or hub id of a local language model that judges; not the subject.")] = "",
    judge: Annotated[str, typer.Option(
        help="Or a base model's id at a completions endpoint that echoes log-probabilities.")] = "",
    explainer: Annotated[str, typer.Option(
        help="Who explains: template names the tokens that rise; or a model's id at the "
        "endpoint.")] = "template",
    baselines: Annotated[str, typer.Option(
        help="Measured beside the features: random-sae, shuffled, ablation.")
        ] = "random-sae,shuffled,ablation",
    prompts: Annotated[str, typer.Option(
        help="Prompts of a feature: to explain, to choose and to score by.")] = "10,10,30",
    context: Annotated[int, typer.Option(help="Tokens that a prompt is cut from.")] = 64,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")] = "auto",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Push features while the subject writes, and have explanations of what rises judged."""
    from core.intervening.settings import read_kls, read_sizes
    from core.pipeline.intervening import InterveneRequest, check, intervene_stage

    request = InterveneRequest(
        cache=cache,
        hookpoints=tuple(hookpoint or ()),
        features=features,
        kls=read_kls(kl),
        sizes=read_sizes(prompts, context),
        judge_model=judge_model,
        judge=judge,
        endpoint=endpoint,
        explainer=explainer,
        baselines=parts(baselines),
        device=device,
        command=typed(),
    )
    check(request)
    catalogue = open_store(store)
    if dry_run:
        from core.pipeline.intervening_plan import planned

        _print(planned(catalogue, request), as_json=as_json)
        return
    places: list[Place] = []
    idle = why_idle(intervene_stage(catalogue, request, places.append))
    if idle is not None and not as_json:
        say(f"nothing to do: {idle}")
    _print(_found(catalogue, request, places), as_json=as_json)


def _print(found: Iterator[tuple[str, dict[str, Any]]], *, as_json: bool) -> None:
    for line, row in found:
        if as_json:
            say(json.dumps(row, ensure_ascii=False), as_json=True)
        elif line:
            say(line)


def _found(
    catalogue: "Catalogue", request: "InterveneRequest", places: Sequence["Place"]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Figures of the request's study, by hookpoint: a sentence a KL, and every feature."""
    from core.intervening.pooled import pooled
    from data import caches, interventions

    record = caches.cache(catalogue, request.cache)
    names = {one.hookpoint_id: one.name for one in record.hookpoints}
    for place in places:
        name = names[place.hookpoint_id]
        with catalogue.reading() as con:
            rows = interventions.figures(con, place)
        for target in pooled(rows):
            yield f"{name}: {target.sentence}", {
                "hookpoint": name, "kl": target.target, "sentence": target.sentence,
                **{arm.arm: _figures(arm) for arm in target.arms.values()},
            }  # fmt: skip
        for row in rows:
            yield "", {"hookpoint": name} | {one: row[one] for one in KEPT}


def _figures(arm: Any) -> dict[str, Any]:
    mean, more = arm.mean, arm.more
    return {
        "n": len(arm.values), "flagged": arm.flagged, "kl": arm.kl,
        "mean": mean and [mean.value, mean.low, mean.high],
        "features_minus_this": more and [more.value, more.low, more.high],
    }  # fmt: skip
