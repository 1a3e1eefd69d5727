"""What is closed at first; each part is read only when it is opened."""

import streamlit as st

from dashboard import cards, session
from dashboard.facts import exact_sentence, identity_of, position_sentence
from dashboard.library import Place
from dashboard.reader import Reader
from dashboard.spans import ContextRow, GroupHeading, block, escape, example_list, literal, plain
from data import queries
from data.catalogue import Row

LISTED = 20  # strongest misses and false alarms shown
NEAREST = 8  # neighbours shown, of each measure


@st.fragment
@session.guarded
def show(place: Place, feature: int, explanation_id: int | None) -> None:
    """Closed expanders; opening one reruns only this fragment."""
    record = session.library().feature(place, feature)
    facts = record.facts or {}
    parts = {
        "Top tokens": lambda: top_tokens(place, facts),
        "Position in the sequence": lambda: positions(place, facts),
        "Neighbours": lambda: neighbours(place, record.neighbours),
        "Exact check: misses and false alarms": lambda: mistakes(place, feature, explanation_id),
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
    st.html(cards.token_table(found, facts["n_active"] or 0) if found else
            cards.sentence("Not computed for this cache."))  # fmt: skip


def positions(place: Place, facts: Row) -> None:
    """Firings by position, and how far the position matters."""
    counts = facts.get("position_counts") or []
    if not sum(counts):
        st.html(cards.sentence("Not computed for this cache."))
        return
    words = position_sentence(counts, place.cache.n_sequences)
    st.html(block(f'<p class="mut">{escape(words)}</p>') + cards.position_bars(counts))


MEASURES = {
    "cosine": "cosine of the decoder directions",
    "co-firing": "tokens on which both fire, of those on which one does (Jaccard)",
}


def neighbours(place: Place, found: list[Row]) -> None:
    """Nearest features by each measure; a click goes there."""
    if not found:
        st.html(cards.sentence("No neighbours were computed for this feature."))
    for measure in dict.fromkeys(row["measure"] for row in found):
        st.html(cards.block(f'<span class="k">{MEASURES.get(measure, escape(measure))}</span>'))
        for row in [row for row in found if row["measure"] == measure][:NEAREST]:
            text = literal(plain(row["text"] or "not explained"))
            label = f"{row['value']:.2f} · #{row['other']} · {text}"
            key = f"near.{measure}.{row['rank']}"
            if st.button(label, key=key, type="tertiary"):
                session.go_to(place, row["other"])
                st.rerun(scope="app")


def mistakes(place: Place, feature: int, explanation_id: int | None) -> None:
    """Where the exact check finds the explanation wrong, strongest first."""
    record = session.library().feature(place, feature)
    shown = next((e for e in record.explanations if e.explanation_id == explanation_id), None)
    score = shown and cards.score_of(shown, "exact")
    if not score:
        st.html(cards.sentence("The shown explanation has no rules that a program could check; "
                               "gloss translate makes some from its words."))  # fmt: skip
        return
    reader = session.library().reader(place, feature)
    groups = [
        (GroupHeading(f"{name}, strongest first", note), rows)
        for name, note, key, word in MISTAKES
        if (rows := listed_rows(reader, score.detail.get(key) or [], word))
    ]
    scale = (record.facts or {}).get("max_activation") or 0.0
    words = block(f'<p class="mut">{escape(exact_sentence(score))}</p>')
    st.html(words + (example_list(groups, scale) if groups else cards.sentence("None is listed.")))


MISTAKES = (
    ("Misses", "outlined tokens fire, though no rule claims them", "misses", "missed"),
    ("False alarms", "outlined tokens are claimed by a rule, but silent", "false_alarms",
     "false alarm"),
)  # fmt: skip


def listed_rows(reader: Reader, listed: list[tuple[int, float]], word: str) -> list[ContextRow]:
    """One row a context that holds listed tokens (flat index, value)."""
    passages = reader.around([int(token) for token, _ in listed[:LISTED]])
    return [ContextRow(passage, max(passage.activations), note=word) for passage in passages]


def identity(place: Place) -> None:
    """What exactly was run."""
    row = session.library().ask(queries.identity, place.hookpoint.hookpoint_id)
    if row:
        st.html(cards.identity(identity_of(row, place.cache, place.hookpoint)))
