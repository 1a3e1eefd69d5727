"""On the page of a feature: the features of other hookpoints that are most like it."""

import streamlit as st

from core.drawing.cards import sentence
from core.drawing.spans import block, escape, plain
from core.likeness.words import MEASURES
from dashboard import session
from dashboard.labels import literal
from dashboard.library import Place
from data import likeness
from data.catalogue import Row


def show(place: Place, feature: int) -> None:
    """By hookpoint and measure, the most similar first; a click goes there."""
    ask = session.library().ask
    found = ask(likeness.across, place.hookpoint.hookpoint_id, feature)
    if not found:
        st.html(sentence("Not compared with other SAEs, or not among the features that were; this "
                         "compares them:", session.command(["gloss", "similarity",
                                                            place.cache.name])))  # fmt: skip
        return
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in found:
        groups.setdefault((row["cache"], row["hookpoint"], row["measure"]), []).append(row)
    for number, ((cache, hookpoint, measure), rows) in enumerate(groups.items()):
        where = hookpoint if cache == place.cache.name else f"{cache} · {hookpoint}"
        st.html(block(f'<span class="k">{escape(where)}</span> '
                      f'<span class="mut">{escape(MEASURES[measure])}</span>'))  # fmt: skip
        for row in rows:
            _line(number, row)


def _line(group: int, row: Row) -> None:
    text = literal(plain(row["text"] or "not explained"))
    label = f"{row['value']:.2f} · #{row['other']} · {text}"
    if st.button(label, key=f"near.layers.{group}.{row['rank']}", type="tertiary"):
        address = f"{row['hookpoint']}/{row['other']}"
        st.query_params.update(
            {"cache": row["cache"], "feature": address, "explanation": [], "against": []}
        )
        st.rerun(scope="app")
