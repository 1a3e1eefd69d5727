"""The table of baselines at one hookpoint, how to read it, and what is published elsewhere."""

from collections.abc import Sequence

import streamlit as st

from core.baselines.kinds import OWN, PUBLISHED, READING, meaning, reference, title
from core.baselines.table import Row, Table
from core.baselines.words import aside, figure, gap
from core.comparing.words import short
from core.drawing.cards import MANY_FAILED
from core.drawing.spans import block, escape, heading
from dashboard import session
from dashboard.charts.baselines import baselines_figure, baselines_numbers
from dashboard.panels import chart
from dashboard.panels.baselines import start
from dashboard.panels.baselines.choice import Chosen, study_words

HEADS = ("n", "median [quartiles]", "mean [95 %]", "the SAE minus it", "failed", "published")


def show(chosen: Chosen, found: Table) -> None:
    """Figure, table, reading; rows that are not there with what makes them."""
    rows = found.at(chosen.hookpoint)
    words = study_words(chosen.study) if chosen.study else ""
    st.html(heading(f"{chosen.record.name} · {chosen.hookpoint}", words))
    st.html(block(f'<p class="say">{escape(READING)}</p>'))
    drawn = [row for row in rows if any(len(one.values) for one in row.scores.values())]
    if drawn:
        figure_ = baselines_figure(drawn, found.scorers)
        chart.show(figure_, lambda: baselines_numbers(found, chosen.hookpoint), key="baselines")
    for scorer in found.scorers:
        st.html(_block(rows, scorer, found))
    st.html(_asides(rows))
    _published()
    _missing(chosen, rows)


def _block(rows: Sequence[Row], scorer: str, found: Table) -> str:
    """One scorer: a line for each row."""
    asked = found.question
    note = "F1 over all test tokens" if scorer == "exact" else (
        f"balanced accuracy, judged by {asked.judge}, preset {asked.preset}"
    )  # fmt: skip
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *HEADS))
    body = "".join(_line(row, scorer) for row in rows)
    return heading(scorer.capitalize(), note) + block(
        f'<table class="beside"><tr>{head}</tr>{body}</table>'
    )


def _line(row: Row, scorer: str) -> str:
    one = row.scores.get(scorer)
    name = f'<td title="{escape(meaning(row.name))}">{escape(title(row.name))}</td>'
    if one is None or one.summary.mean is None:
        said = f"<td>{escape(reference(row.name, scorer))}</td>"
        return f'<tr class="none">{name}' + "<td>–</td>" * (len(HEADS) - 1) + f"{said}</tr>"
    found, share = one.summary, one.failed_share
    middle = f"{short(found.median)} [{short(found.low)}, {short(found.high)}]"
    cells = (f"{found.n:,}", middle, figure(found.mean), gap(row, one), f"{one.n_failed:,}",
             reference(row.name, scorer))  # fmt: skip
    style = ' class="own"' if row.name == OWN else ""
    if share is not None and share > MANY_FAILED:
        style = ' class="poor" title="more than a tenth of the verdicts failed"'
    return f"<tr{style}>{name}" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _asides(rows: Sequence[Row]) -> str:
    """How each row was made, what it leaves out."""
    said = [(title(row.name), aside(row)) for row in rows]
    items = "".join(f"<li><b>{escape(name)}</b>: {escape(text)}</li>" for name, text in said
                    if text)  # fmt: skip
    return block(f'<ul class="asides">{items}</ul>')


def _published() -> None:
    with st.expander("Published figures, of other subjects and judges"):
        names = ("", "fuzzing", "detection", "what", "source")
        head = "".join(f"<th>{name}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in (
                title(one.row), one.fuzzing, one.detection, one.about, one.source)) + "</tr>"
            for one in PUBLISHED
        )  # fmt: skip
        st.html(block(f'<table class="beside text"><tr>{head}</tr>{body}</table>'))


def _missing(chosen: Chosen, rows: Sequence[Row]) -> None:
    """Rows without scores, the command that makes them, a button that starts it."""
    names = [title(row.name) for row in rows
             if not any(one.summary.n for one in row.scores.values())]  # fmt: skip
    study = chosen.study
    if not names and study is not None and study.status == "done":
        return
    if study is None or not start.can(chosen.record):
        return
    st.html(heading("Not there yet", ", ".join(names) or f"the run is {study.status}"))
    said = study.settings
    words = start.words_of(chosen.record, list(said["only"]), said["features"], said["steps"])
    if said["model"] or said["judge"] != "grammar":
        st.html(block('<p class="mut">A language model explained or judged: repeat its command '
                      "from the page of runs.</p>"))  # fmt: skip
        return
    if set(said["hookpoints"]) != {one.name for one in chosen.record.hookpoints}:
        words += [word for name in said["hookpoints"] for word in ("--hookpoint", name)]
    start.button(words, "baselines.go-on", "Make what is missing")


def empty(chosen: Chosen) -> None:
    """Nothing was compared yet: what would be, the command, the button."""
    if not start.can(chosen.record):
        session.say(f"Cache “{chosen.record.name}” was imported without activations, so nothing "
                    "can be made to stand beside it.")  # fmt: skip
    st.html(block(f'<p class="say">Nothing stands beside the SAE of “{escape(chosen.record.name)}” '
                  "yet. This makes neurons, a random SAE, an SAE on the subject with its weights "
                  "drawn anew and explanations of other features go the same way, over the same "
                  "tokens:</p>"))  # fmt: skip
    start.button(start.words_of(chosen.record), "baselines.first")
