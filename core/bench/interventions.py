"""Whether the bundled SAE's features beat random directions at equal KL, and how long that takes.

Made here: a cache of the bundled subject, and a judge trained on the same text from another seed
for a quarter of an hour (a minute for a first look), so that the figure needs no download. Such a
judge is small: what it cannot tell, a large base model may. What it can tell at best is measured
beside: its score of texts that go on with the explained word and nothing else.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from core.bench.figures import Figure, at_most, context
from core.causal import Causal
from core.demo.judge import train_judge
from core.demonstration import REQUEST
from core.intervening.figures import differences, mean_interval
from core.intervening.pooled import Target, pooled
from core.intervening.settings import KLS, Sizes
from core.intervening.spelling import spelling
from core.intervening.strength import TOLERANCE
from core.intervening.verdict import LocalJudge
from core.pipeline.caching import cache_stage
from core.pipeline.intervening import InterveneRequest, intervene_stage
from core.pipeline.workbench import Workbench
from core.prompts.intervention import CLOSING, named
from data import caches, interventions
from data.catalogue import Catalogue, Row
from data.interventions import Place
from data.records import Interval

FEATURES, QUICK_FEATURES = 50, 8
SECONDS, QUICK_SECONDS = 900, 60  # of the judge's training
HOOKPOINT = REQUEST.hookpoints[-1]
LONGEST = Sizes().context + Sizes().new_tokens  # tokens of a passage


def figures(quick: bool = False) -> Iterator[Figure]:
    """Measure features, random directions, exchanged explanations and ablations at every KL."""
    with tempfile.TemporaryDirectory(prefix="gloss-bench-") as folder:
        store, judge = Path(folder) / "store", Path(folder) / "judge"
        catalogue = Catalogue(store)
        list(cache_stage(catalogue, replace(REQUEST, hookpoints=(HOOKPOINT,))))
        list(train_judge(judge, QUICK_SECONDS if quick else SECONDS))
        n = QUICK_FEATURES if quick else FEATURES
        request = InterveneRequest(REQUEST.name, features=f"random:{n}", judge_model=str(judge),
                                   kls=KLS[1:2] if quick else KLS)  # fmt: skip
        start = perf_counter()
        list(intervene_stage(catalogue, request))
        seconds = perf_counter() - start
        rows = _rows(catalogue)
        yield from read(rows)
        yield _at_best(catalogue, judge, rows)
        yield context("interventions, all arms", seconds / n, "s/feature")


def _rows(catalogue: Catalogue) -> list[Row]:
    with catalogue.reading() as con:
        row = con.row("select study_id, hookpoint_id from intervention limit 1")
        assert row is not None
        return interventions.figures(con, Place(row["study_id"], row["hookpoint_id"]))


def _at_best(catalogue: Catalogue, folder: Path, rows: list[Row]) -> Figure:
    """What the judge gives to a text that only repeats the word: no push can be told better."""
    judge = LocalJudge(Causal.load(str(folder)), LONGEST)
    files = Workbench.open(catalogue, caches.cache(catalogue, REQUEST.name)).files
    spelt, flat = spelling(files), files.tokens.matrix().reshape(-1)
    values: list[float] = []
    for row in [row for row in rows if row["arm"] == "feature" and row["candidates"]]:
        place = Place(row["study_id"], row["hookpoint_id"])
        with catalogue.reading() as con:
            found = interventions.prompts(con, place, "feature", row["feature"], row["target"])
        word = named(row["candidates"][0][0]).removesuffix(CLOSING)
        sides: tuple[list[str], list[str]] = ([], [])
        for prompt in [one for one in found if one["role"] == "select"]:
            first = int(prompt["first_token"])
            ids = flat[first : first + int(prompt["length"])].tolist()
            sides[0].append(spelt([*ids, *prompt["clean"]]))
            sides[1].append(spelt(ids) + f" {word}" * len(prompt["clean"]))
        (clean,), (repeated,) = (judge.ask(side, [word]).values for side in sides)
        known = [one for one in differences(clean, repeated) if one is not None]
        values += [float(np.mean(known))] if known else []
    mean = mean_interval(np.array(values), 0)
    name = "the judge on texts that repeat the word"
    if mean is None:
        return context(name, float("nan"), "nats: fewer than two features have a word")
    why = reason(mean, pooled(rows))
    return context(name, mean.value, f"nats ({mean.low:.3g} to {mean.high:.3g}){why}")


def reason(at_best: Interval, targets: Sequence[Target]) -> str:
    """Why random directions are not beaten at every KL, as far as measured; "" = they are."""
    if at_best.low <= 0:
        return "; it cannot tell even that: train it longer, or take another"
    compared = [t.arms["random-sae"].more for t in targets if "random-sae" in t.arms]
    if compared and all(more is not None and more.low > 0 for more in compared):
        return ""
    return (
        ": the most that a push can gain by this judge, shared by features and by random "
        "directions, which are worded by the tokens that they raise, as features are"
    )


def read(rows: list[Row]) -> Iterator[Figure]:
    """Say how near the strengths are, then what beats what at every KL."""
    off = [
        abs(row["kl"] - row["target"]) / row["target"]
        for row in rows
        if row["target"] is not None and row["strength"] is not None
    ]
    yield at_most("KL achieved, largest distance from its target", 100 * max(off, default=0.0), "%",
                  100 * TOLERANCE)  # fmt: skip
    for target in pooled(rows):
        yield from _of(target)


def _of(target: Target) -> Iterator[Figure]:
    for arm in target.arms.values():
        if arm.mean is not None:
            said = f"nats ({arm.mean.low:.3g} to {arm.mean.high:.3g}), n = {len(arm.values)}"
            flagged = f", {arm.flagged} flagged" if arm.flagged else ""
            yield context(f"interventions at KL {target.target:g}, {arm.arm}", arm.mean.value,
                          said + flagged)  # fmt: skip
    more = target.arms["random-sae"].more if "random-sae" in target.arms else None
    if more is not None:
        yield context(f"features over the random SAE at KL {target.target:g}", more.value,
                      f"nats ({more.low:.3g} to {more.high:.3g}). {target.sentence}")  # fmt: skip
