"""Output-side score: does an explanation pick the feature's texts among steered ones?

arXiv 2501.08319: while a feature is held at a value everywhere, the subject writes twelve short
texts; a judge that is given an explanation names the feature's set among those of two others of
the same SAE; chance is 1/3. Ours (methods.md 5.10): six trials, because one choice of three says
next to nothing; two fresh distractors and fresh texts of the feature in each; the own set stands
equally often in every place; distractors reach the very KLs that the feature reaches, and others
are passed over. Trials belong to the feature: all explanations and judges see the same ones.

The judge is a language model, or, without one, a count of the tokens that the explanation names
(named_tokens.py). It looks at no context of the corpus.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from core import seeds
from core.llm.requests import Client
from core.prompts import output_side as prompt
from core.replies.verdicts import last_choice
from core.score import named_tokens
from core.score.asking import JudgeSettings
from core.score.choices import METRIC, NONE, Chosen, ask_choices, balanced, choice_score
from core.score.material import Claim, Material, Outcomes
from core.score.steered_sets import Aimed, SetWriter, TextSet, Trial
from core.score.undefined import undefined
from data.items import ItemTable

NAME = "output-side"
TRIALS = 6
OPTIONS = 3
FEWEST_OTHERS = OPTIONS - 1
LOOKED_AT = 96  # other features tried as distractors, at most
UNREACHED = "unmatched-kl"  # reason: turned up, the feature moves the next token by no target KL
NO_OTHERS = "no-distractors"  # reason: too few other features reach the same KLs


class Picked(NamedTuple):
    """A judge's choices for one explanation, or the reason why it has none."""

    chosen: Chosen | str
    ties: int | None = None  # choices that were by lot; None = this judge has no ties


Judge = Callable[[Material, Sequence[Trial], Sequence[Claim]], list[Picked]]


@dataclass(frozen=True)
class OutputSideScorer:
    """Scores explanations by what their feature makes the subject write."""

    judge: str  # a model's id, or "named tokens"
    pick: Judge
    writer: Callable[[], SetWriter]  # opened when texts have to be written
    others: Callable[[Material], Sequence[int]]  # features of the SAE that may be distractors
    known: Callable[[Material], Sequence[Trial]]  # trials that the store has
    name = NAME

    def score(self, material: Material, claims: Sequence[Claim]) -> list[Outcomes]:
        """Score the explanations of one feature, in their order."""
        trials = self.known(material) or self._trials(material)
        if isinstance(trials, Refused):
            return self._undefined(material, claims, trials)
        table = trial_table(trials)
        return [
            self._outcome(material, claim, trials, picked, table)
            for claim, picked in zip(claims, self.pick(material, trials, claims), strict=True)
        ]

    def _trials(self, material: Material) -> "list[Trial] | Refused":
        order = seeds.permutation(material.seed("output-side-others"), len(self.others(material)))
        others = [int(self.others(material)[i]) for i in order[:LOOKED_AT]]
        places = balanced(material.seed("output-side-places"), TRIALS, OPTIONS)
        return made_trials(
            self.writer(), material.hookpoint, material.feature,
            [other for other in others if other != material.feature], places,
        )  # fmt: skip

    def _undefined(
        self, material: Material, claims: Sequence[Claim], refused: "Refused"
    ) -> list[Outcomes]:
        made = undefined(
            material, claims, scorer=NAME, metric=METRIC, judge=self.judge, reason=refused.reason
        )
        detail = {"reason": refused.reason, "held": refused.words}
        return [replace(one, score=replace(one.score, detail=detail)) for one in made]

    def _outcome(
        self,
        material: Material,
        claim: Claim,
        trials: Sequence[Trial],
        picked: Picked,
        table: ItemTable,
    ) -> Outcomes:
        if isinstance(picked.chosen, str):
            return undefined(
                material, [claim], scorer=NAME, metric=METRIC, judge=self.judge,
                reason=picked.chosen,
            )[0]  # fmt: skip
        right = np.array([trial.right for trial in trials], np.int64)
        place = picked.chosen.place
        score = choice_score(right, place, OPTIONS, NAME, self.judge, material.label)
        said = {"hits": int((place == right).sum()), "held": held_words(trials)}
        if picked.ties is not None:
            said["ties"] = picked.ties
        return Outcomes(
            explanation_id=claim.explanation_id,
            items=table,
            predicted=np.where(place == NONE, -1, place == right).astype(np.int8),
            score=replace(score, detail=score.detail | said),
            answer=(place + 1).astype(np.uint8),
            keys=picked.chosen.keys,
            asked=picked.chosen.outcomes,
        )


