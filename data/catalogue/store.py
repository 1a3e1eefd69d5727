"""A store's catalogue: opening, reading, and one transaction at a time.

DuckDB admits one writing process or many readers, and the lock is on the file. So nobody holds a
connection: open, read a page or write one transaction, close. A locked file is retried for a
bounded time and then reported as StoreBusy with the file and the process id.

What the rows mean stands in schema.sql; who writes them in records of work (`data/ledger.py`); what
pages ask for in `data/queries.py`.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

import duckdb

from data.catalogue.connection import Connection
from data.catalogue.opening import Waiting, closed, opened
from data.errors import Halt, StoreTrouble, StoreVersion

VERSION = 1
FILE = "catalogue.duckdb"
INTERRUPTED = "Query interrupted"  # what DuckDB raises in the place of a signal handler's exception
SCHEMA = Path(__file__).parent.with_name("schema.sql")


@dataclass(frozen=True, slots=True)
class Revision:
    """Changes whenever something is committed: the key of every cached read."""

    modified: tuple[int, int]  # nanoseconds, of the file and of its log
    size: tuple[int, int]  # bytes


class Catalogue:
    """The catalogue of one store; safe to share between the threads of one process."""

    def __init__(self, store: Path, patience: float = 30.0) -> None:
        """Open the store's catalogue, creating it when the store is new.

        patience: seconds to wait for another process to let go of the file.
        """
        self.store = Path(store)
        self.path = self.store / FILE
        self.patience = patience
        self.waiting: Waiting = nullcontext  # entered while an opening takes longer than SOON
        self._lock = RLock()
        if not self.path.exists():
            self._create()
        self._check_version()

    @classmethod
    def exists(cls, store: Path) -> bool:
        """Whether a folder holds a catalogue."""
        return (Path(store) / FILE).exists()

    def revision(self) -> Revision:
        """What a cached read depends on; a read leaves it alone, a commit changes it."""
        files = self.path, self.path.with_name(FILE + ".wal")
        stats = [file.stat() if file.exists() else None for file in files]
        modified = tuple(stat.st_mtime_ns if stat else 0 for stat in stats)
        size = tuple(stat.st_size if stat else 0 for stat in stats)
        return Revision((modified[0], modified[1]), (size[0], size[1]))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for the reads of one page."""
        with self._translated():
            raw = self._open()
            try:
                yield Connection(raw)
            finally:
                closed(self.path, raw)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: everything inside is kept, or nothing."""
        with self._lock, self._translated():
            raw = self._open()
            try:
                raw.execute("begin")
                con = Connection(raw)
                yield con
                raw.execute("commit")
                con.committed()
            finally:
                closed(self.path, raw)  # an open transaction is rolled back

    def _create(self) -> None:
        """Make a new catalogue beside its final name, then rename: a killed start leaves none."""
        draft = self.store / f"{FILE}.{id(self):x}.tmp"
        with self._translated():
            self.store.mkdir(parents=True, exist_ok=True)
            raw = opened(draft, self.patience)
            try:
                raw.execute("begin")  # else every table is brought to the disk by itself
                raw.execute(SCHEMA.read_text(encoding="utf-8"))
                raw.execute("insert into schema_version values (?, ?, now()::timestamp)",
                            [VERSION, schema_sha256()])  # fmt: skip
                raw.execute("commit")
                raw.execute("checkpoint")
            finally:
                closed(draft, raw)
        if self.path.exists():  # another process was faster
            draft.unlink(missing_ok=True)
        else:
            draft.rename(self.path)

    def _check_version(self) -> None:
        with self.reading() as con:
            try:
                found = con.row("select version, schema_sha256 from schema_version")
            except (duckdb.CatalogException, duckdb.BinderException) as error:
                raise StoreVersion(self._foreign("has none of Gloss's tables")) from error
        if found is None or found["version"] != VERSION:
            version = found["version"] if found else "unknown"
            raise StoreVersion(self._foreign(f"has schema version {version}, not {VERSION}"))
        if found["schema_sha256"] != schema_sha256():
            raise StoreVersion(self._foreign(f"has other tables of schema version {VERSION}"))

    def _foreign(self, what: str) -> str:
        return (
            f"{self.path} {what}: it was written by another Gloss; use that one, or start a new "
            "store with --store"
        )

    def _open(self) -> duckdb.DuckDBPyConnection:
        return opened(self.path, self.patience, self.waiting)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the driver's errors about files into one clear line; the rest are our mistakes.

        A signal that arrives during a query ends it, and what its handler raised is lost.
        """
        try:
            yield
        except (RuntimeError, duckdb.InterruptException) as error:
            if str(error) != INTERRUPTED and not isinstance(error, duckdb.InterruptException):
                raise
            raise Halt from error
        except duckdb.IOException as error:
            first = str(error).splitlines()[0]
            raise StoreTrouble(f"{self.path} cannot be used: {first}") from error
        except (OSError, duckdb.FatalException, duckdb.OutOfMemoryException) as error:
            raise StoreTrouble(self._unwritable(error)) from error
        except duckdb.Error as error:
            if "No space left" not in str(error):
                raise
            raise StoreTrouble(self._unwritable(error)) from error

    def _unwritable(self, error: Exception) -> str:
        return (
            f"{self.path} could not be written: {str(error).splitlines()[0]}; what was stored "
            "before is kept: make room there, or name another --store, and run the same again"
        )


def schema_sha256() -> str:
    """What the tables of this version look like."""
    return hashlib.sha256(SCHEMA.read_bytes()).hexdigest()


def as_json(value: Any) -> str:
    """Compact JSON with sorted keys, so that equal settings have equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
