"""Texts that nobody cached: through the subject and its SAEs exactly as the corpus was.

In: texts. Out: activations of one feature, or of all, for every token. BOS, the length of a
sequence, masked positions, the threshold and the rounding are those of a cache. A text longer than
a sequence is cut as the corpus is: every piece begins with BOS and knows nothing of the one before.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data.cachefiles import CacheFiles, CacheMeta, HookpointMeta
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound
from data.records import CacheRecord
from data.vocabulary import Vocabulary

if TYPE_CHECKING:  # torch is loaded when a probe is made
    from core.sae import Sae
    from core.subject import Subject


class Probed(NamedTuple):
    """One feature on one text, token by token; BOS is left out, as it is no part of the text."""

    pieces: tuple[str, ...]  # "" for special tokens and the rest of a split character
    activations: np.ndarray  # raw, 0 where silent, float32 [tokens]

    @property
    def peak(self) -> float | None:
        """Largest activation, raw; None of a text without tokens."""
        return float(self.activations.max()) if len(self.activations) else None


class Peak(NamedTuple):
    """A feature at the token where it is strongest in a text."""

    feature: int
    activation: float  # raw
    token: int  # place in the text, from 0


class Everything(NamedTuple):
    """All features on one text, as they are stored; in the order of tokens."""

    pieces: tuple[str, ...]
    token: np.ndarray  # place in the text, from 0, int64 [n]
    feature: np.ndarray  # int32 [n]
    activation: np.ndarray  # raw, float32 [n]

    def of(self, feature: int) -> Probed:
        """One feature, spelled out."""
        here = self.feature == feature
        values = np.zeros(len(self.pieces), np.float32)
        values[self.token[here]] = self.activation[here]
        return Probed(self.pieces, values)

    def peaks(self, most: int = 20) -> list[Peak]:
        """The strongest features, each at its strongest token (the first of equals)."""
        order = np.lexsort((self.token, self.feature, -self.activation))
        _, first = np.unique(self.feature[order], return_index=True)
        chosen = order[np.sort(first)[:most]]
        rows = (self.feature[chosen], self.activation[chosen], self.token[chosen])
        return [Peak(*row) for row in zip(*(array.tolist() for array in rows), strict=True)]


class Probe:
    """A subject with the SAEs of a cache; safe to share between threads."""

    def __init__(self, subject: "Subject", saes: Mapping[str, "Sae"], meta: CacheMeta) -> None:
        self.subject = subject
        self.meta = meta
        self._saes = {name: sae.to(subject.device) for name, sae in saes.items()}
        self._vocabulary = Vocabulary.from_tokenizer(subject.tokenizer)

    @property
    def hookpoints(self) -> list[str]:
        """Hookpoints that can be probed."""
        return list(self._saes)

    def activations(self, texts: Sequence[str], hookpoint: str, feature: int) -> list[Probed]:
        """Run texts and look at one feature."""
        n_features = self._sae(hookpoint).n_features
        if not 0 <= feature < n_features:
            raise NotFound(f"{hookpoint} has features 0 to {n_features - 1}, not {feature}")
        return [found.of(feature) for found in self.everything(texts, hookpoint)]

    def peaks(self, texts: Sequence[str], hookpoint: str, feature: int) -> list[float | None]:
        """Largest activation of a feature on each text, raw; None of a text without tokens."""
        return [found.peak for found in self.activations(texts, hookpoint, feature)]

    def top(self, text: str, hookpoint: str, most: int = 20) -> list[Peak]:
        """The strongest features of a text."""
        return self.everything([text], hookpoint)[0].peaks(most)

    def everything(self, texts: Sequence[str], hookpoint: str) -> list[Everything]:
        """Run texts and keep what a cache would store of them."""
        from core.packing import encode

        sae = self._sae(hookpoint)
        if not texts:
            return []
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]  # surrogates
        ids = [np.array(found, np.int64) for found in encode(self.subject.tokenizer, clean)]
        rows = [(text, first) for text, found in enumerate(ids) for first in self._cuts(len(found))]
        # Longest first, for less padding; pieces of one text stay in their order.
        rows.sort(key=lambda row: -self._length(ids[row[0]], row[1]))
        parts: list[list[_Part]] = [[] for _ in texts]
        for start in range(0, len(rows), self.meta.batch_size):
            batch = rows[start : start + self.meta.batch_size]
            for (text, _), part in zip(batch, self._run(ids, batch, hookpoint, sae), strict=True):
                parts[text].append(part)
        return [self._joined(*both) for both in zip(ids, parts, strict=True)]

    def _sae(self, hookpoint: str) -> "Sae":
        if hookpoint not in self._saes:
            known = ", ".join(self._saes)
            raise NotFound(f"no SAE for hookpoint {hookpoint!r} is loaded; there is {known}")
        return self._saes[hookpoint]

    @property
    def _text_length(self) -> int:
        """Tokens of a text that fit a sequence."""
        return self.meta.sequence_length - (self.meta.bos_id is not None)

    def _cuts(self, n_tokens: int) -> range:
        return range(0, n_tokens, self._text_length)

    def _length(self, ids: np.ndarray, first: int) -> int:
        return min(self._text_length, len(ids) - first)

    def _run(
        self,
        ids: Sequence[np.ndarray],
        batch: Sequence[tuple[int, int]],  # text, first token of the piece
        hookpoint: str,
        sae: "Sae",
    ) -> list["_Part"]:
        """Run a batch of pieces, filled up on the right: what follows a token cannot change it."""
        from core.encoding import encode_batch

        bos = [] if self.meta.bos_id is None else [self.meta.bos_id]
        pieces = [
            np.concatenate([np.array(bos, np.int64), ids[text][first : first + self._text_length]])
            for text, first in batch
        ]
        width = max(len(piece) for piece in pieces)
        block = np.zeros((len(pieces), width), np.int64)
        for row, piece in zip(block, pieces, strict=True):
            row[: len(piece)] = piece
        found = encode_batch(self.subject, {0: (hookpoint, sae)}, block, 0, self.meta.special_ids)[
            0
        ]
        row, place = np.divmod(found.token.astype(np.int64), width)
        out = []
        for number, (piece, (_, first)) in enumerate(zip(pieces, batch, strict=True)):
            here = (row == number) & (place >= len(bos)) & (place < len(piece))
            token = place[here] - len(bos) + first
            value = found.activation[here].astype(np.float32)
            out.append(_Part(token, found.feature[here], value))
        return out

    def _joined(self, ids: np.ndarray, parts: Sequence["_Part"]) -> Everything:
        special = np.isin(ids, self.meta.special_ids)
        pieces = zip(self._vocabulary.pieces(ids.tolist()), special, strict=True)
        nothing = _Part(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
        columns = zip(nothing, *parts, strict=True)
        return Everything(
            tuple("" if hide else piece for piece, hide in pieces),
            *(np.concatenate(column) for column in columns),
        )


class _Part(NamedTuple):
    """What is stored of one piece of a text."""

    token: np.ndarray  # place in the text, int64 [n]
    feature: np.ndarray
    activation: np.ndarray


LOADED_FROM = """
select s.revision from cache c join subject s using (subject_id) where c.cache_id = ?
"""


def open_probe(
    catalogue: Catalogue,
    record: CacheRecord,
    hookpoints: Sequence[str] = (),
    *,
    device: str = "auto",
) -> Probe:
    """Load the subject and the SAEs of a cache, all or those of some hookpoints.

    Weights, tokenizer or SAEs that are no longer those of the cache are refused: their numbers
    could not be compared with it.
    """
    from core.subject import Subject

    meta = CacheFiles.open(catalogue.store / record.folder).meta
    with catalogue.reading() as con:
        revision = con.value(LOADED_FROM, [record.cache_id])
    subject = Subject.load(meta.subject, dtype=meta.dtype, device=device, revision=revision)
    _require(record, f"the subject {meta.subject}", subject.sha256, meta.subject_sha256)
    spelled = Vocabulary.from_tokenizer(subject.tokenizer).sha256
    _require(record, f"the tokenizer of {meta.subject}", spelled, meta.tokenizer_sha256)
    wanted = [h for h in meta.hookpoints if not hookpoints or h.name in hookpoints]
    missing = set(hookpoints) - {h.name for h in wanted}
    if missing:
        known = ", ".join(h.name for h in meta.hookpoints)
        raise NotFound(f"cache '{record.name}' has no hookpoint {min(missing)!r}; it has: {known}")
    return Probe(subject, {h.name: _sae_of(record, subject, h) for h in wanted}, meta)


def _sae_of(record: CacheRecord, subject: "Subject", hookpoint: HookpointMeta) -> "Sae":
    from core.pipeline.inputs import list_sources, load_saes

    listed = list_sources([hookpoint.sae_source])
    (sae,) = load_saes(subject, listed, [hookpoint.name]).values()
    _require(record, f"the SAE {hookpoint.sae_source}", sae.sha256, hookpoint.sae_sha256)
    return sae


def _require(record: CacheRecord, what: str, found: str, known: str) -> None:
    if found != known:
        raise BadInput(
            f"{what} is not what cache '{record.name}' was made with ({found[:8]}..., not "
            f"{known[:8]}...): put the old one back, or make a new cache"
        )
