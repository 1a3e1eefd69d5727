"""Questions that hear signals: their handlers run in the main thread, between steps of Python.

So DuckDB works in a thread beside the main one, which only waits. Left to itself DuckDB looks for
signals between pieces of work, and where the main thread takes the long piece, at its end only.
"""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread, current_thread, main_thread
from typing import TypeVar

import duckdb

T = TypeVar("T")
AGAIN = 0.02  # seconds: a question that had not begun did not hear that it was to end


def heard(raw: duckdb.DuckDBPyConnection, question: Callable[[], T]) -> T:
    """Let a connection answer; what a signal's handler raises ends the question and is raised."""
    if current_thread() is not main_thread():
        return question()
    answer: Future[T] = Future()
    try:
        Thread(target=_answer, args=(answer, question), daemon=True).start()
        return answer.result()
    finally:
        if not answer.cancel():  # where a thread never begins, it never will
            while not answer.done():
                raw.interrupt()
                wait([answer], AGAIN)


def _answer(answer: Future[T], question: Callable[[], T]) -> None:
    if answer.set_running_or_notify_cancel():
        try:
            answer.set_result(question())
        except BaseException as error:
            answer.set_exception(error)
