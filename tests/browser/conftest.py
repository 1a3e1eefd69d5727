"""A served store and a real Chromium for the browser tests."""

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from time import monotonic, sleep

import pytest
from driving import Visitor, Windows
from playwright.sync_api import Browser, sync_playwright
from stores import make_store

PATIENCE = 60  # seconds for the server to answer


class Served:
    """The dashboard of one store as a child process."""

    def __init__(self, store: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-P", "-m", "dashboard", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "--no-browser"], env=os.environ | {"GLOSS_STORE": str(store)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def wait(self) -> "Served":
        """Until it answers."""
        give_up = monotonic() + PATIENCE
        while monotonic() < give_up:
            try:
                urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=1).close()
                return self
            except OSError:
                sleep(0.1)
        raise AssertionError("the dashboard did not answer")

    def end(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """The dashboard of the made-up store."""
    store = tmp_path_factory.mktemp("served") / "store"
    make_store(store, sequences=240)
    server = Served(store)
    yield server.wait()
    server.end()


@pytest.fixture(scope="module")
def serve():
    """Serves stores until the module is done."""
    servers = []

    def start(store: Path) -> Served:
        servers.append(Served(store))
        return servers[-1].wait()

    yield start
    for server in servers:
        server.end()


@pytest.fixture(scope="session")
def served_empty(tmp_path_factory):
    """The dashboard of a store that is not there."""
    server = Served(tmp_path_factory.mktemp("empty") / "none")
    yield server.wait()
    server.end()


@pytest.fixture(scope="session")
def browser(chromium):
    """One Chromium for all tests."""
    with sync_playwright() as playwright:
        found: Browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()


@pytest.fixture(scope="session")
def windows_to_lend(browser):
    """The windows of all tests."""
    return Windows(browser)


@pytest.fixture
def window(windows_to_lend):
    """Opens windows; in none of them may a request leave this machine or a script pop up."""
    opened: list[Visitor] = []

    def open_on(address: str, **look) -> Visitor:
        opened.append(windows_to_lend.lend(address, **look))
        return opened[-1]

    yield open_on
    noted = [one.left + one.alerts for one in opened]
    for one in opened:
        windows_to_lend.take_back(one)
    assert noted == [[]] * len(opened)


@pytest.fixture
def visitor(window, served):
    """A new window on the made-up store."""
    return window(served.address)
