"""The stage that imports a delphi run: a folder in, a cache with explanations and scores out.

Everything is read and checked before the store is touched; what fails afterwards is taken back. A
run is known by what its files hold: importing it again, from wherever, changes nothing.
"""

import os
import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from core.importing import contexts as partial
from core.importing import whole
from core.importing.contexts import Placed
from core.importing.deciles import scale_of
from core.importing.doubts import note_run, scaled
from core.importing.gather import Gathered, gather
from core.importing.judging import UNKNOWN_JUDGE, Judging, settings_of
from core.importing.locate import locate
from core.importing.missing import report_missing, report_skipped
from core.importing.rows import Neighbours, Writing, neighbour_rows, read_all_neighbours, write_rows
from core.importing.spelling import Spelling, find_spelling, subject_figures
from core.pipeline.caching import corpus_facts
from core.pipeline.features import tables_without_model
from core.pipeline.inputs import require_name
from core.pipeline.running import running
from data import caches, runs
from data.cachefiles import CacheFiles
from data.caches import CONTEXTS_ONLY, CorpusFacts, HookpointTables, SaeFacts, SubjectFacts
from data.catalogue import Catalogue
from data.errors import BadInput, StoreBusy
from data.imports.delphi import DelphiRun, open_run
from data.imports.report import Report, report_rows
from data.imports.undo import forget
from data.records import CacheRecord, HookpointRecord, Progress
from data.runs import Plan

ORIGIN, WHOLE = "delphi", "whole"
VERSION = 1  # of this importer
UNFIT = re.compile(r"[^A-Za-z0-9._ -]+")


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What `gloss import delphi` was asked for."""

    path: Path
    name: str | None = None  # of the cache; None = the run's folder
    subject: Path | None = None  # folder with the subject's tokenizer; None = looked for
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed


class Imported(NamedTuple):
    """What came of it."""

    cache: str  # name
    is_new: bool  # False = it had been imported before


class Read(NamedTuple):
    """A run, read and checked; the store has not been touched."""

    run: DelphiRun
    gathered: Gathered
    tables: whole.Tables | None  # None = no activations
    spelling: Spelling | None
    neighbours: Neighbours
    report: Report


Steps = Generator[Progress, None, Imported]


def import_delphi(store: Path, request: ImportRequest, catalogue: Catalogue | None = None) -> Steps:
    """Import a run, or do nothing when it was imported before.

    catalogue: the store's, where it is open already; a store that is not there is made once the
    run has been read.
    """
    if request.name is not None:
        require_name(request.name)
    yield Progress("reading the run", 0, 0, "features")
    run = open_run(request.path)
    spelling = find_spelling(run, request.subject) if run.latents else None
    if catalogue is None and Catalogue.exists(store):
        catalogue = Catalogue(store)
    name = request.name or _name_of(run)
    if catalogue is not None and (known := _known(catalogue, run, spelling, request)):
        yield Progress("importing", 0, 0, note=f"imported before, as cache '{known}'")
        return Imported(known, False)
    if catalogue is not None:
        _require_free(catalogue, name)
    read = yield from _read(run, spelling)
    catalogue = catalogue or Catalogue(store)
    yield from _write(catalogue, request, name, read)
    return Imported(name, True)


def _name_of(run: DelphiRun) -> str:
    """The run's folder as the name of a cache."""
    name = UNFIT.sub("-", run.root.resolve().name).strip(". -")[:100]
    return name or "delphi"


IMPORTED = """
select name, json_extract_string(settings, '$.tokenizer') as tokenizer
from cache
where status = 'done' and json_extract_string(settings, '$.content') = ?
order by cache_id
"""


def _known(
    catalogue: Catalogue, run: DelphiRun, spelling: Spelling | None, request: ImportRequest
) -> str | None:
    """The cache that holds this run; with another tokenizer than a named one it is another."""
    with catalogue.reading() as con:
        found = con.rows(IMPORTED, [run.sha256])
    asked = request.subject is not None
    same = [row["name"] for row in found if not asked or row["tokenizer"] == _tokenizer(spelling)]
    return same[0] if same else None


def _tokenizer(spelling: Spelling | None) -> str:
    return spelling.vocabulary.sha256 if spelling else ""


def _require_free(catalogue: Catalogue, name: str) -> None:
    """Refuse a name that is taken; what a killed import of it left behind is taken back."""
    runs.mark_interrupted(catalogue)
    record = next((r for r in caches.caches(catalogue) if r.name == name), None)
    if record is None:
        return
    if record.status == "done" or record.origin != ORIGIN:
        raise BadInput(f"cache '{name}' holds something else: give the import another --name")
    with catalogue.reading() as con:
        pid = con.value(
            "select max(pid) from run where cache_id = ? and status = 'running'", [record.cache_id]
        )
    if pid is not None:
        who = "this process" if pid == os.getpid() else f"process {pid}"
        raise StoreBusy(f"{who} is importing cache '{name}': wait for it, or give another --name")
    forget(catalogue, record.cache_id)


