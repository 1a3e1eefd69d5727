"""The stage that caches: a subject, SAEs and a corpus in, the files and rows of a cache out.

Files are the truth until they are final; then everything known of the features goes into the
catalogue in one transaction. Each step can be killed and run again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from core.pipeline.running import running
from data import caches, corpus, runs
from data.cachefiles import CacheFiles
from data.caches import CorpusFacts, SaeFacts, SubjectFacts
from data.catalogue import Catalogue
from data.errors import BadInput
from data.records import CacheRecord, Progress
from data.runs import Plan

if TYPE_CHECKING:  # torch is loaded when a cache is made, not when its settings are written down
    from core.cache import CacheSettings
    from core.sae import Sae
    from core.subject import Subject

NOTED = 65_536  # tokens between two notes of progress in the catalogue


@dataclass(frozen=True, slots=True)
class CacheRequest:
    """What `gloss cache` was asked for."""

    subject: str  # folder or hub id
    saes: tuple[str, ...]  # folders or repositories
    corpus: str
    name: str
    n_tokens: int
    hookpoints: tuple[str, ...] = ()  # () = all that the SAEs are for
    sequence_length: int | None = None
    batch_size: int = 16
    dtype: str = "auto"
    device: str = "auto"
    revision: str | None = field(default=None)
    seed: int = 0


def cache_stage(catalogue: Catalogue, request: CacheRequest) -> Iterator[Progress]:
    """Make a cache, go on with one that was begun, or do nothing when it is done."""
    if "/" in request.name or request.name in ("", ".", ".."):
        raise BadInput(f"--name {request.name!r} cannot name a folder; use a plain word")
    corpus.documents(request.corpus)  # refuses a wrong corpus before any model loads
    yield Progress("loading the subject", 0, 1, "models")
    subject, saes = _loaded(request)
    yield Progress("loading the subject", 1, 1, "models")
    record = _begun(catalogue, request, subject, saes)
    if record.status == "done":
        yield Progress("caching", record.n_tokens, record.n_tokens, "tokens", note="done before")
        return
    plan = Plan("cache", record.cache_id, None, None, asdict(request))
    with running(catalogue, plan, request.n_tokens) as run_id:
        yield from _files(catalogue, request, run_id, record, subject, saes)
        yield from _finish(catalogue, request, record, subject, saes)


def _loaded(request: CacheRequest) -> tuple["Subject", Mapping[str, "Sae"]]:
    """The subject, and its SAEs by the full name of their hookpoint."""
    from core.sae import list_hookpoints, load_sae, require_fit
    from core.subject import Subject

    subject = Subject.load(request.subject, dtype=request.dtype, device=request.device,
                           revision=request.revision)  # fmt: skip
    saes: dict[str, Sae] = {}
    for source in request.saes:
        for name in request.hookpoints or list_hookpoints(source):
            sae = load_sae(source, name)
            side = ":in" if (sae.origin.hookpoint or "").endswith(":in") else ""
            hookpoint = subject.resolve(name.removesuffix(":in") + side)
            if hookpoint in saes:
                raise BadInput(f"two SAEs are given for {hookpoint}; a cache takes one a hookpoint")
            require_fit(subject, hookpoint, sae)
            saes[hookpoint] = sae
    return subject, saes


def _settings(request: CacheRequest) -> "CacheSettings":
    from core.cache import CacheSettings

    return CacheSettings(
        corpus=request.corpus,
        tokens=request.n_tokens,
        sequence_length=request.sequence_length,
        batch_size=request.batch_size,
        seed=request.seed,
    )


def _begun(
    catalogue: Catalogue, request: CacheRequest, subject: "Subject", saes: Mapping[str, "Sae"]
) -> CacheRecord:
    from core.cache import plan

    numbered = dict(enumerate(saes.items()))
    plan(subject, numbered, _settings(request))  # refuses what cannot work before a row is written
    facts = SubjectFacts(
        name=request.subject,
        revision=request.revision,
        architecture=subject.architecture,
        dtype=subject.dtype,
        n_layers=subject.n_layers,
        d_model=subject.d_model,
        vocabulary_size=subject.vocabulary_size,
    )
    parts = [
        SaeFacts(
            hookpoint=hookpoint,
            source=sae.origin.source,
            kind=sae.kind,
            weights_sha256=sae.sha256,
            n_features=sae.n_features,
            settings={**sae.origin.settings, "notes": list(sae.origin.notes)},
        )
        for hookpoint, sae in saes.items()
    ]
    return caches.begin_cache(
        catalogue, request.name, facts, parts, asdict(_settings(request)), seed=request.seed
    )


def _files(
    catalogue: Catalogue,
    request: CacheRequest,
    run_id: int,
    record: CacheRecord,
    subject: "Subject",
    saes: Mapping[str, "Sae"],
) -> Iterator[Progress]:
    from core.cache import build

    folder = catalogue.store / record.folder
    numbered = {h.hookpoint_id: (h.name, saes[h.name]) for h in record.hookpoints}
    texts = corpus.documents(request.corpus)
    noted = 0
    for progress in build(folder, subject, numbered, texts, _settings(request)):
        due = progress.done - noted >= NOTED or progress.done == progress.total
        if progress.stage == "caching" and due:
            noted = progress.done
            runs.set_done(catalogue, run_id, noted, progress.total)
        yield progress


def _finish(
    catalogue: Catalogue,
    request: CacheRequest,
    record: CacheRecord,
    subject: "Subject",
    saes: Mapping[str, "Sae"],
) -> Iterator[Progress]:
    """Measure every feature and enter the cache into the catalogue."""
    from core.pipeline.features import hookpoint_tables

    files = CacheFiles.open(catalogue.store / record.folder)
    tables = {}
    total = sum(h.n_features for h in record.hookpoints)
    done = 0
    for hookpoint in record.hookpoints:
        yield Progress("measuring features", done, total)
        tables[hookpoint.hookpoint_id] = hookpoint_tables(
            files, hookpoint, subject, saes[hookpoint.name]
        )
        done += hookpoint.n_features
    caches.finish_cache(catalogue, record.cache_id, _corpus_facts(files, request), tables)
    yield Progress("measuring features", total, total)


def _corpus_facts(files: CacheFiles, request: CacheRequest) -> CorpusFacts:
    meta = files.meta
    return CorpusFacts(
        spec=request.corpus,
        tokens_sha256=meta.tokens_sha256,
        tokenizer_sha256=meta.tokenizer_sha256,
        token_dtype=meta.token_dtype,
        sequence_length=meta.sequence_length,
        n_sequences=meta.n_sequences,
        n_documents=meta.n_documents,
        n_unmasked=meta.n_unmasked,
        settings={
            "bos_id": meta.bos_id,
            "separator_id": meta.eos_id,
            "requested_tokens": meta.requested_tokens,
            "exhausted": meta.exhausted,
        },
    )
