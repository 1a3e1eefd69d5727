"""Two or more runs over all features: who is better, by how much, where, and on which features."""

import pandas as pd
import streamlit as st

from core import comparing
from core.comparing import Comparison, Question, SideRecord
from core.comparing.agreement import agreement
from core.comparing.words import asides, headline
from core.drawing.cards import sentence
from core.drawing.spans import block, escape, heading, plain
from dashboard import session
from dashboard.charts.pairs import pairs_figure
from dashboard.charts.pairs_parts import parts_figure
from dashboard.memory import Memory
from dashboard.pairs_tables import against_reference, figure_table, pairs_table, parts_table
from dashboard.panels import chart
from dashboard.panels.compare import none, one, sides
from data.comparing import texts

LISTED = 10  # features with the largest difference, each way
KEPT = 16  # comparisons
ROW = 35  # pixels of a table row


@session.guarded
def show() -> None:
    """Choices, one sentence, one figure, the features that differ most, and the rest closed."""
    first, second = sides.two()
    sides.choose_two(first, second)
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    if first is second:
        st.html(sentence("A and B are the same run; choose another one for B."))
        return
    others = sides.more(first, second)
    scorers = sides.scorers_of([first, second])
    if not scorers:
        none.unscored(first, second)
        return
    scorer = sides.choose_score(bar, scorers)
    hookpoint = sides.choose_hookpoint(bar, [first, second])
    question = Question(first.side, second.side, scorer, sides.asked_judge(), hookpoint)
    found = compared(question)
    sides.choose_judge(bar, found)
    sides.choose_more(bar, first, second, others)
    draw(found, [first, second, *others])


@st.cache_resource(show_spinner=False)
def _kept() -> Memory:
    return Memory(KEPT)


def compared(question: Question) -> Comparison:
    """The comparison as of the last commit; the store is let go of before anything is computed."""
    library = session.library()

    def make() -> Comparison:
        with library.catalogue.reading() as con:
            found = comparing.read(con, question)
        return comparing.compare(found)

    key = (library.catalogue.path, library.catalogue.revision(), question)
    if key in _kept():
        return _kept().get(key, make)
    with st.spinner("Comparing …"):
        return _kept().get(key, make)


def draw(found: Comparison, records: list[SideRecord]) -> None:
    """What was found, or why there is nothing."""
    if not found.n:
        none.nothing(found, records[0])
        return
    st.html(block(f'<div class="cmp"><p class="res">{escape(headline(found))}</p>'
                  + "".join(f'<p class="mut">{escape(line)}</p>' for line in asides(found))
                  + "</div>"))  # fmt: skip
    if len(records) > 2:
        against(found, records)
    picked = chart.clickable(pairs_figure(found), lambda: figure_table(found), key="compare-pairs")
    if isinstance(picked, int) and 0 <= picked < found.n:
        open_pair(found, picked)
    largest(found, records)
    more(found)


def against(found: Comparison, records: list[SideRecord]) -> None:
    """Each other run against A, with p values adjusted for their number."""
    asked = found.question
    every = [found] + [
        compared(Question(asked.first, record.side, asked.scorer, asked.judge, asked.hookpoint))
        for record in records[2:]
    ]
    st.html(heading("Every run against A", "difference = run minus A; p adjusted for "
                    f"{len(every)} comparisons (Benjamini–Hochberg)"))  # fmt: skip
    table = against_reference(comparing.adjusted(every), [sides.option(r) for r in records[1:]])
    st.dataframe(table, hide_index=True, key="compare.against", placeholder="–",
                 column_config={"Run": st.column_config.TextColumn(width=430)})  # fmt: skip


def open_pair(found: Comparison, i: int) -> None:
    """Show a feature with both explanations; with A's alone where the sides' caches differ."""
    asked = found.question
    ids = found.pairs.explanations[i].tolist()
    shown = ids if asked.first.cache == asked.second.cache else ids[:1]
    st.query_params.update(
        {"mode": "one", "cache": asked.first.cache, "feature": found.address(i),
         one.NAMED: ",".join(map(str, shown))}
    )  # fmt: skip
    st.rerun()


def largest(found: Comparison, records: list[SideRecord]) -> None:
    """The features on which either side is better by most; a row opens the feature."""
    chosen = {
        side: found.largest(LISTED, second=is_second)
        for side, is_second in (("B", True), ("A", False))
    }
    ids = found.pairs.explanations[[i for rows in chosen.values() for i in rows]].ravel()
    said = session.library().ask(texts, tuple(ids.tolist()))
    bar = st.container(horizontal=True, vertical_alignment="center")
    bar.html(
        heading(
            "Largest differences", "click a row, or a point above, to see both on that feature"
        ),
        width="content",
    )
    bar.space("stretch")
    bar.download_button("All pairs as CSV", lambda: pairs_table(found).to_csv(index=False),
                        "gloss-pairs.csv", "text/csv", key="compare.csv", type="tertiary",
                        icon=":material/download:", on_click="ignore")  # fmt: skip
    for side, rows in chosen.items():
        if rows:
            _table(found, side, rows, said, [sides.words(r) for r in records[:2]])
        else:
            st.html(block(f'<p class="mut">On no feature is {side} better.</p>'))


def _table(
    found: Comparison, side: str, rows: list[int], said: dict[int, str], names: list[str]
) -> None:
    pairs, bar = found.pairs, st.column_config.ProgressColumn
    ids = pairs.explanations[rows].tolist()
    low, high = min(0.0, pairs.first.min(), pairs.second.min()), 1.0
    shown = pd.DataFrame(
        {
            f"{side} better": [found.address(i) for i in rows],
            "A": pairs.first[rows],
            "B": pairs.second[rows],
            "B − A": pairs.difference[rows],
            f"A says ({names[0]})": [plain(said.get(a, "")) for a, _ in ids],
            f"B says ({names[1]})": [plain(said.get(b, "")) for _, b in ids],
        }
    )  # fmt: skip
    picked = st.dataframe(
        shown, key=f"compare.largest.{side}", hide_index=True, on_select="rerun",
        selection_mode="single-cell", row_height=ROW, height=ROW * (len(rows) + 1) + 3,
        column_config={
            f"{side} better": st.column_config.TextColumn(width=170),
            "A": bar(min_value=low, max_value=high, format="%.2f", width=92),
            "B": bar(min_value=low, max_value=high, format="%.2f", width=92),
            "B − A": st.column_config.NumberColumn(width=64, format="%+.2f"),
            shown.columns[4]: st.column_config.TextColumn(width=270),
            shown.columns[5]: st.column_config.TextColumn(width=270),
        },
    )  # fmt: skip
    cells = picked["selection"]["cells"]
    if cells and cells[0][0] < len(rows):
        open_pair(found, rows[cells[0][0]])


@st.fragment
@session.guarded
def more(found: Comparison) -> None:
    """Distributions, agreement, layers and density; drawn when opened, without the rest."""
    box = st.expander("Distributions, detection against fuzzing, by hookpoint, by density",
                      key="compare.more.open", on_change="rerun")  # fmt: skip
    if not box.open:
        return
    asked = found.question
    ask = session.library().ask
    agreements = [ask(agreement, side, asked.hookpoint) for side in (asked.first, asked.second)]
    with box:
        chart.show(parts_figure(found, agreements), lambda: parts_table(found, agreements),
                   key="compare-parts")  # fmt: skip
