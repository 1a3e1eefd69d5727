"""A hundred features as a table, and what stands below it: count, files, pages."""

import io
import math
from collections.abc import Hashable, Mapping
from typing import Any, NoReturn

import pandas as pd
import pyarrow as pa
import streamlit as st
from pyarrow.csv import write_csv

from core.drawing.cards import two
from core.drawing.spans import block, plain
from dashboard import session
from dashboard.commands import counted
from dashboard.library import Library, Place
from dashboard.panels.features.choice import choose_page, first_page, leave, score_title
from dashboard.session import KEPT
from data import feature_table
from data.feature_filter import Filter, Sort
from data.feature_table import PAGE, Page
from data.flags import in_short
from data.summaries import SCORERS

FEATURE = "views/feature.py"
ROW, ROWS = 35, 18  # pixels of a table row; rows seen at once
COLOUR = {"detection": "blue", "fuzzing": "orange", "exact": "green"}
STAR = "★"
HEADER = "features.header"  # the column whose header was clicked last
# What a header sorts by, and which end comes first: bad scores are what is looked for.
SORTED = {
    "Feature": ("index", False), "Density, %": ("density", True), "Max": ("max", True),
    "Expl.": ("explanations", True),
} | {score_title(name): (name, False) for name in SCORERS}  # fmt: skip


def show(
    place: Place, found: Page, wanted: Filter, *, has_labels: bool, has_judges: bool = False
) -> None:
    """Scores as bars with their intervals as text; a click on a row opens the feature."""
    shown = readable(found.rows, wanted, has_labels=has_labels, has_judges=has_judges)
    picked = st.dataframe(
        shown, key="table", hide_index=True, on_select=sort_by_header, placeholder="–",
        selection_mode=["single-cell", "single-column"],  # columns: else a header sorts this page
        height=ROW * (min(len(shown), ROWS) + 1) + 3, row_height=ROW,
        column_config=_columns(scorers(found.rows, wanted)),
    )  # fmt: skip
    cells = picked["selection"]["cells"]
    rows = [row for row, _ in cells] or picked["selection"]["rows"]
    if rows and rows[0] < len(found.rows):
        open_feature(place, int(found.rows["feature"].iloc[rows[0]]))


def sort_by_header() -> None:
    """A click on a header sorts all pages by it, the next one the other way round."""
    chosen = st.session_state["table"]["selection"]
    last = st.session_state.get(HEADER)
    column = next(iter(chosen["columns"]), None)
    if column is None and not chosen["cells"]:
        column = last  # a second click takes the selection back
    st.session_state[HEADER] = column
    if column in SORTED:
        by, high_first = SORTED[column]
        again = st.session_state.get("sort") == Sort(by, high_first).label
        st.session_state["sort"] = Sort(by, high_first != again).label
        first_page()


def open_feature(place: Place, feature: int) -> NoReturn:
    """Go to the page of a feature of the hookpoint at hand."""
    open_address(place, f"{place.hookpoint.name}/{feature}")


def open_address(place: Place, address: str) -> NoReturn:
    """Go to the page of the feature that an address names."""
    leave({"cache": place.cache.name, "feature": address}, FEATURE)


def scorers(rows: pd.DataFrame, wanted: Filter) -> dict[str, str]:
    """The columns of scores: name in the data -> scorer; two always, others where they are."""
    exact = {"exact": "exact"} if any(rows["exact"].notna()) else {}
    further = {"further": wanted.further} if wanted.further else {}
    return {"detection": "detection", "fuzzing": "fuzzing"} | exact | further


def readable(
    rows: pd.DataFrame, wanted: Filter, *, has_labels: bool, has_judges: bool = False
) -> pd.DataFrame:
    """The table's columns in words; what is missing says why.

    has_judges: the whole table is by more than one; a page that is says so in any case.
    """
    columns: dict[str, Any] = {
        "Feature": rows["feature"],
        STAR: [STAR if marked else "" for marked in rows["bookmarked"]],
    }
    if wanted.near is not None:
        columns["Similarity"] = rows["similarity"]
    if has_labels:
        columns["Label"] = [plain(x) if isinstance(x, str) else "" for x in rows["label"]]
    columns["Explanation"] = [_text(row) for row in rows.to_dict("records")]
    if has_judges or len({x for x in rows["judge"] if isinstance(x, str)}) > 1:
        columns["Judge"] = [plain(x) if isinstance(x, str) else "" for x in rows["judge"]]
    for name, scorer in scorers(rows, wanted).items():
        columns[score_title(scorer)] = rows[name]
        columns[f"{score_title(scorer)} 95 %"] = [
            interval(*ends) for ends in zip(rows[f"{name}_low"], rows[f"{name}_high"], strict=True)
        ]
    return pd.DataFrame(columns | _facts(rows))


def _facts(rows: pd.DataFrame) -> dict[str, Any]:
    return {
        "By decile": rows["deciles"],
        "Judged": rows["n_judged"].astype(int),
        "Failed": rows["n_failed"].astype(int),
        "Density, %": 100 * rows["density"],
        "Max": rows["max_activation"],
        "Expl.": rows["n_explanations"].astype(int),
        "Flags": [", ".join(flags(row)) for row in rows.to_dict("records")],
    }


