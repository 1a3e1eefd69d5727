"""`gloss compare`: what the page of comparisons says, for people and for scripts.

The JSON is one object a comparison; its fields are a contract, more may follow.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from core.comparing.figures import Comparison, Figure, Group, Share, adjusted, compare
from core.comparing.pairs import Question, read
from core.comparing.sides import SideRecord, differing, sides_named
from core.comparing.words import asides, headline, short, spanned
from data import caches
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound

LISTED = 5  # features with the largest difference each way, for people


def lines(
    catalogue: Catalogue, names: Sequence[str], scorer: str, hookpoint: str | None, *, as_json: bool
) -> Iterator[str]:
    """Each side but the first against the first."""
    with catalogue.reading() as con:
        records = sides_named(con, names)
    _require(catalogue, records, scorer, hookpoint)
    found = []
    for record in records[1:]:
        question = Question(records[0].side, record.side, scorer, None, hookpoint)
        with catalogue.reading() as con:
            read_now = read(con, question)
        found.append(compare(read_now))
    for record, one in zip(records[1:], adjusted(found), strict=True):
        pair = [records[0], record]
        if as_json:
            yield json.dumps(as_object(one, pair), ensure_ascii=False)
        else:
            yield from _paragraph(one, pair)


def _require(
    catalogue: Catalogue, records: Sequence[SideRecord], scorer: str, hookpoint: str | None
) -> None:
    """Refuse what cannot be compared, naming what can."""
    if len({record.side for record in records}) < len(records):
        names = ", ".join(str(record.side) for record in records)
        raise BadInput(f"one side was named twice ({names}); name different ones")
    for record in records:
        if scorer not in record.scorers:
            there = ", ".join(record.scorers) or f"nothing; gloss score {record.side.cache} scores"
            raise NotFound(f"{record.side} has no {scorer} score; it was scored by: {there}")
        if hookpoint is not None:
            caches.hookpoint(caches.cache(catalogue, record.side.cache), hookpoint)


def as_object(found: Comparison, records: Sequence[SideRecord]) -> dict[str, Any]:
    """One comparison as JSON; a difference is b minus a, wins are b's."""
    judge = found.judge
    return {
        "sides": [_side(record) for record in records],
        "differing": differing(list(records)),
        "scorer": found.question.scorer,
        "hookpoint": found.question.hookpoint,
        "judge": judge and {"judge": judge.judge, "preset": judge.preset},
        "judges": {"a": list(found.said_by[0]), "b": list(found.said_by[1])},
        "n": found.n,
        "left_out": found.left_out.n,
        "left_out_by": {"a": found.left_out.first, "b": found.left_out.second},
        "failed_often": found.n_unranked,
        "wins": found.wins,
        "ties": found.ties,
        "losses": found.losses,
        "difference": found.difference and found.difference.value,
        "interval": _interval(found.difference),
        "median": found.median,
        "p": found.p,
        "mean": {"a": _figure(found.first), "b": _figure(found.second)},
        "by_decile": {name: _curve(curve, True) for name, curve in _both(found)},
        "non_activating": {name: _curve(curve, False) for name, curve in _both(found)},
        "by_hookpoint": [_group(group) for group in found.by_hookpoint],
        "by_density": [_group(group) for group in found.by_density],
    }


def _side(record: SideRecord) -> dict[str, Any]:
    return {
        "name": str(record.side),
        "cache": record.side.cache,
        "explainer_id": record.side.explainer_id,
        "explainer": record.explainer,
        "model": record.model,
        "settings": record.settings,
        "explained": record.n_explained,
        "scored": record.scorers,
    }


def _both(found: Comparison) -> list[tuple[str, tuple[Share, ...]]]:
    return [("a", found.curves[0]), ("b", found.curves[1])]


def _figure(figure: Figure | None) -> dict[str, Any] | None:
    return figure and {"value": figure.value, "interval": _interval(figure)}


def _interval(figure: Figure | None) -> list[float | None]:
    return [figure.low, figure.high] if figure else [None, None]


def _curve(curve: Sequence[Share], is_activating: bool) -> list[dict[str, Any]]:
    """Pooled verdicts by decile, or by kind of non-activating context."""
    return [
        {"decile" if is_activating else "kind": int(s.place) if is_activating else s.place,
         "n": s.n, "correct": s.right, "share": s.figure.value, "interval": _interval(s.figure)}
        for s in curve
        if s.place.isdecimal() == is_activating
    ]  # fmt: skip


def _group(group: Group) -> dict[str, Any]:
    parts = {"a": group.first, "b": group.second, "difference": group.difference}
    return {"name": group.name, "n": group.n, **{k: _figure(v) for k, v in parts.items()}}


def _paragraph(found: Comparison, records: Sequence[SideRecord]) -> Iterator[str]:
    """The result, who the sides are, where they differ, and on which features most."""
    yield headline(found)
    settings = differing(list(records))
    for i, (letter, record) in enumerate(zip("AB", records, strict=True)):
        who = " ".join(filter(None, (record.explainer, record.model)))
        own = ", ".join(f"{name} {values[i]}" for name, values in settings.items())
        yield f"  {letter} {record.side}: {who}{f'; {own}' if own else ''}"
    if found.n:
        yield from (f"  {line}" for line in asides(found))
    yield from _places(found)
    for which, groups in (("", found.by_hookpoint), ("density ", found.by_density)):
        for group in groups:
            yield f"  {which}{group.name}: B minus A {spanned(group.difference)}, n {group.n:,}"
    for letter, is_second in (("B", True), ("A", False)):
        chosen = found.largest(LISTED, second=is_second)
        names = (f"{found.address(i)} {found.pairs.difference[i]:+z.2f}" for i in chosen)
        if chosen:
            yield f"  {letter} better by most: {', '.join(names)}"


def _places(found: Comparison) -> Iterator[str]:
    """A line a side, e.g. "A right by decile, 1 weakest first: .16 .29 ...; random .97"."""
    for letter, curve in zip("AB", found.curves, strict=True):
        active = " ".join(short(s.figure.value) for s in curve if s.place.isdecimal())
        silent = ", ".join(
            f"{s.place} {short(s.figure.value)}" for s in curve if not s.place.isdecimal()
        )
        if curve:
            yield f"  {letter} right by decile, 1 weakest first: {active}; {silent or 'no others'}"
