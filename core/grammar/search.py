"""Greedy cover by beam search over candidate literals, as matrix products.

Rules are grown literal by literal to maximise F of *list so far OR rule*; a rule joins the list if
the description of rules and errors gets shorter (methods.md 4.3, step 3).
"""

from dataclasses import replace
from math import lgamma, log
from typing import NamedTuple

import numpy as np

from core.grammar.candidates import SET_KINDS, Candidates, Counted, best_set, f_measure
from core.grammar.corpus import Corpus
from core.grammar.evidence import Sample
from core.grammar.language import BACK, NEAR, Literal
from core.grammar.settings import Settings

BEAM = 6
GAIN = 0.015  # least relative gain of F for another rule: below it a person gains nothing
LITERAL_GAIN = 0.01  # the same for another literal in a rule
NEGATION_BITS = 6.0  # "but not" is harder to read and easier to find by chance
WEAKEST = 0.05  # F below which no rule at all is the more honest answer
LEAST_CLAIMED = 3  # positives of the sample that a rule must claim


class Found(NamedTuple):
    """A rule on the sample."""

    literals: tuple[Literal, ...]
    bits: float  # description length
    negates: bool  # one literal is negated
    holds: np.ndarray  # bool [sample]
    score: float  # F of list so far OR rule; minus the description length for mdl


class Evidence:
    """The sample, for questions that are no candidates."""

    def __init__(self, corpus: Corpus, sample: Sample) -> None:
        self.text, self.words, self.position = corpus.text, corpus.words, sample.position

    def holds(self, literal: Literal) -> np.ndarray:
        """Decide a literal on the sample: bool [sample]."""
        return self.text.holds(literal, self.position)

    def attribute_of(self, literal: Literal) -> np.ndarray:
        """Look where the literal looks and give the attribute of its kind: int32, -1 none."""
        back = BACK[literal.place]
        inside = self.position % self.text.width >= back
        tokens = self.text.tokens[np.maximum(self.position - back, 0)]
        return np.where(inside, self.words.single[literal.kind][tokens], -1)


