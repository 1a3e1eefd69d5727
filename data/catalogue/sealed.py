"""The catalogue opened for a stranger's question."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from data.catalogue.connection import Connection
from data.catalogue.opening import SETTINGS, waited
from data.errors import BadInput, StoreTrouble

SEALED = SETTINGS | {
    "python_enable_replacements": "false",  # names in SQL are tables, never our variables
    "temp_directory": "",
    "threads": "2",
}


@contextmanager
def sealed(path: Path, *, patience: float, seconds: float, megabytes: int) -> Iterator[Connection]:
    """Open the catalogue for a stranger's question: read-only, no other file, settings locked.

    Only for a process of its own: closing a file takes with it all the locks that a process holds
    on that file, so beside an open catalogue this would undo the lock of a transaction.
    """
    with duckdb.connect(config={**SEALED, "memory_limit": f"{megabytes}MB"}) as raw:
        attach = "attach '" + str(path).replace("'", "''") + "' as catalogue (read_only)"
        try:
            waited(lambda: raw.execute(attach), path, patience)
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
