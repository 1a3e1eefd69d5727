"""Who explains and who judges, for commands that do both: read from their flags once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from core.commands.options import is_typed
from core.llm.settings import EndpointSettings
from data.errors import BadInput

if TYPE_CHECKING:
    from core.pipeline.scorers import Means

GRAMMAR = "grammar"
Scorers = Annotated[str, typer.Option(help="Comma-separated, as for score.")]
Judge = Annotated[
    str,
    typer.Option(help="Who judges: grammar, or a model's id.",
                 show_default="grammar; with --model that model"),
]  # fmt: skip
Preset = Annotated[str, typer.Option(help="Sizes and definitions, as for score.")]


class Answering(NamedTuple):
    """Who is asked."""

    explainers: tuple[str, ...]
    endpoint: EndpointSettings | None  # of the explainers; None = no model is asked
    means: "Means"  # of the judge


def answering(explainers: Sequence[str], endpoint: EndpointSettings, judge: str) -> Answering:
    """Fill in what was not said, and refuse what does not go together.

    explainers, judge: as typed, () and "" = not typed; without a model both are the grammar.
    """
    from core.pipeline.scorers import Means

    who = tuple(explainers) or (("activations",) if endpoint.model else (GRAMMAR,))
    asks = any(name != GRAMMAR for name in who)
    if asks and not endpoint.model and is_typed("base-url", "model"):
        endpoint.require_model()
    if endpoint.model and not asks and judge in ("", GRAMMAR):
        raise BadInput("the grammar asks no model: leave out --model, or name an --explainer")
    means = Means(judge=judge or endpoint.model or GRAMMAR, endpoint=endpoint)
    return Answering(who, endpoint if asks and endpoint.model else None, means)
