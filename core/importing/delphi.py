"""Runs of delphi as a source: read and checked, then their files and rows.

The run may have activations or only contexts, of whatever era; published explanations, the blog's
tables and stores of autointerp are runs that lack most of their parts.
"""

import hashlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.importing import contexts as partial
from core.importing import whole
from core.importing.contexts import Placed
from core.importing.deciles import scale_of
from core.importing.doubts import note_run, scaled
from core.importing.gather import Gathered, gather
from core.importing.judging import UNKNOWN_JUDGE, Judging, settings_of
from core.importing.locate import locate, require_found
from core.importing.missing import report_missing, report_skipped
from core.importing.places import in_subject
from core.importing.rows import Neighbours, Writing, neighbour_rows, read_all_neighbours, write_rows
from core.importing.spelling import Spelling, find_spelling, subject_figures
from core.importing.stage import ImportRequest, Steps, import_source
from core.pipeline.caching import corpus_facts
from core.pipeline.features import tables_without_model
from data import caches, runs
from data.cachefacts import CorpusFacts, HookpointTables, SaeFacts, SubjectFacts
from data.cachefiles import CacheFiles
from data.caches import CONTEXTS_ONLY
from data.catalogue import Catalogue
from data.errors import BadInput
from data.imports.delphi import open_run
from data.imports.delphi_run import DelphiRun
from data.imports.foreign import clean, file_sha256, plain
from data.imports.report import Report, report_rows
from data.records import CacheRecord, HookpointRecord, Progress

ORIGIN, HUB, WHOLE = "delphi", "hub", "whole"


def import_delphi(store: Path, request: ImportRequest, catalogue: Catalogue | None = None) -> Steps:
    """Import a run, or do nothing when it was imported before; see stage.import_source."""
    return import_source(store, request, open_source, catalogue)


def open_source(request: ImportRequest) -> "DelphiSource":
    """Look at the files of a run and for its subject's tokenizer."""
    run = open_run(request.path)
    spelling = find_spelling(run, request.subject) if run.has_activations else None
    run, unknown = in_subject(run, request.subject)
    return DelphiSource(run, spelling, request, unknown)


@dataclass(frozen=True, slots=True)
class DelphiSource:
    """A run, opened and unread; satisfies `stage.Source`."""

    run: DelphiRun
    spelling: Spelling | None
    request: ImportRequest
    unplaced: tuple[str, ...]  # hookpoints that the subject has no module for

    @property
    def origin(self) -> str:
        """Published explanations have another origin than runs."""
        return HUB if self.run.texts and not self.run.config else ORIGIN

    @property
    def title(self) -> str:
        """What the run calls itself."""
        return self.run.name

    @property
    def sha256(self) -> str:
        """Of the run, with the tokens that the user gave for it."""
        tokens = self.request.tokens
        if tokens is None or not self.run.has_activations or not tokens.is_file():
            return self.run.sha256
        return hashlib.sha256(f"{self.run.sha256} {file_sha256(tokens)}".encode()).hexdigest()

    @property
    def tokenizer(self) -> str:
        """Of the subject's tokenizer, where it was found."""
        return self.spelling.vocabulary.sha256 if self.spelling else ""

    def read(self) -> Generator[Progress, None, "Read"]:
        """Read every file."""
        run, report = self.run, Report()
        report.add("hookpoint_unknown", len(self.unplaced), (*self.unplaced, "")[0])
        total = sum(len(run.features(hookpoint)) for hookpoint in run.hookpoints)
        gathered = None
        for found in gather(run, report):
            if isinstance(found, Gathered):
                gathered = found
            elif found % 64 == 0 or found == total:
                yield Progress("reading the run", found, total)
        assert gathered is not None  # the last thing that gather gives
        tables = None
        if run.has_activations:
            yield Progress("checking activations", 0, 0, "shards")
            tables = whole.check_tables(run, self.request.tokens, self.spelling, report)
        if tables is None:
            partial.require_room(gathered.contexts, run.root)
        neighbours = read_all_neighbours(run, report)
        gathered = scaled(gathered, report)
        note_run(run, gathered, tables, self.spelling, report)
        if not run.hookpoints:
            raise BadInput(f"{run.root} holds nothing about any feature")
        return Read(run, gathered, tables, self.spelling, neighbours, report, self.request)


