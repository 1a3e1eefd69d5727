"""Drives the dashboard as a person would: open, press, click, wait until nothing moves."""

from time import monotonic

from playwright.sync_api import Browser, Error, Page

VIEWPORT = {"width": 1440, "height": 1000}
LOOKS_EVERY = 30  # milliseconds; by default a page is asked as often as it is painted
QUIET = 0.15  # seconds without a change after which the page counts as still
IDLE = """() => {
    const app = document.querySelector('[data-testid=stApp]');
    return app && app.dataset.testScriptState === 'notRunning'
        && app.dataset.testConnectionState === 'CONNECTED'
        && !document.querySelector('[data-stale=true]');
}"""

SAYS = """words =>
    document.querySelector('[data-testid=stMain]')?.innerText.includes(words)
"""


class Visitor:
    """One window; notes whatever leaves this machine and whatever a page's script pops up."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.begin(address)
        page.on("request", lambda request: self._note(request.url))
        page.on("dialog", lambda dialog: (self.alerts.append(dialog.message), dialog.dismiss()))

    def begin(self, address: str) -> None:
        """Turn to a server, with nothing noted yet."""
        self.address = address
        self.left: list[str] = []  # requests to another machine
        self.alerts: list[str] = []

    def rest(self) -> None:
        """Leave the page, and nothing behind for the next test."""
        self.page.unroute_all()
        self.page.mouse.move(0, 0)
        self.page.goto(self.address + "/_stcore/health")  # one word, from the same place
        self.page.evaluate("localStorage.clear(); sessionStorage.clear()")
        self.page.context.clear_cookies()

    def _note(self, url: str) -> None:
        if not url.startswith((self.address, self.address.replace("http", "ws"), "data:", "blob:")):
            self.left.append(url)

    def look(self, scheme: str, width: int, height: int = VIEWPORT["height"]) -> None:
        """Make the window so large, and its colours those of a light or a dark machine."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme=scheme)

    def open(self, path: str = "/") -> None:
        """Go to an address and wait."""
        self.page.goto(self.address + path)
        self.still()

    def still(self, patience: float = 30) -> None:
        """Wait until the script has ended and the page has stopped changing."""
        give_up = monotonic() + patience
        before = None
        while monotonic() < give_up:
            self.page.wait_for_function(IDLE, timeout=patience * 1000, polling=LOOKS_EVERY)
            now = self.page.evaluate("document.body.innerHTML.length")
            if now == before:
                return
            before = now
            self.page.wait_for_timeout(QUIET * 1000)

    def press(self, key: str) -> None:
        """Press a key and wait."""
        self.page.keyboard.press(key)
        self.still()

    def at_feature(self, number: int) -> None:
        """Wait for a feature's page."""
        self.page.wait_for_function(
            "n => document.querySelector('#mark')?.textContent === n", arg=str(number)
        )
        self.still()

    def sees(self, words: str) -> None:
        """Wait until a page says something; after an action it may take a moment to begin."""
        self.page.wait_for_function(SAYS, arg=words)

    def at(self, part: str) -> None:
        """Wait until the address has a part."""
        self.page.wait_for_function("part => location.href.includes(part)", arg=part)

    def not_at(self, part: str) -> None:
        """Wait until the address has a part no more."""
        self.page.wait_for_function("part => !location.href.includes(part)", arg=part)

    @property
    def text(self) -> str:
        """Everything a person can read."""
        return self.page.inner_text("[data-testid=stMain]")


class Windows:
    """Windows of one browser, apart from each other; tests use them one after another.

    A new one compiles the scripts of the dashboard anew, longer than most tests take.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: list[Visitor] = []

    def lend(self, address: str, viewport: dict | None = None, scheme: str = "light") -> Visitor:
        """Give a window that nobody uses; it shows nothing of the dashboard yet."""
        if not self._free:
            self._free.append(Visitor(self._browser.new_page(), address))
        visitor = self._free.pop()
        visitor.begin(address)
        visitor.look(scheme, **viewport or VIEWPORT)
        return visitor

    def take_back(self, visitor: Visitor) -> None:
        """Take a window back; one that does not come to rest is closed."""
        try:
            visitor.rest()
        except Error:
            visitor.page.close()
        else:
            self._free.append(visitor)
