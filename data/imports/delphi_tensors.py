"""Activations in `.pt` files: the oldest runs of delphi, and stores of autointerp.

Locations are [n, 3]: sequence, position, feature (counted from 0, not from a shard's first). Such
files carry no tokens. They are read whole; what comes out is read like shards
(`delphi_latents.Latents`).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from data.activations import LARGEST
from data.errors import BadInput
from data.imports.delphi_latents import Span
from data.imports.delphi_run import LAST_INDEX, TensorFiles
from data.imports.foreign import shown
from data.imports.pickled import tensors_of
from data.imports.report import Report


class TensorLatents(NamedTuple):
    """A hookpoint's activations, checked, in the order of the corpus."""

    feature: np.ndarray  # int64 [n]
    token: np.ndarray  # flat index, int64 [n], ascending
    activation: np.ndarray  # float32 [n]
    begins: np.ndarray  # first entry of each span, then n, int64 [spans + 1]
    n_features: int  # the last that fired, and all before it
    sequence_length: int
    model: str | None  # the subject, where a file says it

    @property
    def n_activations(self) -> int:
        """Entries."""
        return len(self.token)

    def span(self, number: int) -> Span:
        """One span of sequences."""
        part = slice(int(self.begins[number]), int(self.begins[number + 1]))
        return Span(self.feature[part], self.token[part], self.activation[part])


def read_latents(
    files: Sequence[TensorFiles], shape: tuple[int, int], spans: np.ndarray, report: Report
) -> TensorLatents:
    """Read and check all files of a hookpoint.

    shape: sequences and tokens a sequence; spans: first sequence of each span, then their number.
    """
    length = shape[1]
    places, values, models = [], [], set[str]()
    for pair in files:
        location, value, model = _pair(pair)
        _check(pair, location, value, shape)
        report.add("inf_values", int((np.abs(value) > LARGEST).sum()), shown(pair.activations.name))
        places.append(location)
        values.append(np.clip(value, -LARGEST, LARGEST))
        models |= {model} - {""}
    place, value = np.concatenate(places), np.concatenate(values)
    token, feature = place[:, 0] * length + place[:, 1], place[:, 2]
    order = np.lexsort((feature, token))
    token, feature = token[order], feature[order]
    if ((np.diff(token) == 0) & (np.diff(feature) == 0)).any():
        raise BadInput(f"{shown(files[0].locations)} has an activation twice")
    return TensorLatents(
        feature=feature,
        token=token,
        activation=value[order],
        begins=np.searchsorted(token, spans * length),
        n_features=int(feature.max(initial=0)) + 1,
        sequence_length=length,
        model=models.pop() if len(models) == 1 else None,
    )


def _pair(pair: TensorFiles) -> tuple[np.ndarray, np.ndarray, str]:
    """Locations as int64, activations as float32, and the subject's name."""
    first = tensors_of(pair.locations)
    second = first if pair.activations == pair.locations else tensors_of(pair.activations)
    location = _tensor(pair, first, "locations")
    value = _tensor(pair, second, "activations")
    if location.dtype.kind not in "iu" or location.ndim != 2 or location.shape[1] != 3:
        raise BadInput(f"{shown(pair.locations)} has no table of three integers a row")
    if value.dtype.kind != "f" or value.ndim != 1:
        raise BadInput(f"{shown(pair.activations)} has no list of floating-point numbers")
    model = first.get("model_id")
    return location.astype(np.int64), value.astype(np.float32), str(model or "")


def _tensor(pair: TensorFiles, found: dict[str, Any], name: str) -> np.ndarray:
    """The tensor of a name, or the bare one of a file that holds nothing else."""
    value = found.get(name, found.get(""))
    if not isinstance(value, np.ndarray):
        path = pair.locations if name == "locations" else pair.activations
        raise BadInput(f"{shown(path)} has no tensor '{name}': it is no file of such a run")
    return value


def _check(
    pair: TensorFiles, location: np.ndarray, value: np.ndarray, shape: tuple[int, int]
) -> None:
    if len(location) != len(value):
        raise BadInput(f"{shown(pair.locations)} has {len(location):,} locations for "
                       f"{len(value):,} activations")  # fmt: skip
    if np.isnan(value).any():
        raise BadInput(f"{shown(pair.activations)} has activations that are NaN: make it again")
    beyond = (location < 0) | (location >= (*shape, LAST_INDEX + 1))
    if beyond.any():
        raise BadInput(f"{shown(pair.locations)} has an activation outside of the "
                       f"{shape[0]} x {shape[1]} tokens of --tokens")  # fmt: skip
