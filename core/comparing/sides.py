"""Sides of a comparison: one explainer setting in one cache, which a person calls a run.

Written CACHE:ID in addresses and on the command line; `run:12` stands for the setting of run 12.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from data import comparing
from data.catalogue import Connection, Row
from data.errors import BadInput, NotFound


class Side(NamedTuple):
    """One explainer (name, model and settings) in one cache."""

    cache: str  # name
    explainer_id: int

    def __str__(self) -> str:
        return f"{self.cache}:{self.explainer_id}"


@dataclass(frozen=True, slots=True)
class Judged:
    """How much of a side one scorer has judged."""

    scorer_id: int
    scorer: str  # detection, fuzzing, ...
    judge: str  # grammar or a model's name
    preset: str
    n: int  # features


@dataclass(frozen=True, slots=True)
class SideRecord:
    """What is known of a side."""

    side: Side
    explainer: str  # grammar, plain, ...
    model: str | None  # None for the grammar
    settings: dict[str, Any]
    n_explained: int  # features with a usable explanation
    run_id: int  # newest run that explained
    judged: tuple[Judged, ...]  # oldest scorer first

    @property
    def scorers(self) -> dict[str, int]:
        """Features that each scorer judged, by its most used judge and preset."""
        found: dict[str, int] = {}
        for one in self.judged:
            found[one.scorer] = max(one.n, found.get(one.scorer, 0))
        return found

    @property
    def n_scored(self) -> int:
        """Features that the most used scorer judged."""
        return max(self.scorers.values(), default=0)


def sides(con: Connection) -> list[SideRecord]:
    """Every side of the store, oldest first."""
    return [_record(row) for row in comparing.sides(con)]


def _record(row: Row) -> SideRecord:
    return SideRecord(
        side=Side(row["cache"], row["explainer_id"]),
        explainer=row["explainer"],
        model=row["model"],
        settings=json.loads(row["settings"]) if row["settings"] else {},
        n_explained=row["n_explained"],
        run_id=row["run_id"],
        judged=tuple(Judged(**judged) for judged in row["judges"]),
    )


def partners(con: Connection, side: Side, at: str | None, scorer: str | None) -> dict[Side, int]:
    """Features that each other side shares with this one, scored under both; most first.

    at, scorer: only this hookpoint, only this scorer; None = any.
    """
    found = comparing.partners(con, *side, at, scorer)
    return {Side(row["cache"], row["explainer_id"]): row["n"] for row in found}


def parse(text: str) -> Side | None:
    """The side that a text names, None if it has not that form; the last colon divides.

    >>> parse("demo:3")
    Side(cache='demo', explainer_id=3)
    """
    cache, _, number = text.strip().rpartition(":")
    if not cache or not number.isascii() or not number.isdecimal() or len(number) > 9:
        return None
    return Side(cache, int(number))


def sides_named(con: Connection, texts: Sequence[str]) -> list[SideRecord]:
    """The sides that CACHE:ID or run:NUMBER name."""
    known = {record.side: record for record in sides(con)}
    return [_named(con, text, known) for text in texts]


def _named(con: Connection, text: str, known: Mapping[Side, SideRecord]) -> SideRecord:
    if text.startswith("run:"):
        return known[_of_run(con, text)]
    found = parse(text)
    if found is not None and found in known:
        return known[found]
    names = ", ".join(map(str, list(known)[:20])) or "none; gloss explain makes one"
    raise NotFound(f"there is nothing to compare named {text!r} in this store; there are: {names}")


def _of_run(con: Connection, text: str) -> Side:
    number = text.removeprefix("run:")
    if not number.isascii() or not number.isdecimal() or len(number) > 15:
        raise BadInput(f"{text!r} names no run; write run:12, or CACHE:ID")
    found = [Side(**row) for row in comparing.sides_of_run(con, int(number))]
    if not found:
        raise NotFound(f"run {number} explained and scored nothing; gloss status lists the runs")
    if len(found) > 1:
        raise BadInput(f"run {number} scored several: name one of {', '.join(map(str, found))}")
    return found[0]


def differing(records: list[SideRecord]) -> dict[str, list[Any]]:
    """Settings in which sides differ, each with the value of every side."""
    whole = [_all_settings(record) for record in records]
    names = dict.fromkeys(name for settings in whole for name in settings)
    values = {name: [settings.get(name) for settings in whole] for name in names}
    return {name: v for name, v in values.items() if any(one != v[0] for one in v)}


def _all_settings(record: SideRecord) -> dict[str, Any]:
    who = {"cache": record.side.cache, "explainer": record.explainer, "model": record.model}
    return who | record.settings
