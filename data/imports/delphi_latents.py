"""The activation shards of a delphi run, checked once and then read in the order of the corpus.

A shard holds consecutive features, its rows sorted by (sequence, position): so the rows of a span
of sequences lie together in each shard. Checking finds where each span begins, and refuses what
does not fit; reading then takes memory for one span only.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data import durable
from data.activations import LARGEST
from data.durable import Extent
from data.errors import BadInput, StoreTrouble
from data.imports.delphi_run import ShardPath
from data.imports.foreign import shown
from data.imports.report import Report
from data.tensorfile import Tensor, tensors

ROWS = 4_000_000  # rows looked at together while checking
INTEGERS = {"U8", "U16", "U32", "I32", "I64", "U64"}
LONGEST_SEQUENCE = 65_535
MOST_TOKENS = 2**32 - 2**20


class Span(NamedTuple):
    """Activations of some sequences in the order of the corpus."""

    feature: np.ndarray  # int64 [n]
    token: np.ndarray  # flat index, int64 [n], ascending
    activation: np.ndarray  # float32 [n]


class Shard(NamedTuple):
    """One checked shard."""

    first: int
    last: int  # included
    path: Path
    locations: Extent  # [n, 3]: sequence, position, feature - first
    activations: Extent  # [n]
    length: int  # tokens a sequence
    begins: np.ndarray  # first row of each span, then n, int64 [spans + 1]


class Latents(NamedTuple):
    """A hookpoint's checked shards."""

    shards: tuple[Shard, ...]
    n_features: int
    n_activations: int
    sequence_length: int

    def span(self, number: int) -> Span:
        """Read one span of sequences."""
        parts = [_rows(shard, number) for shard in self.shards]
        place = np.concatenate([part[0] for part in parts])
        feature = np.concatenate([part[1] for part in parts])
        value = np.concatenate([part[2] for part in parts])
        order = np.argsort(place, kind="stable")
        return Span(feature[order], place[order], value[order])


