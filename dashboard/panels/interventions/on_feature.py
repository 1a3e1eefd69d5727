"""What interventions say of one feature, on its own page; leads to the page of interventions."""

import streamlit as st

from core.drawing import cards
from core.drawing.spans import block, escape, one_line
from dashboard import session
from dashboard.library import Place
from dashboard.panels.interventions.start import words_of
from data import interventions
from data.catalogue import Row

PAGE = "views/interventions.py"


def show(place: Place, feature: int) -> None:
    """The newest study's figures, one line a KL."""
    hookpoint_id = place.hookpoint.hookpoint_id
    found = session.library().ask(interventions.of_feature, hookpoint_id, feature)
    if not found:
        st.html(cards.sentence("This feature was not pushed yet; this measures what it does to the "
                               "text that follows:",
                               session.command(words_of(place, "", str(feature)))))  # fmt: skip
        return
    newest = found[0]["study_id"]
    rows = [row for row in found if row["study_id"] == newest]
    st.html(table(rows))
    st.page_link(PAGE, label="Read the pushed texts", icon=":material/science:",
                 query_params={"cache": place.cache.name, "study": str(newest),
                               "feature": f"{place.hookpoint.name}/{feature}"})  # fmt: skip


def table(rows: list[Row]) -> str:
    """One line a KL: the explanation, its score, the same texts with another's explanation."""
    exchanged = {row["target"]: row["value"] for row in rows if row["arm"] == "shuffled"}
    lines = [_line(row, exchanged.get(row["target"])) for row in rows if row["arm"] != "shuffled"]
    head = "".join(f"<th>{name}</th>" for name in ("push", "explanation", "score, nats",
                   "95 % interval", "another's", "prompts"))  # fmt: skip
    judge = f'<p class="mut">Judge {escape(str(rows[0]["judge"]))}.</p>'
    body = "".join(lines)
    return block(f'<table class="ivn"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
                 f"{judge}")  # fmt: skip


def _line(row: Row, other: float | None) -> str:
    push = "ablation" if row["target"] is None else f"KL {row['target']:g}"
    if row["reason"]:
        return f"<tr><td>{push}</td><td colspan=5 class=mut>{escape(row['reason'])}</td></tr>"
    between = "" if row["low"] is None else f"{row['low']:z.2f} to {row['high']:z.2f}"
    cells = (
        push, f'<span dir="auto">{one_line(row["text"] or "")}</span>', f"{row['value']:+z.2f}",
        between, "–" if other is None else f"{other:+z.2f}", str(row["n_prompts"]),
    )  # fmt: skip
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
