"""Sensitivity: does the feature answer to new texts of the kind that it answers to in the corpus?

arXiv 2509.23717: a model sees 15 marked contexts of the feature, the 10 strongest and 5 drawn by
the size of their peak, and writes 10 new texts of the same kind; the score is the share of them
that activate the feature. No explanation is shown, so the score is the feature's and not its
explanation's: methods.md 5.11 reads the two apart. The 15 contexts are run again as texts by
themselves: cut off from what stood before them, some are silent, and no new text can be expected
to do better.

A text counts as active above 1e-6, as in the paper; what the cache would not store is 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from core import seeds
from core.examples.activating import Stream, activating
from core.examples.draw import alone
from core.llm.requests import Client
from core.prompts import sensitivity as prompt
from core.prompts.generation import N_TEXTS
from core.prompts.judged_texts import Marks, Parts, parts
from core.replies import BadReply
from core.replies.texts import texts_in
from core.score.asking import JudgeSettings
from core.score.generation import METRIC, Prober, Written, write
from core.score.items import own_marks
from core.score.material import Claim, Generated, Material, Outcomes
from core.score.statistics import wilson
from core.score.undefined import NO_ITEMS, too_few, undefined
from data.records import Score

NAME = "sensitivity"
TOP, WEIGHTED = 10, 5  # contexts shown
ACTIVE = 1e-6  # raw activation above which a text counts


class Shown(NamedTuple):
    """The contexts that the new texts are to be like."""

    first_token: np.ndarray  # flat index, uint64 [n], in the order shown
    marked: list[Parts]
    texts: list[str]  # the same as plain text


@dataclass(frozen=True)
class SensitivityScorer:
    """Scores features by texts that are written like their contexts: one call."""

    client: Client
    probe: Prober
    settings: JudgeSettings = field(default_factory=JudgeSettings)
    name = NAME

    @property
    def judge(self) -> str:
        """The model that writes."""
        return self.client.model

    def score(self, material: Material, claims: Sequence[Claim]) -> list[Outcomes]:
        """Have texts written once, whatever the explanations say, and run them."""
        if reason := too_few(material):
            return undefined(
                material, claims, scorer=NAME, metric=METRIC, judge=self.judge, reason=reason
            )
        shown = shown_contexts(material)
        written = self._written(shown)
        texts = [*written.texts, *shown.texts]
        peaks = self.probe.peaks(texts, material.hookpoint, material.feature)
        new, old = peaks[: len(written.texts)], peaks[len(written.texts) :]
        generated = tuple(
            Generated(text, peak, written.key)
            for text, peak in zip(written.texts, new, strict=True)
        )
        score = self._score(material, shown, written, new, old)
        # What was asked is counted with the first explanation only: it was paid once.
        return [
            Outcomes(
                explanation_id=claim.explanation_id,
                items=NO_ITEMS,
                predicted=np.empty(0, np.int8),
                score=score,
                generated=generated,
                asked=written.outcomes if not place else (),
            )
            for place, claim in enumerate(claims)
        ]

    def _written(self, shown: Shown) -> Written:
        marks = prompt.marks_of(shown.marked)
        request = prompt.ask_texts(
            shown.marked, max_tokens=self.settings.max_tokens, seed=self.settings.seed
        )
        (written,) = write(self.client, [request], lambda text: new_texts(text, marks, shown.texts))
        return written

    def _score(
        self,
        material: Material,
        shown: Shown,
        written: Written,
        new: Sequence[float | None],
        old: Sequence[float | None],
    ) -> Score:
        hits, n = counted(new)
        old_hits, old_n = counted(old)
        interval = wilson(hits, n)
        first = zip(shown.first_token.tolist(), old, strict=True)
        return Score(
            scorer=NAME, metric=METRIC, value=interval.value if interval else None,
            low=interval.low if interval else None, high=interval.high if interval else None,
            tpr=None, tnr=None, n=n, failed=N_TEXTS - n, judge=self.judge, preset=material.label,
            by_decile={}, non_activating={},
            detail={
                "asked": N_TEXTS,
                "hits": hits,
                "originals": {
                    "n": old_n,
                    "hits": old_hits,
                    "share": old_hits / old_n if old_n else None,
                    "contexts": [{"first_token": at, "peak": peak} for at, peak in first],
                },
                "defect": written.defect,
            },
        )  # fmt: skip


def counted(peaks: Sequence[float | None]) -> tuple[int, int]:
    """Texts that activate the feature, and texts that could be run."""
    ran = [peak for peak in peaks if peak is not None]
    return sum(peak > ACTIVE for peak in ran), len(ran)


def new_texts(reply: str, marks: Marks, given: Sequence[str]) -> tuple[str, ...]:
    """Read the new texts; copies of given ones do not count, and none may be marked."""
    texts = texts_in(reply, N_TEXTS)
    if any(mark in text for text in texts for mark in marks):
        raise BadReply(f"a text with marks {marks[0]} {marks[1]}; write them without")
    known = {text.strip() for text in given}
    fresh = tuple(text for text in texts if text not in known)
    if not fresh:
        raise BadReply("every text is a copy of a given one")
    return fresh


def shown_contexts(material: Material) -> Shown:
    """Choose the strongest contexts and some of the others by the size of their peak, shuffled.

    No explanation is judged, so contexts of both sides of the split are shown.
    """
    contexts = material.contexts
    stream = Stream(contexts.seed, material.hookpoint, np.array([material.feature]))
    found = activating(contexts, alone(material.activations), stream)
    n = len(found.tile)
    rest = by_weight(found.peak[: max(0, n - TOP)], WEIGHTED, material.seed("sensitivity-weighted"))
    entry = np.concatenate([np.arange(max(0, n - TOP), n), rest])
    entry = entry[seeds.permutation(material.seed("sensitivity-order"), len(entry))]
    first = contexts.first_token(found.tile[entry])
    marks = own_marks(contexts, material.activations, first, material.preset.mark)
    pieces = material.pieces(material.tokens(first))
    marked = [parts(text, mark) for text, mark in zip(pieces, marks, strict=True)]
    return Shown(first, marked, ["".join(text) for text in pieces])


def by_weight(weight: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Draw up to `size` different entries, each in proportion to its weight, int64 [m].

    The largest u^(1/w) of uniform u (Efraimidis and Spirakis 2006, Information Processing Letters
    97, 181).
    """
    uniform = (seeds.draws(seed, np.arange(len(weight))) + 1.0) / 2.0**64  # 0 < u <= 1
    key = np.log(uniform) / weight
    return np.argsort(-key, kind="stable")[:size]
