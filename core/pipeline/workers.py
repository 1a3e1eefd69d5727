"""Chunks of features over worker processes, results in order.

Python work is spread over processes, not threads. Each worker opens the cache once. Results come
back in the order of the chunks, so that what is stored does not depend on the number of workers.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 2  # chunks handed out a worker beyond the one it works on


def default_workers() -> int:
    """As many workers as there are cores for this process, at most eight."""
    return max(1, min(8, len(os.sched_getaffinity(0))))


def in_order(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[Result]:
    """Do the tasks, in this process when one worker is enough, and yield results in order.

    work and tasks are pickled: a module's function or a frozen dataclass with __call__.
    """
    if workers <= 1 or len(tasks) <= 1:
        yield from map(work, tasks)
        return
    # A fresh interpreter a worker: forking a process that holds threads (torch, DuckDB) can hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context, initializer=_modest)
    try:
        waiting = iter(tasks)
        pending = _submitted(pool, work, islice(waiting, workers * (1 + AHEAD)))
        while pending:
            yield pending.pop(0).result()
            pending += _submitted(pool, work, islice(waiting, 1))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submitted(
    pool: ProcessPoolExecutor, work: Callable[[Task], Result], tasks: Iterable[Task]
) -> list[Future[Result]]:
    """Hand out tasks; workers started here ignore Ctrl+C, which is for the parent alone."""
    if threading.current_thread() is not threading.main_thread():
        return [pool.submit(work, task) for task in tasks]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited by processes started now
    try:
        return [pool.submit(work, task) for task in tasks]
    finally:
        signal.signal(signal.SIGINT, before)


def _modest() -> None:
    """Give way to the dashboard."""
    os.nice(5)


def chunks(features: Sequence[int], size: int) -> list[list[int]]:
    """Cut into pieces of `size`, e.g. chunks([1, 2, 3], 2) -> [[1, 2], [3]]."""
    return [list(features[i : i + size]) for i in range(0, len(features), size)]
