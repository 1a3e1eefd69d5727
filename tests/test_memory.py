"""What pages keep: bounded, made once, never an error; and the thread that reads ahead."""

from threading import Event, Thread

import pytest

from dashboard.memory import Ahead, Memory
from data.errors import StoreBusy


def test_a_value_is_made_once():
    memory, made = Memory(4), []
    assert memory.get("a", lambda: made.append(1) or 7) == 7
    assert memory.get("a", lambda: made.append(1) or 8) == 7
    assert made == [1]
    assert "a" in memory


def test_the_least_recently_used_goes_first():
    memory = Memory(2)
    for key in ("a", "b", "a", "c"):
        memory.get(key, lambda key=key: key)
    assert [key in memory for key in "abc"] == [True, False, True]


def test_an_error_is_not_kept():
    memory = Memory(2)
    with pytest.raises(ZeroDivisionError):
        memory.get("a", lambda: 1 // 0)
    assert "a" not in memory
    assert memory.get("a", lambda: 1) == 1


def test_a_second_asker_waits_for_the_first():
    memory, started, gate, found = Memory(2), Event(), Event(), []

    def slow():
        started.set()
        gate.wait(10)
        return "made"

    first = Thread(target=lambda: memory.get("a", slow))
    first.start()
    started.wait(10)
    second = Thread(target=lambda: found.append(memory.get("a", lambda: "again")))
    second.start()
    gate.set()
    first.join(10)
    second.join(10)
    assert found == ["made"]


def test_reading_ahead_does_the_latest_wish_in_order():
    ahead, done, end = Ahead(pause=0.02), [], Event()
    ahead.wish(lambda: done.append("old"), lambda: done.append("older"))
    ahead.wish(lambda: done.append(1), lambda: done.append(2), end.set)
    assert end.wait(10)
    assert done == [1, 2]


def test_reading_ahead_goes_on_after_what_cannot_be_read():
    ahead, end = Ahead(pause=0), Event()

    def busy():
        raise StoreBusy("held by another process")

    ahead.wish(busy, end.set)
    assert end.wait(10)
