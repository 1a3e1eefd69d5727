"""JSON files with one object a line, plain or gzipped, read as a stream.

What a file inflates to is counted while it is read, so that a small file cannot fill the memory;
whatever is wrong becomes one BadInput that names the file and the line.
"""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.errors import BadInput
from data.filled import filled
from data.imports.foreign import parsed, shown

MOST_INFLATED = 4_000_000_000  # bytes of one file
LONGEST_LINE = 64_000_000  # bytes
MOST_BLANK = 100_000  # empty lines of one file


def objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a file, each with the words that name its line; empty lines are skipped.

    Bare NaN and Infinity are accepted; `data/imports/fields.py` says where.
    """
    refusal = (f"{shown(path)} has more than {MOST_BLANK:,} empty lines: it is no file of such an "
               "export")  # fmt: skip
    for number, line in filled(_lines(path), MOST_BLANK, refusal):
        where = f"{shown(path)}: line {number}"
        yield where, parsed(line, dict, where)


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, no longer and no more than can be meant."""
    is_packed = path.suffix == ".gz"
    inflated = 0
    try:
        if not path.stat().st_size:
            raise BadInput(f"{shown(path)} is empty: fetch the file again")
        with gzip.open(path, "rb") if is_packed else path.open("rb") as file:
            while line := file.readline(LONGEST_LINE + 1):
                inflated += len(line)
                if len(line) > LONGEST_LINE or inflated > MOST_INFLATED:
                    raise BadInput(
                        f"{shown(path)} inflates to more than {MOST_INFLATED:,} bytes, or "
                        f"{LONGEST_LINE:,} in a line: it is no file of such an export"
                    )
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"{shown(path)} is not gzip, or is cut off: fetch the file again") from error
    except OSError as error:
        raise BadInput(f"{shown(path)} cannot be read ({error.strerror or error})") from error
