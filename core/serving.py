"""The dashboard as a child process: started, waited for, ended with its parent.

The dashboard is another program to us (`python -m dashboard`), never an import: windows may use
verbs, verbs know no windows.
"""

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

from data.errors import GlossError

FIRST_PORT = 8501
PATIENCE = 60  # seconds for the server to answer


class Server:
    """The dashboard of one store; a context manager that ends it."""

    def __init__(self, store: Path, port: int = 0, *, is_bare: bool = False) -> None:
        """Prepare; port 0 = a free one from 8501 on; bare: a page to compare speed with."""
        self.store = Path(store).resolve()
        self._flags = ["--bare"] if is_bare else []
        self.port = port or free_port()
        self.address = f"http://localhost:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the server and wait until it answers."""
        require_free(self.port)
        command = [sys.executable, "-P", "-m", "dashboard", "--port", str(self.port), *self._flags]
        environment = os.environ | {"GLOSS_STORE": str(self.store)}
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        self._await_answer()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the server, gently first."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()

    @property
    def resident(self) -> int | None:
        """Memory that the server holds now, bytes; None where the system does not say."""
        try:
            pages = Path(f"/proc/{self._process.pid if self._process else 0}/statm").read_text()
        except OSError:
            return None
        return int(pages.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def wait(self) -> None:
        """Stay until the server ends (or the user interrupts)."""
        if self._process is not None and (code := self._process.wait()):
            raise GlossError(f"the dashboard ended with exit code {code}; its last words are above")

    def _await_answer(self) -> None:
        give_up = monotonic() + PATIENCE
        while monotonic() < give_up:
            if self._process is not None and self._process.poll() is not None:
                raise GlossError("the dashboard did not start; its last words are above")
            try:
                urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=1).close()
                return
            except OSError:
                sleep(0.1)
        raise GlossError(f"the dashboard did not answer at {self.address} within {PATIENCE} s")


def free_port() -> int:
    """The first free port from 8501 on."""
    for port in range(FIRST_PORT, FIRST_PORT + 100):
        if not port_is_taken(port):
            return port
    raise GlossError("no free port from 8501 to 8600; name one with --port")


def require_free(port: int) -> None:
    """Refuse a port that another program listens on."""
    if port_is_taken(port):
        raise GlossError(f"port {port} is taken by another program; name another with --port")


def port_is_taken(port: int) -> bool:
    """Whether something on this machine listens there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
