"""Scorers that ask for one of several marked contexts: intruder and discrimination.

In: questions over m contexts, one of which is the right answer. Out: the place chosen in each, and
accuracy with Wilson's interval. Chance is 1/m: the right answer stands equally often in every
place, so that a judge that prefers a place gains nothing by it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from core import seeds
from core.llm.requests import Client, Message, Outcome, Reply
from core.prompts.judged_texts import Parts, parts
from core.replies.verdicts import choice, choice_schema
from core.score import statistics
from core.score.asking import Asked, JudgeSettings, ask, repeated
from core.score.judge import GrammarJudge
from core.score.material import Claim, Material, Outcomes
from core.score.undefined import too_few, undefined
from data.items import ItemTable
from data.records import Score, Tally

METRIC = "accuracy"
NONE = -1  # place of a question without a usable answer

GrammarFor = Callable[[Claim], GrammarJudge]


class Choices(NamedTuple):
    """Questions of one kind about one feature."""

    first_token: np.ndarray  # contexts in their places, flat index, uint64 [n, m]
    marks: np.ndarray  # marked tokens, bool [n, m, length]
    right: np.ndarray  # place of the right answer, 0 .. m - 1, int64 [n]
    decile: np.ndarray  # 1 weakest .. 10 strongest, uint8 [n]
    peak: np.ndarray  # of the right context, raw, 0 where it is silent, float32 [n]
    skipped: dict[str, int]  # questions that could not be made, by reason

    @property
    def options(self) -> int:
        """Contexts to choose from."""
        return self.first_token.shape[1]


class Chosen(NamedTuple):
    """Somebody's answers to them."""

    place: np.ndarray  # 0 .. m - 1, NONE = no usable reply, int64 [n]
    keys: tuple[str | None, ...] | None = None  # request that each was read from
    outcomes: tuple[Outcome, ...] = ()  # everything that was asked, repeats included


@dataclass(frozen=True, slots=True)
class Chooser:
    """One question over several contexts."""

    name: str  # as in METHODS
    judge: str  # who answers
    questions: Callable[[Material], Choices | str]  # or why there are none
    choose: Callable[[Material, Choices, Sequence[Claim]], list[Chosen]]

    def score(self, material: Material, claims: Sequence[Claim]) -> list[Outcomes]:
        """Score the explanations of one feature, in their order."""
        asked = too_few(material) or self.questions(material)
        if isinstance(asked, str):
            return undefined(
                material, claims, scorer=self.name, metric=METRIC, judge=self.judge, reason=asked
            )
        table = choice_table(asked, self.name)
        return [
            self._outcome(material, claim, asked, chosen, table)
            for claim, chosen in zip(claims, self.choose(material, asked, claims), strict=True)
        ]

    def _outcome(
        self,
        material: Material,
        claim: Claim,
        asked: Choices,
        chosen: Chosen,
        table: ItemTable,
    ) -> Outcomes:
        usable = chosen.place != NONE
        return Outcomes(
            explanation_id=claim.explanation_id,
            items=table,
            predicted=np.where(usable, chosen.place == asked.right, -1).astype(np.int8),
            score=score_choices(asked, chosen, self.name, self.judge, material.label),
            answer=(chosen.place + 1).astype(np.uint8),
            keys=chosen.keys,
            asked=chosen.outcomes,
        )


def score_choices(asked: Choices, chosen: Chosen, scorer: str, judge: str, preset: str) -> Score:
    """Count right choices; one without a usable reply is in no denominator (methods.md 6.2)."""
    usable = chosen.place != NONE
    score = choice_score(asked.right, chosen.place, asked.options, scorer, judge, preset)
    return replace(
        score,
        by_decile=_by_decile(asked, usable & (chosen.place == asked.right), usable),
        detail=score.detail | {"skipped": asked.skipped},
    )


def choice_score(
    right: np.ndarray, place: np.ndarray, options: int, scorer: str, judge: str, preset: str
) -> Score:
    """Make a score of choices: right and chosen places, int64 [n], out of `options`."""
    usable = place != NONE
    hits, n, failed = (
        int((usable & (place == right)).sum()),
        int(usable.sum()),
        int((~usable).sum()),
    )
    share = statistics.wilson(hits, n)
    total = n + failed
    return Score(
        scorer=scorer, metric=METRIC,
        value=share.value if share else None,
        low=share.low if share else None,
        high=share.high if share else None,
        tpr=None, tnr=None, n=n, failed=failed, judge=judge, preset=preset,
        by_decile={}, non_activating={},
        detail={
            "chance": 1 / options,
            "asked": total,
            "failure_rate": failed / total if total else None,
            "bounds": [(hits + lucky) / total if total else None for lucky in (0, failed)],
            "chosen_places": np.bincount(place[usable], minlength=options).tolist(),
        },
    )  # fmt: skip


