"""All features in both subjects: figure, table with explanations, one feature side by side.

compared=  diff_id of the comparison shown
figure=    mean or rate: mean activation or firing rate
order=     p, difference, auroc, up, down
says=      words in the explanation
two-rows=  which hundred of the table
sure=      1: only features that the held-out half confirms
shown=     number of the feature that is shown below
"""

from typing import Any, NamedTuple

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.diffing.words import NAMES, found_words, settings_words
from core.drawing.cards import sentence
from core.drawing.spans import block, escape, heading
from dashboard import session
from dashboard.charts.two_models import diff_figure, diff_table
from dashboard.panels import chart
from dashboard.panels.two_models import one_feature
from dashboard.panels.two_models.choice import Chosen, explained, measured, picked, put, start
from dashboard.session import KEPT
from data import diffs
from data.diffs import DiffRecord, Figure, Wanted

ROWS = "two-rows"  # parameter: which hundred of the table
ROW, SEEN = 35, 12  # pixels of a table row; rows seen at once
EVERY = 2**31 - 1
FIGURES: dict[Figure, str] = {"mean": "Mean activation", "rate": "Firing rate"}
ORDERS = {"p": "surest first", "difference": "largest difference", "auroc": "AUROC farthest from ½",
          "up": "most gained", "down": "most lost", "feature": "number"}  # fmt: skip


class View(NamedTuple):
    """How the features are shown."""

    diff: DiffRecord
    wanted: Wanted


@session.guarded
def show(chosen: Chosen) -> None:
    """What was found, figure, table, one feature; or how to compare."""
    diff = found(chosen)
    words = ["gloss", "diff", "features", chosen.first.name, chosen.second.name]
    if diff is None:
        st.html(sentence("These two are not compared feature by feature yet; this does it, in "
                         "seconds for some thousand features:",
                         session.command(words)))  # fmt: skip
        start("Compare", words, "two.compare")
        return
    st.html(block(f'<p class="mut">{escape(found_words(diff))}</p>'))
    view = View(diff, choose(diff))
    rows = session.library().ask(diffs.features, diff, view.wanted._replace(
        confirmed=False, text="", order="feature", first=0, size=EVERY))  # fmt: skip
    figure, level = view.wanted.figure, diff.settings["level"]
    clicked = chart.clickable(
        diff_figure(rows, figure, level), lambda: diff_table(rows), key="two-features"
    )
    if isinstance(clicked, int):
        open_feature(clicked)
    table(view)
    one_feature.show(chosen, diff)


def found(chosen: Chosen) -> DiffRecord | None:
    """The comparison in the address, else the newest; a choice where there are several."""
    every = measured(chosen, "features")
    if not every:
        return None
    return picked(st.container(), every, "compared", "Comparison",
                  lambda one: f"{one.diff_id}: {settings_words(one)}", 240)  # fmt: skip


def choose(diff: DiffRecord) -> Wanted:
    """The widgets over figure and table; all of them in the address."""
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    figure: Figure = "rate" if st.query_params.get("figure") == "rate" else "mean"
    asked = st.query_params.get("order", "")
    order = asked if asked in ORDERS else "p"
    text, sure = st.query_params.get("says", ""), st.query_params.get("sure") == "1"
    given = {"figure": figure, "order": order, "says": text, "sure": sure}
    for name, value in given.items():
        st.session_state[f"two.{name}"] = value
    bar.segmented_control("By", list(FIGURES), key="two.figure", required=True, on_change=_put,
                          args=("figure",), format_func=FIGURES.__getitem__)  # fmt: skip
    bar.selectbox("Order", list(ORDERS), key="two.order", on_change=_put, args=("order",),
                  width=200, format_func=ORDERS.__getitem__)  # fmt: skip
    bar.text_input("Explanation contains", key="two.says", on_change=_put, args=("says",),
                   max_chars=200, width=240, placeholder="e.g. deploy, monitor, user")  # fmt: skip
    bar.toggle("Confirmed only", key="two.sure", on_change=_put_sure,
               help="q on held-out sequences at most "
               f"{diff.settings['level']:g}, with the same sign")  # fmt: skip
    return Wanted(figure, order, text, sure)


def _put(name: str) -> None:
    st.session_state[ROWS] = 1  # another order has another first page
    put(name)


def _put_sure() -> None:
    st.session_state[ROWS] = 1
    st.query_params["sure"] = "1" if st.session_state["two.sure"] else []


