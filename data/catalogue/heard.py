"""Questions that hear signals: their handlers run in the main thread, between steps of Python.

So DuckDB works in a thread beside the main one, which only waits. Left to itself DuckDB looks for
signals between pieces of work, and where the main thread takes the long piece, at its end only.
"""

from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from threading import current_thread, main_thread
from typing import Generic, TypeVar

import duckdb

T = TypeVar("T")
AGAIN = 0.02  # seconds: a question that had not begun did not hear that it was to end


def heard(raw: duckdb.DuckDBPyConnection, question: Callable[[], T]) -> T:
    """Let a connection answer; what a signal's handler raises ends the question and is raised."""
    if current_thread() is not main_thread():
        return question()
    beside = _Beside(question)
    try:
        start_new_thread(beside.run, ())
        return beside.answer()
    finally:
        beside.is_unwanted = True
        while beside.is_begun and not beside.is_over:
            raw.interrupt()
            beside.done.acquire(timeout=AGAIN)


class _Beside(Generic[T]):
    """A question answered in another thread.

    A handler may raise at any step of the main thread, in the middle of `threading`'s own waiting,
    too, which then is in disorder; a bare lock is taken in one step.
    """

    def __init__(self, question: Callable[[], T]) -> None:
        self._question = question
        self._found: list[T] = []
        self._error: BaseException | None = None
        self.is_begun = self.is_over = self.is_unwanted = False
        self.done = allocate_lock()
        self.done.acquire()

    def run(self) -> None:
        self.is_begun = True
        try:
            if not self.is_unwanted:
                self._found.append(self._question())
        except BaseException as error:
            self._error = error
        self.is_over = True
        self.done.release()

    def answer(self) -> T:
        self.done.acquire()
        if self._error is not None:
            raise self._error
        return self._found[0]
