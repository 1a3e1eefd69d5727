"""What the page of baselines is about: a cache, a run, a hookpoint; all of it in the address.

cache=            the cache; of a baseline, the one that it stands beside
of=               run that compared, the newest if left out
hookpoint=        whose rows are drawn
"""

from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.baselines.table import Table, question_of, table
from dashboard import session
from dashboard.library import Place
from dashboard.memory import Memory
from data import baselines
from data.baselines import Study
from data.records import CacheRecord, HookpointRecord

KEPT = 16  # tables
RUN = "of"


class Chosen(NamedTuple):
    """What is shown."""

    record: CacheRecord
    studies: tuple[Study, ...]  # newest first
    study: Study | None  # None: nothing was compared yet
    hookpoint: str  # of the study's; "" without one


def choose(bar: DeltaGenerator, place: Place) -> Chosen:
    """Widgets that follow the address."""
    record = _cache(bar, place)
    found = tuple(session.library().ask(baselines.studies, record.cache_id))
    study = _study(bar, found)
    names = list(study.settings["hookpoints"]) if study else []
    return Chosen(record, found, study, _hookpoint(bar, names, place.hookpoint))


def _cache(bar: DeltaGenerator, place: Place) -> CacheRecord:
    """The cache in the address, or what it is a baseline of."""
    every = {one.name: one for one in session.library().caches() if one.hookpoints}
    own = [name for name, one in every.items() if not one.baseline_of]
    record = place.cache
    if record.baseline_of in every:
        record = every[record.baseline_of]
    if len(own) > 1:
        st.session_state["baselines.cache"] = record.name
        bar.selectbox("Cache", own, key="baselines.cache", width=200, label_visibility="collapsed",
                      on_change=_put_cache)  # fmt: skip
    return record


def _put_cache() -> None:
    st.query_params.update({"cache": st.session_state["baselines.cache"], "hookpoint": [],
                            RUN: [], "feature": []})  # fmt: skip
    st.session_state.pop("place.hookpoint", None)


def _study(bar: DeltaGenerator, found: tuple[Study, ...]) -> Study | None:
    """The run that is shown, with a box where there are several."""
    by_id = {str(one.run_id): one for one in found}
    asked = st.query_params.get(RUN, "")
    chosen = by_id.get(asked) or next(iter(found), None)
    if chosen is not None and len(found) > 1:
        st.session_state["baselines.of"] = str(chosen.run_id)
        bar.selectbox("Compared", list(by_id), key="baselines.of", width=300,
                      label_visibility="collapsed", on_change=_put_study,
                      format_func=lambda number: study_words(by_id[number]))  # fmt: skip
    return chosen


def study_words(study: Study) -> str:
    """A run in a few words, e.g. "run 12: random:100, grammar, judged by grammar, gloss"."""
    said = study.settings
    who = said["model"] or said["explainer"]
    return (f"run {study.run_id}: {said['features']}, {who}, judged by {said['judge']}, "
            f"{said['preset']}")  # fmt: skip


def _put_study() -> None:
    st.query_params[RUN] = st.session_state["baselines.of"]


def _hookpoint(bar: DeltaGenerator, names: list[str], here: HookpointRecord) -> str:
    asked = st.query_params.get("hookpoint", "")
    chosen = next((name for name in (asked, here.name) if name in names), next(iter(names), ""))
    if len(names) > 1:
        st.session_state["baselines.hookpoint"] = chosen
        bar.selectbox("Hookpoint", names, key="baselines.hookpoint", width=260,
                      label_visibility="collapsed", on_change=_put_hookpoint)  # fmt: skip
    return chosen


def _put_hookpoint() -> None:
    st.query_params["hookpoint"] = st.session_state["baselines.hookpoint"]


@st.cache_resource(show_spinner=False)
def _kept() -> Memory:
    return Memory(KEPT)


def table_of(chosen: Chosen) -> Table:
    """The table of the chosen run, as of the last commit."""
    assert chosen.study is not None
    question = question_of(chosen.record.name, chosen.study)
    catalogue = session.library().catalogue
    key = (catalogue.path, catalogue.revision(), question)
    return _kept().get(key, lambda: table(catalogue, question))
