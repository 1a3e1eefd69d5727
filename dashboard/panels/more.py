"""What is closed at first; each part is read only when it is opened."""

import streamlit as st

from dashboard import cards, session
from dashboard.facts import identity_of
from dashboard.library import Place
from dashboard.reader import FeatureReader
from dashboard.spans import ContextRow, GroupHeading, example_list, plain
from data import queries
from data.catalogue import Row

LISTED = 20  # strongest misses and false alarms shown


@st.fragment
@session.guarded
def show(place: Place, feature: int, explanation_id: int | None) -> None:
    """Closed expanders; opening one reruns only this fragment."""
    record = session.library().feature(place, feature)
    facts = record.facts or {}
    parts = {
        "Top tokens": lambda: top_tokens(place, facts),
        "Position in the sequence": lambda: positions(facts),
        "Neighbours": lambda: neighbours(place, record.neighbours),
        "Misses and false alarms": lambda: mistakes(place, feature, explanation_id),
        "Cache and SAE": lambda: identity(place),
    }
    with st.container(gap="xsmall"):
        for title, draw in parts.items():
            expander = st.expander(title, key=f"more.{title}", on_change="rerun")
            if expander.open:
                with expander:
                    draw()


def top_tokens(place: Place, facts: Row) -> None:
    """The tokens it fires on most."""
    strings = session.workbench(place.cache).files.vocabulary.strings
    found = [(strings[t["token"]], t["n"], t["mean"]) for t in facts.get("top_tokens") or []]
    st.html(cards.token_table(found, facts["n_active"]) if found else
            cards.sentence("Not computed for this cache."))  # fmt: skip


def positions(facts: Row) -> None:
    """Firings by position."""
    counts = facts.get("position_counts") or []
    st.html(cards.position_bars(counts) if counts else
            cards.sentence("Not computed for this cache."))  # fmt: skip


def neighbours(place: Place, found: list[Row]) -> None:
    """Nearest features by each measure; a click goes there."""
    if not found:
        st.html(cards.sentence("No neighbours were computed for this feature."))
    for measure in dict.fromkeys(row["measure"] for row in found):
        st.html(cards.block(f'<span class="k">{measure}</span>'))
        for row in [row for row in found if row["measure"] == measure][:5]:
            text = plain(row["text"] or "not explained")
            label = f"#{row['other']} · {row['value']:.2f} · {_literal(text)}"
            if st.button(label, key=f"near.{measure}.{row['rank']}", type="tertiary"):
                session.go_to(place, row["other"])
                st.rerun(scope="app")


def _literal(text: str) -> str:
    """Text as a button's label, which would read Markdown: every sign of it is escaped."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!:$~<>|^&" else c for c in text[:90])


def mistakes(place: Place, feature: int, explanation_id: int | None) -> None:
    """Where the exact check finds the explanation wrong, strongest first."""
    record = session.library().feature(place, feature)
    shown = next((e for e in record.explanations if e.explanation_id == explanation_id), None)
    score = shown and cards.score_of(shown, "exact")
    if not score:
        st.html(cards.sentence("Only explanations that a program can check have this list."))
        return
    reader, scale = (
        session.library().reader(place, feature),
        (record.facts or {}).get("max_activation"),
    )
    groups = [
        (GroupHeading(name, note), listed_rows(reader, score.detail.get(key) or [], word))
        for name, note, key, word in (
            ("Misses", "outlined: fires, no rule claims it", "misses", "missed"),
            ("False alarms", "outlined: claimed, but silent", "false_alarms", "claimed"),
        )
    ]
    st.html(example_list([(h, rows) for h, rows in groups if rows], scale or 0.0)
            if any(rows for _, rows in groups) else cards.sentence("None listed."))  # fmt: skip


def listed_rows(
    reader: FeatureReader, listed: list[tuple[int, float]], word: str
) -> list[ContextRow]:
    """One row a context that holds listed tokens (flat index, value)."""
    passages = reader.around([int(token) for token, _ in listed[:LISTED]])
    return [ContextRow(passage, max(passage.activations), note=word) for passage in passages]


def identity(place: Place) -> None:
    """What exactly was run."""
    row = session.library().ask(queries.identity, place.hookpoint.hookpoint_id)
    if row:
        st.html(cards.identity(identity_of(row, place.cache, place.hookpoint)))
