"""The drawer that sweeps several settings over a sample of features, as a process of its own."""

from collections.abc import Sequence
from dataclasses import replace
from time import sleep
from typing import get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.drawing.cards import sentence
from core.drawing.spans import block, escape
from core.explain import EXPLAINERS
from core.grammar.settings import Families, Objective, Sampling
from core.launching import launch
from core.llm.settings import EndpointSettings
from core.pipeline.judging import DEFAULT
from core.pipeline.scorers import GRAMMAR
from core.pipeline.stored import able, explainers
from core.pipeline.sweep_plan import SweepPlan, plan_sweep
from core.pipeline.sweep_words import Wish, request_of, words_of
from core.pipeline.sweeping import SweepRequest, check
from core.pipeline.variations import NONE
from dashboard import session
from dashboard.jobs import Job
from dashboard.library import Place
from dashboard.panels.asking import about_explainers
from dashboard.panels.compare.sweep_watch import LAUNCHED, Begun
from dashboard.panels.endpoints import chosen_endpoint
from dashboard.panels.fields import offered
from dashboard.session import store

EVERY = 0.2  # seconds between looks at the plan
ALL_TRAIN = "all train tokens"
EXAMPLES = [ALL_TRAIN, "10", "20", "40", "100", "200"]
SHOWN = ["10", "20", "40", "80"]  # contexts shown to a language model
MODELS = [name for name in EXPLAINERS if name != GRAMMAR]


def button(place: Place, bar: DeltaGenerator | None = None) -> None:
    """The button that opens the drawer."""
    at = bar or st.container()
    said = "Explain and score a sample of features under several settings"
    if at.button("Sweep settings", key="sweep.open", icon=":material/tune:", help=said):
        drawer(place)


@st.dialog("Sweep settings", position="right", width=520)
@session.guarded
def drawer(place: Place) -> None:
    """What to vary, over which features; the number of combinations; Start."""
    st.caption("Every combination of the values below explains and scores the same sample of "
               "features. What is there already is not done again.")  # fmt: skip
    wish = chosen(place)
    if wish.asks_a_model and not wish.endpoint.model:
        st.html(sentence("Which model? Type its id above; the key comes from the environment."))
        return
    request = request_of(wish)
    check(request)
    combinations(request)
    estimate(wish, request)
    start(place, wish)


def chosen(place: Place) -> Wish:
    """The widgets; drafts, so they are not in the address."""
    cache = place.cache
    options = explainers(cache)
    offered("sweep.explainers", options, options[:1])
    picked = st.multiselect("Explainers", options, key="sweep.explainers",
                            help=about_explainers(cache))  # fmt: skip
    vary: list[tuple[str, tuple[str, ...]]] = []
    has_model = any(name != GRAMMAR for name in picked)
    if GRAMMAR in picked:
        vary += _grammar(with_models=has_model)
    elif picked:
        vary += _shown()
    vary.append(("sampling", _pills("Sampling of examples", get_args(Sampling), "quantiles",
                                    "sampling")))  # fmt: skip
    features, hookpoints = _features(place)
    endpoint, judge = _judge(has_model=has_model)
    return Wish(cache.name, tuple(picked), tuple(vary), hookpoints, features, endpoint, judge,
                able(cache, DEFAULT))  # fmt: skip


def _grammar(*, with_models: bool) -> list[tuple[str, tuple[str, ...]]]:
    """Settings of the grammar; the number of examples holds for models too."""
    options = EXAMPLES[1:] if with_models else EXAMPLES
    first = "40" if with_models else ALL_TRAIN
    examples = _pills("Learn from", options, first, "examples.both" if with_models else "examples")
    return [
        ("objective", _pills("Objective", get_args(Objective), "f1", "objective")),
        ("families", _pills("Rules may ask for", get_args(Families), "context", "families")),
        ("examples", tuple(NONE if one == ALL_TRAIN else one for one in examples)),
    ]


