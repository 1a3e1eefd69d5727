"""The one door to DuckDB: opening, waiting for the lock, reading, and one transaction at a time.

DuckDB admits one writing process or many readers, and the lock is on the file. So nobody holds a
connection: open, read a page or write one transaction, close. A locked file is retried for a
bounded time and then reported as StoreBusy with the file and the process id. All openings use the
same settings, because one process cannot open one file twice with different ones.

What the rows mean stands in schema.sql; who writes them in records of work (`data/ledger.py`); what
pages ask for in `data/queries.py`.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import uniform
from threading import Lock, RLock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import duckdb

from data.errors import BadInput, StoreBusy, StoreTrouble, StoreVersion

if TYPE_CHECKING:  # a command that only looks needs neither
    import pandas as pd
    import pyarrow as pa

VERSION = 1
SOON = 0.8  # seconds of waiting for another process that nobody needs to be told of
FILE = "catalogue.duckdb"
SCHEMA = Path(__file__).with_name("schema.sql")
SETTINGS = {
    "autoinstall_known_extensions": "false",  # nothing is fetched behind the user's back
    "autoload_known_extensions": "false",
    "preserve_insertion_order": "true",
}
# Connections of one process share an instance, which is usable a moment after it can be had: two
# threads that open at once find it without its functions. One at a time, whoever asks.
OPENING = Lock()
SEALED = SETTINGS | {
    "python_enable_replacements": "false",  # names in SQL are tables, never our variables
    "temp_directory": "",
    "threads": "2",
}
HOLDER = re.compile(r"\(PID (\d+)\)")

Row = dict[str, Any]
Waiting = Callable[[], AbstractContextManager[object]]


class Connection:
    """One open connection, for the length of a page or a transaction."""

    def __init__(self, raw: duckdb.DuckDBPyConnection) -> None:
        """Wrap a raw connection; `Catalogue.reading` and `Catalogue.writing` make these."""
        self._raw = raw
        self._after: list[Callable[[], None]] = []

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do this once the transaction is kept; never, when it is not."""
        self._after.append(action)

    def committed(self) -> None:
        """Do what was to be done after the commit."""
        for action in self._after:
            action()

    def run(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> None:
        """Execute a statement for its effect; parameters by place (?) or by name ($name)."""
        given = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
        self._raw.execute(sql, given)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All result rows, each as a dictionary by column name."""
        result = self._raw.execute(sql, list(parameters))
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """The first result row, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first column of the first row, or None."""
        # All rows are fetched: an unfinished result would block the connection's next statement.
        found = self._raw.execute(sql, list(parameters)).fetchall()
        return found[0][0] if found else None

    def frame(self, sql: str, parameters: Sequence[Any] = ()) -> "pd.DataFrame":
        """The result as a DataFrame."""
        return self._raw.execute(sql, list(parameters)).df()

    def ids(self, sequence: str, n: int) -> list[int]:
        """Take n consecutive numbers from a sequence, e.g. ids("item_ids", 3) -> [7, 8, 9]."""
        taken = self._raw.execute(f"select nextval('{sequence}') from range({n})").fetchall()
        return [number for (number,) in taken]

    def append(self, table: str, rows: "pa.Table") -> None:
        """Add rows, matched by column name; bulk loads through Arrow, which is the fast way."""
        if rows.num_rows:
            self._raw.register("incoming", rows)
            columns = ", ".join(rows.column_names)
            self._raw.execute(f"insert into {table} ({columns}) select {columns} from incoming")
            self._raw.unregister("incoming")

    def question(self, sql: str) -> duckdb.DuckDBPyRelation | None:
        """A question not yet answered, to look at its columns first.

        None where this is not exactly one statement, and one of the kind that only reads.
        """
        found = self._raw.extract_statements(sql)
        is_one = len(found) == 1 and found[0].type == duckdb.StatementType.SELECT
        return self._raw.sql(found[0]) if is_one else None

    @contextmanager
    def table(self, name: str, rows: "pa.Table") -> Iterator[None]:
        """Make an Arrow table visible to SQL under a name, for joins."""
        self._raw.register(name, rows)
        try:
            yield
        finally:
            self._raw.unregister(name)


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
                _close(raw)

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
                _close(raw)  # an open transaction is rolled back

    def _create(self) -> None:
        """Make a new catalogue beside its final name, then rename: a killed start leaves none."""
        draft = self.store / f"{FILE}.{id(self):x}.tmp"
        with self._translated():
            self.store.mkdir(parents=True, exist_ok=True)
            raw = duckdb.connect(draft, config=dict(SETTINGS))
            try:
                raw.execute(SCHEMA.read_text(encoding="utf-8"))
                raw.execute("insert into schema_version values (?, ?, now()::timestamp)",
                            [VERSION, schema_sha256()])  # fmt: skip
                raw.execute("checkpoint")
            finally:
                raw.close()
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
        """Connect, waiting for another process to let go."""
        connect = partial(duckdb.connect, self.path, config=dict(SETTINGS))
        return _waited(connect, self.path, self.patience, self.waiting)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the driver's errors about files into one clear line; the rest are our mistakes."""
        try:
            yield
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


def _waited(
    connect: Callable[[], duckdb.DuckDBPyConnection], path: Path, patience: float,
    waiting: Waiting = nullcontext,
) -> duckdb.DuckDBPyConnection:  # fmt: skip
    """Try until no other process holds the file; the pause grows to 80 ms."""
    begun, pause, told = monotonic(), 0.004, False
    with ExitStack() as stack:
        while True:
            try:
                with OPENING:
                    return connect()
            except duckdb.IOException as error:
                if "Could not set lock" not in str(error):
                    raise
                if monotonic() > begun + patience:
                    raise StoreBusy(_busy(path, patience, str(error))) from error
                if not told and (told := monotonic() > begun + SOON):
                    stack.enter_context(waiting())
                sleep(pause * uniform(0.5, 1.5))
                pause = min(1.5 * pause, 0.08)


def _busy(path: Path, patience: float, message: str) -> str:
    who = f"process {held[1]}" if (held := HOLDER.search(message)) else "another process"
    return (
        f"{path} is held by {who} for more than {patience:.0f} s; "
        "wait for it to finish, or stop it, and try again"
    )


def _close(raw: duckdb.DuckDBPyConnection) -> None:
    with OPENING:  # the last one to close takes the instance with it
        raw.close()


@contextmanager
def sealed(path: Path, *, patience: float, seconds: float, megabytes: int) -> Iterator[Connection]:
    """Open the catalogue for a stranger's question: read-only, no other file, settings locked.

    Only for a process of its own: closing a file takes with it all the locks that a process holds
    on that file, so beside an open catalogue this would undo the lock of a transaction.
    """
    with duckdb.connect(config={**SEALED, "memory_limit": f"{megabytes}MB"}) as raw:
        attach = "attach '" + str(path).replace("'", "''") + "' as catalogue (read_only)"
        try:
            _waited(lambda: raw.execute(attach), path, patience)
        except duckdb.Error as error:
            raise StoreTrouble(f"{path} cannot be used: {_first_line(error)}") from error
        raw.execute("use catalogue")
        raw.execute(f"set max_execution_time = {seconds * 1000:.0f}")
        raw.execute("set enable_external_access = false")
        raw.execute("set lock_configuration = true")
        with _refused(seconds, megabytes):
            yield Connection(raw)


@contextmanager
def _refused(seconds: float, megabytes: int) -> Iterator[None]:
    """Say in one sentence why a question has no answer."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise BadInput(too_long(seconds)) from error
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise BadInput(
            f"the question needs more memory than the {megabytes} MB it may have: narrow it"
        ) from error
    except (duckdb.PermissionException, duckdb.IOException, duckdb.HTTPException) as error:
        raise BadInput(
            "only the catalogue's own tables are read here, no files, addresses, extensions or "
            "settings"
        ) from error
    except duckdb.Error as error:
        raise BadInput(_first_line(error)) from error


def too_long(seconds: float) -> str:
    """Say that a question was stopped."""
    return f"the question took longer than {seconds:g} s and was stopped: narrow it with where"


def _first_line(error: Exception) -> str:
    """What DuckDB says, without the kind of error in front and the place behind."""
    return str(error).strip().splitlines()[0].partition(" Error: ")[2] or str(error)[:200]


def schema_sha256() -> str:
    """What the tables of this version look like."""
    return hashlib.sha256(SCHEMA.read_bytes()).hexdigest()


def as_json(value: Any) -> str:
    """Compact JSON with sorted keys, so that equal settings have equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
