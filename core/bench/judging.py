"""What judging costs beside its limit: an endpoint that answers everything after 100 ms.

The limit is arithmetic: calls in flight divided by seconds an answer. The endpoint is a process of
its own on the same machine; ours is measured with everything that a run does to a call: the prompt
of about 800 tokens, its hash, the request over HTTP, the reply in the journal and on the disk, its
JSON read, and its row in the catalogue.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from core.bench.figures import Figure, at_least, at_most, context
from core.llm.client import EndpointClient, open_client
from core.llm.requests import Message, Reply, Request
from core.llm.settings import EndpointSettings
from core.llm.tokens import estimated
from core.replies.cleaning import cleaned, json_in
from data.catalogue import Catalogue

LATENCY, CONCURRENCY = 0.1, 32  # seconds, calls
ITEMS, CALLS = 5, 20  # contexts in a call, calls for an explanation
WIDTH = 32  # words a context
VOCABULARY = 5000
BAR, CPU_BAR = 85, 3  # % of the ideal, ms a call


def figures(quick: bool = False) -> Iterator[Figure]:
    """Measure calls a second against the ideal, and CPU time a call."""
    prefix = _prefix()
    explanations = [_questions(number, prefix) for number in range(60 if quick else 300)]
    with tempfile.TemporaryDirectory(prefix="gloss-bench-") as store, _endpoint() as base_url:
        settings = EndpointSettings("made", base_url, concurrency=CONCURRENCY)
        with open_client(Catalogue(Path(store)), settings) as client:
            client.ask(_questions(-1, prefix))  # connections and threads
            wall, cpu = perf_counter(), process_time()
            with ThreadPoolExecutor(2 * CONCURRENCY // CALLS + 2) as pool:
                right = sum(pool.map(lambda requests: judge(client, requests), explanations))
            wall = perf_counter() - wall
        cpu = process_time() - cpu  # with the rows in the catalogue
    n = CALLS * len(explanations)
    assert right == n * ITEMS, f"{right} verdicts to {n} calls"
    ideal = CONCURRENCY / LATENCY
    name = f"judging, {1000 * LATENCY:.0f} ms endpoint, {CONCURRENCY} in flight"
    yield at_least(name, 100 * n / wall / ideal, "% of the ideal", BAR)
    yield at_most("judging, CPU time", 1000 * cpu / n, "ms/call", CPU_BAR)
    yield context("calls", n / wall, "calls/s")
    yield context("a prompt", float(np.mean([estimated(r) for r in explanations[0]])), "tokens")


def judge(client: EndpointClient, requests: list[Request]) -> int:
    """Ask about one explanation and read the verdicts; gives their number."""
    read = 0
    for reply in client.ask(requests):
        assert isinstance(reply, Reply), reply
        read += len(json_in(cleaned(reply.text), "["))
    return read


def _questions(number: int, prefix: tuple[Message, ...]) -> list[Request]:
    """Word the calls about one explanation, five contexts each."""
    chance = np.random.default_rng(number + 1)
    return [
        Request(prefix, f"Explanation: number {number}\n\n{_contexts(chance)}", 60, purpose="bench")
        for _ in range(CALLS)
    ]


def _contexts(chance: np.random.Generator) -> str:
    words = chance.integers(0, VOCABULARY, (ITEMS, WIDTH))
    return "\n".join(
        f"{place}. {' '.join(SPELT[word] for word in row)}" for place, row in enumerate(words, 1)
    )


SPELT = [f"{a}{b}{c}" for a in ("ba", "ver", "on", "mist", "k") for b in "aeiou" * 10
         for c in ("", "t", "ll", "nd", "s") * 4]  # fmt: skip


def _prefix() -> tuple[Message, ...]:
    """Instructions and three worked examples."""
    turns = [Message("system", "You read an explanation and five texts, and say which fit. " * 4)]
    for shot in range(3):
        question = f"Explanation: shot {shot}\n\n{_contexts(np.random.default_rng(shot))}"
        turns += [Message("user", question), Message("assistant", "[1, 0, 0, 1, 0]")]
    return tuple(turns)


@contextmanager
def _endpoint() -> Iterator[str]:
    """Start the endpoint; gives its base URL."""
    command = [sys.executable, "-m", "core.bench.answering", str(LATENCY)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()
