"""Explanations in free text, translated into the grammar and checked exactly (methods.md 4.5).

A model says an explanation in rules; the rules get value and precision from the train tokens, as
learnt ones do, and are checked on every test token. Such a score is labelled "translated": it
measures explanation and translator together, and what a rule cannot ask is lost to it. The label,
the canonical rule and what was left out travel with the score.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from core.explain.grammar import score_of
from core.grammar import Corpus, Rule, Rules, Words, check, render
from core.grammar.induction import target, value
from core.llm.requests import CallFailed, Client, Outcome, Request, spent
from core.prompts.translate import repair_request, translation_request
from core.replies import BadReply, cleaned
from core.replies.rules import Conjunction, rules_in
from core.score.material import Claim, Material, Outcomes
from data.items import ItemTable
from data.records import Score, Usage

PRESET = "translated"
NOTHING = ItemTable([], np.empty(0, np.uint8), np.empty(0, np.uint64), np.empty(0, np.float32), [])


class Translated(NamedTuple):
    """What a model made of one explanation; it knows nothing of any feature."""

    rules: tuple[Conjunction, ...] | None  # () = nothing can be said; None = no usable answer
    left_out: str  # what the model says it could not express
    unknown: tuple[str, ...]  # words that no token of the subject is
    error: str | None  # why there is no usable answer
    outcomes: tuple[Outcome, ...]  # everything that was asked


def translate(client: Client, texts: Sequence[str], words: Words) -> list[Translated]:
    """Translate explanations, all at once; an answer that cannot be read is asked for once more."""
    requests = [translation_request(text) for text in texts]
    found = [_read(said, words) for said in client.ask(requests)]
    wrong = [i for i, one in enumerate(found) if one.rules is None and not _failed(one)]
    again = client.ask([_repair(requests[i], found[i]) for i in wrong]) if wrong else []
    for i, said in zip(wrong, again, strict=True):
        second = _read(said, words)
        found[i] = second._replace(outcomes=(*found[i].outcomes, said))
    return found


def _read(said: Outcome, words: Words) -> Translated:
    if isinstance(said, CallFailed):
        return Translated(None, "", (), said.reason, (said,))
    try:
        rules, left_out, unknown = rules_in(said.text, words)
    except BadReply as defect:
        return Translated(None, "", (), str(defect), (said,))
    return Translated(rules, left_out, unknown, None, (said,))


def _failed(found: Translated) -> bool:
    return isinstance(found.outcomes[-1], CallFailed)


def _repair(request: Request, found: Translated) -> Request:
    said = found.outcomes[-1]
    assert not isinstance(said, CallFailed)
    return repair_request(request, cleaned(said.text), found.error or "")  # without reasoning


class Fitted(NamedTuple):
    """Rules with figures from the train tokens of one feature."""

    rules: Rules
    idle: tuple[Rule, ...]  # those of them that claim no train token that others leave


def fitted(
    corpus: Corpus, rules: Sequence[Conjunction], token: np.ndarray, activation: np.ndarray
) -> Fitted:
    """Order rules and attach value and precision as induction does (methods.md 4.3, step 5).

    token uint32 [n] ascending flat indices, activation float32 [n]. A rule that is the first to
    claim no train token has nothing to be measured on: it keeps its place at the end, for it may
    claim test tokens, with what is true of any train token: the feature's mean and rate.
    """
    inside = corpus.train_positions[token]
    token, activation = token[inside], activation[inside]  # test sequences are never looked at
    learnt = value(corpus, list(rules), target(corpus, token, activation, 0.0))
    used = {_key(rule.literals) for rule in learnt.rules}
    n = max(1, int((corpus.train_positions & corpus.valid).sum()))
    mean = float(f"{activation.sum(dtype=float) / n:.4g}")
    rate = float(f"{(activation > 0).sum() / n:.4g}")
    idle = tuple(Rule(one, mean, rate) for one in rules if _key(one) not in used)
    return Fitted(Rules((*learnt.rules, *idle)), idle)


def _key(literals: Conjunction) -> frozenset[tuple[str, str, frozenset[str], bool]]:
    """What a rule asks, whatever the order of its literals and values."""
    return frozenset((x.place, x.kind, frozenset(x.values), x.negated) for x in literals)


def check_translated(
    found: Translated, corpus: Corpus, token: np.ndarray, activation: np.ndarray, judge: str
) -> Score:
    """Check a translation exactly: F1 on test tokens, or a score that says why there is none.

    judge: the model that translated. A translation without rules is undefined, not 0: it says
    nothing that could be wrong.
    """
    said: dict[str, object] = {"left_out": found.left_out, "unknown": list(found.unknown)}
    if not found.rules:
        return _undefined(found, judge, said | {"reason": _why_not(found)})
    rules, idle = fitted(corpus, found.rules, token, activation)
    score = score_of(check(corpus, rules, token, activation))
    detail = score.detail | said
    detail |= {"rule": str(rules), "idle": [str(rule) for rule in idle], "read": render(rules)}
    return replace(score, judge=judge, preset=PRESET, detail=detail, usage=_usage(found))


def _why_not(found: Translated) -> str:
    if found.rules is None:
        return f"no usable translation: {found.error}"
    if found.unknown:
        return f"no token of the subject is {', '.join(found.unknown[:5])}"
    return f"cannot be said in rules: {found.left_out}" if found.left_out else "no rule was given"


def _undefined(found: Translated, judge: str, detail: dict[str, object]) -> Score:
    return Score(
        scorer="exact", metric="f1", value=None, low=None, high=None, tpr=None, tnr=None,
        n=0, failed=int(found.rules is None), judge=judge, preset=PRESET, by_decile={},
        non_activating={}, detail=detail, usage=_usage(found),
    )  # fmt: skip


def _usage(found: Translated) -> Usage:
    calls, input_tokens, output_tokens, cost_usd, _ = spent(found.outcomes)
    return Usage(calls, input_tokens, output_tokens, cost_usd)


class TranslatedExact:
    """The scorer: every explanation translated by a model, then checked by a program.

    Asks about every token of the corpus and hence makes no items and no verdicts.
    """

    name = "exact"

    def __init__(self, client: Client, corpus: Corpus) -> None:
        self.client, self.corpus = client, corpus

    @property
    def judge(self) -> str:
        """The model that translates."""
        return self.client.model

    def score(self, material: Material, claims: Sequence[Claim]) -> list[Outcomes]:
        """Translate and check the explanations of one feature, in their order."""
        token, activation = material.activations
        made = translate(self.client, [claim.text for claim in claims], self.corpus.words)
        return [
            Outcomes(
                explanation_id=claim.explanation_id,
                items=NOTHING,
                predicted=np.empty(0, np.int8),
                score=check_translated(found, self.corpus, token, activation, self.judge),
                asked=found.outcomes,
            )
            for claim, found in zip(claims, made, strict=True)
        ]
