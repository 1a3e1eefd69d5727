"""The documentation of this Python installation, as documents.

Docstrings of the standard library and of installed numpy, torch, transformers and pandas, and
Python's help topics. Source files are parsed, never imported.
"""

import ast
import importlib.util
import inspect
import os
import platform
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from data.corpora.document import Document

PYTHON_DOCS = "python-docs"
PACKAGES = ("numpy", "torch", "transformers", "pandas")
SMALLEST_DOCSTRING = 30  # characters; shorter ones say nothing that the name does not
SMALLEST_DOCUMENT = 200  # characters
NOT_READ = frozenset({"test", "tests", "idle_test", "site-packages", "__pycache__"})


def python_docs(packages: Iterable[str] = PACKAGES) -> Iterator[Document]:
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
        document = "\n\n".join(fresh)
        if len(document) >= SMALLEST_DOCUMENT:
            yield Document(document, source.key, 1)


def installed() -> dict[str, str]:
    """Name what the documents are read from: package -> version."""
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
