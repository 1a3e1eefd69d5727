"""The blind game: which of X and Y is the second subject? A person answers here.

game=      seed of the questions
compared=  diff_id of the comparison whose features are shown
"""

import numpy as np
import pandas as pd
import streamlit as st

from core.diffing.evidence import pieces
from core.diffing.game import (
    Question,
    Tally,
    answer_of,
    named,
    next_question,
    shuffled,
    tally,
)
from core.diffing.report import Line
from core.diffing.words import found_words, tally_words
from core.drawing.cards import sentence
from core.drawing.spans import Passage, block, escape, heading, highlighted, one_line
from core.pipeline.guessing import (
    Detector,
    GameRequest,
    Table,
    detectors,
    in_order,
    open_table,
)
from dashboard import session
from dashboard.panels.two_models import features
from dashboard.panels.two_models.choice import Chosen, start
from data import guesses
from data.guesses import PERSON, Guess
from data.percents import percent

GRID = "display:grid;grid-template-columns:1fr 1fr;gap:2px 16px;margin:2px 0 10px"


@session.guarded
def show(chosen: Chosen) -> None:
    """The next question, or what the answers come to."""
    diff = features.found(chosen)
    if diff is None:
        words = ["gloss", "diff", "features", chosen.first.name, chosen.second.name]
        st.html(sentence("The game shows features that differ, and these two are not compared yet; "
                         "this does it:", session.command(words)))  # fmt: skip
        start("Compare", words, "two.game.compare")
        return
    library, seed = session.library(), seed_asked()
    table = open_table(library.catalogue, GameRequest(
        chosen.first.name, chosen.second.name, chosen.places[0].name, seed=seed,
        comparison=diff.diff_id))  # fmt: skip
    st.html(block(f'<p class="mut">{escape(found_words(diff))}</p>'))
    given = library.ask(guesses.guesses, table.diff.diff_id, named(PERSON, seed))
    question = next_question(table.questions, given)
    if question is not None:
        ask(table, question, seed, len(given))
    results(chosen, table, seed, is_over=question is None)


def seed_asked() -> int:
    """The seed in the address, else 0."""
    asked = st.query_params.get("game", "")
    return int(asked) if asked.isdecimal() and len(asked) < 10 else 0


def ask(table: Table, question: Question, seed: int, n_given: int) -> None:
    """Evidence and three buttons."""
    total = len(table.questions)
    st.html(block(
        f"<h5>Question {n_given + 1} of {total}<span>one of X and Y is the second subject, the one "
        "in question; every question comes twice, once in each order</span></h5>"))  # fmt: skip
    listed = shuffled(question.features, question, seed)
    found = detectors(session.library().catalogue, table, listed)
    st.html(block("".join(_drawn(table, question, one) for one in found)))
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    for letter, label in (("X", "X is the second"), ("Y", "Y is the second"), (None, "Cannot say")):
        bar.button(label, key=f"two.guess.{n_given}.{letter}", on_click=_answer,
                   type="primary" if letter else "secondary",
                   args=(table, question, letter, named(PERSON, seed)))  # fmt: skip


def _answer(table: Table, question: Question, letter: str | None, who: str) -> None:
    guess = Guess(question.number, question.swapped, question.features, who,
                  answer_of(question, letter))  # fmt: skip
    guesses.add_guesses(session.library().catalogue, table.diff.diff_id, [guess])


def _drawn(table: Table, question: Question, one: Detector) -> str:
    """One feature: what is said of it, its figures and a context, X left and Y right."""
    means, rates = in_order(question, *one.means), in_order(question, *one.rates)
    cells = [
        f'<span class="mut">{letter}: activation {mean:.4g} a token, '
        f"on {percent(rate, 3)} of tokens</span>"
        for letter, mean, rate in zip("XY", means, rates, strict=True)
    ]
    if one.context is not None:
        spelled = pieces(table.pair.files[0], one.context.tokens.tolist())
        cells += [
            f'<div class="tx" dir="auto">{_text(spelled, values, one.context.peak)}</div>'
            for values in in_order(question, one.context.first, one.context.second)
        ]
    said = one_line(one.explanation or "not explained")
    return f'<div class="t"><b>{said}</b></div><div style="{GRID}">{"".join(cells)}</div>'


def _text(spelled: list[str], values: np.ndarray, scale: float) -> str:
    return highlighted(Passage(spelled, values.tolist()), scale, breaks=False)


def results(chosen: Chosen, table: Table, seed: int, *, is_over: bool) -> None:
    """Everybody's answers, one's own only when all are given: before, they would give it away."""
    ask_ = session.library().ask
    names = ask_(guesses.players, table.diff.diff_id)
    shown = [name for name in names if is_over or name != named(PERSON, seed)]
    found = {name: tally(ask_(guesses.guesses, table.diff.diff_id, name)) for name in shown}
    if found:
        lines = "".join(f"<p>{escape(tally_words(name, one))}</p>" for name, one in found.items())
        st.html(heading("Answers", "a question answered alike in both orders counts once; "
                        "Wilson's 95 % interval; a coin has 50 %"))  # fmt: skip
        st.html(block(lines))
        st.download_button("CSV of the answers", lambda: _csv(found), "gloss-game.csv", "text/csv",
                           key="two.game.csv", type="tertiary", icon=":material/download:",
                           on_click="ignore")  # fmt: skip
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    if is_over:
        bar.button("Other questions", key="two.game.new", on_click=_another, args=(seed,),
                   help="The same features dealt anew.")  # fmt: skip
    words = ["gloss", "diff", "game", chosen.first.name, chosen.second.name, "--hookpoint",
             chosen.places[0].name, "--comparison", str(table.diff.diff_id), "--model",
             "MODEL"]  # fmt: skip
    st.html(sentence("A language model plays by:", session.command(words)))


def _another(seed: int) -> None:
    st.query_params["game"] = str(seed + 1)


def _csv(found: dict[str, Tally]) -> str:
    rows = [Line(name, one).as_dict() for name, one in found.items()]
    ends = [row.pop("interval") or [None, None] for row in rows]
    spans = [{"low": low, "high": high} for low, high in ends]
    return pd.DataFrame([row | span for row, span in zip(rows, spans, strict=True)]).to_csv(
        index=False
    )
