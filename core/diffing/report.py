"""Results of `gloss diff` for people and for scripts, a line each; reads the catalogue only."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from core.diffing.game import Tally, tally
from core.diffing.points import as_numbers, mean_of
from core.diffing.words import (
    SIDES,
    as_object,
    feature_line,
    fit_warning,
    fit_words,
    found_words,
    least_words,
    point_line,
    reaction_line,
    settings_words,
    tally_words,
)
from data import diffs, guesses
from data.catalogue import Catalogue
from data.diffs import DiffRecord, Wanted
from data.records import Interval

if TYPE_CHECKING:
    from core.pipeline.contrasting import PairsRequest
    from core.pipeline.diffing import DiffRequest
    from core.pipeline.guessing import GameRequest
    from core.pipeline.noising import NoiseRequest

ALL = 2**31 - 1


def feature_lines(
    catalogue: Catalogue, request: "DiffRequest", wanted: Wanted, *, as_json: bool
) -> Iterator[str]:
    """What a comparison of features found, hookpoint by hookpoint."""
    from core.pipeline.diffing import key_of, open_pair

    pair = open_pair(catalogue, request.first, request.second, request.hookpoints)
    for shared in pair.shared:
        diff = _finished(catalogue, diffs.known(catalogue, key_of(shared, request)), "features",
                         request.first, request.second)  # fmt: skip
        wanted = wanted._replace(size=ALL) if as_json else wanted
        with catalogue.reading() as con:
            rows = diffs.features(con, diff, wanted).to_dict("records")
        if as_json:
            yield from _objects(rows, hookpoint=diff.hookpoint, first=diff.first,
                                second=diff.second)  # fmt: skip
            continue
        yield found_words(diff)
        yield from (f"  {line}" for line in fit_words(*shared))
        yield from (f"  {line}" for line in [fit_warning(*shared)] if line)
        yield from (f"  {feature_line(row, wanted.figure)}" for row in rows)


def pair_lines(
    catalogue: Catalogue, request: "PairsRequest", top: int, *, as_json: bool
) -> Iterator[str]:
    """Which features react to what pairs of texts differ in."""
    from core.pipeline.contrasting import open_sides, pair_settings
    from data.contrast import read_pairs

    sides = open_sides(catalogue, request.first, request.second, request.hookpoints)
    settings = pair_settings(read_pairs(Path(request.pairs)), request)
    for place in range(len(sides.hookpoints)):
        key = sides.key(place, "pairs", settings)
        diff = _finished(catalogue, diffs.known(catalogue, key), "pairs", request.first,
                         request.second)  # fmt: skip
        facts = diff.facts
        if not as_json:
            lost = f", {facts['n_left_out']} without a token left out" * bool(facts["n_left_out"])
            yield (f"{diff.hookpoint}: {facts['n_pairs']} pairs{lost}, {facts['n_features']:,} "
                   f"features fire in any text; {least_words(facts['n_pairs'])}")  # fmt: skip
        for side in map(int, sorted(facts["n_reacting"])):
            with catalogue.reading() as con:
                size = ALL if as_json else top
                rows = diffs.reacting(con, diff, side, size=size).to_dict("records")
            if as_json:
                yield from _objects(rows, hookpoint=diff.hookpoint, first=diff.first,
                                    second=diff.second)  # fmt: skip
                continue
            yield f"  {SIDES[side]}: {facts['n_reacting'][str(side)]:,} react at q .05"
            yield from (f"    {reaction_line(row)}" for row in rows)


def noise_lines(
    catalogue: Catalogue, request: "NoiseRequest", *, as_json: bool
) -> Iterator[str]:  # fmt: skip
    """Every point of a sweep, mean over prompts."""
    from core.pipeline.noising import key_of

    diff = _finished(catalogue, diffs.known(catalogue, key_of(catalogue, request)), "noise",
                     request.first, request.second)  # fmt: skip
    with catalogue.reading() as con:
        points = diffs.points_of(con, diff.diff_id)
    if as_json:
        yield from _objects([point._asdict() for point in points], hookpoint=diff.hookpoint,
                            first=diff.first, second=diff.second)  # fmt: skip
        return
    yield f"{diff.hookpoint}: {len(points[0].kl)} prompts; mean [95 %], nats"
    for point in points:
        given = {"KL": point.kl} | ({"log p(target)": point.target} if point.target else {})
        found = {name: mean_of(as_numbers(values)) for name, values in given.items()}
        spans = {name: (m.value, m.low, m.high) for name, m in found.items() if m}
        yield f"  {point_line(SIDES[point.side], point, spans)}"


def _finished(
    catalogue: Catalogue, diff_id: int | None, kind: str, first: str, second: str | None
) -> DiffRecord:
    with catalogue.reading() as con:
        return next(d for d in diffs.diffs(con, kind, first, second) if d.diff_id == diff_id)


def _objects(rows: list[dict[Any, Any]], **more: Any) -> Iterator[str]:
    for row in rows:
        yield json.dumps(as_object(row, **more), ensure_ascii=False)


class Line(NamedTuple):
    """What one player's answers come to."""

    who: str
    tally: Tally

    def words(self) -> str:
        """For people."""
        return tally_words(self.who, self.tally)

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        found = self.tally._asdict()
        one: Interval | None = found.pop("interval")
        share, ends = (one.value, [one.low, one.high]) if one else (None, None)
        return {"who": self.who, "share": share, "interval": ends} | found


def tally_lines(
    catalogue: Catalogue, request: "GameRequest", *, as_json: bool
) -> Iterator[str]:  # fmt: skip
    """Everybody's answers about one comparison, counted."""
    from core.pipeline.guessing import open_table

    diff = open_table(catalogue, request).diff
    with catalogue.reading() as con:
        names = guesses.players(con, diff.diff_id) or [guesses.PERSON]
        found = [Line(who, tally(guesses.guesses(con, diff.diff_id, who))) for who in names]
    if not as_json:
        yield f"{diff.hookpoint}: comparison {diff.diff_id}, {settings_words(diff)}"
    about = {"comparison": diff.diff_id, "hookpoint": diff.hookpoint,
             "level": diff.settings["level"], "comparison_seed": diff.settings["seed"]}  # fmt: skip
    for line in found:
        yield (json.dumps(about | line.as_dict(), ensure_ascii=False) if as_json
               else f"  {line.words()}")  # fmt: skip
