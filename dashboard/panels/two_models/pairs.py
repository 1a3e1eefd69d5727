"""Contrast pairs: the features that react to what two texts differ in, in each subject.

set=    diff_id of the pairs shown
side=   1 first subject, 2 second, 3 second minus first
says=   words in the explanation
shown=  number of the feature shown below, as in the part of features
"""

from typing import Any

import pandas as pd
import streamlit as st

from core.diffing.words import SIDES, least_words
from core.drawing.cards import sentence
from core.drawing.spans import block, escape, heading, plain
from dashboard import session
from dashboard.charts.two_models import reaction_figure
from dashboard.panels import chart
from dashboard.panels.two_models.choice import Chosen, explained, measured, picked, put, start
from data import diffs
from data.diffs import DiffRecord

ROW, SEEN = 35, 12  # pixels of a table row; rows seen at once
EVERY = 2**31 - 1
FEATURE = "views/feature.py"


@session.guarded
def show(chosen: Chosen) -> None:
    """The pairs, who reacts, and by how much; or how to run some."""
    sets = measured(chosen, "pairs")
    if not sets:
        st.html(sentence(
            'No pairs of texts were run yet. A file with {"a": "…", "b": "…"} on every line, '
            "a with a fact (“nobody will see this”), b without, is run through both:",
            session.command(words_of(chosen, "PAIRS.jsonl"))))  # fmt: skip
        form(chosen)
        return
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    diff = picked(bar, sets, "set", "Pairs", name_of, 300)
    sides = sorted(map(int, diff.facts["n_reacting"]))
    side = _side(bar, sides)
    st.session_state["two.says"] = text = st.query_params.get("says", "")
    bar.text_input("Explanation contains", key="two.says", on_change=put, args=("says",),
                   max_chars=200, width=240)  # fmt: skip
    with bar.popover("Other pairs", icon=":material/add:"):
        form(chosen)
    st.html(block(f'<p class="mut">{escape(said(diff))}</p>'))
    _figure(diff, sides)
    _table(chosen, diff, side, text)
    with st.expander(f"The pairs ({len(diff.settings['pairs'])})"):
        st.dataframe(pd.DataFrame([[plain(t) for t in pair] for pair in diff.settings["pairs"]],
                                  columns=["a", "b"]), hide_index=True)  # fmt: skip


def name_of(diff: DiffRecord) -> str:
    """A set of pairs in a few words: how many, how counted, how the first begins."""
    first = plain(diff.settings["pairs"][0][0])[:40]
    return f"{diff.facts['n_pairs']} pairs, {diff.settings['value']}: {first}…"


def _side(bar: Any, sides: list[int]) -> int:
    asked = st.query_params.get("side", "")
    side = int(asked) if asked.isdecimal() and int(asked) in sides else sides[-1]
    if len(sides) > 1:
        st.session_state["two.side"] = side
        bar.segmented_control("Reaction of", sides, key="two.side", required=True,
                              on_change=put, args=("side",),
                              format_func=lambda n: SIDES[n].capitalize())  # fmt: skip
    return side


def said(diff: DiffRecord) -> str:
    """What the numbers are of, in a sentence or two."""
    facts = diff.facts
    lost = f", {facts['n_left_out']} without a token left out" * bool(facts["n_left_out"])
    counts = ", ".join(f"{n} in {SIDES[int(side)]}" if side != "3" else f"{n} differ between them"
                       for side, n in facts["n_reacting"].items())  # fmt: skip
    value = "mean activation a token" if diff.settings["value"] == "mean" else "peak activation"
    return (
        f"{facts['n_pairs']} pairs{lost}; {value} on text a minus text b, paired; of "
        f"{facts['n_features']:,} features that fire, react at q .05: {counts}; "
        f"{least_words(facts['n_pairs'])}. q is of features that differ in half of the pairs, or "
        "in ten."
    )


def _figure(diff: DiffRecord, sides: list[int]) -> None:
    ask = session.library().ask
    parts = {side: ask(diffs.reacting, diff, side, "", EVERY) for side in sides}
    figure = reaction_figure(parts[1], parts.get(2), diff.facts["n_pairs"])
    chart.show(figure, lambda: pd.concat(parts.values()).drop(columns="explanation"),
               key="two-pairs")  # fmt: skip


def _table(chosen: Chosen, diff: DiffRecord, side: int, text: str) -> None:
    rows = session.library().ask(diffs.reacting, diff, side, text)
    bar = st.container(horizontal=True, vertical_alignment="center")
    bar.html(heading("Features that react", f"{SIDES[side]}; the surest {len(rows)}; a row opens "
                     "the feature"), width="content")  # fmt: skip
    bar.space("stretch")
    bar.download_button("CSV of the features", lambda: session.library().ask(
        diffs.reacting, diff, side, text, EVERY).to_csv(index=False), "gloss-pairs-two.csv",
        "text/csv", key="two.pairs.csv", type="tertiary", icon=":material/download:",
        on_click="ignore")  # fmt: skip
    if rows.empty:
        st.html(block('<p class="mut">No feature passes.</p>'))
        return
    shown = pd.DataFrame({
        "Feature": rows["feature"],
        "Explanation": explained(rows),
        "a − b": rows["difference"],
        "95 %": [f"[{low:+.3g}, {high:+.3g}]"
                 for low, high in zip(rows["low"], rows["high"], strict=True)],
        "Pairs that differ": rows["n"], "p": rows["p"], "q": rows["q"],
    })  # fmt: skip
    number = st.column_config.NumberColumn
    picked = st.dataframe(
        shown, key="two.pairs.table", hide_index=True, on_select="rerun", row_height=ROW,
        selection_mode="single-cell", height=ROW * (min(len(shown), SEEN) + 1) + 3,
        placeholder="–",
        column_config={
            "Feature": number(width=64, format="%d", pinned=True),
            "Explanation": st.column_config.TextColumn(width=420),
            "a − b": number(width=84, format="%+.3g"),
            "p": number(width=76, format="%.2g"), "q": number(width=76, format="%.2g"),
        },
    )  # fmt: skip
    cells = picked["selection"]["cells"]
    if cells and cells[0][0] < len(rows):
        record = chosen.second if side == 2 else chosen.first
        address = f"{diff.hookpoint}/{rows['feature'].iloc[cells[0][0]]}"
        st.switch_page(FEATURE, query_params={"cache": record.name, "feature": address})


def words_of(chosen: Chosen, file: str) -> list[str]:
    """The command that runs a file of pairs."""
    return ["gloss", "diff", "pairs", chosen.first.name, file, "--with", chosen.second.name]


def form(chosen: Chosen) -> None:
    """Name a file and run it as a process."""
    file = st.text_input("File of pairs", key="two.pairs.file", max_chars=500,
                         placeholder="/path/to/pairs.jsonl")  # fmt: skip
    start("Run the pairs", words_of(chosen, file.strip()), "two.pairs.run",
          disabled=not file.strip())  # fmt: skip
