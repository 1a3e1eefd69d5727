"""How one explanation came about and what every score of it rests on; read only when opened."""

from collections.abc import Callable
from functools import partial

import numpy as np
import streamlit as st

from core.drawing import cards
from core.drawing.spans import heading, plain
from dashboard import behind, session, steered_sets
from dashboard.labels import literal
from dashboard.library import Place
from data import results
from data.catalogue import Row
from data.records import ExplanationRecord, Score

CALLS = 12  # conversations shown
LONG = 1_500  # characters above which a text scrolls
WRITTEN = {"generation": "Generated texts", "sensitivity": "New texts like its contexts"}


@st.dialog("Details", position="right", width=720)
@session.guarded
def dialog(place: Place, explanation: ExplanationRecord) -> None:
    """The drawer; the page stays readable beside it."""
    number = explanation.explanation_id
    made = session.library().ask(results.made, number)
    if made is None:
        st.html(cards.sentence(f"Explanation #{number} is not in the store any more."))
        return
    st.html(cards.block(f"<p><b>#{number}</b> {cards.says(explanation)}</p>"))
    st.html(behind.facts(explanation, made))
    if made["run_id"] is not None:
        st.page_link("views/runs.py", label=f"Run {made['run_id']}", icon=":material/history:",
                     query_params={"run": str(made["run_id"])})  # fmt: skip
    scores(place, explanation)
    st.html(heading("Settings"))
    st.html(cards.block(behind.nested(explanation.settings), "behind"))
    conversation(explanation, made)
    if made["detail"]:
        st.html(heading("What only this explainer has"))
        st.html(cards.block(behind.nested(made["detail"]), "behind"))


def scores(place: Place, explanation: ExplanationRecord) -> None:
    """All scores: of every scorer, judge and preset, older ones too."""
    found = every_score(explanation)
    st.html(heading("Scores", "every judge and preset, in the order in which they were run"))
    if not found:
        st.html(cards.sentence("Not scored yet."))
        return
    st.html(behind.score_table(found) + behind.score_details(found))
    for score in found:
        if score.scorer_id is None:
            continue  # made up, and not of the store
        if score.scorer == "simulation":
            opened(f"Simulated activations, judge {score.judge}, preset {score.preset}",
                   partial(simulated, place, explanation, score.scorer_id))  # fmt: skip
        elif score.scorer in WRITTEN:
            opened(f"{WRITTEN[score.scorer]}, by {score.judge}",
                   partial(generated, place, explanation, score))  # fmt: skip
        elif score.scorer == "output-side":
            opened(f"Steered texts, judge {score.judge}, preset {score.preset}",
                   partial(steered, explanation, score.scorer_id))  # fmt: skip


def every_score(explanation: ExplanationRecord) -> tuple[Score, ...]:
    """The scores as stored; the record of a page has the headline ones only."""
    known = session.library().ask(
        results.explanations, explanation.hookpoint_id, explanation.feature
    )
    for found in known.get(explanation.feature, []):
        if found.explanation_id == explanation.explanation_id:
            return found.scores
    return ()


def opened(title: str, draw: Callable[[], None]) -> None:
    """A closed part that is read and drawn when it is opened."""
    expander = st.expander(literal(plain(title), 160), key=f"details.{title}", on_change="rerun")
    if expander.open:
        with expander:
            draw()


def simulated(place: Place, explanation: ExplanationRecord, scorer_id: int) -> None:
    """A few contexts as they are and as they were thought to be."""
    length = session.workbench(place.cache).contexts.length
    rows = session.library().ask(results.simulated, explanation.explanation_id, scorer_id)
    shown = behind.few([row for row in rows if row["length"] == length])
    if not shown:
        st.html(cards.sentence("No simulated context has a usable reply."))
        return
    reader = session.library().reader(place, explanation.feature)
    passages = reader.passages(np.array([row["first_token"] for row in shown], np.int64))
    st.html(cards.block('<p class="mut">A simulated 10 stands for the largest activation of the '
                        f"feature; {len(shown)} of {len(rows)} contexts.</p>"))  # fmt: skip
    st.html(behind.simulated_list(shown, passages, largest(place, explanation)))


def generated(place: Place, explanation: ExplanationRecord, score: Score) -> None:
    """The texts that a model wrote for the explanation, or like the contexts."""
    assert score.scorer_id is not None  # or it is not drawn
    rows = session.library().ask(results.generated, explanation.explanation_id, score.scorer_id)
    if rows:
        st.html(behind.generated_list(rows, largest(place, explanation)))
    else:
        why = score.detail.get("defect") or score.detail.get("reason") or "no reply"
        st.html(cards.sentence(f"No text was written: {why}."))
    if originals := score.detail.get("originals"):
        st.html(steered_sets.originals(originals))


def steered(explanation: ExplanationRecord, scorer_id: int) -> None:
    """The text sets that the judge chose from, trial by trial."""
    rows = session.library().ask(results.trials, explanation.explanation_id, scorer_id)
    if rows:
        st.html(steered_sets.trial_list(rows, explanation.feature))
    else:
        st.html(cards.sentence("Nobody was asked: the score says why."))


def largest(place: Place, explanation: ExplanationRecord) -> float:
    """The feature's largest activation."""
    facts = session.library().feature(place, explanation.feature).facts or {}
    return facts.get("max_activation") or 0.0


def conversation(explanation: ExplanationRecord, made: Row) -> None:
    """What was sent and what came back, as text: nothing in it is drawn."""
    if made["prompt"] is None and not made["calls"]:
        st.html(cards.block('<p class="mut">No prompt and no reply: no model was asked.</p>'))
        return
    for title, text in (("Prompt as sent", made["prompt"]), ("Raw reply", made["reply"])):
        if text:
            opened(title, partial(verbatim, text))
    if n := len(made["calls"] or ()):
        opened(f"Calls ({n})", partial(calls, made["calls"]))


def calls(reply_ids: list[int]) -> None:
    """Each call with its turns, its answer and what it took."""
    found = session.library().ask(results.calls, tuple(reply_ids[:CALLS]))
    if not found:
        st.html(cards.sentence("The replies are not in the store; they were asked elsewhere."))
    for row in found:
        st.html(heading(f"Call {row['reply_id']}", call_words(row)))
        verbatim(behind.turns(row["messages"]))
        verbatim(row["text"] or "(no text)")
    if len(reply_ids) > CALLS:
        st.caption(f"The first {CALLS} of {len(reply_ids)} calls.")


def call_words(row: Row) -> str:
    """What a call was for, whom it asked, what it took and how it ended."""
    tokens = behind.token_words(row["input_tokens"], row["output_tokens"])
    took = [tokens, cards.cost_words(row["cost_usd"])]
    ended = [f"{row['seconds'] or 0:.1f} s", f"ended: {row['finish'] or 'unknown'}"]
    return " · ".join([row["purpose"], row["model"], *took, *ended])


def verbatim(text: str) -> None:
    """Text as it is, with a button that copies it."""
    height = 360 if len(text) > LONG else "content"
    st.code(text, language=None, wrap_lines=True, height=height)