def table(view: View) -> None:
    """A page of features, a click on a row shows one; all of them as a file."""
    ask = session.library().ask
    total = ask(diffs.n_features, view.diff, view.wanted)
    bar = st.container(horizontal=True, vertical_alignment="center")
    bar.html(heading("Features", f"{_shown(total)}; differences are second minus first, on "
                     f"{view.diff.facts['n_held_out']:,} held-out sequences"),
             width="content")  # fmt: skip
    bar.space("stretch")
    bar.download_button("CSV of the features", lambda: everything(view), "gloss-two-models.csv",
                        "text/csv", key="two.csv", type="tertiary", icon=":material/download:",
                        on_click="ignore")  # fmt: skip
    if not total:
        st.html(block('<p class="mut">No feature passes: clear the words, or show all.</p>'))
        return
    rows = ask(diffs.features, view.diff, _paged(bar, view.wanted, total))
    drawn(rows, view.wanted.figure)


def _shown(total: int) -> str:
    return f"{total:,} {'feature' if total == 1 else 'features'}"


def _paged(bar: DeltaGenerator, wanted: Wanted, total: int) -> Wanted:
    """The page of the table, counted from 1."""
    if total <= wanted.size:
        return wanted
    with bar:
        page = st.pagination(-(-total // wanted.size), key=ROWS, **KEPT) or 1
    return wanted._replace(first=(page - 1) * wanted.size)


def drawn(rows: pd.DataFrame, figure: Figure) -> None:
    """The table itself."""
    shown = readable(rows, figure)
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    clicked = st.dataframe(
        shown, key="two.table", hide_index=True, on_select="rerun", selection_mode="single-cell",
        row_height=ROW, height=ROW * (min(len(shown), SEEN) + 1) + 3, placeholder="–",
        column_config={
            "Feature": number(width=64, format="%d", pinned=True),
            "Explanation": text(width=400),
            "First": number(width=70, format="%.4g"), "Second": number(width=70, format="%.4g"),
            "Difference": number(width=84, format="%+.3g"),
            "95 %": text(width=136, help="bootstrap over held-out sequences"),
            "q": text(width=66, help="Benjamini-Hochberg, on the half that chooses"),
            "Held-out q": text(width=80, help="on the other half, over the features chosen; 1: "
                               "the sign turned"),
            "AUROC": number(width=64, format="%.2f", help="chance that a sequence has more of it "
                            "in the second subject; .5 = no difference"),
            "AUROC 95 %": text(width=92),
        },
    )  # fmt: skip
    cells = clicked["selection"]["cells"]
    place = cells[0][0] if cells else None
    if place is not None and place < len(rows):
        feature = int(rows["feature"].iloc[place])
        if feature != st.session_state.get("two.cell"):
            st.session_state["two.cell"] = feature
            open_feature(feature)


def readable(rows: pd.DataFrame, figure: Figure) -> pd.DataFrame:
    """The table's columns in words."""
    return pd.DataFrame(
        {
            "Feature": rows["feature"],
            "Explanation": explained(rows),
            "First": rows[f"first_{figure}"],
            "Second": rows[f"second_{figure}"],
            "Difference": rows[figure],
            "95 %": _ends(rows, figure, "{:+.3g}"),
            "q": [small(x) for x in rows[f"{figure}_q"]],
            "Held-out q": [small(x, "not chosen") for x in rows[f"{figure}_held"]],
            "AUROC": rows["auroc"],
            "AUROC 95 %": _ends(rows, "auroc", "{:.2f}"),
        }
    )


def _ends(rows: pd.DataFrame, name: str, form: str) -> list[str]:
    ends = zip(rows[f"{name}_low"], rows[f"{name}_high"], strict=True)
    return [
        "" if pd.isna(low) else f"[{form.format(low)}, {form.format(high)}]" for low, high in ends
    ]


def small(value: Any, missing: str = "–") -> str:
    """A p or q value in few characters; the very small ones as a bound."""
    if pd.isna(value):
        return missing
    return "< 1e-12" if value < 1e-12 else f"{value:.2g}"


def everything(view: View) -> str:
    """All features that pass, with every figure, as CSV."""
    rows = session.library().ask(diffs.features, view.diff,
                                 view.wanted._replace(first=0, size=EVERY))  # fmt: skip
    rows = rows.copy()
    rows.insert(0, "hookpoint", view.diff.hookpoint)
    return rows.to_csv(index=False)


def open_feature(feature: int) -> None:
    """Show a feature below, in the address."""
    st.query_params["shown"] = str(feature)
    st.rerun()


assert set(FIGURES) == set(NAMES)