def _by_decile(asked: Choices, correct: np.ndarray, usable: np.ndarray) -> dict[int, Tally]:
    return {
        decile: Tally(
            n=int((usable & here).sum()),
            correct=int((correct & here).sum()),
            failed=int((~usable & here).sum()),
        )
        for decile in np.unique(asked.decile).tolist()
        for here in [asked.decile == decile]
    }


def choice_table(asked: Choices, scorer: str) -> ItemTable:
    """Questions as the catalogue keeps them: the right context, and all of them in their places."""
    each = np.arange(len(asked.right))
    offsets = [[np.flatnonzero(row).tolist() for row in question] for question in asked.marks]
    return ItemTable(
        kind=[scorer] * len(each),
        decile=asked.decile,
        first_token=asked.first_token[each, asked.right],
        peak=asked.peak,
        marks=[offsets[i][asked.right[i]] for i in each],
        length=asked.marks.shape[2],
        shown=[
            [
                {"first_token": first, "marks": marked}
                for first, marked in zip(question.tolist(), offsets[i], strict=True)
            ]
            for i, question in enumerate(asked.first_token)
        ],
    )


def texts(material: Material, asked: Choices) -> list[list[Parts]]:
    """Write the contexts of every question, cut at their marks."""
    pieces = material.pieces(material.tokens(asked.first_token.ravel()))
    marks = asked.marks.reshape(len(pieces), -1)
    flat = [parts(shown, marked) for shown, marked in zip(pieces, marks, strict=True)]
    m = asked.options
    return [flat[i * m : (i + 1) * m] for i in range(len(asked.right))]


def ask_choices(
    client: Client,
    settings: JudgeSettings,
    conversations: Sequence[tuple[Message, ...]],
    *,
    options: int,
    purpose: str,
    read: Callable[[str, int], int] = choice,
) -> Chosen:
    """Ask a language model, once more where its answer cannot be read."""
    schema = choice_schema(options)
    settings = replace(settings, probabilities=False)  # a choice has no use for them
    requests = [settings.request(messages, schema, purpose) for messages in conversations]
    first = ask(client, requests, lambda _, text: read(text, options))
    unread = [place for place, answer in enumerate(first) if answer.defect is not None]
    again = [repeated(first[place]) for place in unread]
    second = ask(client, again, lambda _, text: read(text, options))
    final = dict(enumerate(first)) | dict(zip(unread, second, strict=True))
    places = [_place(final[place]) for place in range(len(first))]
    return Chosen(
        place=np.array([place for place, _ in places], np.int64),
        keys=tuple(key for _, key in places),
        outcomes=tuple(answer.outcome for answer in [*first, *second]),
    )


def _place(answer: Asked[int]) -> tuple[int, str | None]:
    if answer.value is None or not isinstance(answer.outcome, Reply):
        return NONE, None
    return answer.value - 1, answer.outcome.key


def satisfied(material: Material, asked: Choices, judge: GrammarJudge) -> np.ndarray:
    """Share of each context's marks that satisfy the rules, 0..1 [n, m] (methods.md 4.5)."""
    n, m, length = asked.marks.shape
    first = asked.first_token.ravel()
    share = judge.satisfied(
        material.tokens(first), material.contexts.start(first), asked.marks.reshape(-1, length)
    )
    return share.reshape(n, m)


def smallest(share: np.ndarray, seed: int) -> Chosen:
    """Choose the place with the smallest share; one of several by lot.

    Taking the first of several would prefer the places in front.
    """
    lot = seeds.draws(seed, np.arange(share.size)).reshape(share.shape)
    least = share == share.min(axis=1, keepdims=True)
    return Chosen(np.where(least, lot, np.iinfo(np.uint64).max).argmin(axis=1))


def balanced(seed: int, n: int, m: int) -> np.ndarray:
    """Draw n places out of m so that each comes equally often, int64 [n], 0 .. m - 1.

    Blocks of m questions have every place once, in random order.
    """
    blocks = [seeds.permutation(seed ^ block, m) for block in range(-(-n // m))]
    return np.concatenate([np.empty(0, np.int64), *blocks])[:n]


def arranged_choices(odd: np.ndarray, others: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Put the right context into its place among the others.

    odd [n, ...] goes to place right [n]; others [n, m - 1, ...] fill the rest in their order.
    """
    n, m = len(right), others.shape[1] + 1
    out = np.empty((n, m, *others.shape[2:]), dtype=others.dtype)
    free = np.arange(m) != right[:, None]
    out[free] = others.reshape(n * (m - 1), *others.shape[2:])
    out[np.arange(n), right] = odd
    return out
