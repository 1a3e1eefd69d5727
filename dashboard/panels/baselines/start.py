"""Starting baselines from the page, as a process of its own; or going on with what stopped."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.baselines.kinds import ASKED, STEPS, USUAL, WORDS
from core.pipeline.sweep_words import endpoint_words
from dashboard import session
from dashboard.panels import launched
from dashboard.panels.endpoints import chosen_endpoint
from data.records import CacheRecord

PAGE = "baselines"
FEATURES = "random:100"
LABELS = {name: WORDS.get(name, name) for name in ASKED}


def popover(bar: DeltaGenerator, record: CacheRecord) -> None:
    """Choose what stands beside the SAE, see the command, start it."""
    with bar.popover("Make baselines", icon=":material/casino:", disabled=not can(record)):
        st.caption(
            "Each becomes a cache of its own over the same tokens; a sample of its features is "
            "explained and scored likewise. What is there is not done again."
        )
        st.session_state.setdefault("baselines.only", list(USUAL))
        only = st.pills("Beside the SAE", list(ASKED), selection_mode="multi", key="baselines.only",
                        format_func=LABELS.__getitem__)  # fmt: skip
        left, right = st.columns(2)
        st.session_state.setdefault("baselines.features", FEATURES)
        features = left.text_input("Features of each", key="baselines.features", max_chars=200)
        st.session_state.setdefault("baselines.steps", STEPS)
        steps = right.number_input(
            "Training steps", min_value=0, max_value=1_000_000, key="baselines.steps",
            help="Of the SAE on the re-randomised subject, 2,048 tokens each; 0 = a random SAE",
        )  # fmt: skip
        words = words_of(record, list(only), features.strip(), int(steps))
        who = st.segmented_control("Explained and judged by", ["the grammar", "a language model"],
                                   default="the grammar", required=True,
                                   key="baselines.who")  # fmt: skip
        if who == "a language model":
            endpoint = chosen_endpoint("baselines.endpoint", "Model")
            if not endpoint.model:
                return
            words += endpoint_words(endpoint)
        button(words, "baselines.start")


def can(record: CacheRecord) -> bool:
    """Whether there are activations to explain."""
    return record.has_activations


def button(words: list[str], key: str, label: str = "Start") -> None:
    """The command, and a button that begins it."""
    st.code(session.command(words), language=None, wrap_lines=True)
    st.button(label, type="primary", key=key, on_click=launched.begin, args=(PAGE, words))


def words_of(
    record: CacheRecord, only: list[str] | None = None, features: str = FEATURES, steps: int = STEPS
) -> list[str]:
    """The command, without the store; what is usual is left out."""
    words = ["gloss", "baselines", record.name]
    if features != FEATURES:
        words += ["--features", features]
    chosen = [name for name in ASKED if name in (only or USUAL)]
    if chosen != list(USUAL):
        words += ["--only", ",".join(chosen)]
    return words + (["--steps", str(steps)] if steps != STEPS else [])
