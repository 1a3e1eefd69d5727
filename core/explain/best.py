"""Best of k: several candidates from different train contexts, the best on texts kept aside.

The paper (arXiv 2410.13928, intervention score) reports the best candidate on the very items that
are scored, which is biased upward; here candidates are chosen on the selection split of train.
"""

from typing import NamedTuple

from core.explain.asking import Asked, Question, ask
from core.explain.direct import Direct
from core.explain.evidence import Evidence
from core.explain.explaining import Tools, Written
from core.explain.settings import ExplainerSettings
from core.explain.trial import Tried
from core.llm.requests import Request
from data.errors import BadInput


class Candidate(NamedTuple):
    """One candidate and what came of it."""

    asked: Asked[str]
    tried: Tried | None  # None = there was nothing to try

    @property
    def value(self) -> float | None:
        """Balanced accuracy on the selection split, 0..1."""
        return self.tried.value if self.tried else None

    def as_dict(self) -> dict[str, object]:
        """Write for a record."""
        usable = self.tried.usable if self.tried else ()
        return {
            "explanation": self.asked.value,
            "error": self.asked.error,
            "value": self.value,
            "n": int(sum(usable)),
            "failed": len(usable) - int(sum(usable)),
        }


class BestOfK:
    """Asks for k explanations with strengths and reports the one that judges do best with."""

    def __init__(self, settings: ExplainerSettings) -> None:
        self.settings = settings
        self.direct = Direct(settings, "activations")

    def opening(self, evidence: Evidence, tools: Tools) -> list[Request]:
        """Write the requests of all candidates."""
        return [question.request for question in self._questions(evidence, tools)]

    def explain(self, evidence: Evidence, tools: Tools) -> Written:
        """Ask, try each different explanation once, choose."""
        if tools.trial is None:
            raise BadInput("best-of-k needs a judge to try its candidates: name a model")
        questions = self._questions(evidence, tools)
        if not questions:
            return Written(None, self.direct.lacking(evidence))
        asked = ask(tools.client, questions)
        texts = {one.value: None for one in asked if one.value is not None}
        tried = {text: tools.trial(text) for text in texts}
        return _chosen([Candidate(one, tried.get(one.value or "")) for one in asked])

    def _questions(self, evidence: Evidence, tools: Tools) -> list[Question[str]]:
        drawn = [evidence]
        for place in range(1, self.settings.candidates):
            drawn.append(tools.redraw(place) if tools.redraw else evidence)
        return [
            self.direct.question(one, tools, place=place, temperature=self.settings.variety)
            for place, one in enumerate(drawn)
            if not self.direct.lacking(one)
        ]


def best(candidates: list[Candidate]) -> int | None:
    """Find the candidate with the highest value; ties go to the shorter, then to the first."""
    ranked = [
        (-one.value, len((one.asked.value or "").split()), place)
        for place, one in enumerate(candidates)
        if one.value is not None
    ]
    return min(ranked)[2] if ranked else None


def _chosen(candidates: list[Candidate]) -> Written:
    place = best(candidates)
    outcomes = [outcome for one in candidates for outcome in one.asked.outcomes]
    seen: set[int] = set()
    for one in candidates:  # candidates with the same words share one trial
        if one.tried is not None and id(one.tried) not in seen:
            seen.add(id(one.tried))
            outcomes += one.tried.outcomes
    winner = candidates[place or 0].asked
    return Written(
        text=None if place is None else winner.value,
        error=_error(candidates) if place is None else None,
        request=winner.request,
        reply=winner.reply,
        outcomes=tuple(outcomes),
        detail={"candidates": [one.as_dict() for one in candidates], "chosen": place},
    )


def _error(candidates: list[Candidate]) -> str:
    written = sum(one.asked.value is not None for one in candidates)
    if written:
        return f"none of {written} candidates could be measured on the selection split"
    return f"no candidate: {candidates[0].asked.error}"
