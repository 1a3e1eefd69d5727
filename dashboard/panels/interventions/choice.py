"""Which cache, hookpoint and study; all of it in the address."""

from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.intervening.pooled import Target, pooled
from dashboard import session
from dashboard.commands import counted
from dashboard.library import Place
from dashboard.panels.place import pick_place
from data import interventions
from data.catalogue import Row


class Chosen(NamedTuple):
    """What the page shows."""

    place: Place
    study: Row
    at: interventions.Place
    rows: list[Row]  # one a feature, arm and target
    targets: list[Target]


def choose(bar: DeltaGenerator, place: Place) -> Chosen | None:
    """Draw the choosers and read them; None where nothing is measured here."""
    pick_place(bar, place, "interventions", drop=("feature", "study"))
    studies = session.library().ask(interventions.studies, place.hookpoint.hookpoint_id)
    if not studies:
        return None
    study = _study(bar, studies)
    at = interventions.Place(study["study_id"], place.hookpoint.hookpoint_id)
    rows = session.library().ask(interventions.figures, at)
    return Chosen(place, study, at, rows, pooled(rows))


def _put_study() -> None:
    st.query_params["study"] = st.session_state["interventions.study"]


def _study(bar: DeltaGenerator, studies: list[Row]) -> Row:
    """The study in the address, else the newest."""
    names = {str(row["study_id"]): row for row in studies}
    asked = st.query_params.get("study", "")
    chosen = asked if asked in names else next(iter(names))
    if len(names) > 1:
        st.session_state["interventions.study"] = chosen
        bar.selectbox("Study", list(names), key="interventions.study", width=300,
                      format_func=lambda name: words(names[name]), on_change=_put_study,
                      label_visibility="collapsed")  # fmt: skip
    return names[chosen]


def words(study: Row) -> str:
    """A study in a few words: who judges, who explains, from how many prompts."""
    settings = study["settings"]
    sizes = "/".join(str(settings.get(name, "?")) for name in ("explain", "select", "score"))
    judge = str(study["judge"]).rstrip("/").rpartition("/")[2]
    return f"judge {judge} · {study['explainer'] or 'template'} · {sizes} prompts"


def _solved(n: int | None) -> str:
    """The worked questions in front of a judge's own."""
    return "worked examples" if n is None else counted(n, "worked examples")


def notes(study: Row) -> str:
    """What a study's settings are, in a sentence for those who compare."""
    settings = study["settings"]
    kept = settings.get("passage_tokens")
    cut = f", the last {kept} tokens of a passage with its statement" if kept else ""
    return (
        f"Judge {study['judge']}, shown {_solved(settings.get('few_shots'))}{cut}; explainer "
        f"{study['explainer'] or 'template: names the tokens that rise'}; contexts of "
        f"{settings.get('context', '?')} tokens, {settings.get('explain', '?')} prompts to "
        f"explain, {settings.get('select', '?')} to choose and {settings.get('score', '?')} to "
        f"score by, {settings.get('new_tokens', '?')} new tokens."
    )
