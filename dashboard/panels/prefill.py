"""What the drawer opens with: a job at work, a run that stopped, or the explanation shown.

An endpoint's address is in no explanation and no run, so the one used last stays in the form.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

import streamlit as st

from core.explain import EXPLAINERS
from core.explain.settings import ExplainerSettings
from core.grammar.settings import Settings
from core.pipeline.scorers import GRAMMAR, SCORERS
from dashboard import session
from dashboard.commands import settings_of
from dashboard.library import Place
from dashboard.panels import asking, working
from data import results
from data.catalogue import Row
from data.errors import BadInput
from data.records import ExplanationRecord

FILLED, WANTED = "reexplain.filled", "reexplain.wanted"  # keys of the session's state
BY_MODEL = "explainer"  # the name of a setting, which the grammar has not


class Wanted(NamedTuple):
    """A run of a page that is to go on."""

    cache: str
    hookpoint: str
    feature: int
    stage: str
    settings: Mapping[str, Any]

    @property
    def address(self) -> dict[str, str]:
        """Where its feature is, with the explanation that was to be scored."""
        judged = self.settings.get("explanations")
        which = {"explanation": str(judged[0])} if judged else {}
        return {"cache": self.cache, "feature": f"{self.hookpoint}/{self.feature}", **which}


def wanted_of(run: Row) -> Wanted | None:
    """What a run of a page was asked; None where a command made it or it is not one feature's."""
    settings = settings_of(run)
    feature = str(settings.get("features", ""))
    if run["command"] or not run["cache"] or not run["hookpoint"] or not feature.isdecimal():
        return None
    return Wanted(run["cache"], run["hookpoint"], int(feature), run["stage"], settings)


def is_wanted(place: Place, feature: int) -> bool:
    """Whether a run of this feature is to go on; one of another feature is forgotten."""
    wanted = st.session_state.get(WANTED)
    if wanted is None:
        return False
    here = place.cache.name, place.hookpoint.name, feature
    if (wanted.cache, wanted.hookpoint, wanted.feature) != here:
        st.session_state.pop(WANTED)
        return False
    return True


def fill(place: Place, feature: int, shown: ExplanationRecord | None) -> None:
    """Set the form when the drawer opens; what was begun for this explanation stays."""
    here = place.hookpoint.hookpoint_id, feature, shown and shown.explanation_id
    wanted = st.session_state.pop(WANTED, None)
    before = st.session_state.get(FILLED)
    st.session_state[FILLED] = here
    if running := working.running_about("reexplain", place, feature):
        key = running[0].key
        assert isinstance(key, tuple)
        asking.fill(key[-1])
    elif wanted is not None:
        _as_wanted(wanted, place)
    elif before != here and shown is not None:
        _as_explained(shown)


def _as_wanted(wanted: Wanted, place: Place) -> None:
    if wanted.stage != "score":
        chooser = str(wanted.settings.get("judge") or "")
        _settings(wanted.settings, wanted.settings.get("model"), chooser)
        return
    hookpoint_id, judged = place.hookpoint.hookpoint_id, wanted.settings.get("explanations") or []
    found = session.library().ask(results.explanations, hookpoint_id, wanted.feature)
    for explanation in found.get(wanted.feature, []):
        if explanation.explanation_id in judged[:1]:
            _as_explained(explanation)
            names = tuple(n for n in wanted.settings.get("scorers", ()) if n in SCORERS)
            asking.fill_judge(explanation.explainer, explanation.model,
                              str(wanted.settings.get("judge", GRAMMAR)), names,
                              str(wanted.settings.get("preset", "gloss")))  # fmt: skip


def _as_explained(shown: ExplanationRecord) -> None:
    chooser = str(shown.settings.get("judge") or "")
    _settings({**shown.settings, "explainer": shown.explainer}, shown.model, chooser)


def _settings(found: Mapping[str, Any], model: str | None, chooser: str) -> None:
    """Fill in the explainer; what was made by hand or elsewhere leaves the form as it is."""
    explainer = found.get(BY_MODEL, GRAMMAR)
    if explainer not in EXPLAINERS:
        return
    record = Settings if explainer == GRAMMAR else ExplainerSettings
    names = {one.name for one in fields(record)}
    try:
        settings = record(**{name: value for name, value in found.items() if name in names})
    except (BadInput, TypeError):
        return  # of a version with other settings
    asking.fill_explainer(settings, chooser)
    if model:
        asking.fill_model(model)
