"""`gloss` commands started by a page as processes of their own, and what those wrote.

A launched command outlives the page and the dashboard: it has a session of its own, reads nothing,
and writes to STORE/logs/TIME-PID.log. Its words are those of `run.command` ("gloss", "explain",
...), never a line for a shell. Keys reach it through the inherited environment and nowhere else.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from data.durable import reporting
from data.errors import BadInput

LOGS = "logs"  # folder of the store
KEPT = 200  # newest logs
LONGEST = 65_536  # bytes read from a log's end
STAYING = ("serve",)  # would open a second dashboard and never end
COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Launched(NamedTuple):
    """A command at work."""

    pid: int
    log: Path


def launch(store: Path, words: Sequence[str]) -> Launched:
    """Start `gloss WORDS --store STORE` and come back at once.

    >>> launch(store, ["gloss", "explain", "demo", "--features", "0-9"]).log
    PosixPath('store/logs/20250314T091502.123456-4711.log')
    """
    folder = Path(store).absolute() / LOGS
    arguments = _arguments(words)
    began = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    draft = folder / f"{began}.starting-{os.getpid()}"
    with reporting(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with draft.open("xb") as log:
            process = subprocess.Popen(  # -P: the working folder may hold files named like ours
                [sys.executable, "-P", "-u", "-m", "core.cli", *arguments,
                 "--store", str(folder.parent)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        log_file = draft.rename(folder / f"{began}-{process.pid}.log")
    # Whoever started a process must take note of its end, else it stays in the table of processes
    # and looks alive.
    Thread(target=process.wait, name=f"end of {process.pid}", daemon=True).start()
    _prune(folder)
    return Launched(process.pid, log_file)


def _arguments(words: Sequence[str]) -> list[str]:
    """Check the words of a command, and make the demo end when its work does."""
    is_command = len(words) > 1 and words[0] == "gloss" and not any("\0" in word for word in words)
    if not is_command or words[1] in STAYING:
        raise BadInput(f"'{' '.join(words)}' is no gloss command that a page can start")
    arguments = list(words[1:])
    if arguments[0] == "demo" and "--no-serve" not in arguments:
        arguments = [word for word in arguments if word != "--serve"] + ["--no-serve"]
    return arguments


def _prune(folder: Path) -> None:
    """Delete all but the newest logs; the names begin with the time."""
    for old in sorted(folder.glob("*.log"))[:-KEPT]:
        with suppress(OSError):  # another dashboard deletes the same ones
            old.unlink()


def log_of(store: Path, pid: int) -> Path | None:
    """The newest log of a process, None where no page started it."""
    found = sorted((Path(store) / LOGS).glob(f"*-{int(pid)}.log"))
    return found[-1] if found else None


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log as plain text, without colours and overwritten progress."""
    with reporting(log), log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LONGEST))
        text = file.read().decode("utf-8", "replace")
    # A carriage return goes back to the line's start: the last version of the line holds.
    kept = [COLOUR.sub("", line.rstrip("\r").rpartition("\r")[2]) for line in text.split("\n")]
    while kept and not kept[-1]:
        kept.pop()
    return "\n".join(kept[-lines:])
