"""The page of features: filter, sort and page in SQL; a click on a row opens the feature."""

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import session, strip
from dashboard.address import every, feature_named, number_named
from dashboard.cards import sentence
from dashboard.library import Place
from dashboard.session import KEPT
from dashboard.spans import block, plain
from data import queries
from data.queries import PAGE, Filter, Preset, Sort

FEATURE = "views/feature.py"
OPENED = "features.opened"  # the search that led to a feature, so that Back does not do it again
CHOSEN = "features.chosen"  # set while a page chosen by hand is newer than the address
GOOD_NEWS = {
    Preset.DEAD: "No feature is dead: every one of them fired.",
    Preset.SCARCE: "No feature is scarce: every one has contexts enough to be scored.",
    Preset.FAILED: "No verdict has failed: every reply was usable.",
    Preset.UNSCORED: "No explanation waits for a score.",
    Preset.UNEXPLAINED: "No feature waits for an explanation.",
}
ROW = 35  # pixels of a table row


@session.guarded
def page() -> None:
    """Filters, table, count and pages."""
    place = session.place()
    strip.show()
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    pick_place(bar, place)
    session.require_finished(place)
    wanted = filters(bar, place)
    found = session.library().ask(queries.features, place.hookpoint.hookpoint_id, wanted)
    if found.total:
        table(place, found)
    else:
        st.html(sentence(nothing(place, wanted)))
    below(found)


def pick_place(bar: DeltaGenerator, place: Place) -> None:
    """Choose the cache and the hookpoint where there is a choice."""
    known = [record.name for record in session.library().caches() if record.hookpoints]
    choices = {
        "cache": ("Cache", known, place.cache.name),
        "hookpoint": ("Hookpoint", [h.name for h in place.cache.hookpoints], place.hookpoint.name),
    }
    for name, (label, options, chosen) in choices.items():
        if len(options) > 1:
            st.session_state[f"features.{name}"] = chosen
            bar.selectbox(label, options, key=f"features.{name}", width=200,
                          label_visibility="collapsed", on_change=_go_to_place, args=(name,),
                          )  # fmt: skip


def _go_to_place(name: str) -> None:
    """Put another cache or hookpoint in the address; a new cache has its own hookpoints."""
    st.query_params[name] = st.session_state[f"features.{name}"]
    st.session_state["page"] = 1
    if name == "cache":
        st.query_params.pop("hookpoint", None)
        st.session_state.pop("place.hookpoint", None)


def nothing(place: Place, wanted: Filter) -> str:
    """Why the table is empty: often good news."""
    if number_named(wanted.words):
        return f"There is no feature {wanted.words.strip()}: features are {every(place.hookpoint)}."
    if not wanted.words and wanted.preset in GOOD_NEWS:
        return GOOD_NEWS[wanted.preset]
    return ("No feature passes this filter; choose All and clear the search to see "
            f"all {place.hookpoint.n_features:,}.")  # fmt: skip


def filters(bar: DeltaGenerator, place: Place) -> Filter:
    """Search and order in the first line, presets in the next; all of it in the address."""
    words = bar.text_input(
        "Search", key="q", icon=":material/search:", width=340, max_chars=300, type="search",
        placeholder="words of an explanation, or a feature", label_visibility="collapsed",
        on_change=_new_search, **KEPT,
    )  # fmt: skip
    if address := feature_named(words or "", place.cache, place.hookpoint):
        if st.session_state.get(OPENED) != words:
            st.session_state[OPENED] = words
            open_feature(place, address)
        words = ""  # Back came here again: the list, not the same feature once more
    bar.space("stretch")
    sort = bar.selectbox("Sort", list(Sort), key="sort", width=230, on_change=_first_page,
                         label_visibility="collapsed", **KEPT)  # fmt: skip
    preset = st.segmented_control(
        "Preset", list(Preset), default=Preset.ALL, required=True, key="preset",
        label_visibility="collapsed", on_change=_first_page, **KEPT,
    )  # fmt: skip
    return Filter(words or "", Preset(preset), Sort(sort), _page(place))