@dataclass(frozen=True, slots=True)
class Read:
    """A run, read and checked; satisfies `stage.Brought`."""

    run: DelphiRun
    gathered: Gathered
    tables: whole.Tables | None  # None = no activations
    spelling: Spelling | None
    neighbours: Neighbours
    report: Report
    request: ImportRequest

    @property
    def subject(self) -> SubjectFacts:
        """All that is known of it is what the run says, and its folder where it is here."""
        folder = Path(self.spelling.source) if self.spelling else self.request.subject
        figures = subject_figures(folder)
        said = self.run.subject or (self.tables and self.tables.model)
        return SubjectFacts(
            name=said or "unknown subject",
            revision=None,
            architecture=figures.architecture,
            dtype=None,
            n_layers=figures.n_layers,
            d_model=figures.d_model,
            vocabulary_size=figures.vocabulary_size,
        )

    @property
    def saes(self) -> list[SaeFacts]:
        """One a hookpoint."""
        return [_sae(self, hookpoint) for hookpoint in self.run.hookpoints]

    @property
    def cache(self) -> dict[str, Any]:
        """Whether the activations are there, and what the tokens are of."""
        kept = WHOLE if self.tables else CONTEXTS_ONLY
        return {"activations": kept, "corpus": _corpus_name(self.run)}

    @property
    def settings(self) -> dict[str, Any]:
        """The protocol of the run, as far as it says."""
        known = {key: value for key, value in settings_of(self.run).items() if value is not None}
        told = plain({k: v for k, v in self.run.config.items() if k != "hf_token"})  # a secret
        at = self.spelling and Path(self.spelling.source)
        here = {"subject_folder": str(at.resolve())} if at and at.is_dir() else {}
        return {"era": self.gathered.era, **here} | known | ({"run_config": told} if told else {})

    @property
    def total(self) -> int:
        """Features with anything."""
        return sum(len(self.run.features(hookpoint)) for hookpoint in self.run.hookpoints)

    def fill(self, catalogue: Catalogue, record: CacheRecord, run_id: int) -> Iterator[Progress]:
        """Write the files, then the rows; the cache is finished in the last transaction."""
        yield from _fill(catalogue, record, self, run_id)


def _sae(read: Read, hookpoint: str) -> SaeFacts:
    run = read.run
    latents = read.tables.latents.get(hookpoint) if read.tables else None
    mentioned = partial.n_features(run, hookpoint)
    return SaeFacts(
        hookpoint=hookpoint,
        source=read.request.sae or run.text("sparse_model") or "unknown",
        kind="imported",
        weights_sha256="",
        n_features=max(latents.n_features, mentioned) if latents else mentioned,
        settings={"origin": ORIGIN, "random": bool(run.config.get("random"))},
    )


def _corpus_name(run: DelphiRun) -> str:
    found = run.cached.get("dataset_repo")
    return clean(found) if isinstance(found, str) and found else f"contexts of {run.name}"


