"""Sparse activations of one hookpoint, sorted by feature: append by batch, merge, read one feature.

While a cache is made, activations lie in immutable shards of about 65,536 tokens each; one
streaming merge turns the shards into a single column file. Both are compressed sparse columns
(indptr u64 [F + 1], token u32 [n], activation f16 [n]), so one reader serves both. `token` is the
flat index sequence * sequence_length + position. Knows nothing of text, subjects or SAEs.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from data import durable, tensorfile
from data.durable import Extent
from data.errors import BadInput, NotFound, StoreTrouble

SHARD_TOKENS = 65_536  # tokens a shard, rounded down to whole sequences
MERGE_BLOCK = 1_000_000  # activations placed at once: about 40 MB
LARGEST = 65_504.0  # of float16; stronger activations are stored as this
COLUMN_FILES = {"indptr": "<u8", "token": "<u4", "activation": "<f2"}
SUFFIX = {"indptr": "u64", "token": "u32", "activation": "f16"}

Read = TypeVar("Read")


class FeatureActivations(NamedTuple):
    """Where one feature is active, in the order of the corpus."""

    token: np.ndarray  # uint32 [n], flat token index, ascending
    activation: np.ndarray  # float32 [n]


class FeatureBlock(NamedTuple):
    """The activations of consecutive features; feature lo + i has indptr[i] : indptr[i + 1]."""

    indptr: np.ndarray  # int64 [features + 1], indptr[0] = 0
    token: np.ndarray  # uint32 [n], ascending within a feature
    activation: np.ndarray  # float32 [n]


class SortedRun(NamedTuple):
    """One file or folder whose activations are sorted by feature."""

    indptr: Extent
    token: Extent
    activation: Extent


class Columns:
    """Reads the activations of single features, or of blocks of features.

    Open one per page or job: what a running cache adds later is not seen until it is opened anew.
    """

    def __init__(self, folder: Path, runs: list[SortedRun]) -> None:
        self.folder = folder
        self.n_features = runs[0].indptr.size - 1
        if any(run.indptr.size != self.n_features + 1 for run in runs):
            raise StoreTrouble(f"{folder} mixes shards of several SAEs: make the cache again")
        self._runs = runs

    @classmethod
    def open(cls, folder: Path) -> "Columns":
        """Open a hookpoint's folder, merged or not."""
        return cls(folder, _runs(folder))

    @property
    def merged(self) -> bool:
        """Whether the shards have become one column file."""
        return len(self._runs) == 1 and self._runs[0].token.path.parent.name == "columns"

    def counts(self) -> np.ndarray:
        """Count the stored activations of every feature, int64 [n_features]."""
        counts = np.zeros(self.n_features, np.int64)
        for indptr in self._reading(lambda run: _boundaries(run, 0, self.n_features)):
            counts += np.diff(indptr)
        return counts

    def slice(self, feature: int) -> FeatureActivations:
        """Read one feature: one pread of each array where the columns are merged."""
        _, token, activation = self.packed(feature, feature + 1)
        return FeatureActivations(token, activation.astype(np.float32))

    def block(self, lo: int, hi: int) -> FeatureBlock:
        """Read features lo .. hi - 1 at once."""
        indptr, token, activation = self.packed(lo, hi)
        return FeatureBlock(indptr, token, activation.astype(np.float32))

    def packed(self, lo: int, hi: int) -> FeatureBlock:
        """Read features lo .. hi - 1 with activations as stored, float16."""
        if not 0 <= lo <= hi <= self.n_features:
            raise NotFound(f"{self.folder} has features 0 to {self.n_features - 1}, not {lo}:{hi}")
        parts = self._reading(lambda run: _part(run, lo, hi))
        return parts[0] if len(parts) == 1 else _interleave(parts)

    def _reading(self, read: Callable[[SortedRun], Read]) -> list[Read]:
        """Read something of every run, once more if the shards were merged in the meantime."""
        try:
            return [read(run) for run in self._runs]
        except FileNotFoundError:
            self._runs = _runs(self.folder)
            return [read(run) for run in self._runs]

    def blocks(self, activations: int = MERGE_BLOCK) -> list[tuple[int, int]]:
        """Cut the features into ranges of at most so many activations, one feature at least."""
        return ranges(self.counts(), activations)


def _part(run: SortedRun, lo: int, hi: int) -> FeatureBlock:
    indptr = _boundaries(run, lo, hi)
    first, count = int(indptr[0]), int(indptr[-1] - indptr[0])
    token = durable.read(run.token, first, count)
    return FeatureBlock(indptr - first, token, durable.read(run.activation, first, count))


def _boundaries(run: SortedRun, lo: int, hi: int) -> np.ndarray:
    indptr = durable.read(run.indptr, lo, hi - lo + 1).astype(np.int64)
    if (np.diff(indptr) < 0).any():
        raise StoreTrouble(f"{run.indptr.path} is damaged: make the cache again")
    return indptr


