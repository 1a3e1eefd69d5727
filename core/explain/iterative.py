"""Iterative: an explanation is tried, revised in the light of its mistakes, and tried again.

A revision stays only if it does better on the same items of the selection split: the paired
difference of balanced accuracy has to be positive (methods.md 6.4). The delphi branch that the idea
comes from has its accept test switched off. The mistakes shown and the test are of one split, so
that the gain on it is optimistic; what is scored afterwards is the test split.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from core.explain.asking import Asked, Question, as_request, ask
from core.explain.direct import Direct, explanation_question, layout_of, written
from core.explain.evidence import Evidence
from core.explain.explaining import Tools, Written, request_seed
from core.explain.settings import ExplainerSettings
from core.explain.trial import Trial, Tried
from core.llm.requests import Request
from core.prompts import explain_revision
from core.prompts.explain_revision import MISTAKES, USUAL, Feedback
from core.score.statistics import Comparison, compare
from data.errors import BadInput

CLASSES = np.array([0.5, 0.5])  # weights of silent and activating items


class Standing(NamedTuple):
    """The explanation that stands, and how it did."""

    asked: Asked[str]
    text: str
    tried: Tried


@dataclass
class Course:
    """What has happened to a feature so far."""

    standing: Standing
    rejected: list[str] = field(default_factory=list)
    rounds: list[dict[str, object]] = field(default_factory=list)


class Iterative:
    """Begins with the activations explainer's explanation."""

    def __init__(self, settings: ExplainerSettings) -> None:
        self.settings = settings
        self.direct = Direct(settings, "activations")

    def opening(self, evidence: Evidence, tools: Tools) -> list[Request]:
        """Write the first request; the others depend on replies."""
        return self.direct.opening(evidence, tools)

    def explain(self, evidence: Evidence, tools: Tools) -> Written:
        """Explain, then revise until nothing is gained."""
        if tools.trial is None:
            raise BadInput("iterative needs a judge to try its explanations: name a model")
        if reason := self.direct.lacking(evidence):
            return Written(None, reason)
        first = ask(tools.client, [self.direct.question(evidence, tools)])[0]
        if first.value is None:
            return written(first)
        return self._revised(first, first.value, evidence, tools, tools.trial)

    def _revised(
        self, first: Asked[str], text: str, evidence: Evidence, tools: Tools, trial: Trial
    ) -> Written:
        tried = trial(text)
        course = Course(Standing(first, text, tried))
        outcomes = [*first.outcomes, *tried.outcomes]
        for number in range(1, self.settings.rounds + 1):
            feedback = feedback_on(course, evidence)
            if not feedback.missed and not feedback.false_alarms:
                break
            asked = ask(tools.client, [self._question(feedback, evidence, tools, number)])[0]
            outcomes += asked.outcomes
            if asked.value is None or asked.value in (course.standing.text, *course.rejected):
                # A greedy model would say the same again.
                course.rounds.append(_record(feedback, asked, asked.error or "nothing new"))
                break
            new = trial(asked.value)
            outcomes += new.outcomes
            _settle(course, feedback, Standing(asked, asked.value, new))
        return _written(course, first, tried, outcomes)

    def _question(
        self, feedback: Feedback, evidence: Evidence, tools: Tools, number: int
    ) -> Question[str]:
        layout = layout_of(self.settings, replace(evidence, examples=feedback.shown, silent=()))
        prompt = explain_revision.prompt(feedback, evidence, layout)
        request = as_request(
            prompt,
            max_tokens=self.settings.max_tokens,
            temperature=self.settings.temperature,
            seed=request_seed(evidence, tools, f"round-{number}"),
            attempt=tools.attempt,
            purpose="revision",
        )
        return explanation_question(request, prompt.form, layout.marks)


def feedback_on(course: Course, evidence: Evidence) -> Feedback:
    """Collect what the standing explanation got wrong."""
    tried = course.standing.tried
    return Feedback(
        course.standing.text,
        tried.false_negatives[:MISTAKES],
        tried.false_positives[:MISTAKES],
        evidence.examples[:USUAL],
        tuple(course.rejected),
    )


def gain(new: Tried, old: Tried) -> Comparison:
    """Compare two trials item by item; an item without a usable reply on either side is out."""
    first, second = (np.where(one.usable, one.right, -1).astype(np.int8) for one in (new, old))
    return compare(first, second, new.activating.astype(np.int64), CLASSES, seed=0)


def _settle(course: Course, feedback: Feedback, new: Standing) -> None:
    """Keep the new explanation or the old one, and record which."""
    found = gain(new.tried, course.standing.tried)
    accepted = found.difference is not None and found.difference > 0
    course.rounds.append(
        _record(feedback, new.asked, None)
        | {
            "value": new.tried.value,
            "accepted": accepted,
            "difference": found.difference,
            "n": found.n,
            "only_new": found.only_first,
            "only_old": found.only_second,
        }
    )
    if accepted:
        course.standing, course.rejected = new, []
    else:
        course.rejected.append(new.text)


def _record(feedback: Feedback, asked: Asked[str], error: str | None) -> dict[str, object]:
    return {
        "explanation": asked.value,
        "error": error,
        "missed": len(feedback.missed),
        "false_alarms": len(feedback.false_alarms),
        "accepted": False,
    }


def _written(course: Course, first: Asked[str], tried: Tried, outcomes: list) -> Written:
    standing = course.standing
    return Written(
        text=standing.text,
        request=standing.asked.request,
        reply=standing.asked.reply,
        outcomes=tuple(outcomes),
        detail={
            "first": {"explanation": first.value, "value": tried.value},
            "rounds": course.rounds,
            "value": standing.tried.value,
        },
    )
