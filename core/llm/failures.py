"""The ways in which a call ends without an answer, as one tree, and what is read from them.

    Unanswered       a reason in a few words, without anything secret
    ├── Later        worth asking again: no connection, time is up, 408, 409, 425, 429, 5xx, garbage
    └── Refused      asking again would not help: key, model, address, the question itself

Inside core/llm only: callers of a client see CallFailed or an error of data/errors.py.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

AGAIN = frozenset({408, 409, 425, 429})  # and everything from 500 on
CROWDED = frozenset({429, 503})  # everybody has to wait, not this call alone
FOR_ALL = frozenset({401, 402})  # key and credit: no other question will fare better
LONGEST = 300  # characters of an endpoint's own words


class Unanswered(Exception):
    """A call ended without an answer; the message says in a few words why."""


class Later(Unanswered):
    """Worth asking again."""

    def __init__(
        self,
        reason: str,
        *,
        pause: float | None = None,
        crowded: bool = False,
        billed: bool = False,
    ) -> None:
        """Note how the call ended.

        pause: seconds that the endpoint asks to wait; crowded: all calls should; billed: the
        endpoint may have answered, and may charge for it.
        """
        super().__init__(reason)
        self.pause, self.crowded, self.billed = pause, crowded, billed


class Refused(Unanswered):
    """Asking again would not help."""

    def __init__(self, reason: str, status: int) -> None:
        """Note the HTTP status and the endpoint's own words."""
        super().__init__(reason)
        self.status = status


def failure(status: int, message: str, code: str, retry_after: str | None) -> Unanswered:
    """Sort an HTTP error by its status, and by `code` where OpenAI's 429 means an empty account."""
    reason = f"HTTP {status}: {message}" if message else f"HTTP {status}"
    if code == "insufficient_quota":
        return Refused(reason, 402)
    if status not in AGAIN and status < 500:
        return Refused(reason, status)
    pause = pause_asked(retry_after, datetime.now(UTC)) if retry_after else None
    return Later(reason, pause=pause, crowded=status in CROWDED)


def pause_asked(header: str, now: datetime) -> float | None:
    """Read Retry-After: seconds, or a date; None where it is neither.

    >>> pause_asked("1.5", datetime(2024, 1, 1, tzinfo=UTC))
    1.5
    >>> pause_asked("Mon, 01 Jan 2024 00:00:20 GMT", datetime(2024, 1, 1, tzinfo=UTC))
    20.0
    """
    if re.fullmatch(r"\s*\d{1,9}(\.\d*)?\s*", header):
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def one_line(words: str, secrets: tuple[str, ...] = ()) -> str:
    """Cut an endpoint's words to a line, and whatever is secret out of them."""
    for secret in secrets:
        words = words.replace(secret, "[key]")
    words = " ".join(words.split())
    return words if len(words) <= LONGEST else words[: LONGEST - 3] + "..."


class Garbled(ValueError):
    """A body, or a part of one, that has another shape than the protocol says."""
