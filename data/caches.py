"""What the catalogue knows of caches: begun, finished, listed; features and their charts.

A cache is registered before the first forward pass (its hookpoints need numbers for their folders)
and finished in one transaction when its files are final. Beginning the same cache again with the
same settings continues it; with other settings it is refused.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from data.catalogue import Catalogue, Connection, Row, as_json
from data.errors import BadInput, NotFound
from data.records import CacheRecord, HookpointRecord


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """The model being explained, as it was loaded."""

    name: str  # path or hub id as typed
    revision: str | None
    architecture: str
    dtype: str
    n_layers: int
    d_model: int
    vocabulary_size: int


@dataclass(frozen=True, slots=True)
class SaeFacts:
    """One SAE at one hookpoint of the subject."""

    hookpoint: str  # module path in the subject
    source: str
    kind: str
    weights_sha256: str
    n_features: int
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CorpusFacts:
    """The tokens that were cached."""

    spec: str
    tokens_sha256: str
    tokenizer_sha256: str
    token_dtype: str  # u16 or u32
    sequence_length: int
    n_sequences: int
    n_documents: int
    n_unmasked: int  # positions that may activate
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HookpointTables:
    """What is known of all features of one hookpoint, columns as in schema.sql."""

    n_activations: int
    feature: pa.Table
    feature_chart: pa.Table
    neighbour: pa.Table


def digest(*parts: Any) -> str:
    """A stable hash of JSON-ready parts: the natural key of a row."""
    return hashlib.sha256(as_json(parts).encode()).hexdigest()


def begin_cache(
    catalogue: Catalogue,
    name: str,
    subject: SubjectFacts,
    saes: Sequence[SaeFacts],
    settings: Mapping[str, Any],
    *,
    seed: int,
) -> CacheRecord:
    """Register a cache and number its hookpoints; the same again continues the one there is."""
    settings_hash = digest(
        settings,
        [subject.name, subject.revision, subject.dtype],
        [[sae.hookpoint, sae.weights_sha256] for sae in saes],
    )
    with catalogue.writing() as con:
        known = con.row("select cache_id, settings_hash from cache where name = ?", [name])
        if known is None:
            _insert_cache(con, name, subject, saes, settings, settings_hash, seed)
        elif known["settings_hash"] != settings_hash:
            raise BadInput(
                f"cache '{name}' exists with another subject, SAE or setting; "
                "give the new one another --name"
            )
    return cache(catalogue, name)


def _insert_cache(
    con: Connection,
    name: str,
    subject: SubjectFacts,
    saes: Sequence[SaeFacts],
    settings: Mapping[str, Any],
    settings_hash: str,
    seed: int,
) -> None:
    """One row a cache, one a hookpoint, and the subject and SAEs where they are new."""
    subject_id = _known_or_new(
        con,
        "subject",
        {
            "natural_key": digest(subject.name, subject.revision, subject.dtype),
            "name": subject.name,
            "revision": subject.revision,
            "architecture": subject.architecture,
            "dtype": subject.dtype,
            "n_layers": subject.n_layers,
            "d_model": subject.d_model,
            "vocabulary_size": subject.vocabulary_size,
        },
    )
    cache_id = con.value("select nextval('cache_ids')")
    con.run(
        "insert into cache (cache_id, name, subject_id, status, folder, seed, settings, "
        "settings_hash, created_at) values (?, ?, ?, 'running', ?, ?, ?, ?, now()::timestamp)",
        [cache_id, name, subject_id, f"caches/{name}", seed, as_json(settings), settings_hash],
    )
    for sae in saes:
        sae_id = _known_or_new(
            con,
            "sae",
            {
                "natural_key": digest(sae.source, sae.hookpoint, sae.weights_sha256),
                "source": sae.source,
                "hookpoint": sae.hookpoint,
                "kind": sae.kind,
                "weights_sha256": sae.weights_sha256,
                "n_features": sae.n_features,
                "settings": as_json(sae.settings),
            },
        )
        con.run(
            "insert into hookpoint (cache_id, name, sae_id, status, n_features) "
            "values (?, ?, ?, 'running', ?)",
            [cache_id, sae.hookpoint, sae_id, sae.n_features],
        )


def _known_or_new(con: Connection, table: str, row: Row) -> int:
    """The id of the row with this natural key, adding it when it is new."""
    key = f"{table}_id"
    found = con.value(f"select {key} from {table} where natural_key = ?", [row["natural_key"]])
    if found is not None:
        return found
    places = ", ".join("?" * len(row))
    con.run(f"insert into {table} ({', '.join(row)}) values ({places})", list(row.values()))
    return con.value(f"select {key} from {table} where natural_key = ?", [row["natural_key"]])


def finish_cache(
    catalogue: Catalogue,
    cache_id: int,
    corpus: CorpusFacts,
    tables: Mapping[int, HookpointTables],
) -> None:
    """Record that a cache's files are final, with everything known of its features.

    tables: by hookpoint_id. A cache that is already finished is left alone.
    """
    with catalogue.writing() as con:
        status = con.value("select status from cache where cache_id = ?", [cache_id])
        if status == "done":
            return
        corpus_id = _corpus_id(con, corpus)
        for hookpoint_id, found in tables.items():
            for name in ("feature", "feature_chart", "neighbour"):
                con.append(name, getattr(found, name))
            con.run(
                "update hookpoint set status = 'done', n_activations = ?, n_alive = (select "
                "count(*) from feature where hookpoint_id = ? and n_active > 0) "
                "where hookpoint_id = ?",
                [found.n_activations, hookpoint_id, hookpoint_id],
            )
        con.run(
            "update cache set status = 'done', corpus_id = ?, n_tokens = ?, n_unmasked = ? "
            "where cache_id = ?",
            [
                corpus_id,
                corpus.n_sequences * corpus.sequence_length,
                corpus.n_unmasked,
                cache_id,
            ],
        )


def _corpus_id(con: Connection, corpus: CorpusFacts) -> int:
    return _known_or_new(
        con,
        "corpus",
        {
            "natural_key": digest(
                corpus.tokens_sha256, corpus.tokenizer_sha256, corpus.sequence_length
            ),
            "spec": corpus.spec,
            "tokens_sha256": corpus.tokens_sha256,
            "tokenizer_sha256": corpus.tokenizer_sha256,
            "token_dtype": corpus.token_dtype,
            "sequence_length": corpus.sequence_length,
            "n_sequences": corpus.n_sequences,
            "n_documents": corpus.n_documents,
            "settings": as_json(corpus.settings),
        },
    )


CACHES = """
select c.cache_id, c.name, c.status, c.folder, c.n_tokens, c.n_unmasked, c.seed,
       s.name as subject, s.d_model,
       coalesce(k.spec, json_extract_string(c.settings, '$.corpus')) as corpus,
       k.sequence_length, k.n_sequences