def _shown() -> list[tuple[str, tuple[str, ...]]]:
    return [("examples", _pills("Examples shown", SHOWN, "40", "shown"))]


def _pills(label: str, options: Sequence[str], first: str, name: str) -> tuple[str, ...]:
    """Several values of a setting, in their usual order."""
    st.session_state.setdefault(f"sweep.{name}", [first])
    picked = st.pills(label, list(options), selection_mode="multi", key=f"sweep.{name}")
    return tuple(one for one in options if one in picked)


def _features(place: Place) -> tuple[str, tuple[str, ...]]:
    left, right = st.columns(2)
    st.session_state.setdefault("sweep.features", "random:50")
    features = left.text_input(
        "Features",
        key="sweep.features",
        max_chars=200,
        help="random:50, first:50, 0-99, or 3,17 of each hookpoint",
    )
    names = [one.name for one in place.cache.hookpoints]
    if len(names) < 2:
        return features.strip(), ()
    st.session_state.setdefault("sweep.hookpoints", [place.hookpoint.name])
    picked = right.multiselect("Hookpoints", names, key="sweep.hookpoints",
                               placeholder="all of them")  # fmt: skip
    return features.strip(), tuple(picked)


def _judge(*, has_model: bool) -> tuple[EndpointSettings, str]:
    """The endpoint where one is needed, and who judges."""
    options = ["the same model"] if has_model else ["the grammar", "a language model"]
    st.session_state.setdefault(f"sweep.judge.{has_model}", options[0])
    picked = st.segmented_control("Judged by", options, key=f"sweep.judge.{has_model}",
                                  required=True)  # fmt: skip
    if picked == "the grammar":
        return EndpointSettings(), GRAMMAR
    endpoint = chosen_endpoint("sweep.endpoint", "Model")
    limit = st.number_input(
        "Budget, dollars",
        min_value=0.0,
        value=None,
        step=1.0,
        key="sweep.budget",
        placeholder="none",
        help="For the whole sweep; it stops cleanly before it is passed.",
    )
    return replace(endpoint, budget=limit), endpoint.model


def combinations(request: SweepRequest) -> None:
    """How many settings that makes."""
    n = len(request.settings)
    words = "1 setting" if n == 1 else f"{n} settings"
    st.html(block(f'<p><b>{words}</b> <span class="mut">over {escape(request.features)} of '
                  f"{'each hookpoint' if len(request.hookpoints) != 1 else 'one hookpoint'}"
                  "</span></p>"))  # fmt: skip


def estimate(wish: Wish, request: SweepRequest) -> None:
    """What it would write, ask and cost: by itself for the grammar, at a press for a model."""
    library = session.library()
    key = ("sweep", library.catalogue.revision(), request)
    job = library.jobs.get(key)
    if job is None and (not wish.asks_a_model or st.button("Estimate", key="sweep.estimate")):
        job = library.jobs.start(key, "planning a sweep",
                                 lambda _stop: plan_sweep(library.patient, request))  # fmt: skip
    if job is not None:
        planned(job)


def planned(job: Job) -> None:
    """The plan when it is there; another choice interrupts the waiting, not the work."""
    place = st.empty()
    while job.is_running:
        place.html(
            block(f'<p class="mut">Working out what is to be done … {job.seconds:.0f} s</p>')
        )
        sleep(EVERY)
    if job.error:
        place.html(sentence(f"That cannot be planned: {job.error}."))
        return
    plan: SweepPlan = job.result
    place.html(block(f'<p class="mut">{escape(plan.in_all())}</p>'))


def start(place: Place, wish: Wish) -> None:
    """Begin as a process, which outlives this page."""
    words = words_of(wish)
    with st.expander("As a command"):
        st.code(session.command(words), language=None, wrap_lines=True)
    if st.button("Start", type="primary", key="sweep.start"):
        begun = launch(store(), words)
        st.session_state[LAUNCHED] = Begun(begun.pid, begun.log, wish, place.cache.cache_id)
        st.rerun()
