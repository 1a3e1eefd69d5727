"""Text in: one specification, documents or sequences of token ids out.

    python-docs      docstrings of the standard library and of installed numpy, torch, transformers
                     and pandas, and Python's help topics, read from this installation
    hf:REPO...       a dataset of the Hugging Face hub, streamed (corpora/hub.py)
    FILE, FOLDER     text, JSON lines, Parquet, Arrow, token ids (corpora/files.py)

The order is the same on every run. What knows about sequences and subjects is elsewhere.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data.corpora import files, tables
from data.corpora.docstrings import PYTHON_DOCS, installed, python_docs
from data.corpora.document import Choice, Document
from data.corpora.texts import Texts
from data.errors import BadInput

if TYPE_CHECKING:  # loads numpy
    from data.corpora.hub import Hub
    from data.corpora.token_rows import TokenRows

DEFAULT = Choice()


def open_corpus(
    spec: str, choice: Choice = DEFAULT, *, length: int | None = None, hub: "Hub | None" = None
) -> "Texts | TokenRows":
    """Find out what a specification names; mistakes that need no reading are raised here.

    length: of sequences, for files of token ids that are one long row.
    """
    if spec == PYTHON_DOCS:
        return _python_docs(choice)
    if spec.startswith("hf:"):
        from data.corpora.hub import open_dataset

        return open_dataset(spec, choice, hub)
    path = Path(os.path.expanduser(spec))
    if spec and os.path.isfile(path / "cache.json"):
        from data.corpora.token_rows import of_cache

        return of_cache(spec, path)
    found = files.list_files(spec)
    if _has_tokens(spec, found, choice.column):
        from data.corpora.token_rows import of_files

        return of_files(spec, found, choice.column, length)
    return Texts(spec, lambda: _documents(found, choice), shuffle_seed=choice.shuffle_seed)


def documents(spec: str, choice: Choice = DEFAULT) -> Iterator[Document]:
    """Read the documents that a specification names, in a fixed order, none empty."""
    found = open_corpus(spec, choice)
    if not isinstance(found, Texts):
        raise BadInput(f"Corpus {spec} holds token ids, no text")
    return iter(found)


def versions(spec: str) -> dict[str, str]:
    """Name what a corpus was read from: package -> version; empty for files and folders."""
    return installed() if spec == PYTHON_DOCS else {}


def _python_docs(choice: Choice) -> Texts:
    if choice.column or choice.split_at:
        raise BadInput(f"{PYTHON_DOCS} has no columns and is not split: leave the option out")
    identity = ", ".join(f"{name} {number}" for name, number in installed().items())
    if choice.shuffle_seed is not None:
        identity += f", shuffled by {choice.shuffle_seed}"
    return Texts(PYTHON_DOCS, python_docs, identity=identity,
                 shuffle_seed=choice.shuffle_seed)  # fmt: skip


def _documents(found: Sequence[files.Found], choice: Choice) -> Iterator[Document]:
    for file in found:
        yield from files.read(file, choice)


def _has_tokens(spec: str, found: Sequence[files.Found], column: str | None) -> bool:
    """Say whether files hold token ids; the first table speaks for all, and a mix is refused."""
    arrays = [file for file in found if file.suffix in files.ARRAYS]
    if arrays and len(arrays) < len(found):
        other = next(file for file in found if file.suffix not in files.ARRAYS)
        raise BadInput(
            f"Corpus {spec} mixes token ids ({arrays[0].source}) with other files "
            f"({other.source}): give a folder of one kind"
        )
    table = next((file for file in found if file.suffix in files.TABLES), None)
    if arrays or table is None:
        return bool(arrays)
    return tables.token_column(table.path, column) is not None
