"""The batches that SAEDashboard writes: features with their contexts (formats 4).

    <folder>/batch-<n>.json      {model_id, layer, sae_set, features: [...]}
    <folder>/run_settings.json  <folder>/skipped_indexes.json

What they say is the same as in Neuronpedia's export, so the rows are the same records. The tool
cuts the first token off every context, and says "no DFA" with [], 0 and -1: both are left alone.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import BadInput
from data.imports.delphi_run import LAST_INDEX
from data.imports.fields import Fields
from data.imports.foreign import content_sha256, files_below, read_json, shown
from data.imports.neuronpedia import MODEL, SOURCE, source_order
from data.imports.neuronpedia_rows import (
    ActivationRow,
    FeatureRow,
    context_of,
    feature_row,
    note_context,
)
from data.imports.report import Report

BATCH = re.compile(r"batch-(\d{1,9})\.json")
BESIDE = ("run_settings.json", "skipped_indexes.json")
MOST_BATCH = 1_000_000_000  # bytes of one batch


@dataclass(frozen=True, slots=True)
class DashboardSource:
    """The batches of one SAE, unread."""

    folder: Path
    model_id: str
    source_id: str
    batches: tuple[Path, ...]  # in the order of their numbers
    unread: tuple[str, ...]
    sha256: str  # of everything that is read

    @property
    def metadata(self) -> Mapping[str, Mapping[str, Any]]:
        """What is known besides the rows: the corpus, by the first feature."""
        first = next(self._features(), None)
        dataset = first.text("dataset") if first else None
        return {"source": {"dataset": dataset}}

    def rows(self, report: Report) -> Iterator[FeatureRow | ActivationRow]:
        """Every feature, followed by its contexts; one that comes twice is refused."""
        known: set[int] = set()
        for row in self._features():
            found = feature_row(row, report, "feature_index")
            if found.feature in known:
                raise row.wrong(f"is feature {found.feature}, which was there already")
            known.add(found.feature)
            yield found
            for inner in row.entries("activations"):
                if not isinstance(inner, dict):
                    raise row.wrong("has something else than objects in 'activations'")
                context = context_of(
                    Fields(row.where, inner), found.feature, ("bin_min", "bin_max", "bin_contains")
                )
                note_context(context, report)
                yield context

    def _features(self) -> Iterator[Fields]:
        for path in self.batches:
            batch = _batch(path)
            if _named(path, batch) != (self.model_id, self.source_id):
                raise BadInput(f"{shown(path)} is about another SAE than the batch before it")
            for number, found in enumerate(batch.entries("features", LAST_INDEX)):
                if not isinstance(found, dict):
                    raise BadInput(f"{shown(path)}: feature {number} of the batch is no object")
                yield Fields(f"{shown(path)}: feature {number} of the batch", found)


def open_dashboards(root: Path) -> list[DashboardSource]:
    """The SAEs below a folder, one a folder with batches; a folder without any is refused."""
    folders: dict[str, dict[str, Path]] = {}
    for name, path in files_below(root).items():
        home, _, last = name.rpartition("/")
        folders.setdefault(home, {})[last] = path
    found = [_source(path, files) for path, files in
             ((root / home, files) for home, files in folders.items())
             if any(map(BATCH.fullmatch, files))]  # fmt: skip
    if not found:
        raise BadInput(f"{root} is no output of SAEDashboard: it has no batch-<n>.json")
    twice = {(one.model_id, one.source_id) for one in found}
    if len(twice) < len(found):
        raise BadInput(f"{root} holds the batches of one SAE in several folders: give one of them")
    return sorted(found, key=lambda one: source_order(one.source_id))


def _source(folder: Path, files: Mapping[str, Path]) -> DashboardSource:
    numbered = {int(found[1]): path for name, path in files.items()
                if (found := BATCH.fullmatch(name))}  # fmt: skip
    batches = tuple(path for _, path in sorted(numbered.items()))
    model_id, source_id = _named(batches[0], _batch(batches[0]))
    read = [(name, path) for name, path in files.items() if BATCH.fullmatch(name)]
    unread = tuple(name for name in files if not BATCH.fullmatch(name) and name not in BESIDE)
    return DashboardSource(folder, model_id, source_id, batches, unread, content_sha256(read))


def _batch(path: Path) -> Fields:
    found = Fields(shown(path), read_json(path, dict, MOST_BATCH))
    if "feature_data_dict" in found.found:
        raise found.wrong("keeps token numbers without their texts: export batches for Neuronpedia "
                          "with SAEDashboard, and import those")  # fmt: skip
    if "features" not in found.found:
        raise found.wrong("has no 'features': it is no batch of SAEDashboard")
    return found


def _named(path: Path, batch: Fields) -> tuple[str, str]:
    """modelId and sourceId, as Neuronpedia puts them together."""
    layer, group = batch.found.get("layer"), batch.text("sae_set")
    suffix = batch.text("sae_id_suffix")
    source_id = f"{layer}-{group}" + (f"__{suffix}" if suffix else "")
    model_id = batch.text("model_id") or ""
    if type(layer) is not int or group is None or not SOURCE.fullmatch(source_id):
        raise BadInput(f"{shown(path)} has no 'layer' and 'sae_set' that name an SAE")
    if not MODEL.fullmatch(model_id):
        raise BadInput(f"{shown(path)} has no 'model_id' that names a model")
    return model_id, source_id
