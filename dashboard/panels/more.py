"""What is closed at first; each part is read only when it is opened.

One row of switches instead of an expander each: a block of the page costs every feature time.
"""

import streamlit as st

from core.drawing import cards
from core.drawing.facts import exact_sentence, identity_of, position_sentence
from core.drawing.reader import Reader
from core.drawing.spans import ContextRow, GroupHeading, block, escape, example_list, heading, plain
from dashboard import session
from dashboard.labels import literal
from dashboard.library import Place
from dashboard.panels.filters import of_feature
from dashboard.panels.interventions import on_feature
from dashboard.panels.similarity import near
from dashboard.session import KEPT
from data import queries
from data.catalogue import Row

LISTED = 20  # strongest misses and false alarms shown
NEAREST = 10  # neighbours shown, of each measure


@st.fragment
@session.guarded
def show(place: Place, feature: int, explanation_id: int | None) -> None:
    """Parts that are switched on, in the order of their names; a switch reruns only this."""
    record = session.library().feature(place, feature)
    facts = record.facts or {}
    parts = {
        "Top tokens": lambda: top_tokens(place, facts),
        "Positions": lambda: positions(place, facts),
        "Interventions": lambda: on_feature.show(place, feature),
        "Filters": lambda: of_feature.show(place, facts),
        "Neighbours": lambda: neighbours(place, feature, record.neighbours),
        "Other layers": lambda: near.show(place, feature),
        "Exact check": lambda: mistakes(place, feature, explanation_id),
        "Cache and SAE": lambda: identity(place),
    }
    opened = st.pills("More about this feature", list(parts), selection_mode="multi", key="more",
                      label_visibility="collapsed", **KEPT)  # fmt: skip
    for title, draw in parts.items():
        if title in opened:
            st.html(heading(title))
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
    words = position_sentence(counts, place.cache.n_sequences, facts["information"])
    st.html(block(f'<p class="mut">{escape(words)}</p>') + cards.position_bars(counts))


MEASURES = {
    "cosine": "cosine of the decoder directions",
    "encoder cosine": "cosine of the encoder directions",
    "co-firing": "tokens on which both fire, of those on which one does (Jaccard)",
}


def neighbours(place: Place, feature: int, found: list[Row]) -> None:
    """Nearest features by each measure, as stored; what fires together is counted if it is not."""
    stored: dict[str, list[Row]] = {}
    for row in found:
        stored.setdefault(row["measure"], []).append(row)
    together = stored.pop("co-firing", None)
    if not stored:
        st.html(cards.sentence("No neighbours by direction were computed for this feature."))
    for measure in [name for name in MEASURES if name in stored] + sorted(stored.keys() - MEASURES):
        nearest(place, measure, stored[measure])
    if together is not None:
        nearest(place, "co-firing", together)
    elif place.cache.has_activations:
        firing_together(place, feature)
    else:
        st.html(cards.sentence("Which features fire together with it is not known: this run was "
                               "imported without activations."))  # fmt: skip


def nearest(place: Place, measure: str, found: list[Row], note: str = "") -> None:
    """The neighbours by one measure; a click on one goes there."""
    title = MEASURES.get(measure, measure)
    if len(found) > NEAREST:
        note = f"the first {NEAREST} of {len(found)}"
    words = f' <span class="mut">{escape(note)}</span>' if note else ""
    st.html(block(f'<span class="k">{escape(title)}</span>{words}'))
    for row in found[:NEAREST]:
        text = literal(plain(row["text"] or "not explained"))
        key = f"near.{measure}.{row['rank']}"
        label = f"{row['value']:.2f} · #{row['other']} · {text}"
        if st.button(label, key=key, type="tertiary"):
            session.go_to(place, row["other"])
            st.rerun(scope="app")


@session.guarded
def firing_together(place: Place, feature: int) -> None:
    """Count what fires on the same tokens, from the strongest features stored for each."""
    together = session.library().together(place, feature)
    others, n = tuple(together.other.tolist()), together.n_firings
    texts = session.library().ask(queries.shown_texts, place.hookpoint.hookpoint_id, others)
    rows = [
        {"rank": rank, "other": other, "value": value, "text": texts.get(other)}
        for rank, (other, value) in enumerate(
            zip(others, together.value.tolist(), strict=True), start=1
        )
    ]
    note = f"among the {together.k} strongest features of each token"
    if together.looked_at < n:
        note += f"; estimated from {together.looked_at:,} of {n:,} firings"
    nearest(place, "co-firing", rows, note)
    if not rows:
        st.html(cards.sentence("No other feature fires on its tokens."))


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
        (GroupHeading(name, note), rows)
        for name, note, key, word in MISTAKES
        if (rows := listed_rows(reader, score.detail.get(key) or [], word))
    ]
    scale = (record.facts or {}).get("max_activation") or 0.0
    words = block(f'<p class="mut">{escape(exact_sentence(score))}</p>')
    st.html(words + (example_list(groups, scale) if groups else cards.sentence("None is listed.")))


MISTAKES = (
    ("Misses", "outlined tokens fire, though no rule claims them; at the left, and highest first, "
     "the activation missed", "misses", "missed"),
    ("False alarms", "outlined tokens are claimed by a rule, but silent; at the left, and highest "
     "first, the activation that the rule predicts", "false_alarms", "false alarm"),
)  # fmt: skip


def listed_rows(reader: Reader, listed: list[tuple[int, float]], word: str) -> list[ContextRow]:
    """One row a context that holds listed tokens (flat index, value), with the largest value."""
    values = {int(token): value for token, value in listed[:LISTED]}
    passages = reader.around(list(values))
    return [ContextRow(found, values[token], note=word) for token, found in passages.items()]


def identity(place: Place) -> None:
    """What exactly was run."""
    row = session.library().ask(queries.identity, place.hookpoint.hookpoint_id)
    if row:
        st.html(cards.identity(identity_of(row, place.cache, place.hookpoint)))
