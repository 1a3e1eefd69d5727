"""Text in: one specification, an iterator of documents.

    python-docs      docstrings of the standard library and of installed numpy, torch, transformers
                     and pandas, and Python's help topics, read from this installation
    FILE.jsonl       one document per line, in the field "text"
    FOLDER           every .txt, .md and .jsonl file below it, in sorted order
    FILE             any other file is one document of UTF-8 text

The order is the same on every run. Source files are parsed, never imported. What knows about
tokens, sequences and subjects is elsewhere.
"""

import ast
import importlib.util
import inspect
import json
import os
import platform
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from data.errors import BadInput

PYTHON_DOCS = "python-docs"
PACKAGES = ("numpy", "torch", "transformers", "pandas")
SMALLEST_DOCSTRING = 30  # characters; shorter ones say nothing that the name does not
SMALLEST_DOCUMENT = 200  # characters
NOT_READ = frozenset({"test", "tests", "idle_test", "site-packages", "__pycache__"})
TEXT_SUFFIXES = (".txt", ".md")
UNSUPPORTED_SUFFIXES = (".parquet", ".arrow", ".json", ".gz", ".zst", ".zip", ".csv")
POSSIBLE = "possible are python-docs, a text file, a .jsonl file (field text) or a folder of them"


def documents(spec: str) -> Iterator[str]:
    """Read the documents that a corpus specification names, in a fixed order, none empty.

    Mistakes that need no reading (no such file, a format we cannot read) are raised here, before
    the first document is asked for.
    """
    if spec == PYTHON_DOCS:
        return python_docs()
    if spec.startswith("hf:"):
        raise BadInput(f"Corpus {spec}: Hub datasets cannot be read yet; {POSSIBLE}")
    path = Path(os.path.expanduser(spec))
    if spec and os.path.isdir(path):
        files = _files_below(path)
        if not files:
            raise BadInput(f"Corpus {spec}: the folder holds no .txt, .md or .jsonl file")
    elif os.path.isfile(path):
        if path.suffix.lower() in UNSUPPORTED_SUFFIXES:
            raise BadInput(f"Corpus {spec}: {path.suffix} files cannot be read; {POSSIBLE}")
        files = [path]
    else:
        raise BadInput(f"Corpus {spec}: no such file or folder; {POSSIBLE}")
    return _documents_of(files)


def python_docs(packages: Iterable[str] = PACKAGES) -> Iterator[str]:
    """Read one document per module, and one per help topic, of this Python installation.

    Modules come in the order of a hash of their name, so that any prefix of the stream is a fair
    mix of packages; they are parsed only when they are reached. A docstring that occurred before
    is left out (transformers repeats many), and so is what is left of a module if it is tiny.
    """
    sources = [*_modules(packages), *_topics()]
    sources.sort(key=lambda source: blake2b(source.key.encode(), digest_size=8).digest())
    seen: set[bytes] = set()
    for source in sources:
        strings = [source.text] if source.text is not None else _docstrings(source.path)
        fresh = [text for text in strings if _is_new(text, seen)]
        document = _encodable("\n\n".join(fresh))
        if len(document) >= SMALLEST_DOCUMENT:
            yield document


def versions(spec: str) -> dict[str, str]:
    """Name what a corpus was read from: package -> version; empty for files and folders."""
    if spec != PYTHON_DOCS:
        return {}
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


class _Source(NamedTuple):
    key: str  # "torch/nn/functional.py": the same on every machine
    path: Path
    text: str | None = None  # a help topic's text; None = read the file


def _modules(packages: Iterable[str]) -> Iterator[_Source]:
    roots = [("python", Path(sysconfig.get_path("stdlib")))]
    for package in packages:
        spec = importlib.util.find_spec(package)  # a top-level name: finds without importing
        if spec and spec.submodule_search_locations:
            roots.append((package, Path(spec.submodule_search_locations[0])))
    for name, root in roots:
        for path in _python_files(root):
            yield _Source(f"{name}/{path.relative_to(root).as_posix()}", path)


def _python_files(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in NOT_READ and name[0] != "."]
        yield from (Path(folder, file) for file in files if file.endswith(".py"))


def _topics() -> Iterator[_Source]:
    """Take the texts of `help("topics")` out of `pydoc_data/topics.py`, one document each."""
    path = Path(sysconfig.get_path("stdlib"), "pydoc_data", "topics.py")
    tree = _parse(path)
    values = [node.value for node in tree.body if isinstance(node, ast.Assign)] if tree else []
    for value in values:
        if isinstance(value, ast.Dict):
            for name, text in ast.literal_eval(value).items():
                yield _Source(f"topics/{name}", path, text.strip())


def _parse(path: Path) -> ast.Module | None:
    """Parse a source file; None if it is no Python of this version (templates, old syntax)."""
    try:
        source = path.read_bytes()
        if b'"""' not in source and b"'''" not in source and path.name != "topics.py":
            return None
        return ast.parse(source)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


def _docstrings(path: Path) -> Iterator[str]:
    tree = _parse(path)
    waiting: list[ast.AST] = [tree] if tree else []
    while waiting:  # depth first, in the order of the file; expressions are never walked
        node = waiting.pop()
        body = getattr(node, "body", [])
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = body[0].value if body and isinstance(body[0], ast.Expr) else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield inspect.cleandoc(first.value).strip()
        if isinstance(body, list):
            waiting += reversed([*body, *getattr(node, "orelse", [])])


def _is_new(text: str, seen: set[bytes]) -> bool:
    digest = blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    if len(text) < SMALLEST_DOCSTRING or digest in seen:
        return False
    seen.add(digest)
    return True


def _files_below(root: Path) -> list[Path]:
    """List the readable files below a folder, sorted; links that lead out of it are left out."""
    inside = root.resolve()
    found = []
    for folder, names, files in os.walk(root):
        names.sort()
        for file in files:
            path = Path(folder, file)
            wanted = path.suffix.lower() in (*TEXT_SUFFIXES, ".jsonl")
            if wanted and path.is_file() and path.resolve().is_relative_to(inside):
                found.append(path)
    return sorted(found)


def _documents_of(files: Iterable[Path]) -> Iterator[str]:
    for path in files:
        read = _json_lines if path.suffix.lower() == ".jsonl" else _whole_file
        yield from (_encodable(text) for text in read(path) if text.strip())


def _encodable(text: str) -> str:
    """Replace lone surrogates, which JSON and Python literals can hold but UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _whole_file(path: Path) -> Iterator[str]:
    yield "".join(_lines(path))


def _json_lines(path: Path) -> Iterator[str]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            text = json.loads(line)["text"]
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path}, line {number}: not valid JSON ({error})") from error
        except (KeyError, TypeError, IndexError) as error:
            raise BadInput(f'{path}, line {number}: expected an object with "text"') from error
        if not isinstance(text, str):
            raise BadInput(f'{path}, line {number}: "text" is {type(text).__name__}, not a string')
        yield text


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    text = line.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise BadInput(
                        f"{path}, line {number}: not UTF-8 (byte {error.start + 1} of the line); "
                        "convert the file to UTF-8"
                    ) from error
                yield text.removeprefix("\ufeff") if number == 1 else text
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
