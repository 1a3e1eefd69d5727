"""Run by test_replies_store.py in a process of its own: asking with kills. A line per finding.

Forks one child a try, so that libraries are imported once; a child opens the store, the parent
never does.
"""

import json
import os
import random
import resource
import signal
import sys
import time
import urllib.request
from pathlib import Path

import openai  # noqa: F401  imported before the forks
from scripted_server import question_key

from core.llm.client import open_client
from core.llm.requests import Message, Reply, Request
from core.llm.settings import EndpointSettings
from data.catalogue import Catalogue
from data.errors import StoreTrouble
from data.replies import ReplyStore

PREFIX = (Message("system", "Judge these texts."),)
QUESTIONS = [Request(PREFIX, f"question {number}", 20) for number in range(240)]
CHUNK = 20


def body(request: Request) -> dict:
    return {"messages": [{"role": role, "content": text} for role, text in request.messages]}


KEYS = [question_key(body(request)) for request in QUESTIONS]


def ask(store: Path, base_url: str, used: Path | None = None) -> None:
    """Ask everything, folding now and then; `used` gets the number of answers after every chunk."""
    catalogue = Catalogue(store)
    settings = EndpointSettings("m", base_url, concurrency=8)
    with open_client(catalogue, settings) as client:
        for first in range(0, len(QUESTIONS), CHUNK):
            outcomes = client.ask(QUESTIONS[first : first + CHUNK])
            assert all(isinstance(outcome, Reply) for outcome in outcomes)
            if used is not None:
                used.write_text(str(first + CHUNK))
            if first % 100 == 60:
                with catalogue.writing() as con:
                    client.fold(con)


def child(work) -> int:
    pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            os._exit(0)
    return pid


def stored(store: Path, scratch: Path) -> set[str]:
    """Questions whose replies survived, found by opening the store as the next run does."""

    def look() -> None:
        catalogue = Catalogue(store)
        ReplyStore(catalogue).close()
        with catalogue.reading() as con:
            rows = con.rows("select question from reply")
        scratch.write_text(json.dumps([row["question"] for row in rows]))

    os.waitpid(child(look), 0)
    found = json.loads(scratch.read_text())
    assert len(found) == len(set(found))
    return {KEYS[int(question.removeprefix("question "))] for question in found}


def left_behind(store: Path) -> set[str]:
    """Questions in journals, on lines that are whole."""
    found = set()
    for path in (store / "journals").glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
        found |= {line["question"] for line in lines if "question" in line}
    return {KEYS[int(question.removeprefix("question "))] for question in found}


def times_asked(base_url: str) -> dict[str, int]:
    with urllib.request.urlopen(base_url.replace("/v1", "/log")) as answer:
        return json.load(answer)["asked"]


def wait_for(n: int, base_url: str, pid: int) -> None:
    """Wait until so many questions were asked, or the child is at its end."""
    while len(times_asked(base_url)) < n:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.02)


def full_disk(store: Path, base_url: str, used: Path, said: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
    try:
        ask(store, base_url, used)
    except StoreTrouble as error:
        said.write_text(str(error))


def interrupted(store: Path, hanging: str) -> float:
    """Seconds from Ctrl+C to the end of a process that waits for an endpoint."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job begins without it
    pid = child(lambda: ask(store, hanging))
    time.sleep(0.7)
    start = time.monotonic()
    os.kill(pid, signal.SIGINT)
    os.waitpid(pid, 0)
    return time.monotonic() - start


def say(what: str) -> None:
    sys.stdout.write(f"{what}\n")


def main(root: Path, base_url: str, hanging: str) -> None:
    os.waitpid(child(lambda: Catalogue(root / "store")), 0)
    chance, kept, kills = random.Random(3), {}, 0
    left, lost, asked = set(), set(), {}
    for _ in range(6):
        pid = child(lambda: ask(root / "store", base_url))
        wait_for(len(asked) + 25, base_url, pid)
        time.sleep(chance.uniform(0.0, 0.05))
        os.kill(pid, signal.SIGKILL)
        kills += os.waitpid(pid, 0)[1] == signal.SIGKILL
        asked, journal = times_asked(base_url), left_behind(root / "store")
        survived = stored(root / "store", root / "s")
        left |= journal
        lost |= journal - survived
        kept.update({key: asked[key] for key in survived if key not in kept})
    os.waitpid(child(lambda: ask(root / "store", base_url)), 0)
    asked = times_asked(base_url)
    again = sum(asked[key] != times for key, times in kept.items())
    say(f"killed {kills > 1}")
    say(f"some were stored by then {0 < len(kept) < len(KEYS)}")
    say(f"journals left behind {len(left) > 0}, lost {len(lost)}")
    say(f"asked again {again}")
    say(f"all stored {stored(root / 'store', root / 's') == set(KEYS)}")

    os.waitpid(child(lambda: Catalogue(root / "full")), 0)
    used, said = root / "used", root / "said"
    os.waitpid(child(lambda: full_disk(root / "full", base_url, used, said)), 0)
    acknowledged = set(KEYS[: int(used.read_text())])
    sentence = said.read_text()
    say(f"full disk said {'no room left' in sentence and chr(10) not in sentence}")
    say(f"nothing acknowledged lost {acknowledged <= stored(root / 'full', root / 's')}")

    os.waitpid(child(lambda: Catalogue(root / "hanging")), 0)
    say(f"quick end {interrupted(root / 'hanging', hanging) < 5}")


main(Path(sys.argv[1]), *sys.argv[2:4])
