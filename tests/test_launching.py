"""Commands started by a page: detached, logged, never through a shell."""

import os
import subprocess
import sys
from time import monotonic, sleep

import pytest

from core import launching
from data.catalogue import Catalogue
from data.errors import BadInput

PATIENCE = 20  # seconds


def ended(pid):
    give_up = monotonic() + PATIENCE
    while monotonic() < give_up:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        sleep(0.02)
    return False


def test_a_command_runs_in_a_session_of_its_own_and_logs(tmp_path):
    store = tmp_path / "a store"
    Catalogue(store)
    launched = launching.launch(store, ["gloss", "status"])
    assert os.getsid(launched.pid) == launched.pid
    assert ended(launched.pid)
    assert launched.log == launching.log_of(store, launched.pid)
    assert launched.log.parent == store / "logs"
    assert f"store {store}" in launching.tail(launched.log)


LAUNCH = """
import sys
from pathlib import Path
from core.launching import launch
print(launch(Path(sys.argv[1]), ["gloss", "status"]).pid)
"""


def test_a_command_outlives_whoever_started_it(tmp_path):
    Catalogue(tmp_path)
    done = subprocess.run([sys.executable, "-c", LAUNCH, str(tmp_path)], check=True,
                          capture_output=True, text=True)  # fmt: skip
    pid = int(done.stdout)
    assert ended(pid)
    assert "no caches yet" in launching.tail(launching.log_of(tmp_path, pid))


def test_words_reach_the_command_as_they_are(tmp_path):
    Catalogue(tmp_path)
    words = ["gloss", "show", f"$(touch {tmp_path}/shell); `id`"]
    launched = launching.launch(tmp_path, words)
    assert ended(launched.pid)
    assert "no cache named '$(touch" in launching.tail(launched.log)
    assert not (tmp_path / "shell").exists()


@pytest.mark.parametrize(
    "words",
    [[], ["gloss"], ["rm", "-rf", "/"], ["gloss", "serve"], ["gloss", "show", "a\0b"]],
)
def test_only_gloss_commands_that_end_are_started(tmp_path, words):
    with pytest.raises(BadInput, match="no gloss command that a page can start"):
        launching.launch(tmp_path, words)
    assert not (tmp_path / "logs").exists()


def test_the_demo_is_started_without_a_second_dashboard():
    assert launching._arguments(["gloss", "demo"]) == ["demo", "--no-serve"]
    assert launching._arguments(["gloss", "demo", "--serve"]) == ["demo", "--no-serve"]


def test_old_logs_are_pruned(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    for number in range(205):
        (folder / f"2025010{number:03}-{number}.log").touch()
    launching._prune(folder)
    assert len(list(folder.iterdir())) == 200
    assert launching.log_of(tmp_path, 4) is None
    assert launching.log_of(tmp_path, 5) is not None


def test_a_tail_is_plain_text(tmp_path):
    log = tmp_path / "x.log"
    log.write_bytes(b"one\n10 %\r20 %\r30 %\r\n\x1b[1mthree\x1b[0m \xff\n\n")
    assert launching.tail(log) == "one\n30 %\nthree \ufffd"
    assert launching.tail(log, lines=1) == "three \ufffd"


def test_a_long_log_is_read_from_its_end_only(tmp_path):
    log = tmp_path / "x.log"
    log.write_text("x" * 200_000 + "\nend\n")
    assert launching.tail(log, 1) == "end"
