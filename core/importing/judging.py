"""Foreign verdicts as ours: the items that were asked about, and the scores that follow.

Upstream stores no figures, so they are computed from the verdicts. Balanced accuracy is that of
the tool: all non-activating questions together are one class, of whatever kinds they are.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core import seeds
from core.examples.draw import ACTIVATING, KINDS
from core.importing.contexts import Placed
from core.importing.deciles import Scale
from core.importing.gather import RANDOM, Contexts, Questions
from core.score import metrics
from core.score.items import Items
from core.score.judge import NO_ANSWER, Answers
from core.score.statistics import Sums, pearson
from data.imports.delphi_rows import SimulatedSequence
from data.imports.delphi_run import Address, DelphiRun
from data.items import ItemTable
from data.judgements import Judgement
from data.records import Score, Usage

PRESET = "delphi (imported)"
UNKNOWN_JUDGE = "unknown"
UNKNOWN_USAGE = Usage(0, None, None, None)  # the run says nothing of calls, tokens and dollars
BASE_SEED = 0
ON_REQUEST = [KINDS.index(kind) for kind in ("token", "neighbour", "similar")]  # reported apart
METRIC = "pearson"  # of simulation


@dataclass(frozen=True, slots=True)
class Judging:
    """What all judgements of a run share."""

    contexts: Contexts
    placed: Placed
    scale: Scale
    judge: str
    batch: int | None  # questions in one call; None = not known
    flags: tuple[str, ...]  # codes of the report that concern every score
    preset: str = PRESET
    is_ours: bool = False  # whether kinds are classes of their own, as in our scores, or one

    def deciles(self, questions: Questions) -> np.ndarray:
        """Decile of each activating question, 0 of the others, uint8 [n]."""
        is_active = questions.kind == ACTIVATING
        return np.where(is_active, self.scale.deciles(questions.distance), 0).astype(np.uint8)


def judgement(
    judging: Judging, questions: Questions, explanation_id: int, scorer_id: int, *, has_text: bool
) -> Judgement:
    """One score file as items, verdicts and a score."""
    placed, context = judging.placed, questions.context
    decile = judging.deciles(questions)
    return Judgement(
        explanation_id=explanation_id,
        feature=questions.address.feature,
        scorer_id=scorer_id,
        scorer=questions.scorer,
        preset=judging.preset,
        items=ItemTable(
            kind=[KINDS[kind] for kind in questions.kind.tolist()],
            decile=decile,
            first_token=placed.first_token[context],
            peak=placed.peak[context],
            marks=questions.marks,
            length=placed.length[context],
        ),
        predicted=questions.predicted,
        probability=questions.probability,
        score=_score(judging, questions, decile, has_text=has_text),
    )


def _score(judging: Judging, questions: Questions, decile: np.ndarray, *, has_text: bool) -> Score:
    """The figures of one score file, all silent kinds as one class unless they are ours."""
    is_void = questions.is_joined and questions.scorer == "fuzzing"
    kind, n = questions.kind, len(questions.kind)
    one_class = np.where(kind == ACTIVATING, ACTIVATING, RANDOM).astype(np.uint8)
    items = Items(
        slot=np.arange(n),
        kind=kind if judging.is_ours else one_class,
        decile=decile,
        first_token=judging.placed.first_token[questions.context],
        start=np.zeros(n, np.int64),
        peak=judging.placed.peak[questions.context],
        marks=np.zeros((n, 1), bool),
        call=np.zeros(n, np.int32),
        base=~np.isin(kind, ON_REQUEST) if judging.is_ours else np.ones(n, bool),
        skipped={},
    )
    call = np.arange(n) // judging.batch if judging.batch else None
    has_probability = not np.isnan(questions.probability).all()
    answers = Answers(questions.predicted, questions.probability if has_probability else None, call)
    seed = seeds.seed_of(BASE_SEED, *questions.address, f"imported-{questions.scorer}")
    found = metrics.score(
        items, answers, metrics.Setting(questions.scorer, judging.judge, judging.preset, seed)
    )
    flags = [*judging.flags, *["str_tokens_joined"] * questions.is_joined]
    flags += ["of_failed_explanation"] * (not has_text)
    odd = _doubted(judging.placed, questions)
    flags += ["values_disagree_with_cache"] * (odd > 0)
    detail = found.detail | {
        "flags": flags,
        "values_disagree": odd,
        "slices": judging.scale.n,
        "distinct": len(np.unique(questions.context)),
    }
    found = replace(
        found,
        non_activating=_by_kind(questions),
        detail=detail,
        usage=UNKNOWN_USAGE,
    )
    return replace(found, value=None, low=None, high=None) if is_void else found


def _doubted(placed: Placed, questions: Questions) -> int:
    """Fuzzing verdicts on contexts with other values than the cache's: marks were made by those."""
    if placed.disagrees is None or questions.scorer != "fuzzing":
        return 0
    return int(placed.disagrees[questions.context].sum())


