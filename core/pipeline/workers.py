"""Chunks of features over worker processes, results in order.

Python work is spread over processes, not threads. Each worker opens the cache once. Results come
back in the order of the chunks, so that what is stored does not depend on the number of workers.

No worker outlives its use: when the results are wanted no longer its chunk is broken off, and when
the process that started it is gone, however that went, it ends by itself.
"""

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple, TypeVar

from data.errors import GlossError

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 2  # chunks done by each worker before the first that is still to come
LOOK = 1.0  # seconds between two signs of life


class Worker(NamedTuple):
    """A process and our end of its pipe."""

    process: BaseProcess
    pipe: Connection


class Made(NamedTuple):
    """What a worker sends back."""

    value: Any
    error: Exception | None


def default_workers() -> int:
    """As many workers as there are cores for this process, at most eight."""
    return max(1, min(8, len(os.sched_getaffinity(0))))


def in_order(
    work: Callable[[Task], list[Result]], tasks: Sequence[Task], workers: int
) -> Iterator[list[Result]]:
    """Do the tasks, in this process when one worker is enough, and yield results in order.

    [] is a sign of life, about once a second while there is nothing else to yield.
    work and tasks are pickled: a module's function or a frozen dataclass with __call__.
    """
    if workers <= 1 or len(tasks) <= 1:
        yield from map(work, tasks)
        return
    crew = [_started(work) for _ in range(min(workers, len(tasks)))]
    try:
        yield from _in_order(crew, tasks)
    finally:
        for worker in crew:
            worker.process.kill()  # it writes no file: nothing can be left half done
            worker.pipe.close()
        for worker in crew:
            worker.process.join()


def _in_order(crew: Sequence[Worker], tasks: Sequence[Any]) -> Iterator[list[Any]]:
    """Hand out tasks, not too far beyond the next to be yielded, and gather what is made."""
    busy, idle = dict[Any, int](), list[Any](worker.pipe for worker in crew)
    made = dict[int, Made]()
    given = done = 0
    while done < len(tasks):
        while idle and given < min(len(tasks), done + len(crew) * (1 + AHEAD)):
            pipe = idle.pop()
            _send(pipe, tasks[given])
            busy[pipe], given = given, given + 1
        ready = wait(list(busy), timeout=LOOK)
        for pipe in ready:
            made[busy.pop(pipe)] = _received(pipe)
            idle.append(pipe)
        if not ready:
            yield []
        while done in made:
            found, done = made.pop(done), done + 1
            if found.error is not None:
                raise found.error
            yield found.value


def _send(pipe: Any, task: object) -> None:
    with _required():
        pipe.send(task)


def _received(pipe: Any) -> Made:
    with _required():
        return pipe.recv()


@contextmanager
def _required() -> Iterator[None]:
    """Say so when a worker is gone."""
    try:
        yield
    except (EOFError, ConnectionError):
        raise GlossError(
            "a worker process ended in the middle of its work, most likely for want of memory; "
            "what was finished is kept: try again with fewer --workers"
        ) from None


def _started(work: Callable[[Any], Any]) -> Worker:
    """Start a worker, which Ctrl+C does not reach: it is for the parent alone."""
    # A fresh interpreter a worker: forking a process that holds threads (torch, DuckDB) can hang.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work), daemon=True)
    with _interrupted_later():
        process.start()
    theirs.close()
    return Worker(process, ours)


@contextmanager
def _interrupted_later() -> Iterator[None]:
    """Keep Ctrl+C until the end of the block, and from processes that start in it.

    Blocked, which they inherit, not ignored, which loses it; and noted, for it may reach the
    process by another of its threads.
    """
    resource_tracker.ensure_running()  # where it starts, it unblocks what is blocked
    is_main = threading.current_thread() is threading.main_thread()
    heard = list[int]()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    before = (
        signal.signal(signal.SIGINT, lambda number, _: heard.append(number)) if is_main else None
    )
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGINT, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if heard:
            signal.raise_signal(signal.SIGINT)


def _serve(pipe: Connection, work: Callable[[Any], Any]) -> None:
    """Do what comes through the pipe until nothing more can come; this is a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # nor from what it starts itself
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(5)  # give way to the dashboard
    try:
        while True:
            _answer(pipe, _made(work, pipe.recv()))
    except (EOFError, ConnectionError):
        return


def _end_with_parent() -> None:
    """Wait for the end of the process that started this one, which a kill may bring, and follow."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)  # the main thread may be deep in a chunk


def _made(work: Callable[[Any], Any], task: object) -> Made:
    try:
        return Made(work(task), None)
    except Exception as error:  # whatever it is, the parent raises it
        error.add_note(traceback.format_exc())
        return Made(None, error)


def _answer(pipe: Connection, made: Made) -> None:
    try:
        pipe.send(made)
    except (TypeError, AttributeError, pickle.PicklingError):
        pipe.send(Made(None, RuntimeError(f"a worker could not hand over {made!r}"[:500])))


def chunks(features: Sequence[int], size: int) -> list[list[int]]:
    """Cut into pieces of `size`, e.g. chunks([1, 2, 3], 2) -> [[1, 2], [3]]."""
    return [list(features[i : i + size]) for i in range(0, len(features), size)]
