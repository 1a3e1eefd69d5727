"""Whether caches are whole: what the catalogue says of each, and its files held against it.

The first is a few queries and the sizes of files; the second reads the token file, the vocabulary
and the index of the activations, so it is done when it is asked for.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from data import caches
from data.cachefiles import CacheFiles, CacheMeta, read_meta
from data.catalogue import Catalogue, Connection, Row
from data.errors import GlossError
from data.identity import HASH
from data.records import CacheRecord, Losses
from data.runs import IS_LAST
from data.tokens import sha256

REASONS = ("dead", "rare", "scarce", "reduced")  # why features are not explained or scored in full


class HookpointHealth(NamedTuple):
    """One SAE of a cache as the catalogue knows it."""

    name: str
    status: str
    n_features: int
    reasons: dict[str, int]  # features by why they are not treated in full
    fvu: float | None  # None = not measured
    l0: float | None
    extent: str  # how many features there are, in words
    n_alive: int  # features that fired
    is_size_known: bool  # False = an import of contexts only: dead features are unknown
    losses: Losses | None  # None = not measured


class CacheHealth(NamedTuple):
    """One cache as the catalogue and the sizes of its files show it."""

    name: str
    status: str
    bytes: int  # on disk
    n_tokens: int  # 0 = not known
    n_special: int  # of them never activate: BOS and the like
    has_vocabulary: bool
    has_activations: bool  # False = an import of contexts only
    has_files: bool  # False = the catalogue knows of it, its folder is gone
    hookpoints: tuple[HookpointHealth, ...]
    unfinished: tuple[int, ...]  # runs that stopped before the end


def health(catalogue: Catalogue, record: CacheRecord) -> CacheHealth:
    """What is known of a cache without reading its files."""
    folder = catalogue.store / record.folder
    with catalogue.reading() as con:
        reasons = _reasons(con, record.cache_id)
        unfinished = con.rows(
            "select run_id from run r where cache_id = ? and status in ('interrupted', 'failed') "
            f"and {IS_LAST} order by run_id",
            [record.cache_id],
        )
    return CacheHealth(
        name=record.name,
        status=record.status,
        bytes=bytes_below(folder),
        n_tokens=record.n_tokens,
        n_special=record.n_tokens - record.n_unmasked if record.n_tokens else 0,
        has_vocabulary=(folder / "vocabulary.json").exists(),
        has_activations=record.has_activations,
        has_files=folder.is_dir(),
        hookpoints=tuple(
            HookpointHealth(h.name, h.status, h.n_features, reasons.get(h.hookpoint_id, {}),
                            h.fvu, h.l0, h.extent, h.n_alive, h.is_size_known, h.losses)
            for h in record.hookpoints
        ),
        unfinished=tuple(row["run_id"] for row in unfinished),
    )  # fmt: skip


def _reasons(con: Connection, cache_id: int) -> dict[int, dict[str, int]]:
    found = con.rows(
        "select hookpoint_id, reason, count(*) as n from feature where reason is not null and "
        "hookpoint_id in (select hookpoint_id from hookpoint where cache_id = ?) group by all",
        [cache_id],
    )
    counts: dict[int, dict[str, int]] = {}
    for row in found:
        counts.setdefault(row["hookpoint_id"], {})[row["reason"]] = row["n"]
    return counts


def bytes_below(folder: Path) -> int:
    """Bytes on disk below a folder; what is missing or may not be read counts nothing."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.stat(os.path.join(here, name)).st_size
    return total


class Check(NamedTuple):
    """One comparison of what should be with what is."""

    what: str
    is_right: bool | None  # None = there is nothing to compare with
    words: str  # both sides, or why not


IDENTITY = """
select s.name, s.revision, s.architecture, s.dtype, k.tokens_sha256, k.tokenizer_sha256,
       k.sequence_length, k.n_sequences, k.n_documents, c.seed, c.created_at,
       json_extract_string(c.settings, '$.subject') as subject,
       coalesce(k.spec, json_extract_string(c.settings, '$.corpus')) as corpus
from cache c
left join subject s using (subject_id)
left join corpus k using (corpus_id)
where c.cache_id = ?
"""
SAES = """
select h.hookpoint_id, h.name, a.source, a.kind, a.weights_sha256, h.n_activations
from hookpoint h
join sae a using (sae_id)
where h.cache_id = ?
order by h.hookpoint_id
"""


