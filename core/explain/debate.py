"""Debate: several explanations of the same texts, each with quotes; a judge without texts picks.

Proposed by EleutherAI (July 2024) without results. A quote counts if it stands letter by letter in
one of the texts shown; an entry without such a quote is out. All are asked for the same length, the
judge sees them in random order, and it may be a weaker model than the debaters.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from core.explain.asking import Asked, Question, as_request, ask, ended
from core.explain.direct import NO_CONTEXTS, layout_of
from core.explain.evidence import Evidence
from core.explain.explaining import Tools, Written, request_seed
from core.explain.settings import ExplainerSettings
from core.llm.requests import Outcome, Reply, Request
from core.prompts import explain_debate
from core.prompts.examples_shown import Layout
from core.prompts.explain_debate import Entry
from core.prompts.judged_texts import Marks
from core.prompts.marking import Line, line, unmarked
from core.replies.debate import Submitted, choice, submitted
from core.seeds import permutation

QUOTES = 200  # tokens for the quotes, beyond those of an explanation
JUDGEMENT = 100  # tokens of the judge's answer
Verified = tuple[str, Line | None]  # a quote as sent, and where it stands


class Side(NamedTuple):
    """One debater."""

    asked: Asked[Submitted]
    quotes: tuple[Verified, ...]

    @property
    def entry(self) -> Entry | None:
        """What may go before the judge; None = nothing can."""
        found = tuple(where for _, where in self.quotes if where is not None)
        if self.asked.value is None or not found:
            return None
        return Entry(self.asked.value.explanation, found)

    @property
    def error(self) -> str | None:
        """Why it is out."""
        if self.asked.value is None:
            return self.asked.error
        return None if self.entry else "no quote that stands in the texts"


class Judged(NamedTuple):
    """The judge's choice among some sides."""

    winner: int | None  # index of the side
    order: tuple[int, ...]  # sides as the judge saw them; () = no judge was needed
    error: str | None = None
    reply: str | None = None
    outcomes: tuple[Outcome, ...] = ()


class Debate:
    """Asks every debater at once, then the judge."""

    def __init__(self, settings: ExplainerSettings) -> None:
        self.settings = settings

    def opening(self, evidence: Evidence, tools: Tools) -> list[Request]:
        """Write the debaters' requests."""
        layout = layout_of(self.settings, self._shown(evidence))
        return [one.request for one in self._questions(evidence, tools, layout)]

    def explain(self, evidence: Evidence, tools: Tools) -> Written:
        """Hold the debate."""
        shown = self._shown(evidence)
        if not shown.examples:
            return Written(None, NO_CONTEXTS)
        layout = layout_of(self.settings, shown)
        lines = [line(one, layout.highlight) for one in shown.examples]
        asked = ask(tools.client, self._questions(evidence, tools, layout))
        sides = [Side(one, verified(one.value, lines, layout.marks)) for one in asked]
        judged = self._judged(sides, evidence, tools, layout.marks)
        return _written(sides, judged, (tools.judge or tools.client).model)

    def _shown(self, evidence: Evidence) -> Evidence:
        return replace(evidence, examples=evidence.examples[: self.settings.examples], silent=())

    def _questions(
        self, evidence: Evidence, tools: Tools, layout: Layout
    ) -> list[Question[Submitted]]:
        shown = self._shown(evidence)
        if not shown.examples:
            return []
        prompt = explain_debate.prompt(shown, layout)

        def parse(reply: Reply) -> Submitted:
            return submitted(reply.text, marks=layout.marks, ended=ended(reply))

        requests = [
            as_request(
                prompt,
                max_tokens=self.settings.max_tokens + QUOTES,
                temperature=self.settings.variety,
                seed=request_seed(evidence, tools, f"debater-{place}"),
                attempt=tools.attempt,
                purpose="debate",
            )
            for place in range(self.settings.debaters)
        ]
        return [Question(request, prompt.form, parse) for request in requests]

    def _judged(
        self, sides: Sequence[Side], evidence: Evidence, tools: Tools, marks: Marks
    ) -> Judged:
        """Let the judge choose; a lone entry wins without it."""
        standing = [(place, side.entry) for place, side in enumerate(sides)]
        entries = [(place, entry) for place, entry in standing if entry is not None]
        if not entries:
            return Judged(None, (), f"no entry for the judge: {sides[0].error}")
        if len(entries) == 1:
            return Judged(entries[0][0], ())
        seed = request_seed(evidence, tools, "debate-order")
        shuffled = [entries[int(place)] for place in permutation(seed, len(entries))]
        question = judge_question([entry for _, entry in shuffled], marks, tools.attempt)
        asked = ask(tools.judge or tools.client, [question])[0]
        order = tuple(place for place, _ in shuffled)
        winner = None if asked.value is None else order[asked.value - 1]
        error = None if asked.error is None else f"the judge did not choose: {asked.error}"
        return Judged(winner, order, error, asked.reply, asked.outcomes)


def verified(one: Submitted | None, lines: Sequence[Line], marks: Marks) -> tuple[Verified, ...]:
    """Look every different quote up in the texts; marks copied with it are no part of it."""
    quotes = dict.fromkeys(one.quotes) if one else ()
    return tuple((quote, found(unmarked(quote, marks).strip(), lines)) for quote in quotes)


def found(quote: str, lines: Sequence[Line]) -> Line | None:
    """Cut a quote out of the texts, where it holds a mark if it ever does."""
    first = None
    for one in lines if quote else ():
        start = one.text.find(quote)
        while start >= 0:
            part = one.part(start, start + len(quote))
            if any(part.flags):
                return part
            first = first or part
            start = one.text.find(quote, start + 1)
    return first


def judge_question(entries: Sequence[Entry], marks: Marks, attempt: int = 0) -> Question[int]:
    """Write the judge's question."""
    prompt = explain_debate.judge_prompt(entries, marks)
    request = as_request(
        prompt,
        max_tokens=JUDGEMENT,
        temperature=0.0,
        seed=0,
        attempt=attempt,
        purpose="debate judge",
    )

    def parse(reply: Reply) -> int:
        return choice(reply.text, len(entries), ended=ended(reply))

    return Question(request, prompt.form, parse)


def _written(sides: Sequence[Side], judged: Judged, judge: str) -> Written:
    asked = sides[judged.winner or 0].asked
    outcomes = tuple(outcome for side in sides for outcome in side.asked.outcomes)
    won = asked.value if judged.winner is not None else None
    return Written(
        text=won.explanation if won else None,
        error=judged.error,
        request=asked.request,
        reply=asked.reply,
        outcomes=outcomes + judged.outcomes,
        detail={
            "entries": [_record(side) for side in sides],
            "winner": judged.winner,
            "order": list(judged.order),
            "judge": judge if judged.order else None,
            "judgement": judged.reply,
        },
    )


def _record(side: Side) -> dict[str, object]:
    return {
        "explanation": side.asked.value.explanation if side.asked.value else None,
        "error": side.error,
        "quotes": [{"text": quote, "verified": where is not None} for quote, where in side.quotes],
    }