def model_judge(client: Client, settings: JudgeSettings) -> Judge:
    """Ask a language model which set each explanation belongs to."""

    def pick(_material: Material, trials: Sequence[Trial], claims: Sequence[Claim]) -> list[Picked]:
        return [
            Picked(ask_choices(
                client, settings,
                [prompt.messages(claim.text, trial.sets) for trial in trials],
                options=OPTIONS, purpose=NAME, read=last_choice,
            ))
            for claim in claims
        ]  # fmt: skip

    return pick


def counting_judge(
    material: Material, trials: Sequence[Trial], claims: Sequence[Claim]
) -> list[Picked]:
    """Take the set with most of the tokens named; what names none is not judged."""
    seed = material.seed("output-side-ties")
    picked = []
    for claim in claims:
        tokens = named_tokens.named(claim.text, material.vocabulary)
        if not tokens:
            picked.append(Picked(named_tokens.NAMES_NONE))
            continue
        place, ties = named_tokens.choose(tokens, trials, seed)
        picked.append(Picked(Chosen(place), ties))
    return picked


class Refused(NamedTuple):
    """Why a feature has no trials."""

    reason: str
    words: tuple[str, ...]  # of each value that was searched for


def made_trials(
    writer: SetWriter, hookpoint: str, feature: int, others: Sequence[int], places: np.ndarray
) -> list[Trial] | Refused:
    """Have the texts of a feature and of its distractors written.

    places: of the own set in every trial, int64 [trials]. Distractors are the first others that
    reach what the feature reaches; where they are fewer than two a trial, they come again.
    """
    (own,) = writer.aimed(hookpoint, [feature])
    kinds = [at.kind for at in own if at.value is not None]
    if not any(sign > 0 for _, sign in kinds):
        return Refused(UNREACHED, tuple(map(_said, own)))
    wanted = FEWEST_OTHERS * len(places)
    found = _matching(writer, hookpoint, others, kinds, wanted)
    if len(found) < FEWEST_OTHERS:
        return Refused(NO_OTHERS, tuple(map(_said, own)))
    drawn = [found[i % len(found)] for i in range(wanted)]
    asked = [(feature, draw) for draw in range(len(places))] + [(other, 0) for other in drawn]
    sets = [one.only(kinds) for one in writer.write(hookpoint, asked)]
    mine, theirs = sets[: len(places)], sets[len(places) :]
    return [
        Trial(_arranged(mine[i], theirs[FEWEST_OTHERS * i :][:FEWEST_OTHERS], place), place)
        for i, place in enumerate(places.tolist())
    ]


def _matching(
    writer: SetWriter,
    hookpoint: str,
    others: Sequence[int],
    kinds: Sequence[tuple[float, int]],
    wanted: int,
) -> list[int]:
    """The first `wanted` of the others that reach the same targets in the same directions."""
    found: list[int] = []
    for first in range(0, len(others), wanted):
        block = others[first : first + wanted]
        for other, aimed in zip(block, writer.aimed(hookpoint, block), strict=True):
            reached = {at.kind for at in aimed if at.value is not None}
            found += [other] if reached.issuperset(kinds) else []
        if len(found) >= wanted:
            break
    return found[:wanted]


def _arranged(own: TextSet, others: Sequence[TextSet], place: int) -> tuple[TextSet, ...]:
    return (*others[:place], own, *others[place:])


def _said(at: Aimed) -> str:
    """Say what came of a search, e.g. "KL 0.25 turned up: held at 12.3, KL 0.249"."""
    turned = f"KL {at.target:g} turned {'up' if at.sign > 0 else 'down'}"
    if at.value is None:
        return f"{turned}: {at.reason}"
    return f"{turned}: held at {at.value:.4g}, KL {at.kl:.3g}"


def held_words(trials: Sequence[Trial]) -> list[str]:
    """What the feature was held at, as its trials say."""
    own = trials[0].sets[trials[0].right]
    return [_said(at) for at, _ in own.held]


def trial_table(trials: Sequence[Trial]) -> ItemTable:
    """Trials as the catalogue keeps them: no context, but all texts in their places."""
    n = len(trials)
    return ItemTable(
        kind=[NAME] * n,
        decile=np.zeros(n, np.uint8),
        first_token=np.zeros(n, np.uint64),
        peak=np.zeros(n, np.float32),
        marks=[None] * n,
        shown=[trial.as_json() for trial in trials],
    )
