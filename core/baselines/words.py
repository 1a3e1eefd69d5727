"""The table of baselines as text for people and as objects for scripts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.baselines.kinds import (
    OWN,
    PUBLISHED,
    READING,
    Published,
    meaning,
    published,
    reference,
    title,
)
from core.baselines.table import Question, Row, Scored, Table
from core.comparing.figures import Figure
from core.comparing.words import counted, short, signed, spanned
from data.percents import percent

UNITS = {"detection": "balanced accuracy", "fuzzing": "balanced accuracy",
         "exact": "F1 over all test tokens"}  # fmt: skip
HEADS = ("", "n", "median [quartiles]", "mean [95 %]", "the SAE minus it", "failed", "published")
FEW_FAILED = 0.1  # share of failed verdicts above which a score says little (methods 6.2)


def lines(found: Table, problems: Mapping[str, str] | None = None) -> Iterator[str]:
    """The whole table: a block a hookpoint and scorer, what is missing, how to read it."""
    for hookpoint in found.question.hookpoints:
        rows = found.at(hookpoint)
        for scorer in found.scorers:
            yield f"{hookpoint} · {scorer}, {_asked(found.question, scorer)}"
            yield from _aligned([HEADS, *(cells(row, scorer) for row in rows)])
            yield ""
        for row in rows:
            if said := aside(row, (problems or {}).get(row.name, "")):
                yield f"  {title(row.name)}: {said}"
    yield from _published()
    yield READING


def _asked(question: Question, scorer: str) -> str:
    unit = UNITS.get(scorer, "its own measure")
    if scorer == "exact":
        return unit
    return f"{unit}, judge {question.judge}, preset {question.preset}"


def cells(row: Row, scorer: str) -> tuple[str, ...]:
    """One row of a block, as text."""
    one = row.scores.get(scorer)
    if one is None or one.summary.mean is None:
        said = reference(row.name, scorer)
        return title(row.name), "–", "–", "–", "–", _failed(one), said
    found = one.summary
    middle = f"{short(found.median)} [{short(found.low)}, {short(found.high)}]"
    return (title(row.name), f"{found.n:,}", middle, figure(found.mean), gap(row, one),
            _failed(one), reference(row.name, scorer))  # fmt: skip


def figure(found: Figure | None) -> str:
    """A number with its interval, e.g. ".78 [.74, .82]"; without one where features are few."""
    if found is None:
        return "–"
    if found.low is None:
        return f"{short(found.value)} (too few for an interval)"
    return f"{short(found.value)} [{short(found.low)}, {short(found.high)}]"


def gap(row: Row, one: Scored) -> str:
    """How far the SAE lies above a row."""
    if row.name == OWN:
        return ""
    if one.difference is None:
        return "–"
    if one.difference.low is None:
        return f"{signed(one.difference.value)} (too few for an interval)"
    return spanned(one.difference) + (" paired" if one.is_paired else "")


def _failed(one: Scored | None) -> str:
    if one is None:
        return "–"
    share = one.failed_share
    many = ", many" if share is not None and share > FEW_FAILED else ""
    return f"{one.n_failed:,}{many}"


def aside(row: Row, problem: str = "") -> str:
    """What a row's numbers leave out, and how it was made; "" where there is nothing to say."""
    if problem:
        return f"not possible here: {problem}"
    if row.state != "there":
        return "not made yet" if row.state == "missing" else "in the making"
    parts = [made_words(row)] if row.how else []
    if row.alive:
        parts.append(f"{row.alive[0]:,} of {row.alive[1]:,} features fire")
    if row.density is not None:
        parts.append(f"the median one looked at on {percent(row.density, 2)} of tokens")
    if row.entropy:
        parts.append(f"median token entropy {row.entropy.median:.2f} nats over "
                     f"{counted(row.entropy.n)}")  # fmt: skip
    without = without_words(row)
    return "; ".join([*parts, *([without] if without else [])])


def made_words(row: Row) -> str:
    """How a baseline was made, e.g. "random:2048:16, seed 0"."""
    said = dict(row.how)
    words = [", ".join(said.pop("sae", []))]
    for name, form in (("subject", "{}"), ("values", "{}"), ("steps", "{:,} steps"),
                       ("tokens", "of {:,} tokens"), ("seed", "seed {}")):  # fmt: skip
        if name in said:
            words.append(form.format(said[name]))
    return ", ".join(word for word in words if word)


def without_words(row: Row) -> str:
    """Features without a score, e.g. "3 of 100 without a score: too few contexts 2, ..."."""
    for one in row.scores.values():
        if one.without:
            parts = [f"{why} {n:,}" for why, n in one.without.items()]
            n = sum(one.without.values())
            return f"{n:,} of {counted(row.chosen)} without a score: {', '.join(parts)}"
    return ""


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        padded = (
            cell.rjust(width) if i == 1 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield ("  " + "  ".join(padded)).rstrip()


def _published() -> Iterator[str]:
    yield "published, of other subjects and judges (fuzzing / detection), for comparison only:"
    for one in PUBLISHED:
        yield f"  {title(one.row)}: {one.fuzzing} / {one.detection}, {one.about} ({one.source})"


def objects(found: Table, problems: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """One object a row of a hookpoint."""
    asked = found.question
    for row in found.rows:
        yield {
            "cache": asked.cache, "hookpoint": row.hookpoint, "row": row.name,
            "title": title(row.name), "means": meaning(row.name), "state": row.state,
            "problem": (problems or {}).get(row.name), "baseline_cache": row.cache, "at": row.at,
            "how": dict(row.how), "features": row.chosen,
            "alive": None if row.alive is None else row.alive[0], "density_median": row.density,
            "token_entropy": row.entropy and row.entropy._asdict(),
            "explainer": asked.explainer, "model": asked.model, "judge": asked.judge,
            "preset": asked.preset,
            "scores": {name: _score(one) for name, one in row.scores.items()},
            "published": [_reference(one) for one in published(row.name)],
        }  # fmt: skip


def _score(one: Scored) -> dict[str, Any]:
    found = one.summary
    return {
        "n": found.n, "median": found.median, "quartiles": [found.low, found.high],
        "mean": found.mean and found.mean.value, "interval": _ends(found.mean),
        "judged": one.n_judged, "failed": one.n_failed, "without": dict(one.without),
        "difference": one.difference and one.difference.value,
        "difference_interval": _ends(one.difference), "paired": one.is_paired,
    }  # fmt: skip


def _ends(found: Figure | None) -> list[float | None]:
    return [None, None] if found is None else [found.low, found.high]


def _reference(one: Published) -> dict[str, str]:
    return {"fuzzing": one.fuzzing, "detection": one.detection, "about": one.about,
            "source": one.source}  # fmt: skip
