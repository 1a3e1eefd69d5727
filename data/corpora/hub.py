"""Datasets of the Hugging Face hub, streamed: `hf:REPO[:config][:split][:column][@revision]`.

    hf:org/name                            split train, the first known text column
    hf:org/name::train[:1%]                a part of a split
    hf:org/name:en:validation:content@v2   everything said

Needs the extra `datasets`. The revision is resolved once and is what the corpus is known by; code
in a repository is never run. REPO may be a local folder, whose text then counts.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import count, islice
from typing import Any, Protocol

from data.corpora.columns import TOKEN_COLUMNS, TextColumn, inside, text_column
from data.corpora.document import Choice, Document
from data.corpora.texts import Texts
from data.corpora.token_rows import TokenRows, of_lists
from data.errors import BadInput

HOW = "hf:REPO[:config][:split][:column][@revision], e.g. hf:org/name::train[:1%]:text"
SLICE = re.compile(r"(?P<split>[\w.-]+)(\[(?P<first>-?\d+%?)?:(?P<last>-?\d+%?)?\])?")
REPO = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")


@dataclass(frozen=True, slots=True)
class Address:
    """What of a repository is read."""

    repo: str
    config: str | None = None
    split: str = "train"
    first: str | None = None  # of a slice: a number, also negative or in %
    last: str | None = None
    column: str | None = None
    revision: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return os.path.isdir(self.repo)

    def __str__(self) -> str:
        part = f"[{self.first or ''}:{self.last or ''}]" if self.first or self.last else ""
        parts = [self.repo, self.config or "", self.split + part, self.column or ""]
        return "hf:" + ":".join(parts) + (f"@{self.revision}" if self.revision else "")


class Hub(Protocol):
    """Where datasets come from."""

    def resolve(self, address: Address) -> str:
        """The commit that a revision (None = the newest) stands for."""
        ...

    def count(self, address: Address) -> int | None:
        """Rows of the whole split; None when the repository does not say."""
        ...

    def rows(self, address: Address) -> Iterable[Mapping[str, Any]]:
        """The rows of the whole split, streamed in a fixed order."""
        ...


def read_address(spec: str) -> Address:
    """Take a specification apart; colons in the brackets of a slice do not count."""
    body, _, revision = spec.removeprefix("hf:").partition("@")
    parts = re.split(r":(?![^\[]*\])", body)
    repo, config, split, column = (*parts, "", "", "")[:4]
    sliced = SLICE.fullmatch(split or "train")
    known = REPO.fullmatch(repo) or os.path.isdir(repo)
    if len(parts) > 4 or not known or sliced is None or ("@" in spec and not revision):
        raise BadInput(f"Corpus {spec}: write it as {HOW}")
    return Address(
        repo, config or None, sliced["split"], sliced["first"], sliced["last"],
        column or None, revision or None,
    )  # fmt: skip


def open_dataset(spec: str, choice: Choice, hub: Hub | None = None) -> Texts | TokenRows:
    """Find out what a dataset holds; its first row is fetched, so that mistakes show at once."""
    address = read_address(spec)
    if choice.column and address.column and choice.column != address.column:
        raise BadInput(f"Corpus {spec} names column {address.column}, --column {choice.column}")
    address = replace(address, column=address.column or choice.column)
    hub = hub if hub is not None else _library()
    with reaching(spec):
        if not address.is_local:
            address = replace(address, revision=hub.resolve(address))
        bounds = _bounds(spec, hub, address)
        first = next(iter(hub.rows(address)), None)
    if first is None:
        raise BadInput(f"Corpus {spec}: there is nothing in it")
    column = _token_column(first, address.column)
    address = replace(address, column=column or address.column or text_column(first, spec))
    identity = None if address.is_local else str(address)
    rows = _Rows(spec, hub, address, bounds)
    if column is not None:
        start = (first, bounds[0] + 1)
        return of_lists(spec, lambda: iter(rows), column, start, identity)
    return Texts(
        spec, lambda: _documents(rows), identity=_shuffled(identity, choice),
        shuffle_seed=choice.shuffle_seed,
    )  # fmt: skip


def _shuffled(identity: str | None, choice: Choice) -> str | None:
    if identity is None or choice.shuffle_seed is None:
        return identity
    return f"{identity} shuffled by {choice.shuffle_seed}"


def _token_column(row: Mapping[str, Any], column: str | None) -> str | None:
    """The column of token ids, where one is named or there is no text."""
    if column is None:
        with_text = any(isinstance(row.get(name), str) for name in ("text", "content"))
        names = () if with_text else TOKEN_COLUMNS
    else:
        names = (column,)
    for name in names:
        found = inside(row, name)
        if isinstance(found, list) and found and isinstance(found[0], int):
            return name
    return None


class _Rows:
    """The rows of a slice with their number in the split, from 1."""

    def __init__(self, spec: str, hub: Hub, address: Address, bounds: tuple[int, int | None]):
        self.spec, self.hub, self.address, self.bounds = spec, hub, address, bounds

    def __iter__(self) -> Iterator[tuple[Mapping[str, Any], int]]:
        first, last = self.bounds
        with reaching(self.spec):
            rows = islice(self.hub.rows(self.address), first, last)
            yield from zip(rows, count(first + 1))


def _documents(rows: _Rows) -> Iterator[Document]:
    column = TextColumn(rows.address.column)
    for row, number in rows:
        text = column.of(row, f"Corpus {rows.spec}, row {number}")
        yield Document(text, rows.address.repo, number)


def _bounds(spec: str, hub: Hub, address: Address) -> tuple[int, int | None]:
    """Where a slice begins and ends, in rows; percent are rounded as `datasets` does."""
    asked = (address.first, address.last)
    total = None
    if any(bound and not bound.isdigit() for bound in asked):
        total = hub.count(address)
        if total is None:
            raise BadInput(
                f"Corpus {spec}: the dataset does not say how many rows split {address.split} "
                "has: give the slice in rows from the start, e.g. train[:10000]"
            )
    first, last = (None if bound is None else _row(bound, total or 0) for bound in asked)
    if last is not None and last <= (first or 0):
        raise BadInput(f"Corpus {spec}: the slice is empty")
    return first or 0, last


def _row(bound: str, total: int) -> int:
    """One end of a slice in rows: "10", "-10" or "25%"."""
    number = int(bound.rstrip("%"))
    if bound.endswith("%"):
        number = round(number * total / 100)
    return max(0, number + total) if bound.startswith("-") else number


def _library() -> Hub:
    try:
        _datasets()
    except ImportError as error:
        raise BadInput(
            "datasets of the hub need the extra `datasets`: pip install 'gloss-sae[datasets]', or "
            "fetch the files and give their folder"
        ) from error
    return DatasetsLibrary()


def _datasets() -> Any:
    """The library; an extra, so that a type checker need not find it."""
    return import_module("datasets")


class DatasetsLibrary:
    """The hub by way of the library `datasets`."""

    def resolve(self, address: Address) -> str:
        """Ask the hub for the commit; one that does not answer says so at once, not in 23 s."""
        from huggingface_hub import HfApi

        commit = HfApi().dataset_info(address.repo, revision=address.revision, timeout=10).sha
        return str(commit)

    def count(self, address: Address) -> int | None:
        """Rows that the dataset's card gives for the split."""
        with _quiet():
            builder = _datasets().load_dataset_builder(
                address.repo, address.config, revision=address.revision
            )
        split = (builder.info.splits or {}).get(address.split)
        return split.num_examples if split is not None else None

    def rows(self, address: Address) -> Iterable[Mapping[str, Any]]:
        """Stream a split."""
        with _quiet():
            found = _datasets().load_dataset(
                address.repo, address.config, split=address.split, revision=address.revision,
                streaming=True,
            )  # fmt: skip
        column = (address.column or "").split(".")[0]
        known = getattr(found, "column_names", None)
        return found.select_columns([column]) if known and column in known else found


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep `datasets` from drawing bars and from telling of its retries."""
    logging = _datasets().logging
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


@contextmanager
def reaching(spec: str) -> Iterator[None]:
    """Turn what the hub and its libraries raise into one line."""
    try:
        yield
    except _foreign() as error:
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        what = said[0][:300].rstrip(":.") if said else type(error).__name__
        why = "is it there, and may you read it?" if _answered(error) else "no answer"
        raise BadInput(f"Corpus {spec} cannot be read from the hub: {why} ({what})") from error


def _answered(error: Exception) -> bool:
    return getattr(error, "response", None) is not None or isinstance(error, ValueError)


def _foreign() -> tuple[type[Exception], ...]:
    """What the hub's own errors descend from, whichever transport it uses, and the usual ones."""
    from huggingface_hub.errors import HfHubHTTPError

    base = [kind for kind in HfHubHTTPError.__mro__ if issubclass(kind, Exception)]
    base.remove(Exception)
    return (*base, OSError, ValueError, KeyError, TypeError, ImportError, EOFError, MemoryError)
