"""Lines of UTF-8 out of plain, gzipped and Zstandard files, in bounded memory.

A compressed file is a stream that may inflate to 4 GB, a line may have 256 MB: more is refused
before it is in memory. What is not UTF-8 is named by its line.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from data.errors import BadInput

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
MOST_INFLATED = 2**32  # bytes that a compressed file may come to
MOST_DOCUMENT = 2**28  # bytes of one line, or of one document
BUFFER = 2**20  # bytes


def lines(path: Path) -> Iterator[str]:
    """Read line by line, ends included; a byte order mark is taken off."""
    with opened(path) as file:
        for number, raw in enumerate(_raw_lines(path, file), start=1):
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise BadInput(
                    f"{path}, line {number}: not UTF-8 (byte {error.start + 1} of the line); "
                    "convert the file to UTF-8"
                ) from error
            yield text.removeprefix("\ufeff") if number == 1 else text


def _raw_lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    most = MOST_INFLATED if path.suffix.lower() in COMPRESSIONS else None
    read = number = 0
    while line := file.readline(MOST_DOCUMENT + 1):
        number, read = number + 1, read + len(line)
        if len(line) > MOST_DOCUMENT:
            raise BadInput(
                f"{path}, line {number}: longer than the {MOST_DOCUMENT:,} bytes that a document "
                "may have; split it"
            )
        if most is not None and read > most:
            raise BadInput(
                f"{path} inflates to more than {most:,} bytes: unpack it, or ask for fewer tokens"
            )
        yield line


def whole(path: Path) -> bytes:
    """Read a whole file that must be in memory at once."""
    with opened(path) as file:
        raw = file.read(MOST_DOCUMENT + 1)
    if len(raw) > MOST_DOCUMENT:
        raise BadInput(
            f"{path} has more than the {MOST_DOCUMENT:,} bytes that can be read at once: write it "
            "as JSON lines, one document a line"
        )
    return raw


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, unpacked; what is wrong with it is one line."""
    kind = COMPRESSIONS.get(path.suffix.lower())
    with readable(path):
        if kind is None:
            with path.open("rb", buffering=BUFFER) as file:
                yield file
            return
        import pyarrow as pa

        if not path.stat().st_size:
            raise BadInput(f"{path} is empty: fetch it again")
        # Codecs of pyarrow: the standard library has none for Zstandard before Python 3.14.
        with pa.OSFile(str(path)) as packed, pa.CompressedInputStream(packed, kind) as unpacked:
            yield io.BufferedReader(cast(Any, unpacked), BUFFER)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what reading a file raises into one line."""
    try:
        yield
    except OSError as error:
        lines = str(error.strerror or error).splitlines() or [type(error).__name__]
        raise BadInput(f"{path}: cannot be read ({lines[0]})") from error
    except MemoryError as error:
        raise BadInput(f"{path}: cannot be read (it asks for more memory than there is)") from error
