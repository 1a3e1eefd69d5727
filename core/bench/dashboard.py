"""How long a person waits: from a key press to the painted page, in a real Chromium.

On a made-up store of 32,768 features with 10 explanations each and 100 verdicts behind each. *Text*
is key press to the new feature's painted text: its number, its explanation and its contexts, which
the page before brought with it; a random feature's are asked for. *Still* is key press to the last
change of what can be seen: a table's hidden copy for screen readers, which follows the painted one
after a fifth of a second, is left out. Bytes are what the server sends over its socket, scripts
that are loaded once left out. Latencies need an otherwise idle machine: the load is printed beside
them.
"""

import base64
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

from core.bench import big_store
from core.bench.big_store import HOOKPOINT, NAME, Size
from core.bench.figures import Figure, at_most, context
from core.serving import Server, free_port
from data.errors import BadInput

SMALL = Size(n_features=2_048, n_tokens=131_072)
SETTLED = 400  # milliseconds without a change after which a page counts as still
WARM, ROUNDS, QUICK_ROUNDS = 5, 30, 10
VISITS, QUICK_VISITS = 500, 60  # navigations of the memory figure
WATCH = """
() => {
    if (window.gloss) return;
    window.words = () => [...document.querySelectorAll('.fx .ex.cur .t, .fx .row .tx')]
        .slice(0, 2).map(e => e.textContent);
    window.gloss = {start: 0, text: 0, last: 0, wanted: null};
    const painted = () => { window.gloss.text ||= performance.now(); };
    const seen = changes => {
        if (changes.every(change => change.target.parentElement?.closest('canvas'))) return;
        const now = performance.now();
        window.gloss.last = now;
        if (!window.gloss.text && window.gloss.wanted && window.gloss.wanted())
            requestAnimationFrame(() => setTimeout(painted));
    };
    new MutationObserver(seen).observe(document.body,
        {childList: true, subtree: true, characterData: true, attributes: true});
    for (const kind of ['keydown', 'mousedown'])
        window.addEventListener(kind, event => {  // its time is when the key went down
            Object.assign(window.gloss, {start: event.timeStamp, last: performance.now()});
        }, true);
}
"""
STILL = """settled => {
    const g = window.gloss;
    return g.text && performance.now() - g.last > settled
        ? [g.text - g.start, g.last - g.start] : null;
}"""


class Wait(NamedTuple):
    """One action's waiting times, milliseconds, and what was sent for it."""

    text: float
    still: float
    sent: int  # bytes


def figures(quick: bool = False) -> Iterator[Figure]:
    """Measure pages of the made-up store."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        raise BadInput("gloss bench dashboard needs Chromium: install it, or leave this one out")
    size, rounds = (SMALL, QUICK_ROUNDS) if quick else (Size(), ROUNDS)
    with tempfile.TemporaryDirectory(prefix="gloss-bench-") as name:
        start = perf_counter()
        big_store.make(Path(name), size)
        yield context("making the store", perf_counter() - start, "s")
        yield context("features", size.n_features, "with 10 explanations of 100 verdicts each")
        yield context("load before", os.getloadavg()[0], "processes")
        with Server(Path(name), is_bare=True) as server, Window(browser_path, server) as window:
            yield from _bare(window, rounds)
        with Server(Path(name), free_port()) as server, Window(browser_path, server) as window:
            yield from _features(window, rounds)
            yield from _pages(window, rounds)
            yield from _compared(window, size)
            yield from _memory(window, server, QUICK_VISITS if quick else VISITS)
        yield context("load after", os.getloadavg()[0], "processes")


class Window:
    """One browser window on a served store; a context manager."""

    def __init__(self, browser: str, server: Server) -> None:
        self._browser, self.address, self.sent = browser, server.address, 0

    def __enter__(self) -> "Window":
        """Open the browser and count what arrives over the socket."""
        try:
            from playwright.sync_api import sync_playwright
        except ImportError as error:
            raise BadInput(
                "gloss bench dashboard drives a browser with playwright: pip install playwright"
            ) from error
        self._playwright = sync_playwright().start()
        arguments = ["--no-sandbox", "--disable-gpu"]
        self._chromium = self._playwright.chromium.launch(
            executable_path=self._browser, args=arguments
        )
        self.page = self._chromium.new_page(viewport={"width": 1440, "height": 1000})
        session = self.page.context.new_cdp_session(self.page)
        session.send("Network.enable")
        session.on("Network.webSocketFrameReceived", self._count)
        return self

    def __exit__(self, *_: object) -> None:
        """Close the browser."""
        self._chromium.close()
        self._playwright.stop()

    def _count(self, event: dict[str, Any]) -> None:
        frame = event["response"]
        text = frame["payloadData"]
        self.sent += len(base64.b64decode(text)) if frame["opcode"] == 2 else len(text)

    def open(self, path: str, ready: str) -> None:
        """Go to an address and wait until a script's condition holds and nothing moves."""
        self.page.goto(self.address + path)
        self.page.wait_for_function(ready, timeout=120_000)
        self.page.wait_for_timeout(3 * SETTLED)
        self.page.evaluate(WATCH)

    def wait(self, act: Callable[[], object], ready: str) -> Wait:
        """Do something and wait for its effect; ready: what must hold on the new page."""
        before = self.sent
        self.page.evaluate(
            f"window.gloss.text = 0, window.gloss.before = window.words(),"
            f"window.gloss.wanted = {ready}"
        )
        act()
        handle = self.page.wait_for_function(STILL, arg=SETTLED, polling=50, timeout=60_000)
        text, still = handle.json_value()
        return Wait(text, still, self.sent - before)


