"""Neuronpedia's layout on the writing side: fields, ids, figures, batches (formats 3).

    <root>/v1/<modelId>/<sourceId>/
        release.jsonl  model.jsonl  sourceset.jsonl  source.jsonl
        features/  activations/  explanations/  scores/     batch-<n>.jsonl.gz, gzipped

Its importer takes the columns from the first line of a batch, so every row has all keys in one
order; a batch is read back right after it is written and compared row by row.
"""

import gzip
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from data.durable import reporting, sync
from data.errors import BadInput, StoreTrouble
from data.imports.lines import objects

ROWS = 1024  # of a batch
MOST_BATCHES = 1000  # files of one folder: one page of a listing
USER = "clkht01d40000jv08hvalcvly"  # whom public exports name as their maker
PARTS = ("features", "activations", "explanations", "scores")
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}")
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"

# What a row has when nothing else is said; None is null. Lists are shared: rows are never changed.
FEATURE: dict[str, Any] = {
    "modelId": "", "layer": "", "index": "", "sourceSetName": "", "creatorId": "",
    "maxActApprox": None, "frac_nonzero": 0.0,
    "freq_hist_data_bar_values": [], "freq_hist_data_bar_heights": [],
    "logits_hist_data_bar_values": [], "logits_hist_data_bar_heights": [],
    "neg_str": [], "neg_values": [], "pos_str": [], "pos_values": [],
    "topkCosSimIndices": [], "topkCosSimValues": [],
    "vector": [], "hasVector": False, "hookName": None, "vectorDefaultSteerStrength": None,
    "vectorLabel": None,
    "neuron_alignment_indices": [], "neuron_alignment_values": [], "neuron_alignment_l1": [],
    "correlated_neurons_indices": [], "correlated_neurons_pearson": [],
    "correlated_neurons_l1": [],
    "correlated_features_indices": [], "correlated_features_pearson": [],
    "correlated_features_l1": [], "decoder_weights_dist": [],
}  # fmt: skip
ACTIVATION: dict[str, Any] = {
    "id": "", "modelId": "", "layer": "", "index": "", "creatorId": "",
    "tokens": [], "values": [], "maxValue": 0.0, "minValue": 0.0, "maxValueTokenIndex": 0,
    "binMin": None, "binMax": None, "binContains": None, "dataSource": None, "dataIndex": None,
    "dfaValues": [], "dfaMaxValue": None, "dfaTargetIndex": None,
    "lossValues": [], "logitContributions": None, "qualifyingTokenIndex": None,
}  # fmt: skip
EXPLANATION: dict[str, Any] = {
    "id": "", "modelId": "", "layer": "", "index": "", "authorId": "", "description": "",
    "typeName": None, "explanationModelName": None, "embedding": None,
    "umap_x": None, "umap_y": None, "umap_cluster": None, "umap_log_feature_sparsity": None,
    "notes": None,
}  # fmt: skip
SCORE: dict[str, Any] = {
    "id": "", "value": 0.0, "explanationId": "", "explanationScoreTypeName": "",
    "explanationScoreModelName": "", "initiatedByUserId": "", "jsonDetails": "", "gloss": {},
}  # fmt: skip
DEFAULTS = {
    "features": FEATURE, "activations": ACTIVATION, "explanations": EXPLANATION, "scores": SCORE,
}  # fmt: skip


def row_id(source_id: str, index: int, kind: str, *content: object) -> str:
    """Name a row by what it says: the same row has the same id in every export.

    "c" and 24 letters or digits, the form of Neuronpedia's own ids.
    """
    key = json.dumps([source_id, index, kind, *content], sort_keys=True, default=str)
    number = int.from_bytes(hashlib.sha256(key.encode("utf-8", "replace")).digest(), "big")
    letters = []
    for _ in range(24):
        number, rest = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[rest])
    return "c" + "".join(letters)


def require_id(what: str, name: str) -> str:
    """Refuse a modelId or set that the site would not take."""
    if not ID.fullmatch(name):
        raise BadInput(
            f"{what} {name[:60]!r} is no id: use up to 128 small letters (a-z), digits, _ and -, "
            "beginning with a letter or digit"
        )
    return name


def as_id(text: str) -> str:
    """Make an id of a name, e.g. "EleutherAI/Pythia-70M" -> "pythia-70m"."""
    last = text.rstrip("/").rpartition("/")[2].lower()
    return re.sub(r"[^a-z0-9_-]+", "-", last).strip("-_")[:100] or "unknown"


@lru_cache(65_536)  # tokens come again and again
def text(said: str) -> str:
    """Text that survives: their importer replaces what reads \\u0000 in the raw line."""
    whole = said.encode("utf-8", "replace").decode("utf-8")
    return whole.replace("\x00", "\ufffd").replace("\\u0000", "\ufffd")


def figure(value: float) -> float:
    """A finite number of at most six digits.

    >>> figure(0.123456789)
    0.123457
    """
    if not value or not math.isfinite(value):
        return 0.0
    return float(f"{value:.6g}")


def figures(values: Iterable[float]) -> list[float]:
    """Numbers of at most six digits each."""
    return [figure(value) for value in values]


def line(row: Mapping[str, Any]) -> bytes:
    """One row as a line of JSON."""
    said = json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    assert "\\u0000" not in said  # or their importer would cut the line
    return said.encode("utf-8") + b"\n"


class Batches:
    """Writes the rows of one part of a source as they come, so many to a file.

    most: rows that there may be at most, by which the size of a batch is chosen. A batch is a
    context: what was begun is closed whatever happens.
    """

    def __init__(self, folder: Path, part: str, most: int) -> None:
        self.folder, self.part, self.rows = folder / part, part, 0
        self._size = max(ROWS, -(-most // MOST_BATCHES))
        self._digests: list[bytes] = []  # of the rows in the open batch
        self._files = 0
        self._open: Packed | None = None
        with reporting(self.folder):
            self.folder.mkdir(parents=True)

    def __enter__(self) -> "Batches":
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish the last batch, or let go of it."""
        if kind is None:
            self._end()
        elif self._open is not None:
            with suppress(OSError, StoreTrouble):
                self._open.close()

    def add(self, row: Mapping[str, Any]) -> None:
        """Take one more row; keys that it lacks have their defaults."""
        whole = {**DEFAULTS[self.part], **row}
        assert len(whole) == len(DEFAULTS[self.part])  # or the importer would refuse the file
        if self._open is None:
            self._open = Packed(self.folder / f"batch-{self._files}.jsonl.gz")
        raw = line(whole)
        self._open.write(raw)
        self._digests.append(_digest(raw))
        self.rows += 1
        if len(self._digests) == self._size:
            self._end()

    def _end(self) -> None:
        """Close the open batch and compare it row by row with what was to be written."""
        if self._open is None:
            return
        path = self._open.path
        self._open.close()
        if [_digest(line(found)) for _, found in objects(path)] != self._digests:
            raise StoreTrouble(f"{path} does not read back as it was written: check the disk")
        self._open, self._digests, self._files = None, [], self._files + 1


def _digest(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=16).digest()


class Packed:
    """A gzipped file with the same bytes each time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with reporting(path):
            self._file = path.open("wb")
            self._packed = gzip.GzipFile("", "wb", 6, self._file, mtime=0)

    def write(self, raw: bytes) -> None:
        """Add bytes."""
        with reporting(self.path):
            self._packed.write(raw)

    def close(self) -> None:
        """Finish the file."""
        with reporting(self.path), self._file:
            self._packed.close()
            self._file.flush()
            sync(self._file.fileno())
