"""The blind game: both orders, fair evidence, and what the answers come to."""

import json
from dataclasses import replace

import diffed
import pytest
from commands import gloss
from scripted import ScriptedClient
from scripted_server import serving

from core.diffing import game
from core.diffing.settings import DiffSettings
from core.diffing.words import tally_words
from core.llm.settings import EndpointSettings
from core.pipeline import guessing
from core.pipeline.diffing import DiffRequest, diff_stage
from core.pipeline.guessing import GameRequest
from data import guesses
from data.errors import BadInput, NotFound
from data.guesses import Guess

REQUEST = GameRequest("planted", "tuned", endpoint=EndpointSettings("scripted"))


@pytest.fixture
def store(tmp_path):
    return diffed.make_store(tmp_path / "store")


def answers(*right: bool, swapped=False) -> list[Guess]:
    return [Guess(k, swapped, (k,), "me", 2 if good else 1) for k, good in enumerate(right)]


def test_every_question_is_asked_in_both_orders():
    asked = game.questions(range(50), 3)
    assert len(asked) == 20
    assert {(q.number, q.swapped) for q in asked} == {(k, s) for k in range(10) for s in (0, 1)}
    for half in (asked[:10], asked[10:]):
        assert len({q.number for q in half}) == 10
        assert sum(q.swapped for q in half) == 5
    assert asked[9].number != asked[10].number
    assert game.questions(range(50), 3) == asked


def test_every_question_has_some_of_the_surest_features_and_none_comes_twice():
    asked = game.questions(range(50), 0)[:10]
    dealt = [feature for one in asked for feature in one.features]
    assert sorted(dealt) == list(range(40))
    assert all(min(one.features) < 10 for one in asked)
    assert len(game.questions([4, 2], 0)) == 2


@pytest.mark.parametrize(
    ("swapped", "letter", "named"),
    [(False, "X", 1), (False, "Y", 2), (True, "X", 2), (True, "Y", 1)],
)  # fmt: skip
def test_a_letter_names_a_subject(swapped, letter, named):
    assert game.answer_of(game.Question(0, swapped, ()), letter) == named
    assert game.answer_of(game.Question(0, swapped, ()), None) is None


def test_a_question_is_one_trial_however_often_it_is_asked():
    # 8 right and 2 wrong in both orders: 10 trials, not 20 (then: .58 to .92 and p .012)
    right = (*[True] * 8, False, False)
    found = game.tally([*answers(*right), *answers(*right, swapped=True)])
    assert (found.right, found.n, found.split) == (8, 10, 0)
    assert (found.answers_right, found.answers, found.failed) == (16, 20, 0)
    assert found.interval.low == pytest.approx(0.490, abs=1e-3)
    assert found.interval.high == pytest.approx(0.943, abs=1e-3)
    assert found.p == pytest.approx(2 * (1 + 10 + 45) / 1024)


def test_who_always_says_x_decides_no_question():
    asked = game.questions(range(20), 0)
    said = [Guess(q.number, q.swapped, q.features, "x", game.answer_of(q, "X")) for q in asked]
    found = game.tally(said)
    assert (found.right, found.n, found.split, found.interval, found.p) == (0, 0, 5, None, None)
    assert (found.answers_right, found.answers, found.x_named) == (5, 10, 10)
    assert "no question is answered alike in both orders yet; 5 answered" in tally_words("x", found)


def test_no_answer_is_in_no_denominator():
    found = game.tally([
        *answers(True, True), *answers(True, swapped=True), Guess(1, True, (1,), "me", None)
    ])  # fmt: skip
    assert (found.right, found.n, found.split, found.answers, found.failed) == (1, 1, 0, 3, 1)
    assert tally_words("me", game.tally([])) == "me has no usable answer yet"


def judge(store, answer):
    """Let a scripted model answer all questions."""
    client = ScriptedClient(answer)
    table = guessing.open_table(store, REQUEST)
    found = guessing.judged(store, client, table, table.questions, REQUEST)
    return client, table, found


def test_the_judge_sees_both_orders_and_no_name(store):
    client, table, found = judge(store, lambda _: '{"choice": 2}')
    assert len(client.asked) == len(table.questions) == 2
    one, other = (request.question for request in client.asked)
    assert "Mean response a token: X 0.1441, Y 0" in one + other
    assert "Mean response a token: X 0, Y 0.1441" in one + other
    whole = "".join(turn.content for request in client.asked for turn in request.messages)
    assert not any(name in whole for name in ("planted", "tuned", "/model", "brackets"))
    assert "<<" in one
    assert sorted(g.answer for g in found.guesses) == [1, 2]
    assert game.tally(found.guesses).answers_right == 1
    assert found.usage.n_calls == 2


def test_unreadable_replies_are_no_answers_and_failed_calls_are_asked_again(store):
    _, _, found = judge(store, lambda _: "X, I think")
    assert [g.answer for g in found.guesses] == [None, None]
    _, _, lost = judge(store, lambda _: None)
    assert lost.guesses == []


def test_the_stage_asks_an_endpoint_once_and_keeps_the_answers(store):
    with serving(lambda _: '{"choice": 1}') as server:
        request = replace(REQUEST, endpoint=EndpointSettings("m", server.base_url))
        list(guessing.game_stage(store, request))
        asked = len(server.log.bodies)
        assert list(guessing.game_stage(store, request))[-1].note.startswith("nothing to do")
        assert len(server.log.bodies) == asked == 2
    with store.reading() as con:
        assert len(guesses.guesses(con, diffed.found(store).diff_id, "m")) == 2
        run = con.row("select status, done, n_calls from run order by run_id desc limit 1")
    assert run == {"status": "done", "done": 2, "n_calls": 2}
    said = gloss("diff", "game", "planted", "tuned", "--json", "--store", str(store.store))
    assert json.loads(said.stdout) == {
        "who": "m", "share": None, "interval": None, "right": 0, "n": 0, "split": 1, "p": None,
        "answers_right": 1, "answers": 2, "failed": 0, "x_named": 2,
        "comparison": diffed.found(store).diff_id, "hookpoint": diffed.found(store).hookpoint,
        "level": 0.05, "comparison_seed": 0,
    }  # fmt: skip


def test_answers_are_stored_and_the_first_one_counts(store):
    diff_id = diffed.found(store).diff_id
    guesses.add_guesses(store, diff_id, answers(True, False))
    guesses.add_guesses(store, diff_id, answers(False, False))
    with store.reading() as con:
        assert guesses.guesses(con, diff_id, "me") == answers(True, False)
        assert guesses.players(con, diff_id) == ["me"]


def test_a_game_needs_a_comparison(store):
    with pytest.raises(NotFound, match="yet: run gloss diff features planted twin"):
        guessing.open_table(store, GameRequest("planted", "twin"))


def test_a_game_is_about_the_comparison_asked_for(store):
    strict = DiffSettings(level=1e-300, seed=1)
    list(diff_stage(store, DiffRequest("planted", "tuned", settings=strict)))
    first, newest = diffed.all_found(store)
    assert guessing.open_table(store, replace(REQUEST, comparison=first.diff_id)).diff == first
    with pytest.raises(BadInput, match=r"at q 1e-300, .* planted tuned with a higher --level"):
        guessing.open_table(store, REQUEST)
    with pytest.raises(NotFound, match=rf"no comparison 99 .* {newest.diff_id} \(q 1e-300, seed 1"):
        guessing.open_table(store, replace(REQUEST, comparison=99))
