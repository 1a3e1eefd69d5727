"""Calls and those who wait for them: the records of a client's work in hand."""

from dataclasses import dataclass, field
from threading import Event
from typing import NamedTuple

from core.llm.requests import Outcome, Request


class Batch:
    """What one caller waits for."""

    def __init__(self) -> None:
        self.done = Event()  # everything is there, or nothing more will come
        self.left = 0  # calls without an outcome
        self.outcomes: dict[str, Outcome] = {}

    def add(self, outcome: Outcome) -> None:
        """Take the outcome of one call."""
        self.outcomes[outcome.key] = outcome
        self.left -= 1
        if not self.left:
            self.done.set()


@dataclass(slots=True, eq=False)
class Call:
    """A request on its way; it lives until it is stored or has failed."""

    key: str
    request: Request
    batches: list[Batch] = field(default_factory=list)
    attempts: int = 0  # that failed
    waits: int = 0  # times it was told to come later
    reserved: float = 0.0  # dollars, while in flight
    sent_at: float = 0.0  # seconds on the client's clock; tells attempts apart


class Traffic(NamedTuple):
    """How a client is doing."""

    in_flight: int  # calls
    waiting: int  # calls that are not sent yet, or are to be sent again
    answered: int  # calls, by the endpoint
    known: int  # requests answered from the store
    retries: int  # times that a call was sent again
    failed: int  # calls given up
    rate: float  # answers a second, lately
    spent_usd: float  # as far as prices are known
    pause: float  # seconds until anything is sent again

    def __str__(self) -> str:
        """Say it in a line, leaving out what is not so, e.g. "12 calls/s, 32 in flight"."""
        said = [f"{self.rate:.3g} calls/s, {self.in_flight} in flight"]
        if self.retries:
            said.append(f"{self.retries} tried again")
        if self.failed:
            said.append(f"{self.failed} failed")
        if self.spent_usd:
            said.append(f"${self.spent_usd:.4g}")
        if self.pause > 0:
            said.append(f"told to wait {self.pause:.0f} s")
        return ", ".join(said)
