"""Features over threads, for work that waits for a network: results as they come.

Processes are for Python work (workers.py); here a feature mostly waits, and all features share one
client with one limit of requests in flight.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from time import monotonic
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

TICK = 1.0  # seconds between two signs of life
GATHERED = 1.0  # seconds of finished tasks in one group, at least


def in_groups(
    work: Callable[[Task], Result], tasks: Sequence[Task], threads: int
) -> Iterator[list[Result]]:
    """Do the tasks and hand results on about once a second; [] is a sign of life."""
    group: list[Result] = []
    since = monotonic()
    for made in as_finished(work, tasks, threads):
        group += [made] if made is not None else []
        if monotonic() - since >= GATHERED:
            yield group
            group, since = [], monotonic()
    if group:
        yield group


def as_finished(
    work: Callable[[Task], Result], tasks: Sequence[Task], threads: int
) -> Iterator[Result | None]:
    """Do the tasks and yield results as they come, and None once a second while there are none.

    After an error no new task is begun; results that still come are yielded, then it is raised.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="feature")
    waiting = iter(tasks)
    pending = {pool.submit(work, task) for task in islice(waiting, threads)}
    failure: BaseException | None = None
    try:
        while pending:
            done, pending = wait(pending, timeout=TICK, return_when=FIRST_COMPLETED)
            if not done:
                yield None
            for future in done:
                failure = failure or future.exception()
            if failure is None:
                pending |= {pool.submit(work, task) for task in islice(waiting, len(done))}
            yield from _results(done)
        if failure is not None:
            raise failure
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _results(done: set[Future[Result]]) -> Iterator[Result]:
    for future in done:
        if future.exception() is None:
            yield future.result()