def _fill(catalogue: Catalogue, record: CacheRecord, read: Read, run_id: int) -> Iterator[Progress]:
    folder, total = catalogue.store / record.folder, read.total
    if read.tables is None:
        files = partial.write_contexts(folder, record, read.gathered.contexts, read.gathered.owned)
        placed = partial.placed(read.gathered.contexts)
        report_missing(read.run, read.gathered, read.report)
    else:
        yield from whole.write_tables(folder, record, read.tables, read.gathered, read.spelling,
                                      read.report)  # fmt: skip
        files = CacheFiles.open(folder)
        yield Progress("finding contexts", 0, 0, "contexts")
        placed = _located(files, record, read, folder)
    scale = scale_of(read.gathered.questions, settings_of(read.run)["n_quantiles"],
                     read.gathered.era, read.report)  # fmt: skip
    # Upstream judges with the model that explains.
    judge = read.run.explainer or UNKNOWN_JUDGE
    judging = Judging(read.gathered.contexts, placed, scale, judge, _batch(read.run),
                      _flags(read.report))  # fmt: skip
    writing = Writing(catalogue, read.run, read.gathered, judging, run_id)
    done = 0
    for hookpoint in record.hookpoints:
        for n in write_rows(writing, hookpoint):
            done += n
            runs.set_done(catalogue, run_id, done, total)
            yield Progress("writing explanations and verdicts", done, total)
    yield Progress("measuring features", 0, total)
    tables = {h.hookpoint_id: _tables(files, h, read, placed) for h in record.hookpoints}
    with catalogue.writing() as con:
        con.append("import_report", report_rows(record.cache_id, run_id, read.report))
    caches.finish_cache(catalogue, record.cache_id, _corpus(files, record, read), tables)
    yield Progress("importing", total, total)


def _located(files: CacheFiles, record: CacheRecord, read: Read, folder: Path) -> Placed:
    from core.importing.annex import write_annex

    assert read.tables is not None  # or there is nothing to look in
    matrix = read.tables.matrix
    placed = locate(read.gathered, matrix, files.vocabulary,
                    whole.activations_of(files, record), read.report)  # fmt: skip
    if read.tables.is_given and read.spelling is not None:
        require_found(read.gathered, placed, matrix.size)
    write_annex(folder, read.gathered.contexts, placed, matrix.size)
    for hookpoint in record.hookpoints:
        unknown = whole.unknown_features(read.tables.latents.get(hookpoint.name),
                                         hookpoint.n_features)  # fmt: skip
        _report_beyond(read, hookpoint, unknown)
        report_skipped(read.run, hookpoint.name, files.columns(hookpoint.hookpoint_id),
                       matrix.shape[1], unknown, read.report)  # fmt: skip
    return placed


def _report_beyond(read: Read, hookpoint: HookpointRecord, unknown: np.ndarray) -> None:
    """Count explanations and scores of features that no file of activations is about."""
    told = [feature for feature in read.run.features(hookpoint.name) if unknown[feature]]
    read.report.add("not_covered", len(told), f"{hookpoint.name}/{(*told, 0)[0]}")


def _batch(run: DelphiRun) -> int | None:
    found = run.config.get("num_examples_per_scorer_prompt")
    return found if type(found) is int and found > 0 else None


def _flags(report: Report) -> tuple[str, ...]:
    return tuple(code for code in ("train_test_overlap",) if code in report.codes())


def _tables(
    files: CacheFiles, hookpoint: HookpointRecord, read: Read, placed: Placed
) -> HookpointTables:
    near = neighbour_rows(read.neighbours, hookpoint, read.report)
    if read.tables is not None:
        latents = read.tables.latents.get(hookpoint.name)
        unknown = whole.unknown_features(latents, hookpoint.n_features)
        return whole.without(unknown, tables_without_model(files, hookpoint, near))
    largest: Mapping[int, float] = {
        feature: float(placed.peak[low:high].max())
        for feature, low, high in read.gathered.owned(hookpoint.name)
        if high > low
    }
    features = read.run.features(hookpoint.name)
    return partial.feature_tables(files, hookpoint, features, near, largest)


def _corpus(files: CacheFiles, record: CacheRecord, read: Read) -> CorpusFacts:
    asked = dict[str, Any](read.run.cached)
    settings = {key: clean(value) if isinstance(value, str) else value
                for key, value in asked.items() if type(value) in (str, int)}  # fmt: skip
    return corpus_facts(files.meta, record.corpus, settings, is_known=read.tables is not None)
