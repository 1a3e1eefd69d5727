"""One collection: how many of each role, the table over all its hookpoints, and files of it."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.collections import words
from core.collections.table import MemberRow, Said, table
from core.drawing.spans import block, escape, heading, plain
from core.score.roles import Role
from dashboard import session
from dashboard.labels import literal
from dashboard.memory import Memory
from dashboard.panels.collections.sides import sides
from dashboard.panels.features import choice
from dashboard.panels.features.table import interval
from data.collections import Collection
from data.records import CacheRecord

FEATURE = "views/feature.py"
HEAD, ROW, SEEN = 35, 86, 8  # pixels of the head and of a row, six lines; rows seen at once
WIDE = 154  # pixels of a score with its interval
TABLES = 8  # kept
VIEWS = {"table": "Table", "sides": "Side by side"}
BESIDE = 200  # members drawn side by side
TOKENS = 6  # shown of every list
UNKNOWN = "not known"
ALL = "All"
MEANING = (
    "Input: detection beats 95 % of the scores of other features' explanations. Output: its "
    "texts are recognised in 5 of 6 trials. Not known: one of the two is not measured (?)."
)


@st.cache_resource(show_spinner=False)
def _kept() -> Memory:
    return Memory(TABLES)


def rows_of(found: Collection, record: CacheRecord) -> list[MemberRow]:
    """The members as of the last commit."""
    library, strings = session.library(), session.workbench(record).files.vocabulary.strings

    def make() -> list[MemberRow]:
        with library.catalogue.reading() as con:
            return table(con, found.collection_id, strings)

    key = (library.catalogue.path, library.catalogue.revision(), found.collection_id)
    return _kept().get(key, make)


def show(found: Collection, record: CacheRecord) -> None:
    """The head, a choice of roles, the table, and the files."""
    rows = rows_of(found, record)
    st.html(heading(plain(found.name), f"{found.n_members:,} features at {found.n_hookpoints:,} "
                    f"hookpoints of {plain(found.cache)}, from {plain(found.source)}"))  # fmt: skip
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    role = choose_role(bar, rows)
    view = choose_view(bar)
    bar.space("stretch")
    _as_filter(bar, found, rows)
    _files(bar, found, rows)
    chosen = [row for row in rows if role in (ALL, name_of(row))]
    if view == "sides":
        beside(chosen)
    else:
        as_table(found, record, chosen)
    st.html(block(f'<p class="mut">{escape(MEANING)}{escape(pooled(rows))}</p>'))


def beside(chosen: Sequence[MemberRow]) -> None:
    """What each reads and does, as far as a page is pleasant."""
    st.html(sides(chosen[:BESIDE]))
    if len(chosen) > BESIDE:
        st.html(block(f'<p class="mut">The first {BESIDE} of {len(chosen):,}; the table has all '
                      "of them.</p>"))  # fmt: skip


def as_table(found: Collection, record: CacheRecord, chosen: Sequence[MemberRow]) -> None:
    """A row a member; a click opens the feature."""
    shown = readable(chosen)
    picked = st.dataframe(
        shown, key=f"collections.{found.collection_id}", hide_index=True,
        on_select="rerun", selection_mode="single-cell", row_height=ROW,
        height=HEAD + ROW * min(len(chosen), SEEN) + 3, column_config=_columns(shown),
    )  # fmt: skip
    cells = picked["selection"]["cells"]
    if cells and cells[0][0] < len(chosen):
        query = {"cache": record.name, "feature": chosen[cells[0][0]].address}
        st.switch_page(FEATURE, query_params=query)


def choose_role(bar: DeltaGenerator, rows: Sequence[MemberRow]) -> str:
    """All, or the features of one role; in the address."""
    counts = Counter(map(name_of, rows))
    options = [ALL, *(name for name in (*map(str, Role), UNKNOWN) if counts[name])]
    asked = st.query_params.get("role", ALL)
    st.session_state["collections.role"] = asked if asked in options else ALL
    bar.segmented_control(
        "Role", options, key="collections.role", required=True, label_visibility="collapsed",
        on_change=_put_role,
        format_func=lambda name: f"All {len(rows):,}" if name == ALL
        else f"{name.capitalize()} {counts[name]:,}",
    )  # fmt: skip
    return st.session_state["collections.role"]


def _put_role() -> None:
    chosen = st.session_state["collections.role"]
    st.query_params["role"] = [] if chosen == ALL else chosen


def choose_view(bar: DeltaGenerator) -> str:
    """As a table, or side by side; in the address."""
    asked = st.query_params.get("as", "")
    st.session_state["collections.as"] = asked if asked in VIEWS else "table"
    bar.segmented_control("View", list(VIEWS), key="collections.as", required=True,
                          label_visibility="collapsed", format_func=VIEWS.__getitem__,
                          on_change=_put_view)  # fmt: skip
    return st.session_state["collections.as"]


def _put_view() -> None:
    chosen = st.session_state["collections.as"]
    st.query_params["as"] = [] if chosen == "table" else chosen


def name_of(row: MemberRow) -> str:
    """A role in a word."""
    return UNKNOWN if row.role is None else str(row.role)


def pooled(rows: Sequence[MemberRow]) -> str:
    """Say where a null is not the hookpoint's own."""
    n = sum(row.null_of == "collection" for row in rows)
    if not n:
        return ""
    return (f" For {n:,} of them the scores of other features' explanations are those of all "
            "hookpoints here together, since their own has fewer than 20.")  # fmt: skip


