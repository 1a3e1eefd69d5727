"""The baseline of exchanged explanations: a feature's own texts judged with another's candidates.

The candidates of another feature of the same hookpoint and KL go through the same choice on the
feature's prompts for choosing, and are scored on its prompts for scoring (methods.md 5.9, 7). The
continuations are those that are stored: nothing is pushed again.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from core.intervening.study import Passages, Study, judged
from core.llm.requests import spent
from core.nulls import pairings
from core.pipeline.intervening_rows import reason_of, scored_row
from core.seeds import seed_of
from data import interventions
from data.catalogue import Catalogue, Row
from data.interventions import InterventionRow, Place, PromptRow
from data.nulls import Donor


class Exchange(NamedTuple):
    """One feature at one target with the candidates of another."""

    feature: int
    target: float
    other: int
    candidates: tuple[str, ...]
    strength: float | None
    kl: float | None


def exchanges(
    catalogue: Catalogue, place: Place, targets: Sequence[float], chosen: Collection[int], *,
    seed: int, hookpoint: str,
) -> list[Exchange]:  # fmt: skip
    """Pair features that have an explanation, each with one other; those stored are left out."""
    with catalogue.reading() as con:
        rows = interventions.figures(con, place)
        there = interventions.stored(con, place)
    made: list[Exchange] = []
    for target in targets:
        own = {
            row["feature"]: row
            for row in rows
            if row["arm"] == "feature" and row["target"] == target and row["text"] is not None
        }
        donors = [Donor(f, row["explanation_id"] or 0, row["text"], None) for f, row in own.items()]
        for pair in pairings(donors, "shuffled", seed=seed, hookpoint=hookpoint,
                             features=set(chosen), n=1):  # fmt: skip
            if ("shuffled", pair.feature, target) not in there:
                row = own[pair.feature]
                texts = tuple(text for text, _ in own[pair.other]["candidates"])
                made.append(
                    Exchange(pair.feature, target, pair.other, texts, row["strength"], row["kl"])
                )
    return made


def exchanged(catalogue: Catalogue, place: Place, study: Study, task: Exchange) -> InterventionRow:
    """Judge a feature's stored texts with the candidates of another."""
    with catalogue.reading() as con:
        rows = interventions.prompts(con, place, "feature", task.feature, task.target)
    by_role = {role: [row for row in rows if row["role"] == role] for role in ("select", "score")}
    seed = seed_of(study.run_seed, study.hookpoint, task.feature, "intervention-shuffled")
    verdict = judged(
        study.judge, task.candidates, passages(study, by_role["select"]),
        passages(study, by_role["score"]), seed,
    )  # fmt: skip
    found = {"select": verdict.chosen, "score": verdict.scored}
    prompts = tuple(
        PromptRow(
            role=role, first_token=row["first_token"], length=row["length"],
            quintile=row["quintile"], clean=None, steered=None, kl=row["kl"], rising=None,
            difference=found[role][i] if i < len(found[role]) else None,
        )
        for role in by_role
        for i, row in enumerate(by_role[role])
    )  # fmt: skip
    reason = None if verdict.figures and verdict.figures.n else "the judge gave no usable answer"
    reason = reason_of(reason, verdict.outcomes)
    row = scored_row("shuffled", task.feature, task.target, verdict, prompts, reason=reason)
    usage = spent(verdict.outcomes).usage
    return InterventionRow(
        **{name: getattr(row, name) for name in row.__slots__}
        | {"other": task.other, "strength": task.strength, "kl": task.kl, "usage": usage}
    )


def passages(study: Study, rows: Sequence[Row]) -> Passages:
    """Write the texts of stored prompts, with their clean and their pushed ends."""
    flat = study.text.tokens.reshape(-1)
    sides: tuple[list[str], list[str]] = ([], [])
    for row in rows:
        first = int(row["first_token"])
        ids = flat[first : first + int(row["length"])].tolist()
        for side, name in zip(sides, ("clean", "steered"), strict=True):
            side.append(study.spelt([*ids, *row[name]]))
    return sides