def check(catalogue: Catalogue, cache: str) -> list[Check]:
    """Hold a cache's files against the catalogue: subject, tokenizer, tokens, SAEs, activations."""
    record = caches.cache(catalogue, cache)
    with catalogue.reading() as con:
        known = con.row(IDENTITY, [record.cache_id]) or {}
        saes = con.rows(SAES, [record.cache_id])
    folder = catalogue.store / record.folder
    try:
        meta = read_meta(folder)
    except GlossError as error:
        return [Check("cache.json", False, str(error))]
    files = CacheFiles(folder, meta)
    return [
        _same("subject's weights", _hash(known["subject"]), meta.subject_sha256),
        *_tokenizer(known, meta, files),
        *_tokens(known, meta, files, record),
        *(found for sae in saes for found in _sae(sae, meta, files, record)),
    ]


def _tokenizer(known: Row, meta: CacheMeta, files: CacheFiles) -> Iterator[Check]:
    yield _same("tokenizer", known["tokenizer_sha256"], meta.tokenizer_sha256)
    yield _read("vocabulary file", meta.tokenizer_sha256, lambda: files.vocabulary.sha256)


def _tokens(known: Row, meta: CacheMeta, files: CacheFiles, record: CacheRecord) -> Iterator[Check]:
    yield _same("tokens", known["tokens_sha256"], meta.tokens_sha256)
    if record.has_activations or meta.tokens_sha256:
        yield _read("token file", meta.tokens_sha256, lambda: sha256(files.tokens.path))
    else:
        yield Check("token file", None, "the import has contexts only")


def _sae(row: Row, meta: CacheMeta, files: CacheFiles, record: CacheRecord) -> Iterator[Check]:
    stored = {h.hookpoint_id: h.sae_sha256 for h in meta.hookpoints}
    yield _same(f"SAE at {row['name']}", row["weights_sha256"], stored.get(row["hookpoint_id"]))
    if record.has_activations and record.status == "done":
        number = row["hookpoint_id"]
        yield _read(f"activations at {row['name']}", str(row["n_activations"]),
                    lambda: str(int(files.columns(number).counts().sum())))  # fmt: skip


def _same(what: str, catalogue: str | None, file: str | None) -> Check:
    if not catalogue or not file:
        missing = "the catalogue" if not catalogue else "cache.json"
        return Check(what, None, f"{missing} does not say")
    is_right = catalogue == file
    words = _short(file) if is_right else (
        f"the catalogue has {_short(catalogue)}, cache.json has {_short(file)}"
    )  # fmt: skip
    return Check(what, is_right, words)


def _read(what: str, expected: str | None, read: Callable[[], str]) -> Check:
    """Compare with what a file holds; one that cannot be read is wrong."""
    try:
        found = read()
    except GlossError as error:
        return Check(what, False, str(error))
    if not expected:
        return Check(what, None, f"{_short(found)}, and nothing says what it should be")
    is_right = expected == found
    words = _short(found) if is_right else f"should be {_short(expected)}, is {_short(found)}"
    return Check(what, is_right, words)


def _short(text: str) -> str:
    """Twelve digits of a hash, else the text."""
    return text[:12] if len(text) == 64 else text


def identity(con: Connection, cache_id: int) -> list[tuple[str, str]]:
    """What exactly a cache was made of, as names and values: subject, SAEs, corpus, tokenizer."""
    row = con.row(IDENTITY, [cache_id])
    if row is None:
        return []
    saes = con.rows(SAES, [cache_id])
    subject = [row["name"], f"revision {row['revision']}" if row["revision"] else "no revision",
               row["architecture"], row["dtype"]]  # fmt: skip
    facts = [
        ("subject", " · ".join(filter(None, subject))),
        ("subject's weights", _hash(row["subject"])),
        *((f"SAE at {sae['name']}", " · ".join(filter(None, [
            sae["source"], sae["kind"], sae["weights_sha256"]]))) for sae in saes),
        ("corpus", row["corpus"]),
        ("tokens", row["tokens_sha256"]),
        ("tokenizer", row["tokenizer_sha256"]),
        ("sequences", _sequences(row)),
        ("documents", f"{row['n_documents']:,}" if row["n_documents"] is not None else None),
        ("seed", str(row["seed"])),
        ("begun", f"{row['created_at']:%-d %B %Y %H:%M} UTC" if row["created_at"] else None),
    ]  # fmt: skip
    return [(name, value or "not known") for name, value in facts]


def _hash(text: str | None) -> str | None:
    """A hash as it is; an import has a name in its place, which says nothing of the weights."""
    return text if text and HASH.fullmatch(text) else None


def _sequences(row: Row) -> str | None:
    if not row["n_sequences"]:
        return None
    return f"{row['n_sequences']:,} of {row['sequence_length']:,} tokens"
