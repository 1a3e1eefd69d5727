"""The corpus of a cache: opened before anything loads, and what it is known by.

Knows nothing of stores and SAEs.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from data import corpus
from data.corpora.document import Choice
from data.corpora.texts import Texts
from data.errors import BadInput

if TYPE_CHECKING:
    from core.cache import CacheSettings
    from core.pipeline.caching import CacheRequest
    from core.subject import Subject
    from data.cachefiles import CacheMeta
    from data.corpora.token_rows import TokenRows

PER_TOKEN = 8  # characters of the corpus that count, a token asked for; English has 4 to 5
MOST = 2**28  # characters of the corpus that count at all


def open_for(request: "CacheRequest") -> "Texts | TokenRows":
    """Open the corpus that a cache was asked for; what does not go with it is refused."""
    choice = Choice(request.column, request.split_at, request.shuffle_seed)
    found = corpus.open_corpus(request.corpus, choice, length=request.sequence_length)
    if isinstance(found, Texts):
        return found
    given = {
        "--bos": request.bos,
        "--packing": request.packing,
        "--split-at": request.split_at,
        "--shuffle-seed": request.shuffle_seed,
    }
    for option, value in given.items():
        if value is not None:
            raise BadInput(f"Corpus {request.corpus} holds sequences of token ids, which are taken "
                           f"as they are: leave out {option}")  # fmt: skip
    if request.sequence_length not in (None, found.length):
        raise BadInput(
            f"Corpus {request.corpus} holds sequences of {found.length} tokens, not "
            f"{request.sequence_length}: leave out --sequence-length"
        )
    return found


def text_of(found: "Texts | TokenRows", n_tokens: int) -> str:
    """Say which text a corpus is: the hash of as much of it as n_tokens can need.

    Reading finds what cannot be read before a model loads. The hash does not depend on where the
    files are or how that is spelled; text beyond what is read (8 characters a token, at most 268
    million) does not count. python-docs is known by the versions of its packages instead, a
    dataset of the hub by its commit.
    """
    if found.identity is not None:
        return found.identity
    if not isinstance(found, Texts):
        return found.sha256(-(-n_tokens // found.length))
    digest, read = hashlib.sha256(), 0
    for text in found:
        raw = text.encode()
        digest.update(len(raw).to_bytes(8, "little") + raw)
        read += len(text)
        if read >= min(PER_TOKEN * n_tokens, MOST):
            break
    if not read:
        raise BadInput(f"Corpus {found.name}: there is no text in it")
    return digest.hexdigest()


def settings_of(
    request: "CacheRequest", found: "Texts | TokenRows", subject: "Subject"
) -> "CacheSettings":
    """Put together what a cache is made of besides the subject and the SAEs."""
    from core.cache import CacheSettings

    named = request.corpus == corpus.PYTHON_DOCS or request.corpus.startswith("hf:")
    settings = CacheSettings(
        corpus=request.corpus if named else str(Path(request.corpus).expanduser().resolve()),
        tokens=request.n_tokens,
        sequence_length=request.sequence_length,
        bos=request.bos or "first",
        packing=request.packing or "pack",
        column=request.column,
        split_at=request.split_at,
        shuffle_seed=request.shuffle_seed,
        batch_size=request.batch_size,
        seed=request.seed,
    )
    if not isinstance(found, Texts):
        return _as_stored(settings, found, subject)
    if request.bos == "first" and subject.bos_id is None:
        raise BadInput(
            f"--bos first: the tokenizer of {subject.name} declares no BOS token; leave --bos out, "
            "or declare bos_token in its tokenizer_config.json"
        )
    return settings


def bos_note(subject: "Subject", meta: "CacheMeta") -> str:
    """Note that only the configuration names a BOS token; "" where that is not so.

    It is not used: configurations name one by default, also of models that never saw it.
    """
    named = getattr(subject.config, "bos_token_id", None)
    if named is None or subject.bos_id is not None or meta.packing == "stored":
        return ""
    return (
        f"sequences begin without BOS: the subject's configuration names token {named}, its "
        "tokenizer none"
    )


def _as_stored(
    settings: "CacheSettings", found: "TokenRows", subject: "Subject"
) -> "CacheSettings":
    """Take length and BOS from the sequences as they are stored."""
    if subject.max_length is not None and found.length > subject.max_length:
        raise BadInput(
            f"Corpus {found.name} holds sequences of {found.length} tokens, the subject "
            f"{subject.name} was trained on {subject.max_length} at once: cut it again"
        )
    begins = subject.bos_id is not None and found.all_begin_with(subject.bos_id)
    return replace(
        settings,
        sequence_length=found.length,
        bos="first" if begins else "none",
        packing="stored",
    )
