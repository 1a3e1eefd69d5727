"""Worker processes: results in order, and nothing left behind."""

import os
import subprocess
import sys
from time import monotonic, sleep

import pytest

from core.pipeline.workers import in_order
from data.errors import BadInput, GlossError
from data.runs import is_alive


def doubled(numbers):
    sleep(0.02 * (numbers[0] % 3))
    return [2 * number for number in numbers]


def refused(numbers):
    if numbers[0] == 3:
        raise BadInput("three is too many")
    return numbers


def ended(numbers):
    os._exit(3)


def slow(seconds):
    until = monotonic() + seconds
    while monotonic() < until:
        pass
    return [os.getpid()]


def held(what):
    return [lambda: what]


def test_results_come_in_the_order_of_the_tasks():
    tasks = [[number] for number in range(13)]
    made = [result for result in in_order(doubled, tasks, 2) if result]
    assert made == list(in_order(doubled, tasks, 1)) == [[2 * n] for n in range(13)]


def test_an_error_of_a_worker_is_raised_here_after_what_came_before():
    found = []
    with pytest.raises(BadInput, match="three is too many"):
        found += [made for made in in_order(refused, [[n] for n in range(9)], 2) if made]
    with pytest.raises(RuntimeError, match="could not hand over"):
        list(in_order(held, [1, 2], 2))


def test_a_worker_that_is_gone_is_one_sentence():
    with pytest.raises(GlossError, match="ended in the middle of its work"):
        list(in_order(ended, [[1], [2]], 2))


def test_slow_chunks_are_broken_off_when_nobody_wants_them():
    results = in_order(slow, [60, 60], 2)
    assert next(results) == []  # a sign of life, so that a cancelled run is noticed
    began = monotonic()
    results.close()
    assert monotonic() - began < 2


PARENT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from test_workers import slow
from core.pipeline.workers import in_order

if __name__ == "__main__":
    results = (found for found in in_order(slow, [0, 0, 60, 60], 2) if found)
    print(next(results)[0], next(results)[0], flush=True)
    next(results)
"""


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, script, os.path.dirname(__file__)],
                          stdout=subprocess.PIPE, text=True) as parent:  # fmt: skip
        workers = {int(pid) for pid in parent.stdout.readline().split()}
        assert workers
        assert all(map(is_alive, workers))
        parent.kill()
    give_up = monotonic() + 5
    while any(map(is_alive, workers)) and monotonic() < give_up:
        sleep(0.05)
    assert not any(map(is_alive, workers))
