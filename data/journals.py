"""Files that take records before the catalogue does: appended to, fsynced, folded, deleted.

    journals/<time>-<process>-<number>.jsonl     one JSON object a line

A segment belongs to the process that holds its lock (`flock`), which the kernel takes back however
the process ends: a segment whose lock is free was left behind and may be claimed. Its last line may
be torn. Names are never used twice. Knows nothing of what the records mean.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from data.durable import reporting, sync, sync_folder

FOLDER = "journals"
NUMBERS = count()  # within the process


class Segment:
    """One journal file, open and locked."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size

    @classmethod
    def create(cls, folder: Path) -> "Segment":
        """Begin a new file in the store's folder of journals."""
        name = f"{time.time_ns():x}-{os.getpid()}-{next(NUMBERS)}.jsonl"
        with reporting(folder / name), _scanning(folder):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(folder / name, flags, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            sync_folder(folder)
        return cls(folder / name, descriptor)

    def append(self, lines: Sequence[str]) -> None:
        """Write lines and wait until they are on the disk; all of them, or none."""
        left = memoryview("".join(f"{line}\n" for line in lines).encode())
        grown = self._size + len(left)
        with reporting(self.path):
            try:
                while left:
                    left = left[os.pwrite(self._descriptor, left, grown - len(left)) :]
                sync(self._descriptor)
            except OSError:
                os.ftruncate(self._descriptor, self._size)
                raise
        self._size = grown

    def records(self) -> Iterator[dict[str, Any]]:
        """Every line that is whole; a process killed while writing leaves half a one."""
        with reporting(self.path), self.path.open("rb") as file:
            for line in file:
                try:
                    record = json.loads(line) if line.endswith(b"\n") else None
                except ValueError:  # a power cut may leave a block of zeros
                    record = None
                if isinstance(record, dict):
                    yield record

    def discard(self) -> None:
        """Delete the file: everything in it is in the catalogue."""
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def release(self) -> None:
        """Leave the file to whoever opens the store next."""
        os.close(self._descriptor)


def orphans(folder: Path) -> list[Segment]:
    """Claim the segments of processes that are gone, oldest first."""
    found = []
    if not folder.is_dir():
        return found
    with reporting(folder), _scanning(folder):
        for path in sorted(folder.glob("*.jsonl")):
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:  # folded in this moment
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # its process lives
                os.close(descriptor)
            else:
                found.append(Segment(path, descriptor))
    return found


@contextmanager
def _scanning(folder: Path) -> Iterator[None]:
    """Keep others from claiming a segment between its creation and its locking."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
