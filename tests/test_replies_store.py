"""Replies are on the disk before they are used, once each, whatever happens in between."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from scripted_server import Faults, serving

from data.catalogue import Catalogue
from data.errors import StoreTrouble
from data.journals import orphans
from data.replies import KeptAnswer, KeptReply, ReplyStore, reply_ids

PREFIX = (("system", "Judge."), ("user", "a"))


def reply(number, text="[1]", prefix=PREFIX, **changes):
    answer = KeptAnswer(f"{number:064x}", text, "stop", None, 5, 2, 0.5, 0.1)
    known = {"address": "http://x/v1", "model": "m", "purpose": "detection", "prefix": prefix,
             "question": f"q{number}", "parameters": '{"seed":0}', "created_at": 0.0}  # fmt: skip
    return KeptReply(answer, **known | changes)


def key(number):
    return f"{number:064x}"


def kept(store, *replies):
    """Keep replies and wait for the disk."""
    said = []
    for one in replies:
        store.keep(one, said.append)
    store.flush()
    return said


def rows(catalogue):
    with catalogue.reading() as con:
        return con.rows("select * from reply join request_prefix using (prefix_id) order by 1")


def journals(catalogue):
    return sorted(path.name for path in (catalogue.store / "journals").glob("*.jsonl"))


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path)


def test_a_reply_is_in_the_journal_before_it_is_handed_on(catalogue):
    store, seen = ReplyStore(catalogue), []
    path = catalogue.store / "journals"

    def look(trouble):
        text = "".join(file.read_text() for file in path.glob("*.jsonl"))
        seen.append((trouble, '"question":"q1"' in text))

    store.keep(reply(1), look)
    store.flush()
    assert seen == [(None, True)]
    assert rows(catalogue) == []
    store.close()


def test_folding_moves_replies_into_the_catalogue_and_the_journal_goes(catalogue):
    store = ReplyStore(catalogue)
    assert kept(store, reply(1), reply(2, prefix=()), reply(3)) == [None] * 3
    with catalogue.writing() as con:
        store.fold(con)
        assert reply_ids(con, [key(3), key(9)]).keys() == {key(3)}
        assert len(journals(catalogue)) == 1
    assert journals(catalogue) == []
    found = {row["request_sha256"]: row for row in rows(catalogue)}
    assert found[key(1)]["prefix_id"] == found[key(3)]["prefix_id"] != found[key(2)]["prefix_id"]
    assert found[key(2)]["messages"] == "[]"
    assert found[key(1)]["question"] == "q1"
    assert found[key(1)]["cost_usd"] == 0.5
    store.close()


def test_a_transaction_that_fails_leaves_replies_for_the_next(catalogue):
    store = ReplyStore(catalogue)
    kept(store, reply(1))

    def fail():
        with catalogue.writing() as con:
            store.fold(con)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert rows(catalogue) == []
    assert store.known([key(1)])[key(1)].text == "[1]"
    kept(store, reply(2))
    with catalogue.writing() as con:
        store.fold(con)
        store.fold(con)  # twice is once
    assert [row["question"] for row in rows(catalogue)] == ["q1", "q2"]
    assert journals(catalogue) == []
    store.close()


def test_known_replies_are_found_wherever_they_are(catalogue):
    store = ReplyStore(catalogue)
    kept(store, reply(1))
    store.close()
    store = ReplyStore(catalogue)
    kept(store, reply(2))
    with catalogue.writing() as con:
        store.fold(con)
    kept(store, reply(3))
    found = store.known([key(n) for n in (1, 2, 3, 4)])
    assert {k: answer.text for k, answer in found.items()} == dict.fromkeys(
        [key(1), key(2), key(3)], "[1]"
    )
    assert found[key(1)].seconds == pytest.approx(0.1)
    assert [store.holds(key(n)) for n in (1, 2, 3, 4)] == [False, True, True, False]
    store.close()


def test_hostile_text_is_stored(catalogue):
    store = ReplyStore(catalogue)
    said = 'a\0b \ud83d "<script>" \u2028 é'
    kept(store, reply(1, text=said, prefix=(("user", said),), question=said))
    store.close()
    assert rows(catalogue)[0]["text"] == said.replace("\ud83d", "?")


def test_a_journal_left_behind_is_folded_and_its_torn_end_is_cut(catalogue):
    store = ReplyStore(catalogue)
    kept(store, reply(1), reply(2))
    store.leave()
    [path] = (catalogue.store / "journals").glob("*.jsonl")
    path.write_bytes(path.read_bytes() + b"\0\0\0\n" + b'{"question": "q3", "par')
    store = ReplyStore(catalogue)
    assert [row["question"] for row in rows(catalogue)] == ["q1", "q2"]
    assert journals(catalogue) == []
    assert store.known([key(1)])
    store.close()


def test_the_journal_of_somebody_who_lives_is_left_alone(catalogue):
    first = ReplyStore(catalogue)
    kept(first, reply(1))
    second = ReplyStore(catalogue)
    assert len(journals(catalogue)) == 1
    kept(second, reply(1, text="another"), reply(2))
    assert len(journals(catalogue)) == 2
    second.close()
    kept(first, reply(3))
    first.close()
    found = {row["question"]: row["text"] for row in rows(catalogue)}
    assert found == {"q1": "another", "q2": "[1]", "q3": "[1]"}
    assert orphans(catalogue.store / "journals") == []


def test_a_reply_that_comes_too_late_is_refused(catalogue):
    store = ReplyStore(catalogue)
    store.close()
    said = []
    store.keep(reply(1), said.append)
    assert isinstance(said[0], StoreTrouble)


def test_many_threads_may_keep_replies(catalogue):
    store, said = ReplyStore(catalogue), []

    def keep(start):
        for number in range(start, start + 50):
            store.keep(reply(number), said.append)

    threads = [threading.Thread(target=keep, args=(50 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.flush()
    assert said == [None] * 400
    store.close()
    assert len(rows(catalogue)) == 400


def test_nothing_stored_is_asked_again_after_kills_and_a_full_disk(tmp_path):
    with (
        serving(latency=0.005, keep_bodies=False) as server,
        serving(faults=Faults(1.0, kinds=("hang",))) as hanging,
    ):
        command = [sys.executable, Path(__file__).with_name("kill_asking.py"), tmp_path]
        done = subprocess.run(
            [*command, server.base_url, hanging.base_url],
            capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip
    assert done.stdout.splitlines() == [
        "killed True",
        "some were stored by then True",
        "journals left behind True, lost 0",
        "asked again 0",
        "all stored True",
        "full disk said True",
        "nothing acknowledged lost True",
        "quick end True",
    ], done.stderr