def _mark(feature: int) -> str:
    return f"() => document.querySelector('#mark')?.textContent === '{feature}'"


def _words(feature: int) -> str:
    """Whether a feature's number, explanation and first context are there."""
    return f"""() => document.querySelector('input[aria-label=Feature]')?.value === '{feature}'
        && ({_other_words()})()"""


def _other_words() -> str:
    """Whether explanation and first context are others, the number not asked."""
    return """() => window.words().length === 2
        && window.words().every((text, k) => text !== window.gloss.before?.[k])"""


def _sentence(place: int) -> str:
    """Whether the bare page's words are those of a place."""
    return f"() => window.words()[0] === 'Sentence {place}'"


def _features(window: Window, rounds: int) -> Iterator[Figure]:
    """From a feature to the next, all in the same direction, as a person reads."""
    window.open(f"/feature?cache={NAME}&feature={HOOKPOINT}/100", _mark(100))
    waits = [
        window.wait(lambda: window.page.keyboard.press("ArrowRight"), _words(101 + k))
        for k in range(WARM + rounds)
    ][WARM:]
    n = len(waits)
    yield at_most(f"feature to next, text, median of {n}", median(w.text for w in waits), "ms", 120)
    yield at_most(f"feature to next, still, median of {n}", median(w.still for w in waits), "ms", 250)  # fmt: skip  # noqa: E501
    sent = median(w.sent for w in waits) / 1000
    yield at_most("feature to next, sent, median", sent, "kB", 150)
    waits = [
        window.wait(lambda: window.page.keyboard.press("n"), _other_words())
        for _ in range(min(rounds, 10))
    ]
    yield context("feature to a random one, text", median(w.text for w in waits), "ms")
    yield context("feature to a random one, still", median(w.still for w in waits), "ms")


def _bare(window: Window, rounds: int) -> Iterator[Figure]:
    """The same key on a page with next to nothing on it: what no page here can be faster than."""
    window.open("/", _mark(0))
    waits = [
        window.wait(lambda: window.page.keyboard.press("ArrowRight"), _sentence(1 + k))
        for k in range(WARM + rounds)
    ][WARM:]
    yield context("a bare page of Streamlit, text", median(w.text for w in waits), "ms")
    yield context("a bare page of Streamlit, still", median(w.still for w in waits), "ms")


def _pages(window: Window, rounds: int) -> Iterator[Figure]:
    """From a page of the table of features to the next."""
    window.open(f"/?cache={NAME}&sort=by+detection%2C+low+first", _counts(1))
    waits = []
    for page in range(2, 2 + WARM + min(rounds, 12)):
        button = window.page.get_by_role("button", name="Next page")
        waits.append(window.wait(button.click, _counts(page)))
    waits = waits[WARM:]
    still = median(w.still for w in waits)
    yield at_most(f"features page to next, still, median of {len(waits)}", still, "ms", 250)


def _counts(page: int) -> str:
    """Whether the line below the table is that of a page."""
    first = f"{100 * (page - 1) + 1:,}–"
    return f"() => document.body.innerText.includes('{first}')"


def _compared(window: Window, size: Size) -> Iterator[Figure]:
    """Two settings over the features that both have: from the choice of a score to its answer."""
    a, b = size.n_explanations + 1, size.n_explanations + 2
    address = f"/compare?mode=many&cache={NAME}&a={NAME}:{a}&b={NAME}:{b}&score=detection"
    window.open(address, _answered("detection"))
    for score in ("Fuzzing", "Detection"):
        option = window.page.get_by_role("radio", name=score)
        found = window.wait(option.click, _answered(score.lower()))
        yield at_most(f"compare 1,000 features, {score.lower()}, still", found.still, "ms", 1000)


def _answered(score: str) -> str:
    """Whether the page's sentence is about a score."""
    words = f"Mean {score}:"
    return f"() => document.body.innerText.includes('{words}')"


def _memory(window: Window, server: Server, visits: int) -> Iterator[Figure]:
    """Resident memory of the server while features are paged through."""
    window.open(f"/feature?cache={NAME}&feature={HOOKPOINT}/200", _mark(200))
    resident = []
    for k in range(visits):
        window.page.keyboard.press("ArrowRight")
        window.page.wait_for_function(_mark(201 + k))
        resident.append(server.resident)
    if None in resident:
        yield context("memory of the server is not known on this system", 0, "")
        return
    early, late = resident[visits // 5], resident[-1]
    growth = (late - early) / early
    yield at_most(f"server memory, growth over {visits} navigations", 100 * growth, "%", 5)
    yield context("server memory after them", late / 1e6, "MB")
