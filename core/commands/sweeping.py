"""`gloss sweep`: several settings over a sample of features, explained, scored, side by side."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    from core.pipeline.sweeping import SweepRequest


@with_flags(endpoint=Group(EndpointSettings, "Endpoint of the language model"))
def sweep(
    cache: CacheName,
    endpoint: EndpointSettings,
    store: Store = DEFAULT_STORE,
    features: Annotated[str, typer.Option(
        help="The same for all settings: random:50, first:50, 0-99, 3,17.")] = "random:50",
    vary: Annotated[list[str] | None, typer.Option(
        help="NAME=VALUE,VALUE of a setting, e.g. objective=f1,f0.5 or examples=10,40; may be "
        "repeated: every combination is run.")] = None,
    explainer: Annotated[str, typer.Option(
        help="Comma-separated: grammar, plain, activations, ...",
        show_default="grammar; with --model activations")] = "",
    hookpoint: Hookpoints = None,
    scorers: Scorers = "detection,fuzzing",
    judge: Judge = "",
    preset: Preset = "gloss",
    dry_run: DryRun = False,
    as_json: Json = False,
    seed: Annotated[int, typer.Option(help="Of the draws.", callback=known_seed)] = 0,
    workers: Workers = 0,
) -> None:  # fmt: skip
    """Explain and score a sample of features under every combination of some settings."""
    from core.pipeline.sweeping import SweepRequest
    from core.pipeline.variations import variations

    who = answering(parts(explainer), endpoint, judge)
    request = SweepRequest(
        cache=cache,
        settings=variations(who.explainers, vary or ()),
        hookpoints=tuple(hookpoint or ()),
        features=features,
        endpoint=who.endpoint,
        means=who.means,
        scorers=parts(scorers),
        preset=preset,
        seed=seed,
        workers=workers,
        command=typed(),
    )
    if dry_run:
        _price(store, request, as_json=as_json)
    else:
        _run(store, request, as_json=as_json)


def _price(store: Path, request: "SweepRequest", *, as_json: bool) -> None:
    """Print the plan of all: one line a setting, or one object a setting."""
    from core.pipeline.sweep_plan import plan_sweep

    plan = plan_sweep(open_store(store), request)
    if as_json:
        for part in plan.parts:
            say(json.dumps(part.as_dict(), ensure_ascii=False), as_json=True)
    else:
        say("\n".join(plan.lines()))


def _run(store: Path, request: "SweepRequest", *, as_json: bool) -> None:
    """Sweep with progress drawn, then print what came of each setting."""
    from core.pipeline.sweep_results import results, side_by_side
    from core.pipeline.sweeping import sweep_stage
    from core.progress import draw

    catalogue = open_store(store)
    draw(sweep_stage(catalogue, request))
    found = results(catalogue, request)
    for one in found:
        said = json.dumps(one.as_dict(), ensure_ascii=False) if as_json else one.line()
        say(said, as_json=as_json)
    if not as_json and found:
        where = "" if store == DEFAULT_STORE else f" --store {shlex.quote(str(store))}"
        say(f"{side_by_side(request.cache, found)}{where}")