def _rows(shard: Shard, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flat token, feature and activation of a shard's rows within a span."""
    first, last = int(shard.begins[number]), int(shard.begins[number + 1])
    found = _locations(shard, first, last)
    value = _read_extent(shard.activations, shard.path, first, last - first)
    value = np.clip(value.astype(np.float32), -LARGEST, LARGEST)
    return found[:, 0] * shard.length + found[:, 1], found[:, 2] + shard.first, value


def _locations(shard: "Shard | _Unchecked", first: int, last: int) -> np.ndarray:
    flat = _read_extent(shard.locations, shard.path, 3 * first, 3 * (last - first))
    return flat.astype(np.int64).reshape(-1, 3)


def token_matrix(shards: Sequence[ShardPath], known: np.ndarray | None) -> np.ndarray | None:
    """The tokens that the shards carry, int [sequences, positions]; None where they carry none.

    All copies must be the same, those of another hookpoint (`known`) too.
    """
    for shard in shards:
        tensor = _tensors(shard.path).get("tokens")
        if tensor is None:
            continue
        if tensor.dtype not in INTEGERS or len(tensor.shape) != 2:
            raise BadInput(f"{shown(shard.path)}: 'tokens' is no table of integers")
        rows, length = tensor.shape
        if not 0 < length <= LONGEST_SEQUENCE or not 0 < rows * length < MOST_TOKENS:
            raise BadInput(f"{shown(shard.path)}: 'tokens' has the impossible shape {tensor.shape}")
        found = _read_extent(tensor.extent, shard.path).reshape(rows, length)
        if found.min() < 0 or found.max() >= 2**31:
            raise BadInput(f"{shown(shard.path)}: 'tokens' holds something that is no token id")
        found = found.astype(np.int32)
        if known is not None and not np.array_equal(known, found):
            raise BadInput(f"{shown(shard.path)} has other tokens than the shards before it")
        known = found
    return known


def check_shards(
    hookpoint: str,
    shards: Sequence[ShardPath],
    shape: tuple[int, int],
    spans: np.ndarray,
    report: Report,
) -> Latents:
    """Check every shard of a hookpoint.

    shape: sequences and tokens a sequence; spans: first sequence of each span, then their number.
    """
    _check_ranges(hookpoint, shards, report)
    checked = tuple(_checked(shard, shape, spans, report) for shard in shards)
    total = sum(shard.activations.size for shard in checked)
    return Latents(checked, shards[-1].last + 1, total, shape[1])


def _check_ranges(hookpoint: str, shards: Sequence[ShardPath], report: Report) -> None:
    expected = 0
    for shard in shards:
        if shard.first < expected:
            raise BadInput(f"{shown(shard.path)} overlaps with the shard before it")
        if shard.first > expected:
            report.add("missing_range", shard.first - expected, f"{hookpoint}/{expected}")
        expected = shard.last + 1


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return tensors(path)
    except StoreTrouble as error:
        raise BadInput(f"{shown(path)} cannot be read: check the file") from error


class _Unchecked(NamedTuple):
    """The tensors of a shard, their shapes looked at."""

    path: Path
    locations: Extent
    activations: Extent


def _found(shard: ShardPath) -> _Unchecked:
    named = _tensors(shard.path)
    for name in ("locations", "activations"):
        if name not in named:
            raise BadInput(f"{shown(shard.path)} has no tensor '{name}': it is no shard of delphi")
    locations, activations = named["locations"], named["activations"]
    if locations.dtype not in INTEGERS or locations.shape[1:] != (3,):
        raise BadInput(f"{shown(shard.path)}: 'locations' is no table of three integers a row")
    if activations.dtype not in ("F16", "F32") or len(activations.shape) != 1:
        raise BadInput(f"{shown(shard.path)}: 'activations' is no list of floating-point numbers")
    if locations.shape[0] != activations.shape[0]:
        raise BadInput(f"{shown(shard.path)} has {locations.shape[0]:,} locations but "
                       f"{activations.shape[0]:,} activations")  # fmt: skip
    return _Unchecked(shard.path, locations.extent, activations.extent)


def _checked(shard: ShardPath, shape: tuple[int, int], spans: np.ndarray, report: Report) -> Shard:
    """Look at every row once: inside the table, in order, no row twice, no NaN."""
    found = _found(shard)
    n, sequences, length = found.activations.size, *shape
    before, rows = -1, np.zeros(sequences, np.int64)
    width = shard.last - shard.first + 1
    for first in range(0, n, ROWS):
        last = min(first + ROWS, n)
        part = _locations(found, first, last)
        beyond = (part < 0) | (part >= (sequences, length, width))
        if beyond.any():
            raise BadInput(f"{shown(shard.path)} has an activation outside of its "
                           f"{sequences} x {length} tokens and {width} features")  # fmt: skip
        key = (part[:, 0] * length + part[:, 1]) * width + part[:, 2]
        if key[0] <= before or (np.diff(key) <= 0).any():
            raise BadInput(f"{shown(shard.path)} is not in the order of the tokens, or has an "
                           "activation twice")  # fmt: skip
        before = int(key[-1])
        rows += np.bincount(part[:, 0], minlength=sequences)
        _check_values(found, first, last, report)
    begins = np.concatenate([[0], np.cumsum(rows)])[spans]
    return Shard(shard.first, shard.last, shard.path, found.locations, found.activations, length,
                 begins)  # fmt: skip


def _check_values(found: _Unchecked, first: int, last: int, report: Report) -> None:
    values = _read_extent(found.activations, found.path, first, last - first)
    if np.isnan(values).any():
        raise BadInput(f"{shown(found.path)} has activations that are NaN: make it again")
    report.add("inf_values", int((np.abs(values) > LARGEST).sum()), shown(found.path.name))


def _read_extent(
    extent: Extent, path: Path, first: int = 0, count: int | None = None
) -> np.ndarray:
    try:
        return durable.read(extent, first, count)
    except (StoreTrouble, MemoryError) as error:
        raise BadInput(f"{shown(path)} cannot be read to its end: fetch it again") from error
