"""One feature under several explanations: columns, curves, and where the verdicts differ.

In the address: feature=HOOKPOINT/INDEX and explanations=1,5,9. The first one is the reference.
"""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.drawing.cards import made_words, sentence
from core.drawing.facts import why_unexplained
from core.drawing.spans import block, escape, heading, plain
from dashboard import session, side_by_side
from dashboard.address import every, feature_named
from dashboard.charts.deciles import (
    LETTERS,
    Line,
    decile_figure,
    decile_table,
    spots_of_score,
    whiskers_note,
)
from dashboard.library import FeatureRecord, Place
from dashboard.panels import chart, explanations
from dashboard.side_by_side import MOST
from data import results, run_figures
from data.records import ExplanationRecord

FEATURE = "views/feature.py"
NAMED = "explanations"  # the parameter of the address
LONGEST = 40  # characters of a bad value that are shown


@session.guarded
def show() -> None:
    """The feature, its chosen explanations, and what differs between them."""
    place = session.place()
    session.require_finished(place)
    if not place.hookpoint.n_features:
        st.html(sentence(f"The SAE at {place.hookpoint.name} has no features, so there is nothing "
                         "to compare."))  # fmt: skip
        return
    feature = chosen_feature(place)
    if feature is None:
        st.html(sentence(f"There is no feature “{st.query_params['feature'][:LONGEST]}” in cache "
                         f"“{place.cache.name}”: {place.hookpoint.name} has features "
                         f"{every(place.hookpoint)}."))  # fmt: skip
        return
    record = session.library().feature(place, feature)
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    header(bar, place, feature)
    if not record.explanations:
        bar.space("stretch")
        st.html(without(place, feature, record))
        return
    found = chosen(record.explanations)
    share(place, feature, found)
    choose(bar, record.explanations, found)
    to_feature(bar, place, feature, found)
    body(place, feature, record, found)


def share(place: Place, feature: int, found: list[ExplanationRecord]) -> None:
    """Name what is shown in the address; explanations that it names in another way are kept."""
    named = {"cache": place.cache.name, "feature": f"{place.hookpoint.name}/{feature}"}
    if not st.query_params.get("explanation"):
        named[NAMED] = ids_of(found)
    session.share(named)


def ids_of(found: list[ExplanationRecord]) -> str:
    """Explanations as the address names them."""
    return ",".join(str(e.explanation_id) for e in found)


def chosen_feature(place: Place) -> int | None:
    """The feature in the address, else one with several explanations; None: there is no such."""
    asked = st.query_params.get("feature", "")
    if not asked:
        several = _several(place, -1)
        return _last(place) if several is None else several
    named = feature_named(asked, place.cache, place.hookpoint)
    return None if named is None else int(named.rpartition("/")[2])


def _last(place: Place) -> int:
    last = session.last_feature(place.hookpoint)
    if last is not None:
        return last
    return session.library().ask(results.live_feature, place.hookpoint.hookpoint_id, 0) or 0


def _several(place: Place, after: int, *, forwards: bool = True) -> int | None:
    """The next feature with several explanations, in either direction; None = there is none."""
    return session.library().ask(
        run_figures.with_several, place.hookpoint.hookpoint_id, after, forwards
    )


def header(bar: DeltaGenerator, place: Place, feature: int) -> None:
    """Previous and next of the features that have several explanations, and a number."""
    before = _several(place, feature, forwards=False)
    after = _several(place, feature)
    bar.button("Previous", icon=":material/chevron_left:", shortcut="Left", disabled=before is None,
               help="The feature before this one that has several explanations",
               on_click=go_to, args=(place, before))  # fmt: skip
    st.session_state["one.number"] = feature
    bar.number_input("Feature", 0, place.hookpoint.n_features - 1, key="one.number", width=120,
                     label_visibility="collapsed", on_change=_typed, args=(place,))  # fmt: skip
    bar.button("Next", icon=":material/chevron_right:", icon_position="right", shortcut="Right",
               help="The next feature that has several explanations", disabled=after is None,
               on_click=go_to, args=(place, after))  # fmt: skip
    name = escape(f"{place.cache.name} · {place.hookpoint.name}")
    bar.html(block(f'<div class="who">{name}</div>'), width="content")


def _typed(place: Place) -> None:
    go_to(place, st.session_state["one.number"])


def go_to(place: Place, feature: int) -> None:
    """Put a feature in the address, one step for Back; its explanations are its own."""
    address = f"{place.hookpoint.name}/{feature}"
    found = session.library().feature(place, feature).explanations
    st.query_params.update(
        {"mode": "one", "cache": place.cache.name, "feature": address,
         NAMED: ids_of(usual(found, results.best(found))) or [],
         "explanation": [], "against": []}
    )  # fmt: skip


def without(place: Place, feature: int, record: FeatureRecord) -> str:
    """Why there is nothing to compare."""
    if unable := why_unexplained(record.facts):
        return sentence(f"There is nothing to compare. {unable}.")
    return sentence("This feature is not explained yet; this explains it:",
                    session.command_about("explain", place, feature))  # fmt: skip


