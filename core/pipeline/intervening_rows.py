"""What was measured of a feature, as the catalogue keeps it: a row, an explanation, a score."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from core.intervening.study import Measured, Seen, Verdict
from core.llm.requests import Outcome, Reply, spent, why_unanswered
from data.interventions import UNANSWERED, Explained, InterventionRow, PromptRow
from data.ledger import NewExplanation
from data.records import Score, total_usage


class Series(NamedTuple):
    """Under which names results are stored."""

    study_id: int
    judge: str
    seed: int
    explainers: Mapping[float, int]  # explainer_id by target
    scorers: Mapping[float, int]  # scorer_id by target


def row_of(found: Measured, series: Series) -> InterventionRow:
    """Turn one feature at one strength into its rows."""
    verdict = found.verdict
    judging = spent(verdict.outcomes).usage if verdict else None
    explaining = spent(found.explaining).usage
    asked = [*found.explaining, *(verdict.outcomes if verdict else ())]
    why = reason_of(found.reason, asked)
    is_open = why is not None and why.startswith(UNANSWERED)
    row = scored_row(
        found.arm, found.feature, found.target, verdict,
        tuple(_prompt(one) for one in found.seen), reason=why,
    )  # fmt: skip
    return InterventionRow(
        **{name: getattr(row, name) for name in row.__slots__}
        | {
            "strength": found.strength,
            "kl": found.kl,
            "note": found.note,
            "tried": found.tried,
            "explained": None if found.arm != "feature" or is_open else _explained(found, series),
            "usage": total_usage([judging, explaining]) if judging or explaining else None,
        }
    )


def reason_of(why: str | None, asked: Iterable[Outcome]) -> str | None:
    """Why there is no score; an endpoint's silence is said as such, which leaves the row open."""
    silence = why_unanswered(asked) if why is not None else None
    return why if silence is None else f"{UNANSWERED} {silence}"


def scored_row(
    arm: str,
    feature: int,
    target: float | None,
    verdict: Verdict | None,
    prompts: tuple[PromptRow, ...],
    *,
    reason: str | None,
) -> InterventionRow:
    """A row of what a judge said."""
    figures = verdict.figures if verdict else None
    return InterventionRow(
        arm=arm,
        feature=feature,
        target=target,
        prompts=prompts,
        text=verdict.text if verdict else None,
        candidates=tuple((one.text, one.value) for one in verdict.candidates) if verdict else (),
        reason=reason,
        value=figures.value if figures else None,
        low=figures.low if figures else None,
        high=figures.high if figures else None,
        error=figures.error if figures else None,
        per_token=figures.per_token if figures else None,
        n_tokens=verdict.n_tokens if verdict else None,
        n_prompts=figures.n if figures else 0,
        n_failed=figures.failed if figures else 0,
    )


def _prompt(seen: Seen) -> PromptRow:
    prompt = seen.prompt
    return PromptRow(
        role=prompt.role,
        first_token=prompt.first_token,
        length=prompt.length,
        quintile=prompt.quintile,
        clean=seen.clean,
        steered=seen.steered,
        kl=seen.kl,
        rising=tuple((one.token, one.before, one.after) for one in seen.rising),
        difference=seen.difference,
    )


def _explained(found: Measured, series: Series) -> Explained | None:
    verdict, target = found.verdict, found.target
    if verdict is None or verdict.text is None or verdict.figures is None or target is None:
        return None
    figures = verdict.figures
    explanation = NewExplanation(
        feature=found.feature, text=verdict.text, rule=None, status="done", error=None,
        seconds=None, seed=series.seed, example_tokens=(), exact=None,
        calls=tuple(one.key for one in found.explaining if isinstance(one, Reply)),
        detail={"kl": target, "candidates": [list(one) for one in verdict.candidates]},
        usage=spent(found.explaining).usage,
    )  # fmt: skip
    detail = {
        "kl_target": target, "kl": found.kl, "strength": found.strength, "error": figures.error,
        "per_token": figures.per_token, "tokens": verdict.n_tokens, "note": found.note or None,
    }  # fmt: skip
    score = Score(
        scorer="intervention", metric="nats", value=figures.value, low=figures.low,
        high=figures.high, tpr=None, tnr=None, n=figures.n, failed=figures.failed,
        judge=series.judge, preset=f"KL {target:g}", by_decile={}, non_activating={},
        detail=detail, usage=spent(verdict.outcomes).usage,
    )  # fmt: skip
    return Explained(series.explainers[target], series.scorers[target], explanation, score)
