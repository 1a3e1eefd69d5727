"""Writes the tokens of a cache: from documents, or from sequences that are tokens already.

In: a corpus and a subject's tokenizer. Out: the token file, where documents start and come from,
and what was counted, as facts of cache.json. Knows nothing of SAEs.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.origins import Origins
from core.packing import Layout, OnePerDocument, Packing, Sequences
from core.subject import Subject
from core.taken import Taken
from data.cachefiles import CacheMeta, write_meta
from data.corpora.texts import Texts
from data.corpora.token_rows import TokenRows
from data.errors import BadInput
from data.tokens import sha256, write_documents, write_sources, write_tokens
from data.vocabulary import Vocabulary

Corpus = Iterable[str] | TokenRows


@dataclass(frozen=True, slots=True)
class Written:
    """The tokens of a cache that are on disk now."""

    meta: CacheMeta
    note: str  # for people


def write_corpus(folder: Path, meta: CacheMeta, subject: Subject, corpus: Corpus) -> Written:
    """Write the tokens; cache.json gets the counts last, which says that this is complete."""
    Vocabulary.from_tokenizer(subject.tokenizer).save(folder / "vocabulary.json")
    if isinstance(corpus, TokenRows):
        found = _take(folder, meta, subject, corpus)
    else:
        found = _pack(folder, meta, subject, corpus)
    write_meta(folder, found.meta)
    return found


def sequences(meta: CacheMeta, subject: Subject, corpus: Corpus) -> Sequences:
    """Cut a corpus into the sequences of a cache, writing none of them."""
    if isinstance(corpus, TokenRows):
        return _taken(meta, subject, corpus)
    return _packed(meta, subject, corpus)


def require_readable(meta: CacheMeta, subject: Subject, corpus: Corpus) -> None:
    """Refuse token ids that are not the subject's while nothing is written.

    Those of the hub are not fetched twice: they are checked as they come.
    """
    if isinstance(corpus, TokenRows) and corpus.identity is None:
        for _ in _taken(meta, subject, corpus):
            pass


def _layout(meta: CacheMeta) -> Layout:
    return Layout(
        sequence_length=meta.sequence_length,
        n_sequences=-(-meta.requested_tokens // meta.sequence_length),
        bos_id=meta.bos_id,
        eos_id=meta.eos_id,
        special_ids=meta.special_ids,
    )


def _packed(meta: CacheMeta, subject: Subject, corpus: Iterable[str]) -> Sequences:
    make = OnePerDocument if meta.packing == "one-per-document" else Packing
    return make(corpus, subject.tokenizer, _layout(meta))


def _pack(folder: Path, meta: CacheMeta, subject: Subject, corpus: Iterable[str]) -> Written:
    origins = Origins(corpus)
    made = _packed(meta, subject, origins)
    write_tokens(folder, made, meta.token_dtype)
    starts = made.starts
    write_documents(folder, starts.token)
    sources = origins.table(starts.document)
    if sources is not None:
        write_sources(folder, *sources)
    n_empty = corpus.n_empty if isinstance(corpus, Texts) else None
    facts = {"documents_sha256": origins.sha256, "n_empty_documents": n_empty}
    if isinstance(corpus, Texts) and corpus.identity is not None:
        facts["identity"] = corpus.identity
    notes = [f"{n_empty:,} empty documents left out" if n_empty else ""]
    notes.append(made.note if isinstance(made, Packing) else "")
    note = "; ".join(filter(None, notes))
    return Written(_counted(folder, meta, made, len(starts.token), facts), note)


def _taken(meta: CacheMeta, subject: Subject, corpus: TokenRows) -> Taken:
    if corpus.tokenizer_sha256 not in (None, meta.tokenizer_sha256):
        raise BadInput(
            f"Corpus {corpus.name} was tokenised with another vocabulary than the subject "
            f"{meta.subject} has: give text, or a cache of the same tokenizer"
        )
    size = min(len(Vocabulary.from_tokenizer(subject.tokenizer)), subject.vocabulary_size)
    return Taken(corpus, _layout(meta), vocabulary_size=size, bos_id=subject.bos_id)


def _take(folder: Path, meta: CacheMeta, subject: Subject, corpus: TokenRows) -> Written:
    made = _taken(meta, subject, corpus)
    write_tokens(folder, made, meta.token_dtype)
    starts = made.starts
    write_documents(folder, starts.token)
    write_sources(folder, *made.table())
    facts = made.facts | ({} if corpus.identity is None else {"identity": corpus.identity})
    return Written(_counted(folder, meta, made, len(starts.token), facts), made.note)


def _counted(
    folder: Path, meta: CacheMeta, made: Sequences, n_documents: int, facts: dict[str, Any]
) -> CacheMeta:
    return replace(
        meta,
        n_sequences=made.n_sequences,
        n_documents=n_documents,
        n_unmasked=made.n_unmasked,
        exhausted=made.exhausted,
        reading=facts,
        tokens_sha256=sha256(folder / f"tokens.{meta.token_dtype}"),
    )
