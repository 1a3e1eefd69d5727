"""The best matched features of two SAEs, with both explanations side by side."""

import pandas as pd
import streamlit as st

from core.drawing.spans import block, escape, heading, plain
from core.likeness.words import CONTROLS, MEANS, METHODS, counts, figures
from dashboard import session
from dashboard.panels.similarity.choice import Chosen
from data import likeness
from data.catalogue import Row

LISTED = 100  # pairs in the table; the file has all of them
EVERY = 10**9
ROW = 35  # pixels of a table row
FEATURE = "views/feature.py"
UNEXPLAINED = "— not explained"


def words(chosen: Chosen) -> None:
    """What the chosen cell says."""
    if row := chosen.row:
        a, b = row["first"], row["second"]
        if row["first_cache"] != row["second_cache"]:
            a, b = f"{row['first_cache']}:{a}", f"{row['second_cache']}:{b}"
        st.html(heading(f"{a} with {b}", "the chosen cell"))
        st.html(block("".join(f'<p class="mut">{escape(line)}</p>' for line in said(row))))


@session.guarded
def show(chosen: Chosen) -> None:
    """The pairs of the chosen cell; a click opens the feature that was clicked."""
    row = chosen.row
    if row is None:
        return
    pairs = session.library().ask(likeness.pairs, row["similarity_id"], LISTED)
    if pairs.empty:
        return
    bar = st.container(horizontal=True, vertical_alignment="center")
    note = f"the first {len(pairs)} of {row['n_pairs']:,}; click either side to open that feature"
    bar.html(heading("Most similar pairs", note), width="content")
    bar.space("stretch")
    bar.download_button("All pairs as CSV", lambda: everything(row), "gloss-matched.csv",
                        "text/csv", key="similarity.csv", type="tertiary",
                        icon=":material/download:", on_click="ignore")  # fmt: skip
    table(row, pairs)


def said(row: Row) -> list[str]:
    """The numbers of a comparison and how they were come by."""
    lines = [f"{figures(row)}; {counts(row)}."]
    lines.append(f"Matched by {METHODS[row['method']]}. By chance: {CONTROLS[row['measure']]}. "
                 f"{MEANS[row['measure']]}")  # fmt: skip
    lines.append("The interval is of the difference, 95 %, over pairs and controls; pairs of one "
                 "matching are not independent, so take it as a guide.")  # fmt: skip
    if row["n_shared"] is not None:
        lines.append("Shared: decoder and encoder directions both above 0.7.")
    return lines


def table(row: Row, pairs: pd.DataFrame) -> None:
    """A pair a row: two features, what is said of each, how alike."""
    names = (f"A: {_short(row['first'])}", f"B: {_short(row['second'])}")
    if names[0][3:] == names[1][3:]:
        names = (f"A: {row['first_cache']}", f"B: {row['second_cache']}")
    shown = pd.DataFrame(
        {
            "Similarity": pairs["value"],
        }
        | ({"Encoder": pairs["encoder"]} if row["measure"] == "decoder" else {})
        | {
            names[0]: pairs["feature"],
            "A is explained as": [_text(one) for one in pairs["first_text"]],
            names[1]: pairs["other"],
            "B is explained as": [_text(one) for one in pairs["second_text"]],
        }
    )
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    picked = st.dataframe(
        shown, key=f"similarity.pairs.{row['similarity_id']}", hide_index=True, on_select="rerun",
        selection_mode="single-cell", row_height=ROW, height=ROW * (min(len(shown), 14) + 1) + 3,
        placeholder="–",
        column_config={
            names[0]: number(width=92, format="%d"), names[1]: number(width=92, format="%d"),
            "A is explained as": text(width=370), "B is explained as": text(width=370),
            "Similarity": st.column_config.ProgressColumn(min_value=0, max_value=1,
                                                          format="%.3f", width=92),
            "Encoder": number(width=70, format="%.3f", help="cosine of the encoder directions"),
        },
    )  # fmt: skip
    cells = picked["selection"]["cells"]
    if cells and cells[0][0] < len(pairs):
        _open(row, pairs, *cells[0])


def _open(row: Row, pairs: pd.DataFrame, place: int, column: str) -> None:
    """Go to one side's feature: B's where one of B's columns was clicked."""
    second = column.startswith("B")
    side = "second" if second else "first"
    feature = int(pairs["other" if second else "feature"].iloc[place])
    st.switch_page(FEATURE, query_params={"cache": row[f"{side}_cache"],
                                          "feature": f"{row[side]}/{feature}"})  # fmt: skip


def everything(row: Row) -> str:
    """All pairs as CSV."""
    with session.library().catalogue.reading() as con:
        pairs = likeness.pairs(con, row["similarity_id"], EVERY)
    pairs.insert(0, "first", f"{row['first_cache']}:{row['first']}")
    pairs.insert(2, "second", f"{row['second_cache']}:{row['second']}")
    return pairs.to_csv(index=False)


def _short(name: str) -> str:
    """A module path without its beginning, e.g. "gpt_neox.layers.2" -> "layers.2"."""
    return ".".join(name.split(".")[-2:])


def _text(text: object) -> str:
    return plain(text) if isinstance(text, str) else UNEXPLAINED
