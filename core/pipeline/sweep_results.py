"""What came of a sweep, setting by setting, and the command that sets them side by side."""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from core.pipeline.scorers import GRAMMAR
from core.pipeline.sweeping import Opened, SweepRequest, explainer_of, explanations_of, open_sweep
from core.pipeline.variations import AnySettings, described, differences, named
from core.score.statistics import Z
from data import run_figures
from data.catalogue import Catalogue
from data.run_figures import Judged


class Mean(NamedTuple):
    """A score over the features of one setting."""

    value: float
    low: float | None  # 95 % interval over features; None below two
    high: float | None
    n: int  # features
    failed: int  # verdicts without a usable reply

    def __str__(self) -> str:
        span = "" if self.low is None else f" [{self.low:.2f}, {self.high:.2f}]"
        failed = f", {self.failed:,} verdicts failed" if self.failed else ""
        return f"{self.value:.2f}{span} over {self.n:,} features{failed}"


class Result(NamedTuple):
    """One setting's explanations and their scores."""

    explainer_id: int
    explainer: str
    model: str | None
    settings: Mapping[str, object]
    differs: Mapping[str, object]  # the settings that not all of the sweep share
    features: int  # chosen
    explained: int  # with a usable explanation
    scores: Mapping[str, Mean]

    def as_dict(self) -> dict[str, object]:
        """Write for scripts."""
        return {
            "explainer_id": self.explainer_id,
            "explainer": self.explainer,
            "model": self.model,
            "settings": dict(self.settings),
            "features": self.features,
            "explained": self.explained,
            "scores": {
                name: {"mean": one.value, "interval": [one.low, one.high], "n": one.n,
                       "failed": one.failed}
                for name, one in self.scores.items()
            },
        }  # fmt: skip

    def line(self) -> str:
        """Write for people."""
        who = named(self.explainer, self.differs)
        scores = "; ".join(f"{name} {one}" for name, one in self.scores.items())
        return f"{who}: {self.explained:,} of {self.features:,} explained; {scores or 'not scored'}"


def results(catalogue: Catalogue, request: SweepRequest) -> list[Result]:
    """What there is now of every setting that was used."""
    opened = open_sweep(catalogue, request)
    every = [described(settings) for settings in request.settings]
    found = [
        _result(catalogue, request, opened, settings, known_as, differs)
        for settings, known_as, differs in zip(
            request.settings, every, differences(every), strict=True
        )
    ]
    return [one for one in found if one is not None]


def _result(
    catalogue: Catalogue, request: SweepRequest, opened: Opened, settings: AnySettings,
    known_as: tuple[str, dict[str, object]], differs: dict[str, object],
) -> Result | None:  # fmt: skip
    explainer_id = explainer_of(catalogue, request, settings)
    if explainer_id is None:
        return None
    written = explanations_of(catalogue, request, opened, settings)
    by = Judged(request.means.judge, request.preset)
    with catalogue.reading() as con:
        rows = run_figures.means(con, written, by)
    who, chosen = known_as
    model = request.endpoint.model if who != GRAMMAR and request.endpoint else None
    n = sum(len(features) for _, features in opened.chosen)
    scores = {row["scorer"]: _mean(row) for row in rows if row["n"]}
    return Result(explainer_id, who, model, chosen, differs, n, len(written), scores)


def _mean(row: Mapping[str, float]) -> Mean:
    value, n = row["mean"], int(row["n"])
    failed = int(row["failed"])
    if n < 2:
        return Mean(value, None, None, n, failed)
    half = Z * row["spread"] / math.sqrt(n)
    return Mean(value, max(0.0, value - half), min(1.0, value + half), n, failed)


def side_by_side(cache: str, found: Sequence[Result]) -> str:
    """What shows the settings side by side: a command, or where to look on a page."""
    sides = [f"{cache}:{one.explainer_id}" for one in found]
    if len(sides) < 2:
        return f"as {sides[0]}, on the page Compare of gloss serve"
    return f"side by side: gloss compare {' '.join(map(shlex.quote, sides))}"
