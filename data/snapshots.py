"""Copies of the catalogue for questions that may take their time: a reader must delay nobody.

Whoever has the catalogue open keeps every other process from it. So a question is put to a copy,
which is made under the catalogue's lock by a process of its own (`python -m data.snapshots`) and
kept until something is committed. Closing a file takes with it all the locks that a process holds
on that file: a process that may have the catalogue open must not copy it itself.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock
from weakref import finalize

from data.catalogue import FILE, Catalogue, Revision, sealed
from data.errors import GlossError, StoreBusy, StoreTrouble
from data.runs import is_alive

LARGEST = 2_000_000_000  # bytes that are copied; more would hold up others while it is copied
COPYING = 30.0  # seconds for a copy, beside the time to wait for the catalogue
PREFIX = "gloss-question"  # of the folders, then the process and something random
MEMORY = 512  # megabytes for opening the catalogue


class Snapshot:
    """The catalogue as it was at one moment; its folder goes with the last one who uses it."""

    def __init__(self, revision: Revision) -> None:
        """Make an empty folder that nobody else may enter."""
        self.revision = revision
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-"))
        finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    @property
    def path(self) -> Path:
        """The copy of the catalogue's file."""
        return self.folder / FILE


class Snapshots:
    """The newest snapshot of one catalogue, for the threads of this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._newest: Snapshot | None = None

    def newest(self, catalogue: Catalogue, patience: float) -> Snapshot:
        """A copy that holds all commits; patience: seconds to wait for the catalogue."""
        with self._lock:
            revision = catalogue.revision()
            if self._newest is None or self._newest.revision != revision:
                self._newest = None  # removed before the next one takes room
                discard_orphans()
                made = Snapshot(revision)
                _copy_apart(catalogue.path.absolute(), made.folder, patience)
                self._newest = made
            return self._newest


def snapshot(catalogue: Catalogue, patience: float) -> Snapshot | None:
    """The catalogue as it is now, to be asked at leisure; None = it is too large to be copied."""
    if not is_copied(catalogue):
        return None
    return _snapshots(catalogue.path.absolute()).newest(catalogue, patience)


def is_copied(catalogue: Catalogue) -> bool:
    """Whether questions are put to a copy: it is small enough, and there is room for it."""
    size = sum(catalogue.revision().size)
    try:
        return size <= min(LARGEST, shutil.disk_usage(tempfile.gettempdir()).free // 2)
    except OSError:
        return False


@lru_cache(maxsize=4)
def _snapshots(_path: Path) -> Snapshots:
    """Those of one catalogue, for the whole process."""
    return Snapshots()


def discard_orphans() -> None:
    """Remove what killed processes left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}-*"):
        owner = re.match(rf"{PREFIX}-(\d+)-", folder.name)
        if owner and not is_alive(int(owner.group(1))):
            shutil.rmtree(folder, ignore_errors=True)


def environment() -> dict[str, str]:
    """What Python needs to start, and nothing that somebody set for another purpose."""
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "PYTHONHOME") if name in os.environ}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _copy_apart(path: Path, folder: Path, patience: float) -> None:
    """Copy in a process of its own."""
    command = [sys.executable, "-P", "-m", "data.snapshots"]
    asked = json.dumps({"path": str(path), "folder": str(folder), "patience": patience})
    try:
        done = subprocess.run(
            command, input=asked.encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=environment(), start_new_session=True, timeout=patience + COPYING, check=False,
        )  # fmt: skip
        said = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        raise StoreTrouble(
            f"{path} could not be copied to {folder.parent} for the question: make room there, or "
            "name another folder in TMPDIR"
        ) from None
    if said["error"] is not None:
        raise (StoreBusy if said["busy"] else StoreTrouble)(said["error"])


def main() -> None:
    """Copy the catalogue that stdin names, and say on stdout how that went."""
    asked = json.load(sys.stdin)
    path, folder = Path(asked["path"]), Path(asked["folder"])
    error = None
    try:
        # A reader keeps writers out.
        with sealed(path, patience=asked["patience"], seconds=COPYING, megabytes=MEMORY):
            for name in (FILE + ".wal", FILE):  # closing the latter lets go of the lock
                with suppress(FileNotFoundError):
                    copy(path.with_name(name), folder / name)
    except GlossError as raised:
        error = raised
    said = {"busy": isinstance(error, StoreBusy), "error": str(error) if error else None}
    sys.stdout.write(json.dumps(said))


def copy(source: Path, target: Path) -> None:
    """Copy a file; where the file system can it shares the bytes, which takes no time."""
    with source.open("rb") as here, target.open("xb") as there:
        left = os.fstat(here.fileno()).st_size
        with suppress(OSError):  # two file systems, or one that cannot
            while left and (n := os.copy_file_range(here.fileno(), there.fileno(), left)):
                left -= n
        if left:
            shutil.copyfileobj(here, there, 1 << 20)


if __name__ == "__main__":
    main()