def interval(low: float, high: float) -> str:
    """An interval in few characters, e.g. (0.714, 0.83) -> "[.71, .83]"; "" without one."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"[{_short(low)}, {_short(high)}]"


def _short(share: float) -> str:
    text = two(share)
    return text.replace("0.", ".", 1) if abs(share) < 1 else text


def flags(row: Mapping[Hashable, Any]) -> list[str]:
    """What is unusual about a feature; what another flag implies is left out."""
    return in_short(row["flags"].split(", ")) if row["flags"] else []


def _text(row: Mapping[Hashable, Any]) -> str:
    if isinstance(row["text"], str):
        return plain(row["text"])
    return f"— {_why(row['reason'], row['n_active'], row['error'])}"


def _why(reason: object, n_active: Any, error: object) -> str:
    """Why a feature has no explanation."""
    if n_active == 0:
        return "dead: never fired"
    if isinstance(error, str):
        return f"not explained: {plain(error)}"
    if reason == "unknown":
        return "unknown: in no file of activations"
    return f"{reason}: too few contexts" if reason in ("rare", "scarce") else "not explained yet"


def _columns(shown: dict[str, str]) -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    bar = st.column_config.ProgressColumn
    columns: dict[str, Any] = {
        "Feature": number(width=60, format="%d", pinned=True),
        STAR: text(width=26, help="bookmarked"),
        "Similarity": number(width=72, format="%.2f",
                             help="cosine of the search and the explanation shown"),
        "Label": text(width=130, help="your own label"),
        "Explanation": text(width=400),
        "Judge": text(width=90, help="who judged the explanation shown, by detection where it "
                      "was; scores of different judges do not compare"),
        "By decile": st.column_config.BarChartColumn(
            width=78, y_min=0, y_max=1, color="blue",
            help="share of right detection verdicts by decile, 1 weakest … 10 strongest"),
        "Judged": number(width=52, help="usable verdicts on the explanation shown, of "
                         "detection, fuzzing and all other judged scores together"),
        "Failed": number(width=50, help="verdicts asked for that are not usable"),
        "Density, %": number(width=70, format="%.3f", help="share of tokens it fires on"),
        "Max": number(width=54, format="%.2f", help="largest activation"),
        "Expl.": number(width=44, help="number of explanations"),
        "Flags": text(width=92, help="dead, rare, scarce, reduced: contexts; the others and their "
                      "limits are on the page Filters, which also says how to find them"),
    }  # fmt: skip
    for scorer in shown.values():
        title = score_title(scorer)
        columns[title] = bar(min_value=0, max_value=1, format="%.2f", width=84,
                             color=COLOUR.get(scorer, "gray"))  # fmt: skip
        columns[f"{title} 95 %"] = text("95 %", width=70, help=f"95 % interval of {title}")
    return columns


def below(place: Place, wanted: Filter, *, total: int, number: int | None) -> None:
    """Which rows these are, the table as a file, and the other pages; number: None = no table."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        count = counted_rows(total, number)
        st.html(block(f'<span class="mut">{count}</span>'), width="content")
        if total:
            _files(place, wanted)
        st.space("stretch")
        if number and total > PAGE:
            st.pagination(-(-total // PAGE), key="page", on_change=choose_page, **KEPT)


def counted_rows(total: int, number: int | None) -> str:
    """Which rows are shown, e.g. (4312, 2) -> "101–200 of 4,312"."""
    if number is None:
        return counted(total, "features")
    return f"{(number - 1) * PAGE + 1:,}–{min(number * PAGE, total):,} of {total:,}"


def _files(place: Place, wanted: Filter) -> None:
    """All rows that pass the filter, read only when the button is pressed."""
    library, name = session.library(), f"features-{place.cache.name}"
    for kind, mime, write in (
        ("CSV", "text/csv", csv),
        ("Parquet", "application/vnd.apache.parquet", parquet),
    ):
        st.download_button(
            f"{kind} of the features",
            lambda write=write: write(everything(library, place, wanted)),
            f"{name}.{kind.lower()}", mime, key=f"features.{kind}", type="tertiary",
            icon=":material/download:", on_click="ignore",
            help="The whole filtered table, every page of it",
        )  # fmt: skip


def everything(library: Library, place: Place, wanted: Filter) -> pd.DataFrame:
    """Every row of the filtered table, with where it comes from."""
    with library.catalogue.reading() as con:
        rows = feature_table.whole(con, place.hookpoint.hookpoint_id, wanted)
    rows.insert(0, "hookpoint", place.hookpoint.name)
    return rows.rename(columns={"further": wanted.further or "further", "text": "explanation"})


def csv(rows: pd.DataFrame) -> bytes:
    """As CSV, UTF-8; by Arrow, for a million rows in seconds."""
    file = io.BytesIO()
    write_csv(pa.Table.from_pandas(rows, preserve_index=False), file)
    return file.getvalue()


def parquet(rows: pd.DataFrame) -> bytes:
    """As Parquet."""
    file = io.BytesIO()
    rows.to_parquet(file, index=False)
    return file.getvalue()