def _interleave(parts: list[FeatureBlock]) -> FeatureBlock:
    """Join runs feature by feature; runs are in corpus order, so tokens stay ascending.

    Every entry's place is known from the boundaries: this is placement, not a sort.
    """
    counts = np.array([np.diff(part.indptr) for part in parts])  # [run, feature]
    indptr = np.concatenate([[0], np.cumsum(counts.sum(axis=0))])
    token = np.empty(indptr[-1], np.uint32)
    activation = np.empty(indptr[-1], parts[0].activation.dtype)
    start = indptr[:-1] + np.cumsum(counts, axis=0) - counts  # [run, feature]
    for part, first, n in zip(parts, start, counts, strict=True):
        place = np.repeat(first - part.indptr[:-1], n) + np.arange(len(part.token))
        token[place] = part.token
        activation[place] = part.activation
    return FeatureBlock(indptr, token, activation)


def ranges(counts: np.ndarray, limit: int) -> list[tuple[int, int]]:
    """Cut consecutive items into ranges whose counts add up to at most `limit`.

    An item above the limit stands alone: counts 3, 4, 9, 1 and limit 8 give 0:2, 2:3, 3:4.
    """
    ends = np.cumsum(counts)
    out, lo = [], 0
    while lo < len(counts):
        before = ends[lo - 1] if lo else 0
        hi = max(lo + 1, int(np.searchsorted(ends, before + limit, side="right")))
        out.append((lo, hi))
        lo = hi
    return out


def _runs(folder: Path) -> list[SortedRun]:
    columns = folder / "columns"
    if columns.is_dir():
        return [_merged_run(columns)]
    paths = shard_paths(folder)
    if not paths:
        raise NotFound(f"no activations in {folder}: run `gloss cache` to the end")
    return [_shard_run(path) for path in paths]


def _merged_run(columns: Path) -> SortedRun:
    found = {}
    for name, dtype in COLUMN_FILES.items():
        path = columns / f"{name}.{SUFFIX[name]}"
        with durable.reporting(path):
            found[name] = Extent(
                path, 0, path.stat().st_size // np.dtype(dtype).itemsize, np.dtype(dtype)
            )
    run = SortedRun(**found)
    return _checked(run, columns)


def _shard_run(path: Path) -> SortedRun:
    found = tensorfile.tensors(path)
    if set(found) != set(COLUMN_FILES):
        raise StoreTrouble(f"{path} is not a shard of activations: make the cache again")
    return _checked(SortedRun(**{name: found[name].extent for name in COLUMN_FILES}), path)


def _checked(run: SortedRun, path: Path) -> SortedRun:
    total = durable.read(run.indptr, run.indptr.size - 1, 1) if run.indptr.size else None
    if total is None or not int(total[0]) == run.token.size == run.activation.size:
        raise StoreTrouble(f"{path} is cut off or damaged: make the cache again")
    return run


def shard_paths(folder: Path) -> list[Path]:
    """List the finished shards from the first one up to the first gap, in corpus order."""
    paths = []
    while (path := shard_path(folder, len(paths))).exists():
        paths.append(path)
    return paths


def shard_path(folder: Path, number: int) -> Path:
    """Name a shard."""
    return folder / "shards" / f"{number:05d}.safetensors"


def write_shard(
    folder: Path,
    number: int,
    *,
    feature: np.ndarray,
    token: np.ndarray,
    activation: np.ndarray,
    n_features: int,
) -> None:
    """Write one shard from activations in the order of the corpus.

    feature: integers [n] below n_features; token: [n] flat index, ascending; activation: [n].
    """
    if len(token) and int(token.max()) > np.iinfo(np.uint32).max:
        raise BadInput("a cache holds at most 4,294,967,296 tokens: ask for fewer with --tokens")
    order = by_feature(feature, n_features)
    counts = np.bincount(feature, minlength=n_features)
    arrays = {
        "indptr": np.concatenate([[0], np.cumsum(counts)]).astype("<u8"),
        "token": token.astype("<u4")[order],
        "activation": activation.astype("<f2", copy=False)[order],
    }
    tensorfile.write(shard_path(folder, number), arrays)


def by_feature(feature: np.ndarray, n_features: int) -> np.ndarray:
    """Sort stably by feature, as indices [n].

    numpy sorts 16-bit integers by radix, about four times as fast as wider ones by comparison; wide
    features take two passes, low half first.
    """
    order = np.argsort(feature.astype(np.uint16), kind="stable")  # the low 16 bits
    if n_features <= 65_536:
        return order
    high = (feature >> 16).astype(np.uint16)
    return order[np.argsort(high[order], kind="stable")]


def merge(folder: Path, block: int = MERGE_BLOCK) -> None:
    """Make one column file of all shards, then delete them; killed anywhere, it can be repeated."""
    durable.discard_unfinished(folder)
    target = folder / "columns"
    if not target.is_dir():
        temporary = folder / "columns.tmp"
        try:
            _write_columns(Columns.open(folder), temporary, block)
            durable.rename_folder(temporary, target)
        finally:
            durable.discard(temporary)  # a full disk needs the room back
    durable.discard(folder / "shards")


def _write_columns(shards: Columns, into: Path, block: int) -> None:
    counts = shards.counts()
    with durable.reporting(into):
        into.mkdir(parents=True)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype("<u8")
        durable.write_file(into / "indptr.u64", [indptr])
        token_path, activation_path = into / "token.u32", into / "activation.f16"
        with token_path.open("wb") as tokens, activation_path.open("wb") as values:
            for lo, hi in ranges(counts, block):
                part = shards.packed(lo, hi)
                tokens.write(part.token.data)
                values.write(part.activation.data)
            for file in (tokens, values):
                file.flush()
                durable.sync(file.fileno())
