"""A Neuronpedia export: which sources it holds, and their rows (formats 3).

    <root>/v1/<modelId>/<sourceId>/
        release.jsonl  model.jsonl  sourceset.jsonl  source.jsonl
        features/batch-<n>.jsonl.gz     activations/batch-<n>.jsonl.gz
        explanations/batch-<n>.jsonl.gz
        scores/batch-<n>.jsonl.gz       what Gloss adds: scores with their verdicts

The root, the folder of a model or that of a source may be given; every part may be missing.
Batches are read in the order of their numbers, which mean nothing: rows say what they are about.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import BadInput
from data.imports.fields import Fields
from data.imports.foreign import content_sha256, files_below, shown
from data.imports.lines import objects
from data.imports.neuronpedia_names import MODEL, SOURCE, source_order
from data.imports.neuronpedia_rows import (
    ActivationRow,
    ExplanationRow,
    FeatureRow,
    activation_row,
    explanation_row,
    feature_row,
)
from data.imports.neuronpedia_scores import ScoreRow, score_row
from data.imports.report import Report

PARTS = ("features", "activations", "explanations", "scores")
METADATA = ("release", "model", "sourceset", "source")
BATCH = re.compile(r"batch-(\d{1,9})\.jsonl(?:\.gz)?")
Row = FeatureRow | ActivationRow | ExplanationRow | ScoreRow


@dataclass(frozen=True, slots=True)
class NeuronpediaSource:
    """One source of an export, its rows unread."""

    folder: Path
    model_id: str
    source_id: str
    metadata: Mapping[str, Mapping[str, Any]]  # by kind; {} = not there
    batches: Mapping[str, tuple[Path, ...]]  # by part, in the order of their numbers
    unread: tuple[str, ...]
    sha256: str  # of everything that is read

    def rows(self, report: Report) -> Iterator[Row]:
        """Every row: features, contexts, explanations, scores."""
        yield from self.features(report)
        yield from self.activations(report)
        yield from self.explanations(report)
        yield from self.scores(report)

    def features(self, report: Report) -> Iterator[FeatureRow]:
        """Every feature that has a row; one with two is refused."""
        known: set[int] = set()
        for row in self._rows("features"):
            found = feature_row(row, report)
            if found.feature in known:
                raise row.wrong(f"is about feature {found.feature}, which had a row already")
            known.add(found.feature)
            yield found

    def activations(self, report: Report) -> Iterator[ActivationRow]:
        """Every context."""
        for row in self._unique("activations"):
            yield activation_row(row, report)

    def explanations(self, report: Report) -> Iterator[ExplanationRow]:
        """Every explanation; a feature may have several."""
        del report  # nothing is doubtful about a text
        for row in self._unique("explanations"):
            yield explanation_row(row)

    def scores(self, report: Report) -> Iterator[ScoreRow]:
        """Every score of an explanation."""
        for row in self._unique("scores", _scored):
            yield score_row(row, report)

    def _unique(self, part: str, about: "About | None" = None) -> Iterator[Fields]:
        """The rows of a part; an id that comes twice is refused."""
        known: set[str] = set()
        for row in self._rows(part, about):
            name = row.text("id")
            if name is not None:
                if name in known:
                    raise row.wrong(f"has the id {name[:40]} of a row before it")
                known.add(name)
            yield row

    def _rows(self, part: str, about: "About | None" = None) -> Iterator[Fields]:
        """The rows of a part; one about another source is refused."""
        for path in self.batches.get(part, ()):
            for where, found in objects(path):
                row = Fields(where, found)
                said = about(row) if about else found
                named = f"{said.get('modelId', self.model_id)}/{said.get('layer', self.source_id)}"
                if named != f"{self.model_id}/{self.source_id}":
                    raise row.wrong(f"is about {shown(named)[:80]}, not about "
                                    f"{self.model_id}/{self.source_id}")  # fmt: skip
                yield row


About = Callable[[Fields], Mapping[str, Any]]  # where a row says which source it is about


def _scored(row: Fields) -> Mapping[str, Any]:
    ours = row.found.get("gloss")
    return ours if isinstance(ours, dict) else {}


def open_sources(root: Path) -> list[NeuronpediaSource]:
    """Every source below a folder, by name; a folder without any is refused."""
    files = files_below(root)
    groups: dict[tuple[str, ...], dict[str, Path]] = {}
    for name in files:
        *folders, last = name.split("/")
        if folders and folders[-1] in PARTS and BATCH.fullmatch(last):
            groups.setdefault(tuple(folders[:-1]), {})
    if not groups:
        raise BadInput(
            f"{root} is no export of Neuronpedia: it has no features/, activations/ or "
            "explanations/ with batch-<n>.jsonl.gz"
        )
    for name, path in files.items():
        parts = tuple(name.split("/"))
        for home in (parts[:-1], parts[:-2]):
            if home in groups:
                groups[home]["/".join(parts[len(home) :])] = path
                break
    found = [_source(root.joinpath(*home), inside) for home, inside in sorted(groups.items())]
    return sorted(found, key=lambda one: (one.model_id, source_order(one.source_id)))


def read(root: Path) -> NeuronpediaSource:
    """The one source of a folder; several are refused with their names."""
    found = open_sources(root)
    if len(found) > 1:
        names = ", ".join(f"{one.model_id}/{one.source_id}" for one in found[:4])
        raise BadInput(f"{root} holds {len(found)} sources ({names}): give the folder of one")
    return found[0]


def validate(source: NeuronpediaSource) -> Report:
    """Look at every row of a source: what cannot be right raises, what is doubtful is reported."""
    report = Report()
    known = {row.feature for row in source.features(report)}
    used: set[int] = {row.feature for row in source.activations(report)}
    ids: set[str | None] = set()
    for row in source.explanations(report):
        used.add(row.feature)
        ids.add(row.explanation_id)
    note_missing(known, used, report)
    report.add("score_unmatched", sum(row.explanation_id not in ids
                                      for row in source.scores(report)))  # fmt: skip
    return report


def note_missing(known: set[int], used: Iterable[int], report: Report) -> None:
    """Count features that contexts and explanations are about but that have no row."""
    missing = sorted(set(used) - known)
    if known and missing:
        report.add("feature_missing", len(missing), f"feature {missing[0]}")


def _source(folder: Path, files: Mapping[str, Path]) -> NeuronpediaSource:
    """Sort the files of a source, and find out what it is called."""
    batches: dict[str, list[tuple[int, Path]]] = {}
    read_: list[tuple[str, Path]] = []
    unread: list[str] = []
    for name, path in files.items():
        part, _, last = name.rpartition("/")
        found = BATCH.fullmatch(last)
        if part in PARTS and found:
            batches.setdefault(part, []).append((int(found[1]), path))
        elif name not in {f"{kind}.jsonl" for kind in METADATA}:
            unread.append(name)
            continue
        read_.append((name, path))
    metadata = {kind: _first(files.get(f"{kind}.jsonl")) for kind in METADATA}
    ordered = {part: tuple(path for _, path in sorted(found)) for part, found in batches.items()}
    model_id, source_id = _named(folder, metadata, ordered)
    return NeuronpediaSource(
        folder, model_id, source_id, metadata, ordered, tuple(unread), content_sha256(read_)
    )


def _first(path: Path | None) -> Mapping[str, Any]:
    """The one object of a file of metadata; {} without."""
    return next((found for _, found in objects(path)), {}) if path is not None else {}


def _named(
    folder: Path, metadata: Mapping[str, Mapping[str, Any]], batches: Mapping[str, tuple[Path, ...]]
) -> tuple[str, str]:
    """modelId and sourceId: as the source says, else as its first row does."""
    found = metadata["source"]
    model_id, source_id = found.get("modelId"), found.get("id")
    if not found:
        first = next((_first(path) for part in PARTS for path in batches.get(part, ())), {})
        model_id, source_id = first.get("modelId"), first.get("layer")
    if type(source_id) is int:
        source_id = str(source_id)  # neurons of a layer
    named = [one for one in (model_id, source_id) if isinstance(one, str)]
    if len(named) == 2 and MODEL.fullmatch(named[0]) and SOURCE.fullmatch(named[1]):
        return named[0], named[1]
    raise BadInput(
        f"{shown(folder)} does not say what it is about: neither source.jsonl nor its first row "
        "has a modelId and a sourceId such as 6-res-jb"
    )
