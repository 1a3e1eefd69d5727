"""One feature through the whole measurement: pushed, continued, explained, chosen and scored.

Prompts that the explanation is written from, those that choose among candidates and those that the
score is measured on are three kinds apart; upstream code chooses on the prompts that it reports
(methods.md 5.9). In: where a feature fires. Out: records of token ids and numbers, one a target.
Knows no stores.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from core.intervening.ends import Ends
from core.intervening.figures import Figures, differences, figures
from core.intervening.prompts import ROLES, Active, Drawn, Prompt, Role, Text, draw_prompts
from core.intervening.settings import Sizes
from core.intervening.strength import Pushed, Tried, ablating, firing, pushing, search
from core.intervening.verdict import Judge, Said
from core.intervening.wording import Candidates, Shown, Wording
from core.intervening.writing import Written, rising, write
from core.llm.requests import Outcome
from core.sae import Sae
from core.seeds import seed_of, text_seed
from core.steered import Change
from core.steering import divergence
from core.subject import Edit, Subject

Arm = Literal["feature", "ablation", "random-sae", "shuffled"]


class Candidate(NamedTuple):
    """An explanation with what chose it or not."""

    text: str
    value: float | None  # mean difference on the prompts for choosing, nats; None = no answer


class Seen(NamedTuple):
    """What one prompt showed."""

    prompt: Prompt
    clean: tuple[int, ...]  # new tokens
    steered: tuple[int, ...]
    kl: float  # of the next token, nats
    rising: tuple[Change, ...]  # largest gain first
    difference: float | None  # nats, of the chosen explanation; None where none was asked for


class Verdict(NamedTuple):
    """The chosen explanation and its score."""

    text: str | None
    candidates: tuple[Candidate, ...]
    figures: Figures | None
    n_tokens: int | None  # of the explanation with its quotation mark, as the judge cuts it
    chosen: tuple[float | None, ...]  # differences on the prompts for choosing
    scored: tuple[float | None, ...]  # and on those that the score is measured on
    outcomes: tuple[Outcome, ...]


class Measured(NamedTuple):
    """One feature at one strength."""

    arm: Arm
    feature: int
    target: float | None  # KL aimed at, nats; None of an ablation
    strength: float | None  # units of the feature's activation; None where there is none
    kl: float | None  # achieved on the prompts of the score, nats
    reason: str | None  # why there is no score
    note: str  # where fewer prompts were used than wanted, or are left out of an ablation
    verdict: Verdict | None
    seen: tuple[Seen, ...]
    tried: Tried
    explaining: tuple[Outcome, ...] = ()  # what an endpoint was asked for candidates


@dataclass(frozen=True)
class Study:
    """What all features of one SAE share."""

    subject: Subject
    sae: Sae
    hookpoint: str
    text: Text
    wording: Wording
    judge: Judge
    sizes: Sizes
    spelt: Callable[[Sequence[int]], str]  # the text of token ids, without special ones
    run_seed: int

    def measured(
        self, feature: int, active: Active, targets: Sequence[float], *, arm: Arm, ablate: bool
    ) -> list[Measured]:
        """Measure one feature at every target, and its ablation where asked for."""
        seed = seed_of(self.run_seed, f"{arm}|{self.hookpoint}", feature, "intervention")
        drawn = draw_prompts(self.text, active, self.sizes, seed)
        arms: list[tuple[Arm, float | None]] = [(arm, target) for target in targets]
        if ablate:
            arms.append(("ablation", None))
        if drawn.reason is not None:
            return [_nothing(one, feature, target, drawn.reason) for one, target in arms]
        return list(_Feature(self, feature, drawn, seed).measured(arms))


def _nothing(
    arm: Arm, feature: int, target: float | None, reason: str, note: str = "", tried: Tried = ()
) -> Measured:
    return Measured(arm, feature, target, None, None, reason, note, None, (), tried)


class _Feature:
    """One feature's prompts, run to their ends together."""

    def __init__(self, study: Study, feature: int, drawn: Drawn, seed: int) -> None:
        self.study, self.feature, self.seed, self.note = study, feature, seed, drawn.note
        self.prompts = [prompt for role in ROLES for prompt in drawn.of(role)]
        self.seeds = [text_seed(f"{seed}|{p.first_token}|{p.length}") for p in self.prompts]
        self.ends = Ends(study.subject, [prompt.ids for prompt in self.prompts])
        self.clean = self._written(None)
        self.silent: frozenset[int] = frozenset()  # places that do not count; of an ablation alone

    def places(self, role: Role) -> list[int]:
        """Where the prompts of one kind that count stand among all."""
        return [
            i for i, prompt in enumerate(self.prompts)
            if prompt.role == role and i not in self.silent
        ]  # fmt: skip

    def measured(self, arms: Sequence[tuple[Arm, float | None]]) -> Iterator[Measured]:
        """Measure at every target; strengths that were run for one serve the next."""
        study, tried = self.study, ()
        pushed = Pushed(study.subject, study.sae, study.hookpoint, self.feature, self.ends,
                        counted=self.places("score"))  # fmt: skip
        for arm, target in arms:
            if target is None:
                yield self._ablated(arm)
                continue
            found = search(pushed.kl, target, known=tried)
            tried = found.tried
            if found.strength is None:
                yield _nothing(arm, self.feature, target, found.reason or "", self.note, tried)
                continue
            edit = pushing(study.sae, study.hookpoint, self.feature, found.strength)
            yield self._at(arm, target, found.strength, edit, tried, self.note)

    def _ablated(self, arm: Arm) -> Measured:
        """Measure without the feature where it is on: a silent one changes nothing by definition.

        All that was drawn has it on in the cache's sequences; as run, a prompt is cut from them.
        """
        study, n = self.study, len(self.prompts)
        is_on = firing(study.sae, study.hookpoint, self.feature, self.ends)
        said = f"the feature is on at the end of {sum(is_on)} of {n} as they are run"
        note = "; ".join(filter(None, [self.note, f"{said}, the silent ones are left out"]))
        self.silent = frozenset(i for i, one in enumerate(is_on) if not one)
        try:
            if not all(self.places(role) for role in ROLES):
                return _nothing(arm, self.feature, None, f"too few prompts: {said}", note)
            edit = ablating(study.sae, study.hookpoint, self.feature)
            return self._at(arm, None, None, edit, (), note)
        finally:
            self.silent = frozenset()

    def _at(
        self, arm: Arm, target: float | None, strength: float | None, edit: Edit, tried: Tried,
        note: str,
    ) -> Measured:  # fmt: skip
        study, steered = self.study, self._written(edit)
        gains = rising(self.clean.logits, steered.logits, study.sizes.rising)
        kls = divergence(self.clean.logits, steered.logits)
        candidates = self._candidates(gains)
        select, score = self.places("select"), self.places("score")
        verdict = judged(study.judge, candidates.texts, self._passages(select, steered),
                         self._passages(score, steered), self.seed)  # fmt: skip
        differences: dict[int, float | None] = dict(zip(select, verdict.chosen, strict=False))
        differences |= dict(zip(score, verdict.scored, strict=False))
        seen = [
            Seen(prompt, self.clean.texts[i], steered.texts[i], kls[i], gains[i],
                 differences.get(i))
            for i, prompt in enumerate(self.prompts)
        ]  # fmt: skip
        return Measured(
            arm, self.feature, target, strength, sum(kls[i] for i in score) / len(score),
            candidates.error or _unscored(verdict), note, verdict, tuple(seen), tried,
            candidates.outcomes,
        )  # fmt: skip

    def _written(self, edit: Edit | None) -> Written:
        return write(self.ends, edit, self.seeds, self.study.sizes, self.study.subject.eos_id)

    def _candidates(self, gains: Sequence[tuple[Change, ...]]) -> Candidates:
        spelt = self.study.spelt
        shown = [
            Shown(spelt(self.prompts[i].ids), gains[i],
                  tuple(spelt([one.token]) for one in gains[i]))
            for i in self.places("explain")
        ]  # fmt: skip
        return self.study.wording.candidates(shown, self.study.sizes.candidates, self.seed)

    def _passages(self, places: Sequence[int], steered: Written) -> "Passages":
        clean, pushed = (
            [self.study.spelt([*self.prompts[i].ids, *side.texts[i]]) for i in places]
            for side in (self.clean, steered)
        )
        return clean, pushed


