"""Explaining and scoring a collection from its page, as processes of their own."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.llm.settings import EndpointSettings
from core.pipeline.judging import DEFAULT
from core.pipeline.scorers import GRAMMAR
from core.pipeline.stored import able
from core.pipeline.sweep_words import endpoint_words
from dashboard import session
from dashboard.panels import launched
from dashboard.panels.endpoints import chosen_endpoint
from dashboard.panels.fields import offered
from data.collections import Collection
from data.records import CacheRecord

PAGE = "collections"
RULES, MODEL = "the grammar", "a language model"
DOES = "what it does: the tokens it makes likelier"
HOW = {
    RULES: {GRAMMAR: "what it reads: rules about its contexts", "output": DOES},
    MODEL: {"cot": "what it reads: contexts and logit effects, in stages", "output": DOES},
}
SCORERS = (*DEFAULT, "output-side")


def buttons(bar: DeltaGenerator, found: Collection, cache: CacheRecord) -> None:
    """Explain and Score; of an import of contexts by a model."""
    with bar.popover("Explain", icon=":material/edit:"):
        _start("explain", explain_words(found.name, *_explainer(cache)))
    with bar.popover("Score", icon=":material/rule:"):
        _start("score", score_words(found.name, *_judge(cache)))


def _start(what: str, words: list[str] | None) -> None:
    """The command and its button; None: something is still to be chosen."""
    if words is None:
        st.caption("Which model? Type its id above; the key comes from the environment.")
        return
    st.code(session.command(words), language=None, wrap_lines=True)
    st.button("Start", type="primary", key=f"collections.{what}.start", on_click=launched.begin,
              args=(PAGE, words))  # fmt: skip


def _who(cache: CacheRecord, label: str, key: str) -> str:
    """Rules or a model; rules are learnt and checked where all activations are."""
    options = [RULES, MODEL] if cache.has_activations else [MODEL]
    return st.segmented_control(label, options, default=options[0], required=True,
                                key=f"{key}.{len(options)}")  # fmt: skip


def _explainer(cache: CacheRecord) -> tuple[str, EndpointSettings | None]:
    """How it is explained: an explainer and the endpoint of its model, None without one."""
    who = _who(cache, "Explained by", "collections.explain.who")
    said = HOW[who]
    how = st.radio("Saying", list(said), format_func=said.__getitem__,
                   key=f"collections.explain.how.{who}")  # fmt: skip
    return how, None if who == RULES else chosen_endpoint("collections.explain", "Model")


def _judge(cache: CacheRecord) -> tuple[list[str], EndpointSettings | None]:
    """Which scorers, and the endpoint of the judge."""
    options, key = able(cache, SCORERS), "collections.score.what"
    offered(key, options, DEFAULT)
    scorers = st.pills("Scores", options, selection_mode="multi", key=key,
                       help="Output-side writes texts with the feature turned up: it tells "
                       "features that act on predictions, and loads the subject.")  # fmt: skip
    who = _who(cache, "Judged by", "collections.score.who")
    return list[str](scorers), None if who == RULES else chosen_endpoint(
        "collections.score", "Model"
    )


def explain_words(name: str, explainer: str, endpoint: EndpointSettings | None) -> list[str] | None:
    """The command that explains, without the store; None without a model's name."""
    words = ["gloss", "collection", "explain", name]
    if endpoint is None:
        return words if explainer == GRAMMAR else [*words, "--explainer", explainer]
    if not endpoint.model:
        return None
    return [*words, "--explainer", explainer, *endpoint_words(endpoint)]


def score_words(
    name: str, scorers: list[str], endpoint: EndpointSettings | None
) -> list[str] | None:
    """The command that scores, without the store; None where something is to be chosen."""
    if not scorers or (endpoint is not None and not endpoint.model):
        return None
    words = ["gloss", "collection", "score", name, "--scorers", ",".join(scorers)]
    if endpoint is None:
        return words
    return [*words, "--judge", endpoint.model, *_place(endpoint)]


def _place(endpoint: EndpointSettings) -> list[str]:
    """The endpoint's flags without the model, which --judge names."""
    words = endpoint_words(endpoint)
    at = words.index("--model")
    return words[:at] + words[at + 2 :]
