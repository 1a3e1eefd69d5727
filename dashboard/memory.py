"""What pages have asked for lately, kept for all sessions of the process.

Bounded, least recently used first out. A value is made once even when two threads ask at the same
time; an error is never kept. Values are shared, so nobody changes them.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Lock, RLock, Thread
from typing import Any, TypeVar

T = TypeVar("T")
UNMADE = object()


@dataclass(slots=True)
class Entry:
    """One value, or the promise of it."""

    lock: RLock = field(default_factory=RLock)
    value: Any = UNMADE


class Memory:
    """Values by key."""

    def __init__(self, size: int) -> None:
        """Keep at most `size` values."""
        self._size, self._lock = size, Lock()
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key, made now unless it is there; waits while another thread makes it."""
        with self._lock:
            entry = self._entries.setdefault(key, Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)
        with entry.lock:
            if entry.value is UNMADE:
                entry.value = make()
            return entry.value

    def __contains__(self, key: Hashable) -> bool:
        """Whether a value has been made."""
        entry = self._entries.get(key)
        return entry is not None and entry.value is not UNMADE


class Ahead:
    """One thread that does what will probably be asked next; only the latest wish counts."""

    def __init__(self, pause: float) -> None:
        """Wait `pause` seconds before each piece of work, so that the present page goes first."""
        self._pause, self._wish, self._wake = pause, (), Event()
        self._thread: Thread | None = None
        self._lock = Lock()

    def wish(self, *work: Callable[[], object]) -> None:
        """Replace what is still to be done."""
        with self._lock:
            self._wish = work
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._work, name="reading ahead", daemon=True)
                self._thread.start()
        self._wake.set()

    def _work(self) -> None:
        idle = Event()
        while True:
            self._wake.wait()
            self._wake.clear()
            idle.wait(self._pause)
            while not self._wake.is_set() and (work := self._next()):
                with suppress(Exception):  # whoever goes there asks again, and is told
                    work()

    def _next(self) -> Callable[[], object] | None:
        with self._lock:
            first, *rest = self._wish or (None,)
            self._wish = tuple(rest)
        return first