def _unscored(verdict: Verdict) -> str | None:
    has_score = verdict.figures is not None and verdict.figures.value is not None
    return None if has_score else "the judge gave no usable answer"


Passages = tuple[Sequence[str], Sequence[str]]  # with clean texts, with pushed ones


def judged(
    judge: Judge, candidates: Sequence[str], select: Passages, score: Passages, seed: int
) -> Verdict:
    """Choose the candidate that gains most on some passages, and score it on others."""
    if not candidates:
        return Verdict(None, (), None, None, (), (), ())
    found = _asked(judge, candidates, select)
    values = [figures(row, None, seed).value for row in found.rows]
    listed = tuple(map(Candidate, candidates, values))
    known = [i for i, value in enumerate(values) if value is not None]
    if not known:
        return Verdict(None, listed, None, None, (), (), found.outcomes)
    best = max(known, key=lambda i: values[i] or 0.0)
    last = _asked(judge, [candidates[best]], score)
    result = figures(last.rows[0], last.n_tokens[0], text_seed(f"{seed}|bootstrap"))
    return Verdict(candidates[best], listed, result, last.n_tokens[0], tuple(found.rows[best]),
                   tuple(last.rows[0]), (*found.outcomes, *last.outcomes))  # fmt: skip


class _Found(NamedTuple):
    rows: list[list[float | None]]  # differences, nats a passage, by explanation
    n_tokens: list[int | None]  # of each explanation
    outcomes: tuple[Outcome, ...]


def _asked(judge: Judge, texts: Sequence[str], passages: Passages) -> _Found:
    """Ask about clean and pushed texts; equal ones once, so that nothing differs by nothing."""
    unique = list(dict.fromkeys([*passages[0], *passages[1]]))
    answers = judge.ask(unique, texts)
    rows: list[list[float | None]] = []
    for row in answers.values:
        said: dict[str, Said | None] = dict(zip(unique, row, strict=True))
        clean, steered = ([said[passage] for passage in side] for side in passages)
        rows.append(differences(clean, steered))
    tokens = [
        max((one.n_tokens for one in row if one is not None), default=None)
        for row in answers.values
    ]
    return _Found(rows, tokens, answers.outcomes)
