"""Drives the dashboard as a person would: open, press, click, wait until nothing moves."""

from time import monotonic

from playwright.sync_api import Page

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
        self.page, self.address = page, address
        self.left: list[str] = []  # requests to another machine
        self.alerts: list[str] = []
        page.on("request", lambda request: self._note(request.url))
        page.on("dialog", lambda dialog: (self.alerts.append(dialog.message), dialog.dismiss()))

    def _note(self, url: str) -> None:
        if not url.startswith((self.address, self.address.replace("http", "ws"), "data:", "blob:")):
            self.left.append(url)

    def open(self, path: str = "/") -> None:
        """Go to an address and wait."""
        self.page.goto(self.address + path)
        self.still()

    def still(self, patience: float = 30) -> None:
        """Wait until the script has ended and the page has stopped changing."""
        give_up = monotonic() + patience
        before = None
        while monotonic() < give_up:
            self.page.wait_for_function(IDLE, timeout=patience * 1000)
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
