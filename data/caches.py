"""What the catalogue knows of caches: begun, finished, listed; features and their charts.

A cache is registered before the first forward pass (its hookpoints need numbers for their folders)
and finished in one transaction when its files are final. Beginning the same cache again with the
same settings continues it; with other settings it is refused, unless nothing was stored yet.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from typing import Any

from data.cachefacts import CorpusFacts, HookpointTables, SaeFacts, SubjectFacts
from data.catalogue import Catalogue, Connection, Row, as_json
from data.errors import BadInput, NotFound, StoreBusy, StoreTrouble
from data.identity import difference, facts, nothing_stored
from data.imports.neuronpedia_names import shortened
from data.records import CacheRecord, HookpointRecord, Losses


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
    """Register a cache and number its hookpoints; the same again continues the one there is.

    settings: everything else that the cache is compared by.
    """
    asked = facts(subject, saes, settings, seed)
    with catalogue.writing() as con:
        known = con.row("select * from cache where name = ?", [name])
        if known is None:
            cache_id = con.value("select nextval('cache_ids')")
            con.run(
                "insert into cache (cache_id, name, status, folder) values (?, ?, 'running', ?)",
                [cache_id, name, f"caches/{name}"],
            )
            _describe(con, cache_id, subject, saes, asked)
        elif known["settings_hash"] != digest(asked):
            _require_empty(con, catalogue, known, asked)
            folder = catalogue.store / known["folder"]
            if folder.exists():
                shutil.rmtree(folder)
            con.run("delete from hookpoint where cache_id = ?", [known["cache_id"]])
            _describe(con, known["cache_id"], subject, saes, asked)
    return cache(catalogue, name)


def _require_empty(
    con: Connection, catalogue: Catalogue, known: Row, asked: Mapping[str, Any]
) -> None:
    """Refuse to begin a cache anew with other settings where anything could be lost."""
    name = known["name"]
    if known["status"] == "done" or not nothing_stored(catalogue.store / known["folder"]):
        differing = difference(json.loads(known["settings"]), asked)
        raise BadInput(f"cache '{name}' was begun with {differing}: give another --name")
    run = con.value(
        "select max(run_id) from run where cache_id = ? and status = 'running'",
        [known["cache_id"]],
    )
    if run is not None:
        raise StoreBusy(f"run {run} is making cache '{name}': wait for it, or give another --name")


def _describe(
    con: Connection,
    cache_id: int,
    subject: SubjectFacts,
    saes: Sequence[SaeFacts],
    asked: Mapping[str, Any],
) -> None:
    """Enter what a cache is made of: the subject and SAEs where they are new, its hookpoints."""
    con.run(
        "update cache set subject_id = ?, seed = ?, settings = ?, settings_hash = ?, "
        "created_at = now()::timestamp where cache_id = ?",
        [_subject_id(con, subject), asked["seed"], as_json(asked), digest(asked), cache_id],
    )
    for sae in saes:
        con.run(
            "insert into hookpoint (cache_id, name, sae_id, status, n_features) "
            "values (?, ?, ?, 'running', ?)",
            [cache_id, sae.hookpoint, _sae_id(con, sae), sae.n_features],
        )


def _subject_id(con: Connection, subject: SubjectFacts) -> int:
    row = asdict(subject)
    key = digest(subject.name, subject.revision, subject.dtype, row.pop("sha256"))
    return _known_or_new(con, "subject", {"natural_key": key, **row})


def _sae_id(con: Connection, sae: SaeFacts) -> int:
    read_as = sae.settings.get("read_as")
    key = digest(sae.source, sae.hookpoint, sae.weights_sha256, *([read_as] if read_as else []))
    row = asdict(sae) | {"settings": as_json(sae.settings)}
    return _known_or_new(con, "sae", {"natural_key": key, **row})


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
            con.run(FINISHED, [found.n_activations, found.fvu, found.l0, *_losses(found),
                               hookpoint_id, hookpoint_id])  # fmt: skip
        con.run(
            "update cache set status = 'done', corpus_id = ?, n_tokens = ?, n_unmasked = ? "
            "where cache_id = ?",
            [
                corpus_id,
                corpus.n_sequences * corpus.sequence_length if corpus.is_known else None,
                corpus.n_unmasked if corpus.is_known else None,
                cache_id,
            ],
        )


# A feature without counts is known by its contexts: it fired; 'unknown': it is known by nothing.
FINISHED = """
update hookpoint
set status = 'done', n_activations = ?, fvu = ?, l0 = ?,
    loss = ?, loss_spliced = ?, loss_zero = ?, loss_mean = ?,
    n_alive = (
        select count(*) from feature
        where hookpoint_id = ? and coalesce(n_active, 1) > 0 and reason is distinct from 'unknown'
    )