def chosen(found: list[ExplanationRecord]) -> list[ExplanationRecord]:
    """Those in the address, in its order; else the shown and the pinned one, else up to four."""
    by_id = {str(e.explanation_id): e for e in found}
    asked = dict.fromkeys(filter(None, st.query_params.get(NAMED, "").split(",")))
    if unknown := [number for number in asked if number.strip() not in by_id]:
        shown = escape(", ".join(f"#{number.strip()[:LONGEST]}" for number in unknown[:MOST]))
        st.html(block(f'<p class="mut">This feature has no explanation {shown}.</p>'))
    named = [by_id[number.strip()] for number in asked if number.strip() in by_id]
    if named:
        return named[:MOST]
    shown, against, _ = explanations.chosen(found)
    if shown and against:
        return [shown, against]
    return usual(found, shown)


def usual(
    found: list[ExplanationRecord], shown: ExplanationRecord | None
) -> list[ExplanationRecord]:  # fmt: skip
    """Those that are compared when none are named: the shown one first, then the newest."""
    usable = sorted(found, key=lambda e: (e is not shown, e.text is None, -e.explanation_id))
    return usable[:MOST]


def choose(
    bar: DeltaGenerator, found: list[ExplanationRecord], now: list[ExplanationRecord]
) -> None:
    """Choose up to four explanations; the first is the reference."""
    names = {str(e.explanation_id): _name(e) for e in found}
    st.session_state["one.chosen"] = [str(e.explanation_id) for e in now]
    bar.multiselect("Explanations", list(names), key="one.chosen", max_selections=MOST,
                    format_func=names.__getitem__, label_visibility="collapsed",
                    placeholder="explanations to compare", on_change=_put)  # fmt: skip


def _name(explanation: ExplanationRecord) -> str:
    return plain(" · ".join([f"#{explanation.explanation_id}", *made_words(explanation)]))


def _put() -> None:
    picked = st.session_state["one.chosen"]
    st.query_params[NAMED] = ",".join(picked) if picked else []


def to_feature(
    bar: DeltaGenerator, place: Place, feature: int, found: list[ExplanationRecord]
) -> None:
    """The feature's own page with the first two of them."""
    query = {"cache": place.cache.name, "feature": f"{place.hookpoint.name}/{feature}"}
    names = ("explanation", "against")
    query |= {name: str(e.explanation_id) for name, e in zip(names, found, strict=False)}
    if bar.button("Open feature", icon=":material/open_in_new:", key="one.open"):
        st.switch_page(FEATURE, query_params=query)


def body(place: Place, feature: int, record: FeatureRecord, found: list[ExplanationRecord]) -> None:
    """Columns, differences, curves, contexts."""
    st.html(side_by_side.columns(found))
    if len(found) == 1:
        st.html(block('<p class="mut">This is one explanation. '
                      f"{_how_to_get_another(len(record.explanations))}</p>"))  # fmt: skip
    else:
        every = session.library().ask(results.verdicts, place.hookpoint.hookpoint_id, feature)
        st.html(side_by_side.differences(every, found))
    curves(found)
    contexts(place, feature, [e.explanation_id for e in found])


def _how_to_get_another(n: int) -> str:
    if n > 1:
        return "Choose another one above to see the two side by side."
    return ("To get another one, open the feature and press E, or sweep several settings over a "
            "sample of features (Figures).")  # fmt: skip


def curves(found: list[ExplanationRecord]) -> None:
    """Share of right verdicts by decile, one line an explanation, one panel a scorer."""
    lines = [
        Line(
            f"{LETTERS[k]} #{explanation.explanation_id}",
            {s.scorer: spots_of_score(s) for s in explanation.scores
             if s.scorer in side_by_side.SCORERS},
        )
        for k, explanation in enumerate(found)
    ]  # fmt: skip
    if not any(one.panels for one in lines):
        st.html(heading("Accuracy by decile", "none of these is scored by detection or fuzzing"))
        return
    note = whiskers_note(lines, "Wilson 95 % interval")
    chart.show(decile_figure(lines, note), lambda: decile_table(lines), key="one-deciles")


@st.fragment
@session.guarded
def contexts(place: Place, feature: int, ids: list[int]) -> None:
    """The contexts, those on which the verdicts differ first."""
    library = session.library()
    st.html(heading("Contexts", "peak activation · text · detection (D) and fuzzing (F) of each "
                    "explanation: ✓ right, × wrong, ? no usable reply"))  # fmt: skip
    drawn = library.drawn(place, ("one", feature, tuple(ids)), lambda: _list(place, feature, ids))
    st.html(drawn)


def _list(place: Place, feature: int, ids: list[int]) -> str:
    library = session.library()
    record = library.feature(place, feature)
    is_judged = any(row["explanation_id"] in ids for row in record.verdicts)
    if not is_judged:
        why = "on contexts that no explainer has seen:"
        if not place.cache.has_activations:
            why = "by a language model, on the contexts that were imported:"
        return sentence(f"None of these is judged yet; this judges them {why}",
                        session.command_about("score", place, feature))  # fmt: skip
    scale = (record.facts or {}).get("max_activation") or 0.0
    reader = library.reader(place, feature)
    found = side_by_side.context_list(reader, record.verdicts, ids, scale)
    return found or sentence("None of these was asked about single contexts, so there is nothing "
                             "to show side by side.")  # fmt: skip
