"""A real HTTP server that speaks the OpenAI protocol and misbehaves on request.

    with serving(lambda body: "[1, 0]", latency=0.1, faults=Faults(0.2)) as server:
        server.base_url                  http://127.0.0.1:PORT/v1
        server.log.requests              how many requests came in
        server.log.asked[key]            how often each question came; key = question_key(body)
        server.log.answered[key]         how often it got a good answer
        server.log.faults["html"]        how often each fault was played
        server.log.most                  the most requests that were in flight at once

`answer` gets the request's JSON body and gives
    str     the text of the answer,
    dict    content, finish_reason, refusal, reasoning_content, usage (a dict or None) and
            logprobs ([(token, {alternative: logprob}), ...]), each where it is to be said,
    Said    status, headers and bytes, as they are to go over the wire (core/bench/answering.py).
Where a request wants log-probabilities and the answer gives none, every word has -0.1 and one
alternative; an echoed prompt has -0.1 a character, its first token none.

Faults(rate, seed, kinds) hits each question with that probability, by a draw from the seed, the
question and how often it was asked, so that the order of arrival does not matter. KINDS names
them: some end a request, some only bend the answer (a list too short or long, prose, fences, ...).
`unsupported=("logprobs",)` refuses parameters with a 400, `per_second=5` limits the rate with
429s, /v1/embeddings gives bags of letters (26 figures),
/v1/models one model with a price. GET /log gives the log as JSON.

In a process of its own, for clients that are killed or measured (answer = MODULE:FUNCTION):

    python tests/scripted_server.py --answer scripted_server:five --latency 0.1 --faults 0.2
    prints the port; or `with serving_apart("scripted_server:five") as base_url:`
"""

import argparse
import asyncio
import hashlib
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module

from scripted_shapes import HTML, MODELS, Body, bent, chat, completion, error, vectors

from core.bench.answering import Said, serve

Answer = Callable[[Body], str | dict | Said]

ENDING = ("rate-limit", "error", "hang", "close", "html", "truncated")  # there is no answer
BENDING = ("short", "long", "prose", "refusal", "empty", "reasoning", "fences", "no-usage")
KINDS = ENDING + BENDING


@dataclass(frozen=True)
class Faults:
    """How often, and in which ways, an answer is spoilt."""

    rate: float = 0.0  # probability, 0..1
    seed: int = 0
    kinds: tuple[str, ...] = KINDS
    retry_after: str = "0.05"  # seconds, or a date

    def draw(self, key: str, times: int) -> str | None:
        """Choose the fault of the n-th time a question is asked."""
        chance = random.Random(f"{self.seed} {key} {times}")
        return chance.choice(self.kinds) if chance.random() < self.rate else None


@dataclass
class Log:
    """What came in and what went out."""

    requests: int = 0
    asked: Counter = field(default_factory=Counter)
    answered: Counter = field(default_factory=Counter)
    faults: Counter = field(default_factory=Counter)
    bodies: list = field(default_factory=list)
    now: int = 0  # in flight
    most: int = 0
    times: deque = field(default_factory=deque)  # of the last second's requests


def question_key(body: Body) -> str:
    """Name a question by its words alone: model and parameters do not matter."""
    words = body.get("messages", body.get("prompt", body.get("input")))
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def five(_body: Body) -> str:
    """Answer with five verdicts."""
    return "[1, 0, 0, 1, 0]"


