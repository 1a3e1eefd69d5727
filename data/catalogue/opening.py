"""How the file is opened: one DuckDB instance a process, which takes files in and lets them go.

To start an instance costs some 25 ms of a processor, to attach a file to one 3 ms; so the instance
stays and holds nothing, and a file is attached for as long as somebody here uses it. The lock on
the file comes and goes with that.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from random import uniform
from threading import Lock
from time import monotonic, sleep
from typing import Any

import duckdb

from data.errors import StoreBusy

SOON = 0.8  # seconds of waiting for another process that nobody needs to be told of
SETTINGS = {
    "autoinstall_known_extensions": "false",  # nothing is fetched behind the user's back
    "autoload_known_extensions": "false",
    "preserve_insertion_order": "true",
}
HOLDER = re.compile(r"\(PID (\d+)\)")

Waiting = Callable[[], AbstractContextManager[object]]


@dataclass(slots=True)
class _Instance:
    """A running DuckDB and the files attached to it."""

    raw: duckdb.DuckDBPyConnection
    users: dict[str, int] = field(default_factory=dict)  # connections by file
    names: dict[str, str] = field(default_factory=dict)  # what a file is called in SQL
    is_broken: bool = False  # a fatal error spoils everything that it holds


_lock = Lock()  # of all that follows: threads open and close one at a time
_instances: list[_Instance] = []  # the last one takes new files, broken ones end with their users


def opened(
    path: Path, patience: float, waiting: Waiting = nullcontext
) -> duckdb.DuckDBPyConnection:
    """Connect to a catalogue, waiting for another process to let go."""
    return waited(lambda: _attached(str(path.resolve())), path, patience, waiting)


def closed(path: Path, raw: duckdb.DuckDBPyConnection) -> None:
    """Close a connection; an open transaction is rolled back, the last one lets the file go."""
    key = str(path.resolve())
    with _lock:
        instance = next(one for one in _instances if key in one.users)
        raw.close()
        instance.users[key] -= 1
        if not instance.users[key]:
            del instance.users[key]
            _let_go(instance, key)
        if instance.is_broken and not instance.users:
            _instances.remove(instance)
            instance.raw.close()


def _attached(key: str) -> duckdb.DuckDBPyConnection:
    """One connection more to a file; the first one attaches it."""
    with _lock:
        instance = next((one for one in _instances if key in one.users), None) or _taking(key)
        if key not in instance.users:
            _take_in(instance, key)
        instance.users[key] = instance.users.get(key, 0) + 1
        raw = instance.raw.cursor()
        raw.execute(f"use {instance.names[key]}")
        return raw


def _taking(key: str) -> _Instance:
    """The instance for new files; what has no room in memory goes beside the first of them."""
    if not _instances or _instances[-1].is_broken:
        spill = str(Path(key).with_name("spilled.tmp"))
        settings: dict[str, Any] = SETTINGS | {"temp_directory": spill}
        _instances.append(_Instance(duckdb.connect(config=settings)))
    return _instances[-1]


def _take_in(instance: _Instance, key: str) -> None:
    name = instance.names.setdefault(key, f"store_{len(instance.names)}")
    quoted = key.replace("'", "''")
    try:
        # Where a signal ended the letting go, it is still there.
        instance.raw.execute(f"attach if not exists '{quoted}' as {name}")
    except duckdb.FatalException:
        instance.is_broken = True
        raise


def _let_go(instance: _Instance, key: str) -> None:
    """Detach a file that nobody uses."""
    try:
        instance.raw.execute(f"detach database if exists {instance.names[key]}")
    except duckdb.Error:  # what is kept is in its log: another instance will read it
        instance.is_broken = True


def waited(
    connect: Callable[[], duckdb.DuckDBPyConnection], path: Path, patience: float,
    waiting: Waiting = nullcontext,
) -> duckdb.DuckDBPyConnection:  # fmt: skip
    """Try until no other process holds the file; the pause grows to 80 ms."""
    begun, pause, told = monotonic(), 0.004, False
    with ExitStack() as stack:
        while True:
            try:
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
