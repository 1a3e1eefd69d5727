"""How fast an endpoint is asked: how many calls at once, when to pause, when to try again.

A "later" from the endpoint (429, 503) stops everybody, and halves the number of calls in flight;
answers raise it again one by one (additive increase, multiplicative decrease, as TCP does since
Jacobson 1988): without, all calls return after a pause at once and most are sent away again.
Not thread-safe by itself; knows no clock, times are given in seconds.
"""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client goes on trying."""

    attempts: int = 6  # times that a call is sent before it has failed
    early: int = 3  # the same, as long as the endpoint has never answered
    waits: int = 30  # times that a call may be told to come later
    first: float = 0.5  # seconds before the second attempt, doubled each time
    longest: float = 30.0  # seconds between attempts at most
    pause: float = 120.0  # seconds for which an endpoint may stop everybody, at most
    trickle: float = 15.0  # seconds beyond the timeout for an answer that has begun to come
    seed: int = 0  # of the jitter


class Pace:
    """The state of one endpoint."""

    def __init__(self, concurrency: int, patience: Patience) -> None:
        self._most, self._patience = concurrency, patience
        self._random = Random(patience.seed)
        self._limit = float(concurrency)
        self._changed_at = float("-inf")  # when the limit was last halved
        self._in_row = 0  # pauses since the last answer
        self.until = float("-inf")  # nothing is sent before

    @property
    def limit(self) -> int:
        """Calls that may be in flight."""
        return int(self._limit)

    def answered(self) -> None:
        """Go a little faster."""
        self._in_row = 0
        self._limit = min(self._most, self._limit + 1 / self._limit)

    def crowded(self, now: float, sent_at: float, asked: float | None) -> None:
        """Pause for everybody, for as long as the endpoint asks or longer each time.

        Calls that were sent before the last change say nothing about the present speed.
        """
        if sent_at < self._changed_at:
            return
        self._changed_at = now
        self._limit = max(1.0, self._limit / 2)
        self._in_row += 1
        pause = self.backoff(self._in_row) if asked is None else asked
        self.until = max(self.until, now + min(pause, self._patience.pause))

    def backoff(self, attempts: int) -> float:
        """Seconds before the next attempt after so many, with up to half of it taken off.

        The jitter keeps clients that failed together from returning together.
        """
        whole = min(self._patience.longest, self._patience.first * 2 ** min(attempts - 1, 30))
        return whole * (1 - 0.5 * self._random.random())
