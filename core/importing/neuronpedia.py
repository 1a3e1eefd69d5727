"""Exports of Neuronpedia and batches of SAEDashboard as a source: read, then files and rows.

Such an export holds contexts and not the activations of a corpus, so it becomes a cache of contexts
only: it is browsed, compared, and explained and judged on those contexts. A hookpoint is called as
the sourceId is, so that an address of Neuronpedia ends in ours.
"""

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.importing import contexts as partial
from core.importing.collecting import Collected, Collector, Hookpoint
from core.importing.exported import Writing, feature_tables, write_rows
from core.importing.stage import ImportRequest, Steps, import_source
from core.pipeline.caching import corpus_facts
from data import caches, runs
from data.cachefacts import SaeFacts, SubjectFacts
from data.caches import CONTEXTS_ONLY
from data.catalogue import Catalogue
from data.errors import BadInput
from data.imports.foreign import clean, shown
from data.imports.neuronpedia import NeuronpediaSource, note_missing, open_sources
from data.imports.report import Report, report_rows
from data.imports.saedashboard import DashboardSource, open_dashboards
from data.records import CacheRecord, Progress

NEURONPEDIA, SAEDASHBOARD = "neuronpedia", "saedashboard"
EVERY = 2000  # rows between signs of life
Foreign = NeuronpediaSource | DashboardSource


def import_neuronpedia(
    store: Path, request: ImportRequest, catalogue: Catalogue | None = None
) -> Steps:
    """Import an export of Neuronpedia, or do nothing when it was imported before."""
    return import_source(store, request, open_export, catalogue)


def import_saedashboard(
    store: Path, request: ImportRequest, catalogue: Catalogue | None = None
) -> Steps:
    """Import batches of SAEDashboard, or do nothing when they were imported before."""
    return import_source(store, request, open_batches, catalogue)


def open_export(request: ImportRequest) -> "ExportSource":
    """Look at the files of an export."""
    return _opened(NEURONPEDIA, open_sources(request.path), request)


def open_batches(request: ImportRequest) -> "ExportSource":
    """Look at the batches of SAEDashboard."""
    return _opened(SAEDASHBOARD, open_dashboards(request.path), request)


def _opened(origin: str, sources: Sequence[Foreign], request: ImportRequest) -> "ExportSource":
    models = sorted({source.model_id for source in sources})
    if len(models) > 1:
        raise BadInput(f"{shown(request.path)} is about several models ({', '.join(models[:4])}): "
                       "give the folder of one")  # fmt: skip
    names = [source.source_id for source in sources]
    if len(set(names)) < len(names):
        raise BadInput(f"{shown(request.path)} holds a source in two folders: give one of them")
    return ExportSource(origin, tuple(sources), request)


@dataclass(frozen=True, slots=True)
class ExportSource:
    """The sources of one model, opened and unread; satisfies `stage.Source`."""

    origin: str
    sources: tuple[Foreign, ...]
    request: ImportRequest
    tokenizer: str = ""  # texts need none

    @property
    def title(self) -> str:
        """Model and source as Neuronpedia has them."""
        first = self.sources[0]
        more = f" and {len(self.sources) - 1} more" if len(self.sources) > 1 else ""
        return f"{first.model_id}/{first.source_id}{more}"

    @property
    def sha256(self) -> str:
        """Of all sources."""
        return hashlib.sha256("".join(one.sha256 for one in self.sources).encode()).hexdigest()

    def read(self) -> Generator[Progress, None, "Read"]:
        """Read every row."""
        report = Report()
        collector = Collector(report)
        for source in self.sources:
            collector.begin(source.source_id)
            for n, row in enumerate(source.rows(report), start=1):
                collector.add(row)
                if n % EVERY == 0:
                    yield Progress(f"reading {source.source_id}", n, 0, "rows")
        collected = collector.finished()
        partial.require_room(collected.contexts, self.request.path)
        _note(self, collected, report)
        return Read(self, collected, report)


def _note(source: ExportSource, collected: Collected, report: Report) -> None:
    """Report what is true of the export as a whole."""
    for hookpoint in collected.hookpoints:
        features = collected.features(hookpoint)
        if not features:
            raise BadInput(f"{shown(source.request.path)} holds no row about {hookpoint.name}")
        note_missing(set(hookpoint.density), features, report)
        ids = {one.explanation_id for one in hookpoint.explanations}
        unmatched = [row for row, _ in hookpoint.scores if row.explanation_id not in ids]
        report.add("score_unmatched", len(unmatched), hookpoint.name)
        foreign = [row for row, asked in hookpoint.scores if asked is not None and not row.gloss]
        report.add("failures_unknown", len(foreign), hookpoint.name)
    report.add("values_rounded", int((collected.contexts.peak > 0).sum()), source.title)
    unread = [name for one in source.sources for name in one.unread]
    report.add("not_read", len(unread), shown((*unread, "")[0]))


