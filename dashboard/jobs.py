"""Work that a page starts and watches: threads with a name, one for each distinct request.

A job is a function that is given an `Event` to look at, and where it has something to tell a
function to tell it to, and gives a result. The same request joins the job that runs. Threads never
touch Streamlit; pages read the job's state. All jobs are told to stop when the process ends.
"""

import atexit
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

from dashboard.commands import in_a_page
from data.errors import GlossError
from data.records import Progress

KEPT = 64  # finished jobs remembered


@dataclass(slots=True)
class Job:
    """One piece of work; written by its thread, read by pages."""

    key: Hashable
    label: str  # in words a person reads
    started: float = field(default_factory=monotonic)  # seconds, of a clock that only goes forward
    finished: float | None = None
    result: Any = None
    error: str | None = None  # one sentence
    progress: Progress | None = None  # as told last; None = nothing yet
    stop: Event = field(default_factory=Event)

    @property
    def is_running(self) -> bool:
        """Whether its thread still works."""
        return self.finished is None

    @property
    def seconds(self) -> float:
        """Time spent so far, or in all."""
        return (self.finished or monotonic()) - self.started

    @property
    def was_stopped(self) -> bool:
        """Whether it ended because it was told to."""
        return self.stop.is_set() and self.error is not None

    def tell(self, progress: Progress) -> None:
        """Note how far it is."""
        self.progress = progress


class Jobs:
    """All jobs of this process."""

    def __init__(self) -> None:
        self._jobs: dict[Hashable, Job] = {}
        self._lock = Lock()
        atexit.register(self.stop_all)

    def start(self, key: Hashable, label: str, work: Callable[[Event], Any]) -> Job:
        """Begin a job, or join the one that does the same."""
        return self._begin(key, label, lambda job: work(job.stop))

    def start_telling(
        self, key: Hashable, label: str, work: Callable[[Event, Callable[[Progress], None]], Any]
    ) -> Job:
        """The same for work that says how far it is."""
        return self._begin(key, label, lambda job: work(job.stop, job.tell))

    def _begin(self, key: Hashable, label: str, work: Callable[[Job], Any]) -> Job:
        with self._lock:
            known = self._jobs.get(key)
            if known is not None and known.is_running:
                return known
            job = self._jobs[key] = Job(key, label)
            self._forget_old()
        Thread(target=_run, args=(job, work), name=label, daemon=True).start()
        return job

    def get(self, key: Hashable) -> Job | None:
        """The job of a request, running or finished."""
        return self._jobs.get(key)

    def running(self) -> list[Job]:
        """Jobs that are at work now."""
        with self._lock:
            return [job for job in self._jobs.values() if job.is_running]

    def stop_all(self) -> None:
        """Ask every job to stop at its next look."""
        for job in self.running():
            job.stop.set()

    def _forget_old(self) -> None:
        done = [key for key, job in self._jobs.items() if not job.is_running]
        for key in done[:-KEPT]:
            del self._jobs[key]


def _run(job: Job, work: Callable[[Job], Any]) -> None:
    """Do the work; whatever goes wrong becomes the job's error, or it would die unseen."""
    try:
        job.result = work(job)
    except GlossError as error:
        job.error = in_a_page(str(error))
    except Exception as error:
        job.error = f"{type(error).__name__}: {error}; this is a defect of Gloss, please report it"
        raise
    finally:
        job.finished = monotonic()