class Cover:
    """The list so far: what it claims, and what each addition would change."""

    def __init__(
        self, corpus: Corpus, sample: Sample, found: Candidates, settings: Settings
    ) -> None:
        self.found, self.settings = found, settings
        self.evidence = Evidence(corpus, sample)
        self.plus = np.where(sample.positive, sample.weight, 0.0)
        self.minus = np.where(sample.positive, 0.0, sample.weight)
        self.positive = sample.positive
        self.n_positive, self.n_total = self.plus.sum(), sample.weight.sum()
        self.open = np.ones(len(sample.position), bool)
        self.tp = self.fp = self.bits = 0.0
        self.rules: list[Found] = []

    def grow(self) -> bool:
        """Add the best next rule; False if none shortens the description."""
        best = self._best_rule()
        if best is None or not self._enough(best):
            return False
        fresh = best.holds & self.open
        tp, fp = self.tp + self.plus[fresh].sum(), self.fp + self.minus[fresh].sum()
        bits = self.bits + best.bits
        now = f_measure(self.tp, self.fp, self.n_positive, self.settings.beta)
        then = f_measure(tp, fp, self.n_positive, self.settings.beta)
        if self.length(tp, fp, bits) >= self.length(self.tp, self.fp, self.bits):
            return False
        if self.settings.objective != "mdl" and then < now * (1 + GAIN):
            return False
        self.tp, self.fp, self.bits = tp, fp, bits
        self.open &= ~fresh
        self.rules.append(best)
        return True

    def settle(self) -> None:
        """Take the best rule though it shortens nothing: a weak answer, shown with its figures."""
        best = self._best_rule()
        if best is None or not self._enough(best):
            return
        tp, fp = self.plus[best.holds].sum(), self.minus[best.holds].sum()
        if f_measure(tp, fp, self.n_positive, 1.0) >= WEAKEST:
            self.rules.append(best)

    def _enough(self, rule: Found) -> bool:
        """Whether a rule newly claims enough positives not to be chance; conjunctions need more."""
        claimed = int((rule.holds & self.open & self.positive).sum())
        simple = len(rule.literals) == 1 and rule.literals[0].place == "here"
        least, share = (LEAST_CLAIMED, 0.01) if simple else (LEAST_CLAIMED + 2, 0.03)
        return claimed >= max(least, share * self.positive.sum())

    def length(self, tp: float, fp: float, bits: float) -> float:
        """Bits for rules and errors; misses weigh beta² as much, as in the measure maximised."""
        claimed = tp + fp
        missed = self.n_positive - tp
        square = self.settings.beta**2
        return (
            bits
            + choose_bits(claimed, fp)
            + square * choose_bits(max(self.n_total - claimed, missed), missed)
        )

    def _score(self, tp: np.ndarray, fp: np.ndarray, bits: np.ndarray) -> np.ndarray:
        if self.settings.objective == "mdl":
            flat = [
                -self.length(self.tp + t, self.fp + f, b)
                for t, f, b in zip(tp.ravel(), fp.ravel(), bits.ravel(), strict=True)
            ]
            return np.array(flat).reshape(tp.shape)
        f = f_measure(self.tp + tp, self.fp + fp, self.n_positive, self.settings.beta)
        return f - 2e-4 * bits  # ties and near ties go to the shorter rule

    def _best_rule(self) -> Found | None:
        """Search conjunctions of up to max_literals columns, then refit sets of values."""
        found = self.found
        weights = np.stack([self.plus * self.open, self.minus * self.open], 1).astype(np.float32)
        base = found.holds.T @ weights  # [literals, 2]
        score = self._score(base[:, 0], base[:, 1], found.bits)
        score = np.where(base[:, 0] > 0, score, -np.inf)
        beam = [
            Found((found.literals[i],), found.bits[i], False, found.holds[:, i] > 0, score[i])
            for i in self._seeds(score, base)
        ]
        if not beam:
            return None
        best = max(beam, key=lambda rule: rule.score)
        for _ in range(self.settings.max_literals - 1):
            beam = self._extend(beam, weights)
            if not beam or beam[0].score <= best.score + LITERAL_GAIN * abs(best.score):
                break
            best = beam[0]
        return self._refit(best)

    def _seeds(self, score: np.ndarray, base: np.ndarray) -> list[int]:
        """Best single literals by the objective, and by support times log-odds."""
        by_score = np.argsort(-score, kind="stable")[:BEAM]
        rate = max(self.plus[self.open].sum(), 1e-9) / max(self.n_total, 1e-9)
        tp, fp = base[:, 0].astype(float), base[:, 1].astype(float)
        odds = tp * np.log((tp + rate) / (tp + fp + 1) / rate)
        by_odds = np.argsort(-odds, kind="stable")[: BEAM // 2]
        both = dict.fromkeys([*by_score.tolist(), *by_odds.tolist()])
        return [i for i in both if np.isfinite(score[i])]

    def _extend(self, beam: list[Found], weights: np.ndarray) -> list[Found]:
        """Add one literal, or the negation of one, to every rule of the beam."""
        holds, bits = self.found.holds, self.found.bits
        masks = np.stack([rule.holds for rule in beam], 1)  # [sample, beam]
        stacked = (masks[:, :, None] * weights[:, None, :]).reshape(len(weights), -1)
        inside = (holds.T @ stacked).reshape(len(bits), len(beam), 2)
        whole = stacked.sum(0).reshape(1, len(beam), 2)
        prices = np.array([rule.bits for rule in beam])[None, :] + bits[:, None]
        plain = self._score(inside[..., 0], inside[..., 1], prices)
        rest = np.maximum(whole - inside, 0)
        no = self._score(rest[..., 0], rest[..., 1], prices + NEGATION_BITS)
        for j, rule in enumerate(beam):
            same = [i for i, x in enumerate(self.found.literals) if _overlap(x, rule.literals)]
            plain[same, j] = no[same, j] = -np.inf
            if rule.negates:
                no[:, j] = -np.inf
        return self._best_of(beam, plain, no)

    def _best_of(self, beam: list[Found], plain: np.ndarray, no: np.ndarray) -> list[Found]:
        scores = np.stack([plain, no])
        order = np.argsort(-scores, axis=None, kind="stable")[: 4 * BEAM]
        out: dict[frozenset[Literal], Found] = {}
        for flat in order:
            sign, column, which = (int(i) for i in np.unravel_index(flat, scores.shape))
            rule, value = beam[which], float(scores[sign, column, which])
            literal = replace(self.found.literals[column], negated=bool(sign))
            literals = (*rule.literals, literal)
            if np.isfinite(value) and frozenset(literals) not in out and len(out) < BEAM:
                holds = rule.holds & ((self.found.holds[:, column] > 0) != bool(sign))
                bits = rule.bits + self.found.bits[column] + NEGATION_BITS * sign
                negates = rule.negates or bool(sign)
                out[frozenset(literals)] = Found(literals, bits, negates, holds, value)
        return list(out.values())

    def _refit(self, rule: Found) -> Found:
        """Choose the values of each token test again, given the other literals and the list.

        This merges rules that differ in one value (methods.md 4.3, step 4), all at once.
        """
        for index, literal in enumerate(rule.literals):
            if literal.place in BACK and literal.kind in SET_KINDS and not literal.negated:
                rule = self._refit_one(rule, index, literal)
        return rule

    def _refit_one(self, rule: Found, index: int, literal: Literal) -> Found:
        rest = (*rule.literals[:index], *rule.literals[index + 1 :])
        attribute, others = self.evidence.attribute_of(literal), self.open.copy()
        for other in rest:
            others &= self.evidence.holds(other)
        others &= attribute >= 0
        size = len(self.evidence.words.kind)
        active = np.bincount(attribute[others], self.plus[others], minlength=size)
        total = active + np.bincount(attribute[others], self.minus[others], minlength=size)
        used = np.flatnonzero(active)
        counted = Counted(used, active[used], total[used])
        values = best_set(
            self.evidence.words, counted, literal.kind, self.n_positive, self.settings.beta,
            (self.tp, self.fp),
        )  # fmt: skip
        if not values or set(values) == set(literal.values):
            return rule
        changed = replace(literal, values=values)
        holds = others & self.evidence.holds(changed)
        per_value = np.log2(max(2, len(used)))
        bits = rule.bits + per_value * (len(values) - len(literal.values))
        tp, fp = self.plus[holds].sum(), self.minus[holds].sum()
        score = float(self._score(np.array([tp]), np.array([fp]), np.array([bits]))[0])
        if score <= rule.score:
            return rule
        literals = (*rule.literals[:index], changed, *rule.literals[index + 1 :])
        return Found(literals, bits, rule.negates, holds, score)


def _overlap(literal: Literal, literals: tuple[Literal, ...]) -> bool:
    """Whether a literal asks again what a rule asks already, if over another distance."""
    return any(
        (literal.kind, literal.values) == (x.kind, x.values)
        and (literal.place == x.place or {literal.place, x.place} <= {*NEAR, "prev", "prev2"})
        for x in literals
    )


def choose_bits(n: float, k: float) -> float:
    """log2 of n over k, for real n >= k >= 0."""
    if n <= 0 or k <= 0 or k >= n:
        return 0.0
    return (lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)) / log(2)