class Script:
    """Answers requests; one for a server."""

    def __init__(
        self,
        answer: Answer,
        latency: float = 0.0,
        faults: Faults | None = None,
        unsupported: tuple[str, ...] = (),
        per_second: int | None = None,
        keep_bodies: bool = True,
    ) -> None:
        self.log = Log()
        self._answer, self.latency = answer, latency
        self._faults = faults or Faults()
        self._unsupported, self._per_second = unsupported, per_second
        self._keep = keep_bodies

    def __call__(self, path: str, raw: bytes) -> Said:
        if path == "/log":
            return Said(json.dumps(self.described()).encode())
        if path.endswith("/models"):
            return Said(json.dumps(MODELS).encode())
        body = json.loads(raw)
        key = question_key(body)
        self.log.requests += 1
        self.log.asked[key] += 1
        if self._keep:
            self.log.bodies.append(body)
        said = self._refused(body) or self._spoilt(path, body, key)
        if said.after is None:
            return said
        self.log.now += 1
        self.log.most = max(self.log.most, self.log.now)
        after = said.after or self.latency
        asyncio.get_running_loop().call_later(after, self._gone)
        return said._replace(after=after)

    def _gone(self) -> None:
        self.log.now -= 1

    def described(self) -> dict:
        """The log, JSON-ready."""
        log = self.log
        counts = {"asked": dict(log.asked), "answered": dict(log.answered)}
        return {"requests": log.requests, "faults": dict(log.faults), "most": log.most, **counts}

    def _refused(self, body: Body) -> Said | None:
        for name in self._unsupported:
            if name in body:
                text = f"Unsupported parameter: '{name}' is not supported with this model."
                return error(400, text, param=name)
        if self._per_second is not None:
            now, times = time.monotonic(), self.log.times
            while times and times[0] < now - 1:
                times.popleft()
            if len(times) >= self._per_second:
                return self._later()
            times.append(now)
        return None

    def _later(self) -> Said:
        said = error(429, "Too many requests.")
        return said._replace(headers=(*said.headers, ("Retry-After", self._faults.retry_after)))

    def _spoilt(self, path: str, body: Body, key: str) -> Said:
        fault = self._faults.draw(key, self.log.asked[key])
        if fault is not None:
            self.log.faults[fault] += 1
        if fault in ENDING:
            return self._ending(fault)
        answer = vectors(body) if path.endswith("/embeddings") else self._answer(body)
        if isinstance(answer, Said):
            return answer
        self.log.answered[key] += 1
        if path.endswith("/embeddings"):
            return Said(json.dumps(answer).encode())
        answer = {"content": answer} if isinstance(answer, str) else dict(answer)
        answer = bent(answer, fault) if fault else answer
        shape = chat if "messages" in body else completion
        return Said(json.dumps(shape(body, answer)).encode())

    def _ending(self, fault: str) -> Said:
        if fault == "rate-limit":
            return self._later()
        return {
            "error": error(500, "The server had an error."),
            "hang": Said(after=None),
            "close": Said(b"", closing=True),
            "html": Said(b"<html><body>Bad gateway</body></html>", headers=HTML),
            "truncated": Said(b'{"id": "chatcmpl-0", "choices": [{"index": 0, "mess'),
        }[fault]


@dataclass(frozen=True)
class Server:
    """A running server."""

    base_url: str
    script: Script

    @property
    def log(self) -> Log:
        """What it has seen so far."""
        return self.script.log


@contextmanager
def serving(answer: Answer = five, **script) -> Iterator[Server]:
    """Serve from a thread of this process; the answer may be any function."""
    played, loop, started = Script(answer, **script), asyncio.new_event_loop(), threading.Event()
    port = 0

    def note(number: int) -> None:
        nonlocal port
        port = number
        started.set()

    def run() -> None:
        task = loop.create_task(serve(played, note))
        loop.run_forever()
        task.cancel()
        loop.run_until_complete(asyncio.wait([task]))
        loop.run_until_complete(asyncio.sleep(0))  # sockets close
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield Server(f"http://127.0.0.1:{port}/v1", played)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


@contextmanager
def serving_apart(answer: str = "scripted_server:five", *options: str) -> Iterator[str]:
    """Serve from a process of its own; gives the base URL, and GET /log there has the log."""
    command = [sys.executable, __file__, "--answer", answer, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--answer", default="scripted_server:five")
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--port", type=int, default=0)
    chosen = parser.parse_args()
    module, function = chosen.answer.split(":")
    faults = Faults(chosen.faults, chosen.seed, tuple(chosen.kinds.split(",")))
    answer = getattr(import_module(module), function)
    script = Script(answer, chosen.latency, faults, keep_bodies=False)
    asyncio.run(serve(script, lambda port: print(port, flush=True), chosen.port))  # noqa: T201


if __name__ == "__main__":
    main()
