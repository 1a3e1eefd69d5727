"""A delphi run directory on the writing side: names and files (formats 2, the newest era).

    run_config.json
    latents/<hookpoint>/<first>_<last>.safetensors, config.json    log/hookpoint_firing_counts.pt
    neighbours/<hookpoint>-<measure>.json
    explanations/<hookpoint>_latent<index>.txt      scores/<scorer>/<hookpoint>_latent<index>.txt

Small files are not synced one by one: a run has tens of thousands, and gets its name at the end.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from data import tensorfile
from data.activations import Columns, ranges
from data.durable import reporting

ACTIVATIONS = 16_000_000  # of a shard: about 400 MB while it is sorted
FAILED = "Explanation could not be parsed."  # what stands for an explanation that failed
MEASURES = {
    "cosine": "decoder_similarity",
    "encoder cosine": "encoder_similarity",
    "co-firing": "co-occurrence",
}


def write_json(path: Path, found: Any, *, indent: int | None = None) -> None:
    """Write one JSON file."""
    said = json.dumps(found, ensure_ascii=False, indent=indent, allow_nan=False)
    with reporting(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(said.encode("utf-8", "replace"))


def one_file(hookpoint: str, feature: int) -> str:
    """The name of a file about one feature."""
    return f"{hookpoint.replace('/', '--')}_latent{feature}.txt"


def write_shards(
    folder: Path, columns: Columns, tokens: np.ndarray, *, limit: int = ACTIVATIONS
) -> Iterator[tuple[int, int]]:
    """Write the activations of one hookpoint; gives first and last feature of each shard.

    tokens: int32 [sequences, positions], of which every shard has a copy.
    """
    with reporting(folder):
        folder.mkdir(parents=True)
    for low, high in ranges(columns.counts(), limit):
        arrays = _shard(columns, low, high, tokens)
        tensorfile.write(folder / f"{low}_{high - 1}.safetensors", arrays)
        yield low, high - 1


def _shard(columns: Columns, low: int, high: int, tokens: np.ndarray) -> dict[str, np.ndarray]:
    """Activations of features low .. high - 1 in the order of the corpus, [n, 3] and [n]."""
    block = columns.packed(low, high)
    feature = np.repeat(np.arange(high - low, dtype=np.uint32), np.diff(block.indptr))
    order = np.argsort(block.token, kind="stable")  # of one token, features stay ascending
    token, length = block.token[order], tokens.shape[1]
    narrow = max(*tokens.shape, high - low) <= 65_536
    locations = np.empty((len(order), 3), "<u2" if narrow else "<u4")
    locations[:, 0], locations[:, 1] = token // length, token % length
    locations[:, 2] = feature[order]
    return {
        "locations": locations,
        "activations": block.activation[order].astype("<f2", copy=False),
        "tokens": tokens.astype("<i4", copy=False),
    }


def write_firing_counts(path: Path, counts: Mapping[str, np.ndarray]) -> None:
    """Write how often every feature fires, by hookpoint, as delphi keeps it."""
    import torch

    found = {name: torch.from_numpy(one.astype(np.int64)) for name, one in counts.items()}
    with reporting(path):
        path.parent.mkdir(parents=True)
        try:
            torch.save(found, path)
        except RuntimeError as error:  # what torch makes of a full disk
            raise OSError(str(error).splitlines()[0]) from error


def write_neighbours(path: Path, rows: Iterable[tuple[int, int, float]]) -> None:
    """Write nearest features as they come: feature, other and value, sorted by feature and rank."""
    with reporting(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            file.write("{")
            for number, (feature, near) in enumerate(groupby(rows, key=lambda row: row[0])):
                pairs = [[value, other] for _, other, value in near]
                file.write(f'{", " if number else ""}"{feature}": {json.dumps(pairs)}')
            file.write("}")