def _by_kind(questions: Questions) -> dict[str, Any]:
    """Count the non-activating questions by kind."""
    usable = questions.predicted != NO_ANSWER
    right = usable & (questions.predicted == 0)
    kinds = np.unique(questions.kind[questions.kind != ACTIVATING]).tolist()
    return {KINDS[kind]: metrics.tally(right, usable, questions.kind == kind) for kind in kinds}


def simulation_judgement(
    judging: Judging, address: Address, found: list[SimulatedSequence], explanation_id: int,
    scorer_id: int, *, has_text: bool,
) -> Judgement:  # fmt: skip
    """A simulation file as a score; its contexts are not kept."""
    none = np.empty(0, np.int64)
    score, _ = simulation(found, judging.judge, has_text=has_text, flags=judging.flags)
    items = ItemTable([], none, none, none, [], length=none)
    return Judgement(explanation_id, address.feature, scorer_id, "simulation", PRESET, items,
                     none.astype(np.int8), None, score)  # fmt: skip


def simulation(
    found: list[SimulatedSequence], judge: str, *, has_text: bool, flags: tuple[str, ...]
) -> tuple[Score, int]:
    """A simulation score, Pearson's r over all tokens; and contexts that may be failed calls.

    A context whose tokens are all expected at 0 may be a failed call: it counts, as upstream has
    it, and r without such contexts stands beside.
    """
    silent = [not any(one.expected) for one in found]
    spoken = [one for one, is_silent in zip(found, silent, strict=True) if not is_silent]
    detail: dict[str, Any] = {
        "silent": sum(silent),
        "r_without_silent": _correlation(spoken),
        "flags": [*flags, *["of_failed_explanation"] * (not has_text)],
    }
    value = _correlation(found)
    score = Score(
        scorer="simulation", metric=METRIC, value=value, low=None, high=None, tpr=None, tnr=None,
        n=len(found), failed=0, judge=judge, preset=PRESET, by_decile={}, non_activating={},
        detail=detail, usage=UNKNOWN_USAGE,
    )  # fmt: skip
    return score, sum(silent)


def _correlation(found: list[SimulatedSequence]) -> float | None:
    if not found:
        return None
    x = np.concatenate([one.expected for one in found])
    y = np.concatenate([one.true for one in found])
    return pearson(Sums.of(x, y))


def settings_of(run: DelphiRun) -> dict[str, Any]:
    """What a person compares runs by, from a run's configuration; JSON-ready."""
    sampler, constructor = run.section("sampler_cfg"), run.section("constructor_cfg")
    return {
        "train_type": sampler.get("train_type"),
        "test_type": sampler.get("test_type"),
        "n_examples_train": sampler.get("n_examples_train"),
        "n_examples_test": sampler.get("n_examples_test"),
        "n_quantiles": sampler.get("n_quantiles"),
        "example_ctx_len": constructor.get("example_ctx_len"),
        "non_activating_source": constructor.get("non_activating_source"),
    }
