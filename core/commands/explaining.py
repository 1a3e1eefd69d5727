"""`gloss explain`: with the grammar, or with a language model."""

from dataclasses import replace
from typing import Annotated, Literal

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
    is_typed,
    known_seed,
    open_store,
    typed,
)
from core.explain.settings import ExplainerId, ExplainerSettings, Sampling
from core.flags import Group, with_flags
from core.grammar.settings import Settings
from core.llm.settings import EndpointSettings
from data.errors import BadInput

Explainer = Literal["grammar", ExplainerId]


@with_flags(
    "explainer", "examples", "sampling",
    rules=Group(Settings, "Rules of the grammar"),
    asking=Group(ExplainerSettings, "Explanations by a language model"),
    endpoint=Group(EndpointSettings, "Endpoint of the language model"),
)  # fmt: skip
def explain(
    cache: CacheName,
    rules: Settings,
    asking: ExplainerSettings,
    endpoint: EndpointSettings,
    store: Store = DEFAULT_STORE,
    features: Features = "all",
    hookpoint: Hookpoints = None,
    explainer: Annotated[Explainer | None, typer.Option(
        help="Who explains.", show_default="grammar; with --model activations")] = None,
    examples: Annotated[int | None, typer.Option(
        help="Show, or let the grammar learn from, this many contexts.", min=1, max=1000,
        show_default="40; the grammar: all train tokens")] = None,
    sampling: Annotated[Sampling, typer.Option(
        help="How contexts are chosen: equally many of every decile, random, the strongest, or "
        "half of either.")] = "quantiles",
    judge: Annotated[str, typer.Option(
        help="Model that chooses in a debate.", show_default="the explainer's")] = "",
    retry_failed: Annotated[bool, typer.Option(
        "--retry-failed", help="Ask again where the newest answer is a failure.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
    seed: Annotated[int, typer.Option(help="Of the draws.", callback=known_seed)] = 0,
    workers: Workers = 0,
) -> None:  # fmt: skip
    """Write explanations of features; those of the grammar are checked exactly over the corpus."""
    from core.pipeline.explaining import ExplainRequest, explain_stage

    if not endpoint.model and explainer != "grammar" and (is_typed("base-url", "model")):
        endpoint.require_model()
    who = explainer or ("activations" if endpoint.model else "grammar")
    if who == "grammar":
        if endpoint.model:
            raise BadInput("the grammar asks no model: leave out --model, or --explainer grammar")
        settings = replace(rules, examples=examples, sampling=sampling)
    else:
        settings = replace(asking, explainer=who, examples=examples or asking.examples,
                           sampling=sampling)  # fmt: skip
    request = ExplainRequest(
        cache=cache,
        hookpoints=tuple(hookpoint or ()),
        features=features,
        settings=settings,
        seed=seed,
        workers=workers,
        endpoint=chosen_endpoint(who, endpoint),
        judge=judge or None,
        retry_failed=retry_failed,
        command=typed(),
    )
    if dry_run:
        from core.pipeline.pricing import price_explaining

        price(price_explaining(open_store(store), request), as_json=as_json)
        return
    do(store, request, explain_stage, f"gloss score {cache}")


def chosen_endpoint(who: str, endpoint: EndpointSettings) -> EndpointSettings | None:
    """Whom an explainer asks; None = nobody: the grammar, or a sentence of what is promoted."""
    if who == "grammar" or (who == "output" and not endpoint.model):
        return None
    return endpoint.require_model()