from cache c
join subject s using (subject_id)
left join corpus k using (corpus_id)
order by c.cache_id
"""
HOOKPOINTS = """
select h.hookpoint_id, h.cache_id, h.name, h.status, h.n_features, h.n_alive, h.n_activations,
       a.source as sae_source, a.kind as sae_kind
from hookpoint h
join sae a using (sae_id)
order by h.hookpoint_id
"""


def caches(catalogue: Catalogue) -> list[CacheRecord]:
    """All caches of the store, oldest first."""
    with catalogue.reading() as con:
        hookpoints = [_hookpoint(row) for row in con.rows(HOOKPOINTS)]
        return [
            _cache(row, tuple(h for h in hookpoints if h.cache_id == row["cache_id"]))
            for row in con.rows(CACHES)
        ]


def cache(catalogue: Catalogue, name: str) -> CacheRecord:
    """One cache by name."""
    found = caches(catalogue)
    for record in found:
        if record.name == name:
            return record
    known = ", ".join(record.name for record in found) or "none yet; make one with gloss demo"
    raise NotFound(f"no cache named '{name}' in {catalogue.store}; there are: {known}")


def _hookpoint(row: Row) -> HookpointRecord:
    return HookpointRecord(
        hookpoint_id=row["hookpoint_id"],
        cache_id=row["cache_id"],
        name=row["name"],
        sae_source=row["sae_source"],
        sae_kind=row["sae_kind"],
        n_features=row["n_features"],
        n_alive=row["n_alive"] or 0,
        n_activations=row["n_activations"] or 0,
        status=row["status"],
    )


def _cache(row: Row, hookpoints: tuple[HookpointRecord, ...]) -> CacheRecord:
    return CacheRecord(
        cache_id=row["cache_id"],
        name=row["name"],
        subject=row["subject"],
        d_model=row["d_model"],
        corpus=row["corpus"] or "",
        status=row["status"],
        folder=row["folder"],
        n_tokens=row["n_tokens"] or 0,
        n_unmasked=row["n_unmasked"] or 0,
        sequence_length=row["sequence_length"] or 0,
        n_sequences=row["n_sequences"] or 0,
        seed=row["seed"],
        hookpoints=hookpoints,
    )


def hookpoint(record: CacheRecord, name: str | None) -> HookpointRecord:
    """One hookpoint of a cache; None is allowed when there is only one.

    A name may leave out leading parts of the module path: "layers.2" finds "gpt_neox.layers.2".
    """
    if name is None and len(record.hookpoints) == 1:
        return record.hookpoints[0]
    for found in record.hookpoints:
        if name and f".{found.name}".endswith(f".{name}"):
            return found
    known = ", ".join(found.name for found in record.hookpoints)
    asked = f"no hookpoint '{name}'" if name else "a hookpoint must be named"
    raise NotFound(f"{asked} in cache '{record.name}'; it has: {known}")


def feature_address(record: CacheRecord, address: str) -> tuple[HookpointRecord, int]:
    """Split HOOKPOINT/INDEX at the last slash; a bare INDEX means the first hookpoint.

    >>> feature_address(record, "gpt_neox.layers.2/17")  # -> (that hookpoint, 17)
    """
    name, _, index = address.rpartition("/")
    found = hookpoint(record, name) if name else record.hookpoints[0]
    if not index.isdecimal() or int(index) >= found.n_features:
        raise NotFound(
            f"no feature '{address}' in cache '{record.name}': {found.name} has features "
            f"0 to {found.n_features - 1:,}"
        )
    return found, int(index)
