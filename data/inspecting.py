"""Questions in SQL that a person types, answered without trusting them.

Every question has a process of its own (`data/answering.py`): an empty environment, a copy of the
catalogue (`data/snapshots.py`) attached read-only beside an empty database, settings locked,
and by the operating system no further open file or socket, no byte written to any file, bounded
memory and a deadline. So what DuckDB overlooks still meets a wall: it lets SQL read the very file
that is attached, for example. A catalogue too large to be copied is asked itself, for a shorter
time, as everything else waits meanwhile.

Text stands for what is neither number, truth value nor text; cells and answers are cut at a size.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from data.catalogue import SCHEMA, Catalogue, too_long
from data.errors import BadInput, StoreBusy, StoreTrouble
from data.snapshots import environment, is_copied, snapshot

if TYPE_CHECKING:  # the process of a question starts without it
    import pandas as pd

LONGEST = 20_000  # characters of a question
PATIENCE = 10.0  # seconds to wait for another process to let go of the catalogue
LATE = 1  # exit code of a process that did not end in time, and of one that broke
ALONE = 3.0  # seconds for a question that others wait for
LOOK = 0.2  # seconds between two looks at whether the answer is still wanted
STARTING = 5.0  # seconds for a process to start and to end


class Answer(NamedTuple):
    """What a question found."""

    frame: "pd.DataFrame"  # numbers, truth values and text
    truncated: bool  # there are more rows
    seconds: float


class ColumnFacts(NamedTuple):
    """One column as schema.sql describes it."""

    name: str
    type: str
    comment: str  # "" = its name says it


def nothing() -> None:
    """Go on waiting."""


def seconds_for(catalogue: Catalogue, seconds: float) -> float:
    """How long a question may take, of the seconds that were asked for."""
    return seconds if is_copied(catalogue) else min(seconds, ALONE)


def query(
    catalogue: Catalogue,
    sql: str,
    limit: int = 1000,
    seconds: float = 10,
    waiting: Callable[[], None] = nothing,
) -> Answer:
    """Answer one question that only reads; limit: rows, seconds: from its start to its end.

    waiting: called a few times a second; what it raises ends the question.
    """
    if not sql.strip():
        raise BadInput("there is no question: write one, e.g. select count(*) from explanation")
    if len(sql) > LONGEST:
        raise BadInput(f"the question has {len(sql):,} characters; {LONGEST:,} are allowed")
    began = monotonic()
    copied = snapshot(catalogue, PATIENCE)  # goes when nobody names it any more
    path = copied.path if copied else catalogue.path.absolute()
    seconds = seconds if copied else min(seconds, ALONE)
    asked = {"path": str(path), "sql": sql, "limit": limit, "seconds": seconds,
             "patience": PATIENCE}  # fmt: skip
    found = _answered(asked, seconds, waiting)
    if found.get("error") is not None:
        raise {"busy": StoreBusy, "trouble": StoreTrouble}.get(found["kind"], BadInput)(
            found["error"])  # fmt: skip
    rows = found["rows"]
    return Answer(_frame(found["names"], rows[:limit]), len(rows) > limit, monotonic() - began)


def _answered(asked: dict[str, Any], seconds: float, waiting: Callable[[], None]) -> dict[str, Any]:
    """Ask in a process of its own; one that does not end in time is ended."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "data.answering"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=environment(), start_new_session=True,
    )  # fmt: skip
    began = monotonic()
    with process:
        try:
            out = _awaited(process, json.dumps(asked).encode(), seconds, waiting)
        finally:
            process.kill()
    if process.returncode == LATE and monotonic() > began + seconds:
        raise BadInput(too_long(seconds))
    try:
        return json.loads(out)
    except ValueError:
        raise BadInput(
            "the question broke off, most likely for want of memory: ask for fewer rows or columns"
        ) from None


def _awaited(
    process: "subprocess.Popen[bytes]", asked: bytes, seconds: float, waiting: Callable[[], None]
) -> bytes:
    given: bytes | None = asked
    give_up = monotonic() + PATIENCE + seconds + STARTING
    while monotonic() < give_up:
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(given, timeout=LOOK)[0]
        given = None  # it is on its way
        waiting()
    raise BadInput(too_long(seconds))


def _frame(names: list[str], rows: list[list[Any]]) -> "pd.DataFrame":
    """Columns under their names; one that stands twice gets a number, as in a, a_2."""
    import pandas as pd

    unique: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in range(2, 2 + len(names)))
        free = (other for other in (name, *numbered) if other not in unique)
        unique.append(next(free))
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    fitting = [_fitting(list(cells)) for cells in columns]
    return pd.DataFrame(dict(zip(unique, fitting, strict=True)), columns=pd.Index(unique))


def _fitting(cells: list[Any]) -> "pd.Series":
    """One column: whole numbers stay whole beside nothing, and are text beyond 64 bits."""
    import pandas as pd

    kinds = {type(cell) for cell in cells} - {type(None)}
    if kinds == {int}:
        if any(abs(cell) >= 2**63 for cell in cells if cell is not None):
            return pd.Series([None if cell is None else str(cell) for cell in cells], dtype=object)
        return pd.Series(cells, dtype="Int64")
    if kinds == {bool}:
        return pd.Series(cells, dtype="boolean")
    return pd.Series(cells, dtype="float64" if kinds == {float} else object)


def tables() -> dict[str, list[ColumnFacts]]:
    """The catalogue's tables with the comments of schema.sql.

    >>> tables()["note"][1]
    ColumnFacts(name='hookpoint_id', type='uinteger', comment='')
    """
    text = SCHEMA.read_text(encoding="utf-8")
    found = re.findall(r"^create table (\w+) \((.*?)^\);", text, re.MULTILINE | re.DOTALL)
    return {name: list(_columns(body)) for name, body in found}


def _columns(body: str) -> Iterator[ColumnFacts]:
    for line in body.splitlines():
        declared, _, comment = line.partition("--")
        name, _, kind = declared.strip().rstrip(",").partition(" ")
        if kind and name not in ("primary", "unique"):
            kind = re.split(r" (?:primary|unique|default)\b", kind)[0]
            yield ColumnFacts(name, kind.strip(), comment.strip())