def readable(rows: Sequence[MemberRow]) -> pd.DataFrame:
    """The table in words: what a feature reads beside what it does."""
    columns: dict[str, Any] = {
        "Feature": [_entry(row) for row in rows],
        "What it reads": [plain(row.reads) if row.reads else f"— {plain(row.why or '')}"
                          for row in rows],
        "Fires on": [_tokens(row.top_tokens) for row in rows],
        "What it does": [plain(row.does) if row.does else _promotes(row) for row in rows],
        "Promotes": [_tokens(row.promoted) for row in rows],
        "Suppresses": [_tokens(row.suppressed) for row in rows],
        "Role": [words.role_words(row) for row in rows],
    }  # fmt: skip
    for name, attribute in SCORES.items():
        scores: list[Said | None] = [getattr(row, attribute) for row in rows]
        if attribute != "output_side" or any(scores):
            columns[name] = [score.value if score else None for score in scores]
            columns[f"{name} 95 %"] = [_span(score) for score in scores]
    return pd.DataFrame(columns)


def _entry(row: MemberRow) -> str:
    """A member's address, its label in the list below it."""
    return "\n".join(plain(words) for words in (row.address, row.label) if words)


SCORES = {"Detection": "detection", "Fuzzing": "fuzzing", "Output-side": "output_side"}


def _span(score: Said | None) -> str:
    if score is None or score.low is None or score.high is None:
        return ""
    failed = f", {score.failed} failed" if score.failed else ""
    return f"{interval(score.low, score.high)} n\u00a0{score.n}{failed}"  # n stays with its number


def _promotes(row: MemberRow) -> str:
    """What stands for an explanation of the output where there is none."""
    return "— not explained" if row.promoted else "— effect on the next token not known"


def _tokens(tokens: Sequence[str]) -> str:
    """Tokens in quotation marks; a line does not end inside one."""
    return " · ".join(f"“{plain(one)}”".replace(" ", "\u00a0") for one in tokens[:TOKENS])


def _columns(shown: pd.DataFrame) -> dict[str, Any]:
    """Widths that fit a window of 1440 pixels; a text has up to six lines."""
    text, bar = st.column_config.TextColumn, st.column_config.ProgressColumn
    spare = WIDE * sum(name not in shown for name in SCORES)
    columns: dict[str, Any] = {
        "Feature": text(width=130, pinned=True, help="with its label in the list"),
        "What it reads": text(width=230 + spare, help="the explanation shown for it, from "
                              "contexts"),
        "Fires on": text(width=108, help="tokens it fires on most often"),
        "What it does": text(width=140, help="explanation of its output"),
        "Promotes": text(width=110, help="tokens that its decoder direction makes likelier"),
        "Suppresses": text(width=92, help="tokens that it makes less likely"),
        "Role": text(width=92, help=MEANING),
    }  # fmt: skip
    for name, colour in (("Detection", "blue"), ("Fuzzing", "orange"), ("Output-side", "green")):
        columns[name] = bar(min_value=0, max_value=1, format="%.2f", width=72, color=colour)
        columns[f"{name} 95 %"] = text("95 %", width=WIDE - 72, help=f"95 % interval of {name}, "
                                       "and n")  # fmt: skip
    return columns


def _as_filter(bar: DeltaGenerator, found: Collection, rows: Sequence[MemberRow]) -> None:
    """The page of features narrowed to the members at one hookpoint."""
    with bar.popover("Among the features", icon=":material/tune:",
                     help="The members in the list of all features of a hookpoint"):  # fmt: skip
        for hookpoint, n in Counter(row.hookpoint for row in rows).items():
            if st.button(f"{n:,} at {literal(hookpoint)}", type="tertiary",
                         key=f"collections.list.{hookpoint}"):  # fmt: skip
                here = {"cache": found.cache, "hookpoint": hookpoint}
                choice.list_only(here, listed_in=found.name)


def _files(bar: DeltaGenerator, found: Collection, rows: Sequence[MemberRow]) -> None:
    """The whole collection as files; the JSON can be pasted again."""
    for kind, mime, write in (
        ("JSON", "application/json",
         lambda: json.dumps(words.as_json(found, rows), ensure_ascii=False, indent=1)),
        ("CSV", "text/csv", lambda: words.as_csv(rows)),
    ):  # fmt: skip
        bar.download_button(
            f"{kind} of the collection", write, f"collection-{found.collection_id}.{kind.lower()}",
            mime, key=f"collections.{kind}", type="tertiary", icon=":material/download:",
            on_click="ignore",
        )  # fmt: skip