where hookpoint_id = ?
"""


def _losses(found: HookpointTables) -> tuple[float | None, ...]:
    losses = found.losses
    return (None,) * 4 if losses is None else astuple(losses)


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


CONTEXTS_ONLY = "contexts"  # setting `activations` of a cache that holds some contexts and no more
CACHES = """
select c.cache_id, c.name, c.status, c.folder, c.n_tokens, c.n_unmasked, c.seed,
       s.name as subject, s.d_model,
       coalesce(k.spec, json_extract_string(c.settings, '$.corpus')) as corpus,
       k.sequence_length, k.n_sequences,
       json_extract_string(c.settings, '$.origin') as origin,
       json_extract_string(c.settings, '$.activations') as activations,
       json_extract_string(c.settings, '$.baseline.of') as baseline_of,
       json_extract_string(c.settings, '$.baseline.kind') as baseline
from cache c
join subject s using (subject_id)
left join corpus k using (corpus_id)
order by c.cache_id
"""
HOOKPOINTS = """
select h.hookpoint_id, h.cache_id, h.name, h.status, h.n_features, h.n_alive, h.n_activations,
       h.fvu, h.l0, h.loss, h.loss_spliced, h.loss_zero, h.loss_mean,
       a.source as sae_source, a.kind as sae_kind,
       json_extract_string(c.settings, '$.activations') as activations
from hookpoint h
join sae a using (sae_id)
join cache c using (cache_id)
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


def require_done(record: CacheRecord) -> None:
    """Refuse a cache that is still being made, or whose making was interrupted."""
    if record.status != "done":
        what = f"the import of cache '{record.name}'" if record.origin else f"cache '{record.name}'"
        raise StoreTrouble(f"{what} is not finished; {record.how_to_finish}")


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
        fvu=row["fvu"],
        l0=row["l0"],
        status=row["status"],
        is_size_known=row["activations"] != CONTEXTS_ONLY,
        losses=None if row["loss"] is None else Losses(
            row["loss"], row["loss_spliced"], row["loss_zero"], row["loss_mean"]
        ),
    )  # fmt: skip


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
        origin=row["origin"] or "",
        has_activations=row["activations"] != CONTEXTS_ONLY,
        baseline_of=row["baseline_of"] or "",
        baseline=row["baseline"] or "",
    )


def hookpoint(record: CacheRecord, name: str | None) -> HookpointRecord:
    """One hookpoint of a cache; None is allowed when there is only one.

    A name may leave out leading parts of the module path where that is clear: "layers.2" finds
    "gpt_neox.layers.2", never "gpt_neox.layers.12".
    """
    if name is None and len(record.hookpoints) == 1:
        return record.hookpoints[0]
    exact = [found for found in record.hookpoints if found.name == name]
    short = [
        found
        for found in record.hookpoints
        if name and not name.isdecimal() and found.name.endswith(f".{name}")
    ]
    if len(exact or short) == 1:
        return (exact or short)[0]
    known = ", ".join(found.name for found in short or record.hookpoints)
    asked = f"no hookpoint '{name}'" if name else "a hookpoint must be named"
    if short:
        asked = f"more than one hookpoint '{name}'"
    raise NotFound(f"{asked} in cache '{record.name}'; it has: {known}")


def feature_address(record: CacheRecord, address: str) -> tuple[HookpointRecord, int]:
    """Split HOOKPOINT/INDEX at the last slash; a bare INDEX means the first hookpoint.

    A pasted address of Neuronpedia will do where a hookpoint is called like its source.

    >>> feature_address(record, "gpt_neox.layers.2/17")  # -> (that hookpoint, 17)
    """
    address = shortened(address, [found.name for found in record.hookpoints])
    name, _, index = address.rpartition("/")
    found = hookpoint(record, name) if name else record.hookpoints[0]
    if not index.isdecimal() or int(index) >= found.n_features:
        known = "has features 0 to" if found.is_size_known else "is known only for some up to"
        raise NotFound(
            f"no feature '{address}' in cache '{record.name}': {found.name} {known} "
            f"{found.n_features - 1:,}"
        )
    return found, int(index)
