"""Texts that nobody cached: through the subject and its SAEs exactly as the corpus was.

In: texts. Out: activations of one feature, or of all, for every token; what the rules of a grammar
claim of them; how a text goes on when a feature is steered. BOS, the length of a
sequence, masked positions, the threshold and the rounding are those of a cache. A text longer than
a sequence is cut as the corpus is: every piece begins with BOS and knows nothing of the one before.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core.fired import Everything, Peak, Probed
from core.grammar import Rules, Words, predict
from core.steered import Steered, Steering, Writing
from data.cachefiles import CacheFiles, CacheMeta, HookpointMeta
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound
from data.records import CacheRecord
from data.vocabulary import Vocabulary

if TYPE_CHECKING:  # torch is loaded when a probe is made
    from core.encoding import Found
    from core.sae import Sae
    from core.subject import Subject


class Probe:
    """A subject with the SAEs of a cache; safe to share between threads."""

    def __init__(self, subject: "Subject", saes: Mapping[str, "Sae"], meta: CacheMeta) -> None:
        self.subject = subject
        self.meta = meta
        self._saes: dict[str, Sae] = {}
        for name, sae in saes.items():
            self.add(name, sae)
        self._vocabulary = Vocabulary.from_tokenizer(subject.tokenizer)

    def add(self, hookpoint: str, sae: "Sae") -> None:
        """Take one more SAE of the cache."""
        self._saes[hookpoint] = sae.to(self.subject.device)

    @property
    def hookpoints(self) -> list[str]:
        """Hookpoints that can be probed."""
        return list(self._saes)

    def sae(self, hookpoint: str) -> "Sae":
        """The SAE of a hookpoint."""
        return self._sae(hookpoint)

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
        return self.across(texts, [hookpoint])[hookpoint]

    def across(
        self, texts: Sequence[str], hookpoints: Sequence[str]
    ) -> dict[str, list[Everything]]:
        """Run texts once for several hookpoints."""
        saes = {name: self._sae(name) for name in hookpoints}
        if not texts or not saes:
            return {name: [] for name in saes}
        ids = self._ids(texts)
        rows = [(text, first) for text, found in enumerate(ids) for first in self._cuts(len(found))]
        # Longest first, for less padding; pieces of one text stay in their order.
        rows.sort(key=lambda row: -self._length(ids[row[0]], row[1]))
        parts = {name: [[] for _ in texts] for name in saes}
        for start in range(0, len(rows), self.meta.batch_size):
            batch = rows[start : start + self.meta.batch_size]
            for name, found in self._run(ids, batch, saes).items():
                for (text, _), part in zip(batch, found, strict=True):
                    parts[name][text].append(part)
        return {
            name: [self._joined(*both) for both in zip(ids, found, strict=True)]
            for name, found in parts.items()
        }

    def claimed(self, found: Everything, rules: Rules) -> np.ndarray:
        """What rules say of each token of a text: the activation they predict, float32 [tokens].

        NaN where no rule holds. As in the exact check a rule sees whole sequences, with their BOS.
        """
        n, step = len(found.ids), self.text_length
        if not n:
            return np.empty(0, np.float32)
        bos = self._bos
        block = np.zeros((-(-n // step), len(bos) + step), np.int64)
        block[:, : len(bos)] = bos
        text = np.zeros(len(block) * step, np.int64)
        text[:n] = found.ids
        block[:, len(bos) :] = text.reshape(len(block), step)
        starts = np.zeros(block.shape, bool)
        starts[0, len(bos)] = True  # a text is a document of its own
        said = predict(rules, block, np.zeros(len(block), np.int64), self._words, starts)
        values = np.where(said.fires, said.value, np.nan).astype(np.float32)
        return values[:, len(bos) :].reshape(-1)[:n]

    def steer(
        self,
        prompt: str,
        hookpoint: str,
        steering: Steering,
        writing: Writing,
        watch: Callable[[int, int], None],
    ) -> "Continued":
        """Continue a prompt with and without an edit; of a long one the last tokens are used."""
        from core.steering import steer

        longest = self.subject.max_length or self.meta.sequence_length
        room = max(1, longest - len(self._bos) - writing.n_tokens)
        ids = self._ids([prompt])[0].tolist()
        kept = ids[-room:]
        found = steer(
            self.subject, self._sae(hookpoint), hookpoint, [*self._bos, *kept], steering, writing,
            special_ids=self.meta.special_ids, watch=watch,
        )  # fmt: skip
        return Continued(found, len(kept), len(ids) - len(kept))

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Spell out tokens."""
        return self._vocabulary.pieces(ids)

    def prompt(self, text: str) -> list[int]:
        """Token ids of a text, with what every sequence begins with."""
        return [*self._bos, *self._ids([text])[0].tolist()]

    @property
    def n_before(self) -> int:
        """Special tokens that every sequence begins with."""
        return len(self._bos)

    @property
    def n_vocabulary(self) -> int:
        """Tokens that can be spelt; a model may have more rows than these."""
        return len(self._vocabulary)

    @property
    def _bos(self) -> list[int]:
        """What every sequence begins with."""
        return [] if self.meta.bos_id is None else [self.meta.bos_id]

    @cached_property
    def _words(self) -> Words:
        return Words(self._vocabulary.strings, self.meta.special_ids)

    def _ids(self, texts: Sequence[str]) -> list[np.ndarray]:
        from core.packing import encode

        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]  # surrogates
        return [np.array(found, np.int64) for found in encode(self.subject.tokenizer, clean)]

    def _sae(self, hookpoint: str) -> "Sae":
        if hookpoint not in self._saes:
            known = ", ".join(self._saes)
            raise NotFound(f"no SAE for hookpoint {hookpoint!r} is loaded; there is {known}")
        return self._saes[hookpoint]

    @property
    def text_length(self) -> int:
        """Tokens of a text that fit a sequence, BOS left out; a longer text is cut so."""
        return self.meta.sequence_length - len(self._bos)

    def _cuts(self, n_tokens: int) -> range:
        return range(0, n_tokens, self.text_length)

    def _length(self, ids: np.ndarray, first: int) -> int:
        return min(self.text_length, len(ids) - first)

    def _run(
        self,
        ids: Sequence[np.ndarray],
        batch: Sequence[tuple[int, int]],  # text, first token of the piece
        saes: Mapping[str, "Sae"],
    ) -> dict[str, list["_Part"]]:
        """Run a batch of pieces, filled up on the right: what follows a token cannot change it."""
        from core.encoding import encode_batch

        bos = np.array(self._bos, np.int64)
        pieces = [
            np.concatenate([bos, ids[text][first : first + self.text_length]])
            for text, first in batch
        ]
        width = max(len(piece) for piece in pieces)
        block = np.zeros((len(pieces), width), np.int64)
        for row, piece in zip(block, pieces, strict=True):
            row[: len(piece)] = piece
        asked = dict(enumerate(saes.items()))
        found = encode_batch(self.subject, asked, block, 0, self.meta.special_ids)
        return {
            name: self._parts(found[number], batch, pieces, width)
            for number, (name, _) in asked.items()
        }

    def _parts(
        self,
        found: "Found",
        batch: Sequence[tuple[int, int]],
        pieces: Sequence[np.ndarray],
        width: int,
    ) -> list["_Part"]:
        """Give each piece of a batch what was found in it."""
        bos = len(self._bos)
        row, place = np.divmod(found.token.astype(np.int64), width)
        out = []
        for number, (piece, (_, first)) in enumerate(zip(pieces, batch, strict=True)):
            here = (row == number) & (place >= bos) & (place < len(piece))
            token = place[here] - bos + first
            value = found.activation[here].astype(np.float32)
            out.append(_Part(token, found.feature[here], value))
        return out

    def _joined(self, ids: np.ndarray, parts: Sequence["_Part"]) -> Everything:
        special = np.isin(ids, self.meta.special_ids)
        pieces = zip(self.pieces(ids.tolist()), special, strict=True)
        shown = tuple("" if hide else piece for piece, hide in pieces)
        nothing = _Part(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
        token, feature, activation = (np.concatenate(c) for c in zip(nothing, *parts, strict=True))
        return Everything(shown, token, feature, activation, ids)


class Continued(NamedTuple):
    """A prompt that was continued, and what was used of it."""

    steered: Steered
    n_prompt: int  # tokens of the prompt that were run, BOS left out
    n_cut: int  # tokens at its beginning that were too many


class _Part(NamedTuple):
    """What is stored of one piece of a text."""

    token: np.ndarray  # place in the text, int64 [n]
    feature: np.ndarray
    activation: np.ndarray


LOADED_FROM = """
select s.revision from cache c join subject s using (subject_id) where c.cache_id = ?
"""


def quietly(_words: str) -> None:
    """Tell nobody."""


def open_probe(
    catalogue: Catalogue,
    record: CacheRecord,
    hookpoints: Sequence[str] = (),
    *,
    device: str = "auto",
    say: Callable[[str], None] = quietly,
) -> Probe:
    """Load the subject and the SAEs of a cache, all or those of some hookpoints.

    Weights, tokenizer or SAEs that are no longer those of the cache are refused: their numbers
    could not be compared with it. `say` hears before each step what it is, and may raise to stop.
    """
    say("starting PyTorch")
    from core.subject import Subject

    meta = CacheFiles.open(catalogue.store / record.folder).meta
    with catalogue.reading() as con:
        revision = con.value(LOADED_FROM, [record.cache_id])
    say("reading the weights of the subject")
    hosted = meta.runs_on == "ndif"  # which has the weights, and decides where they lie
    subject = Subject.load(
        meta.subject,
        dtype="auto" if hosted else meta.dtype,
        device="auto" if hosted else device,
        revision=revision,
        runs_on=meta.runs_on,
    )
    say("comparing the subject with the cache's")
    _require(record, f"the subject {meta.subject}", subject.sha256, meta.subject_sha256)
    spelled = Vocabulary.from_tokenizer(subject.tokenizer).sha256
    _require(record, f"the tokenizer of {meta.subject}", spelled, meta.tokenizer_sha256)
    probe = Probe(subject, {}, meta)
    widen(probe, record, hookpoints, say=say)
    return probe


def widen(
    probe: Probe,
    record: CacheRecord,
    hookpoints: Sequence[str] = (),
    *,
    say: Callable[[str], None] = quietly,
) -> None:
    """Load more SAEs of the cache into a probe, all or those of some hookpoints."""
    known = probe.meta.hookpoints
    wanted = [h for h in known if not hookpoints or h.name in hookpoints]
    missing = set(hookpoints) - {h.name for h in wanted}
    if missing:
        names = ", ".join(h.name for h in known)
        raise NotFound(f"cache '{record.name}' has no hookpoint {min(missing)!r}; it has: {names}")
    for hookpoint in wanted:
        if hookpoint.name not in probe.hookpoints:
            say(f"reading the SAE of {hookpoint.name}")
            probe.add(hookpoint.name, _sae_of(record, probe.subject, hookpoint))


def leave_a_core() -> None:
    """Let PyTorch use all cores but one: whoever draws pages in this process needs it."""
    import torch

    torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 2) - 1)))


def _sae_of(record: CacheRecord, subject: "Subject", hookpoint: HookpointMeta) -> "Sae":
    from core.pipeline.saes import load_again

    sae = load_again(subject, hookpoint.sae_source, hookpoint.name, hookpoint.read_as)
    _require(record, f"the SAE {hookpoint.sae_source}", sae.sha256, hookpoint.sae_sha256)
    return sae


def _require(record: CacheRecord, what: str, found: str, known: str) -> None:
    if found != known:
        raise BadInput(
            f"{what} is not what cache '{record.name}' was made with ({found[:8]}..., not "
            f"{known[:8]}...): put the old one back, or make a new cache"
        )
