"""One feature in both subjects: its figures, and contexts with the activations of each."""

import streamlit as st

from core.diffing.evidence import Both, contexts, pieces
from core.diffing.words import feature_line
from core.drawing.spans import Passage, block, escape, heading, highlighted
from dashboard import session
from dashboard.labels import literal
from dashboard.memory import Memory
from dashboard.panels.features.table import FEATURE
from dashboard.panels.two_models.choice import Chosen
from data import diffs
from data.catalogue import Row
from data.diffs import DiffRecord
from data.records import CacheRecord

CONTEXTS = 12  # drawn
KEPT = 32  # features
GRID = "display:grid;grid-template-columns:58px minmax(0,1fr) 58px minmax(0,1fr);gap:4px 12px"


@session.guarded
def show(chosen: Chosen, diff: DiffRecord) -> None:
    """The feature in the address, if there is one."""
    asked = st.query_params.get("shown", "")
    if not asked.isdecimal() or len(asked) > 9:
        return
    rows = session.library().ask(diffs.some_features, diff, (int(asked),))
    row = rows.get(int(asked))
    if row is None:
        st.html(block(f'<p class="mut">There is no feature {escape(asked)} at '
                      f"{escape(diff.hookpoint)}.</p>"))  # fmt: skip
        return
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    bar.html(heading(f"{diff.hookpoint} #{asked}", "contexts in which the two differ most"),
             width="content")  # fmt: skip
    bar.space("stretch")
    for record in (chosen.first, chosen.second):
        if bar.button(literal(f"Open in {record.name}"), key=f"two.open.{record.cache_id}",
                      icon=":material/data_object:"):  # fmt: skip
            address = f"{diff.hookpoint}/{asked}"
            st.switch_page(FEATURE, query_params={"cache": record.name, "feature": address})
    st.html(block("".join(f"<p>{escape(line)}</p>" for line in lines(row))))
    found = compared(chosen, int(asked))
    st.html(side_by_side(found, chosen))


def lines(row: Row) -> list[str]:
    """Explanation, mean activation, firing rate."""
    said = [row["explanation"] or "not explained"]
    bare = row | {"explanation": None}
    return said + [feature_line(bare, figure).partition("  ")[2] for figure in ("mean", "rate")]


class Drawn:
    """Contexts of a feature with their text."""

    def __init__(self, found: list[Both], texts: list[list[str]]) -> None:
        self.found, self.texts = found, texts
        self.scale = max((one.peak for one in found), default=0.0)  # one for both subjects


@st.cache_resource(show_spinner=False)
def _kept() -> Memory:
    return Memory(KEPT)


def compared(chosen: Chosen, feature: int) -> Drawn:
    """Read the feature in both caches; kept for all sessions."""

    def read() -> Drawn:
        benches = [session.workbench(record) for record in (chosen.first, chosen.second)]
        slices = [
            bench.slice(place, feature) for bench, place in zip(benches, chosen.places, strict=True)
        ]
        files = benches[0].files
        found = contexts(files, slices[0], slices[1], CONTEXTS)
        return Drawn(found, [pieces(files, one.tokens.tolist()) for one in found])

    ids = tuple(one.hookpoint_id for one in chosen.places)
    return _kept().get((str(session.store()), ids, feature), read)


def side_by_side(drawn: Drawn, chosen: Chosen) -> str:
    """A row a context: peak and text in the first subject, then in the second."""
    if not drawn.found:
        return block('<p class="mut">It fires in neither subject.</p>')
    cells = [_head(chosen.first), _head(chosen.second)]
    for one, spelled in zip(drawn.found, drawn.texts, strict=True):
        for values in (one.first, one.second):
            passage = Passage(spelled, values.tolist())
            text = highlighted(passage, drawn.scale, breaks=False)
            cells.append(f'<div class="pk">{values.max():.2f}</div>'
                         f'<div class="tx" dir="auto">{text}</div>')  # fmt: skip
    note = (f"{len(drawn.found)} contexts; one shade for both subjects, its largest "
            f"{drawn.scale:.2f}; copies left out")  # fmt: skip
    return block(f'<div style="{GRID}">{"".join(cells)}</div><p class="mut">{note}</p>')


def _head(record: CacheRecord) -> str:
    return f'<span class="k">peak</span><span class="k">in {escape(record.name)}</span>'