@dataclass(frozen=True, slots=True)
class Read:
    """An export, read and checked; satisfies `stage.Brought`."""

    source: ExportSource
    collected: Collected
    report: Report

    @property
    def subject(self) -> SubjectFacts:
        """The model by its name there; its sizes are as the export says."""
        found = self.source.sources[0].metadata.get("model", {})
        layers = found.get("layers")
        return SubjectFacts(
            name=self.source.sources[0].model_id,
            revision=None,
            architecture=None,
            dtype=None,
            n_layers=layers if type(layers) is int and 0 < layers < 10_000 else None,
            d_model=None,
            vocabulary_size=None,
        )

    @property
    def saes(self) -> list[SaeFacts]:
        """One a source."""
        pairs = zip(self.source.sources, self.collected.hookpoints, strict=True)
        return [self._sae(source, hookpoint) for source, hookpoint in pairs]

    def _sae(self, source: Foreign, hookpoint: Hookpoint) -> SaeFacts:
        said = source.metadata.get("source", {})
        return SaeFacts(
            hookpoint=hookpoint.name,
            source=self.source.request.sae or _sae_name(said) or "unknown",
            kind="imported",
            weights_sha256="",
            n_features=max(self.collected.features(hookpoint)) + 1,
            settings={
                "origin": self.source.origin,
                "hook": min(hookpoint.hooks) if len(hookpoint.hooks) == 1 else _hook(said),
            },
        )

    @property
    def cache(self) -> dict[str, Any]:
        """Contexts only, and what corpus they are of."""
        return {"activations": CONTEXTS_ONLY, "corpus": self._corpus}

    @property
    def _corpus(self) -> str:
        """The data set that a source names."""
        said = self.source.sources[0].metadata.get("source", {}).get("dataset")
        return clean(said) if isinstance(said, str) and said else f"contexts of {self.source.title}"

    @property
    def settings(self) -> dict[str, Any]:
        """Which sources."""
        return {"sources": [one.source_id for one in self.source.sources],
                "model": self.source.sources[0].model_id}  # fmt: skip

    @property
    def total(self) -> int:
        """Features with anything."""
        return sum(len(self.collected.features(one)) for one in self.collected.hookpoints)

    def fill(self, catalogue: Catalogue, record: CacheRecord, run_id: int) -> Iterator[Progress]:
        """Write the files, then the rows; the cache is finished in the last transaction."""
        collected, total = self.collected, self.total
        yield Progress("writing contexts", 0, total)
        folder = catalogue.store / record.folder
        files = partial.write_contexts(folder, record, collected.contexts, collected.owned)
        placed = partial.placed(collected.contexts)
        writing = Writing(catalogue, self.source.origin, self.source.title, self.source.sha256,
                          collected, placed, run_id, self.report)  # fmt: skip
        done, tables = 0, {}
        for hookpoint, here in zip(record.hookpoints, collected.hookpoints, strict=True):
            write_rows(writing, hookpoint, here)
            done += len(collected.features(here))
            runs.set_done(catalogue, run_id, done, total)
            yield Progress("writing explanations and verdicts", done, total)
            tables[hookpoint.hookpoint_id] = feature_tables(writing, files, hookpoint, here)
        with catalogue.writing() as con:
            con.append("import_report", report_rows(record.cache_id, run_id, self.report))
        corpus = corpus_facts(files.meta, record.corpus, {}, is_known=False)
        caches.finish_cache(catalogue, record.cache_id, corpus, tables)
        yield Progress("importing", total, total)


def _sae_name(said: Mapping[str, Any]) -> str | None:
    """Where the SAE is, by the names that a source gives for it."""
    for pair in (("saelensRelease", "saelensSaeId"), ("hfRepoId", "hfFolderId")):
        found = [said.get(name) for name in pair]
        if isinstance(found[0], str) and found[0]:
            return clean("/".join(part for part in found if isinstance(part, str) and part))
    return None


def _hook(said: Mapping[str, Any]) -> str | None:
    """Where it reads, by the configuration of SAELens that a source may carry."""
    config = said.get("saelensConfig")
    found = config.get("hook_name") if isinstance(config, dict) else None
    return clean(found) if isinstance(found, str) else None
