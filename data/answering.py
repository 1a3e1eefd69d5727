"""The process that answers one question of a stranger's and is not trusted: JSON in, JSON out.

It imports little, for it starts anew with every question.
"""

import faulthandler
import json
import re
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from data.catalogue import sealed
from data.errors import BadInput, GlossError, StoreBusy, StoreTrouble

CELL = 10_000  # characters of a cell, the rest is cut
ANSWER = 32_000_000  # bytes
MEMORY = 512  # megabytes for the work of a question
HEAP = 3_000_000_000  # bytes of a process, beyond which it gets no more
PLAIN = re.compile(r"u?(tiny|small|big|huge)?int(eger)?|float|double|boolean", re.IGNORECASE)
KINDS = "select, with, from, values, describe, show or summarize"


def main() -> None:
    """Answer the question on stdin, as JSON on stdout."""
    asked = json.load(sys.stdin)
    for kind, most in ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0),
                       (resource.RLIMIT_DATA, HEAP)):  # fmt: skip
        _limit(kind, most)
    try:
        answer = json.dumps(_asked(asked))
        if len(answer) > ANSWER:
            raise BadInput("the answer is larger than 32 MB: ask for fewer rows or columns")
    except GlossError as error:
        kind = {StoreBusy: "busy", StoreTrouble: "trouble"}.get(type(error), "input")
        answer = json.dumps({"kind": kind, "error": str(error)})
    sys.stdout.write(answer)


def _asked(asked: dict[str, Any]) -> dict[str, Any]:
    seconds = asked["seconds"]
    with sealed(
        Path(asked["path"]), patience=asked["patience"], seconds=seconds, megabytes=MEMORY
    ) as con:
        _limit(resource.RLIMIT_NOFILE, 0)  # what is open stays so, and nothing joins it
        faulthandler.dump_traceback_later(seconds + 1, exit=True)  # asks neither DuckDB nor Python
        question = con.question(asked["sql"])
        if question is None:
            raise BadInput(f"one statement that reads is answered here, of the kind {KINDS}")
        shown = ", ".join(_shown(i, str(t)) for i, t in enumerate(question.types, 1))
        rows = question.project(shown).limit(asked["limit"] + 1).fetchall()
        return {"names": question.columns, "rows": rows}


def _shown(place: int, kind: str) -> str:
    """What is selected of a column: numbers as they are, the rest as text of bounded length."""
    if PLAIN.fullmatch(kind):
        return f"#{place}"
    if kind.lower().startswith("decimal"):
        return f"#{place}::double"
    return f"left(#{place}::varchar, {CELL})"


def _limit(kind: int, most: int) -> None:
    """Lower a limit for good; a system without it is left as it is."""
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    main()