def _page(place: Place) -> int:
    """The page just chosen, else the one in the address (Back changes it), else the last one."""
    asked, is_chosen = st.query_params.get("page", ""), st.session_state.pop(CHOSEN, False)
    last = -(-place.hookpoint.n_features // PAGE)
    if asked.isdecimal() and 1 <= int(asked) <= last and not is_chosen:
        st.session_state["page"] = int(asked)
    return int(st.session_state.get("page") or 1)


def _first_page() -> None:
    st.session_state["page"] = 1
    _choose_page()


def _choose_page() -> None:
    st.session_state[CHOSEN] = True


def _new_search() -> None:
    st.session_state.pop(OPENED, None)
    _first_page()


def table(place: Place, found: queries.Page) -> None:
    """A hundred rows; scores as bars with their numbers."""
    bar = st.column_config.ProgressColumn
    number = st.column_config.NumberColumn
    shown = readable(found.rows)
    picked = st.dataframe(
        shown, key="table", hide_index=True, on_select="rerun", selection_mode="single-cell",
        height=ROW * (min(len(shown), 18) + 1) + 3, row_height=ROW,
        column_config={
            "Feature": number(width=60, format="%d"),
            "Explanation": st.column_config.TextColumn(width=560),
            "Detection": bar(min_value=0, max_value=1, format="%.2f", width=92),
            "Fuzzing": bar(min_value=0, max_value=1, format="%.2f", width=92),
            "Exact F1": bar(min_value=0, max_value=1, format="%.2f", width=92),
            "Judged": number(width=52, help="usable verdicts of detection and fuzzing"),
            "Failed": number(width=50, help="verdicts asked for that are not usable"),
            "Density, %": number(width=72, format="%.3f", help="share of tokens it fires on"),
            "Max": number(width=56, format="%.2f", help="largest activation"),
            "Expl.": number(width=44, help="number of explanations"),
        },
    )  # fmt: skip
    cells = picked["selection"]["cells"]
    rows = [row for row, _ in cells] or picked["selection"]["rows"]
    if rows and rows[0] < len(found.rows):
        index = int(found.rows["feature"].iloc[rows[0]])
        open_feature(place, f"{place.hookpoint.name}/{index}")


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """The table's columns in words; what is missing says why."""
    given = zip(rows["text"], rows["reason"], rows["n_active"], strict=True)
    texts = [
        plain(text) if isinstance(text, str) else f"— {_why(reason, n_active)}"
        for text, reason, n_active in given
    ]
    return pd.DataFrame(
        {
            "Feature": rows["feature"],
            "Explanation": texts,
            "Detection": rows["detection"],
            "Fuzzing": rows["fuzzing"],
            "Exact F1": rows["exact"],
            "Judged": rows["n_judged"].astype(int),
            "Failed": rows["n_failed"].astype(int),
            "Density, %": 100 * rows["density"],
            "Max": rows["max_activation"],
            "Expl.": rows["n_explanations"],
        }
    )


def _why(reason: object, n_active: int) -> str:
    if not n_active:
        return "dead: never fired"
    return f"{reason}: too few contexts" if reason in ("rare", "scarce") else "not explained yet"


def open_feature(place: Place, address: str) -> None:
    """Go to a feature's page."""
    st.switch_page(FEATURE, query_params={"cache": place.cache.name, "feature": address})


def below(found: queries.Page) -> None:
    """Which rows these are, and the other pages."""
    first, last = (found.number - 1) * PAGE + 1, min(found.number * PAGE, found.total)
    bar = st.container(horizontal=True, vertical_alignment="center")
    count = f"{first:,}–{last:,} of {found.total:,}" if found.total else "0 features"
    bar.html(block(f'<span class="mut">{count}</span>'), width="content")
    bar.space("stretch")
    if found.total > PAGE:
        bar.pagination(-(-found.total // PAGE), key="page", on_change=_choose_page, **KEPT)


if __name__ == "__main__":
    page()