def _read(run: DelphiRun, spelling: Spelling | None) -> Generator[Progress, None, Read]:
    """Read everything, so that what is damaged is refused before anything is written."""
    report = Report()
    total = sum(len(run.features(hookpoint)) for hookpoint in run.hookpoints)
    gathered = None
    for found in gather(run, report):
        if isinstance(found, Gathered):
            gathered = found
        elif found % 64 == 0 or found == total:
            yield Progress("reading the run", found, total)
    assert gathered is not None  # the last thing that gather gives
    tables = None
    if run.latents:
        yield Progress("checking activations", 0, 0, "shards")
        tables = whole.check_tables(run, report)
    neighbours = read_all_neighbours(run)
    gathered = scaled(gathered, report)
    note_run(run, gathered, tables, spelling, report)
    if not run.hookpoints:
        raise BadInput(f"{run.root} holds nothing about any feature")
    return Read(run, gathered, tables, spelling, neighbours, report)


def _write(
    catalogue: Catalogue, request: ImportRequest, name: str, read: Read
) -> Iterator[Progress]:
    record = _begin(catalogue, request, name, read)
    settings = {
        "origin": ORIGIN,
        "path": str(request.path),
        "name": read.run.name,
        "era": read.gathered.era,
        "content": read.run.sha256,
        "importer": VERSION,
        **{key: value for key, value in settings_of(read.run).items() if value is not None},
    }
    total = sum(len(read.run.features(h.name)) for h in record.hookpoints)
    plan = Plan("import", record.cache_id, None, None, settings, request.command)
    try:
        with running(catalogue, plan, total) as run_id:
            yield from _fill(catalogue, record, read, run_id, total)
    except BaseException:
        forget(catalogue, record.cache_id)  # damaged, cancelled or interrupted: nothing is kept
        raise


def _begin(catalogue: Catalogue, request: ImportRequest, name: str, read: Read) -> CacheRecord:
    """Register the cache; all that is known of its subject and SAEs is what the run says."""
    run = read.run
    folder = Path(read.spelling.source) if read.spelling else request.subject
    figures = subject_figures(folder)
    subject = SubjectFacts(
        name=run.text("model") or "unknown subject",
        revision=None,
        architecture=figures.architecture,
        dtype=None,
        n_layers=figures.n_layers,
        d_model=figures.d_model,
        vocabulary_size=figures.vocabulary_size,
    )
    settings = {
        "origin": ORIGIN,
        "activations": WHOLE if read.tables else CONTEXTS_ONLY,
        "content": run.sha256,
        "tokenizer": _tokenizer(read.spelling),
        "corpus": _corpus_name(run),
        "importer": VERSION,
    }
    saes = [_sae(read, hookpoint) for hookpoint in run.hookpoints]
    return caches.begin_cache(catalogue, name, subject, saes, settings, seed=0)


def _sae(read: Read, hookpoint: str) -> SaeFacts:
    run = read.run
    latents = read.tables.latents.get(hookpoint) if read.tables else None
    mentioned = partial.n_features(run, hookpoint)
    return SaeFacts(
        hookpoint=hookpoint,
        source=run.text("sparse_model") or "unknown",
        kind="imported",
        weights_sha256="",
        n_features=max(latents.n_features, mentioned) if latents else mentioned,
        settings={"origin": ORIGIN, "random": bool(run.config.get("random"))},
    )


def _corpus_name(run: DelphiRun) -> str:
    found = run.section("cache_cfg").get("dataset_repo")
    return found if isinstance(found, str) and found else f"contexts of {run.name}"


def _fill(
    catalogue: Catalogue, record: CacheRecord, read: Read, run_id: int, total: int
) -> Iterator[Progress]:
    """Write the files, then the rows; the cache is finished in the last transaction."""
    folder = catalogue.store / record.folder
    if read.tables is None:
        files = partial.write_contexts(folder, record, read.run, read.gathered)
        placed = partial.placed(read.gathered)
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
    judge = read.run.text("explainer_model") or UNKNOWN_JUDGE
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
    write_annex(folder, read.gathered.contexts, placed, matrix.size)
    for hookpoint in record.hookpoints:
        if hookpoint.name in read.tables.latents:
            report_skipped(read.run, hookpoint.name, files.columns(hookpoint.hookpoint_id),
                           matrix.shape[1], read.report)  # fmt: skip
    return placed


def _batch(run: DelphiRun) -> int | None:
    found = run.config.get("num_examples_per_scorer_prompt")
    return found if type(found) is int and found > 0 else None


def _flags(report: Report) -> tuple[str, ...]:
    return tuple(code for code in ("train_test_overlap",) if code in report.codes())


def _tables(
    files: CacheFiles, hookpoint: HookpointRecord, read: Read, placed: Placed
) -> HookpointTables:
    near = neighbour_rows(read.neighbours, hookpoint)
    if read.tables is not None:
        return tables_without_model(files, hookpoint, near)
    largest: Mapping[int, float] = {
        feature: float(placed.peak[low:high].max())
        for feature, low, high in read.gathered.owned(hookpoint.name)
        if high > low
    }
    features = read.run.features(hookpoint.name)
    return partial.feature_tables(files, hookpoint, features, near, largest)


def _corpus(files: CacheFiles, record: CacheRecord, read: Read) -> CorpusFacts:
    asked = dict[str, Any](read.run.section("cache_cfg"))
    settings = {key: value for key, value in asked.items() if type(value) in (str, int)}
    return corpus_facts(files.meta, record.corpus, settings, is_known=read.tables is not None)
