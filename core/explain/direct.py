"""Explainers that ask one question: everything but how it is written is the same.

    plain  activations  logits  cot  contrastive  single-token  output       (methods.md 3.2)

Evidence that a variant cannot do without and that is lacking is an error of the explanation, not a
question with a hole in it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from core.explain.asking import Asked, Question, as_request, ask, ended
from core.explain.evidence import Evidence
from core.explain.explaining import Tools, Written, request_seed, visible_contexts
from core.explain.settings import ExplainerSettings
from core.llm.requests import Reply, Request
from core.prompts import (
    explain_contrast,
    explain_examples,
    explain_output,
    explain_stages,
    explain_tokens,
)
from core.prompts.examples_shown import Layout
from core.prompts.explain_answer import Form, Prompt
from core.prompts.judged_texts import Marks
from core.replies.explanation import explanation

NO_CONTEXTS = "no contexts to show"
STAGED = "cot with effects"  # a setting of cot, no explainer of its own
STAGES = 400  # tokens for the stages, beyond those of an answer


class Kind(NamedTuple):
    """One variant of the question."""

    write: Callable[[Evidence, Layout], Prompt]
    lacking: Callable[[Evidence], str | None]  # why it cannot be asked
    extra: int = 0  # tokens of the answer beyond max_tokens


def _contexts(evidence: Evidence) -> str | None:
    return None if evidence.examples else NO_CONTEXTS


def _effects(evidence: Evidence) -> str | None:
    known = evidence.promoted or evidence.suppressed or evidence.rising or evidence.falling
    return None if known else "the feature's effect on the next token is not known"


def _peaks(evidence: Evidence) -> str | None:
    return None if evidence.peak_tokens else "the tokens it fires on are not known"


def _silent(evidence: Evidence) -> str | None:
    return None if evidence.silent else "no silent contexts to compare with"


def _plain(evidence: Evidence, layout: Layout) -> Prompt:
    return explain_examples.prompt(evidence, layout.without_strengths())


def _output(evidence: Evidence, _layout: Layout) -> Prompt:
    return explain_output.prompt(evidence)


KINDS = {
    "plain": Kind(_plain, _contexts),
    "activations": Kind(explain_examples.prompt, _contexts),
    "logits": Kind(explain_examples.prompt_with_effects, lambda e: _contexts(e) or _effects(e)),
    "cot": Kind(explain_stages.prompt, _contexts, STAGES),
    STAGED: Kind(explain_stages.prompt_with_effects, lambda e: _contexts(e) or _effects(e), STAGES),
    "contrastive": Kind(explain_contrast.prompt, lambda e: _contexts(e) or _silent(e)),
    "single-token": Kind(explain_tokens.prompt, lambda e: _contexts(e) or _peaks(e)),
    "output": Kind(_output, _effects),
}


class Direct:
    """Asks once and repairs once."""

    def __init__(self, settings: ExplainerSettings, kind: str | None = None) -> None:
        self.settings = settings
        staged = settings.explainer == "cot" and settings.effects == "shown"
        self.kind = KINDS[kind or (STAGED if staged else settings.explainer)]

    def opening(self, evidence: Evidence, tools: Tools) -> list[Request]:
        """Write the one request."""
        return [] if self.lacking(evidence) else [self.question(evidence, tools).request]

    def explain(self, evidence: Evidence, tools: Tools) -> Written:
        """Ask for the explanation."""
        if reason := self.lacking(evidence):
            return Written(None, reason)
        return written(ask(tools.client, [self.question(evidence, tools)])[0])

    def lacking(self, evidence: Evidence) -> str | None:
        """Say what is missing in the evidence."""
        return self.kind.lacking(evidence)

    def question(
        self, evidence: Evidence, tools: Tools, *, place: int = 0, temperature: float | None = None
    ) -> Question[str]:
        """Write the question; candidates differ by their place."""
        shown = replace(evidence, examples=evidence.examples[: self.settings.examples])
        layout = layout_of(self.settings, shown)
        prompt = self.kind.write(shown, layout)
        request = as_request(
            prompt,
            max_tokens=self.settings.max_tokens + self.kind.extra,
            temperature=self.settings.temperature if temperature is None else temperature,
            seed=request_seed(evidence, tools, str(place)),
            attempt=tools.attempt,
        )
        return explanation_question(request, prompt.form, layout.marks)


def layout_of(settings: ExplainerSettings, evidence: Evidence) -> Layout:
    """Choose how this feature's contexts are written."""
    layout = Layout(highlight=settings.highlight, scale=settings.scale, listed=settings.listed)
    return layout.fitting(visible_contexts(evidence))


def explanation_question(request: Request, form: Form, marks: Marks) -> Question[str]:
    """Expect an explanation without marks."""

    def parse(reply: Reply) -> str:
        return explanation(reply.text, marks=marks, ended=ended(reply))

    return Question(request, form, parse)


def written(asked: Asked[str]) -> Written:
    """Turn an answer into an explanation."""
    detail: dict[str, object] = {"defects": list(asked.defects)} if asked.defects else {}
    return Written(asked.value, asked.error, asked.request, asked.reply, asked.outcomes, detail)
