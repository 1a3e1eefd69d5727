"""The first page of a report: all its features in a table that sorts and can be searched."""

import html
from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import NamedTuple

from core.drawing import cards
from core.drawing.cards import Fact
from core.drawing.spans import one_line
from core.exporting.report_frame import closing, opening
from data.baselines import subject_words
from data.percents import percent
from data.records import CacheRecord, ExplanationRecord, Score

COLUMNS = ("detection", "fuzzing", "exact")
STYLES = {"detection": "det", "fuzzing": "fuz", "exact": "exa"}


class Entry(NamedTuple):
    """One row."""

    address: str  # hookpoint/number
    number: int
    href: str
    text: str | None  # of the shown explanation
    made_by: str
    scores: dict[str, Score]  # headline scores by scorer
    density: float | None  # share of tokens, 0..1
    largest: float | None


def entry(
    address: str, number: int, href: str, shown: ExplanationRecord | None, found: dict
) -> Entry:
    """The row of one feature; found: columns of table feature."""
    scores = {name: one for name in COLUMNS if shown and (one := cards.score_of(shown, name))}
    return Entry(
        address=address,
        number=number,
        href=href,
        text=shown and shown.text,
        made_by=", ".join(cards.made_words(shown)[:2]) if shown else "",
        scores=scores,
        density=found.get("density"),
        largest=found.get("max_activation"),
    )


def index_page(cache: CacheRecord, entries: Sequence[Entry], footer: str) -> Iterator[str]:
    """The page in parts; footer: HTML."""
    yield opening(f"{cache.name}: {len(entries):,} features")
    subject = subject_words(cache.subject)
    yield (
        f'<div class="top"><h1>{one_line(cache.name)}</h1><div class="who fx">'
        f"{one_line(subject)} · {one_line(cache.corpus)}</div>"
        '<span id="shown"></span><input class="find" id="find" type="search" '
        'placeholder="Find in explanations (S)" aria-label="Find in explanations">'
        '<button id="theme" title="light or dark">◐</button></div>'
    )
    yield cards.fact_strip(_summary(entries))
    used = [name for name in COLUMNS if any(name in one.scores for one in entries)]
    yield '<table class="all"><thead><tr>'
    yield from _heads(used)
    yield "</tr></thead><tbody>"
    for place, one in enumerate(entries):
        yield _row(place, one, used)
    yield f"</tbody></table>{footer}{closing()}"


def _summary(entries: Sequence[Entry]) -> list[Fact]:
    """How many, and where their scores lie."""
    explained = sum(one.text is not None for one in entries)
    found = [Fact("Features", f"{len(entries):,}"), Fact("Explained", f"{explained:,}")]
    for name in COLUMNS:
        values = _values(entries, name)
        if values:
            title = f"Median {cards.TITLE[name].lower()}" if name != "exact" else "Median exact F1"
            found.append(Fact(title, cards.two(median(values)), f"n {len(values):,}"))
    failed = sum(score.failed for one in entries for score in one.scores.values())
    return [*found, Fact("Failed verdicts", f"{failed:,}")]


def _values(entries: Iterable[Entry], name: str) -> list[float]:
    scores = (one.scores.get(name) for one in entries)
    return [score.value for score in scores if score and score.value is not None]


def _heads(used: Sequence[str]) -> Iterator[str]:
    yield '<th data-n="1" aria-sort="ascending"><button>Feature</button></th>'
    yield "<th><button>Explanation</button></th>"
    for name in used:
        yield f'<th data-n="1"><button>{cards.TITLE[name]}</button></th>'
    for name in ("Density", "Max"):
        yield f'<th class="r"><button>{name}</button></th>'


def _row(place: int, one: Entry, used: Sequence[str]) -> str:
    text = one_line(one.text) if one.text else '<span class="mut">not explained</span>'
    by = f" <small>{html.escape(one.made_by)}</small>" if one.made_by else ""
    scores = "".join(_score(one.scores.get(name), name) for name in used)
    density = "" if one.density is None else percent(one.density, 3)
    largest = "" if one.largest is None else f"{one.largest:.2f}"
    return (
        f'<tr><td data-v="{place}"><a href="{one.href}">{one_line(one.address)}</a></td>'
        f'<td class="x" dir="auto">{text}{by}</td>{scores}'
        f'<td class="r" data-v="{_key(one.density)}">{density}</td>'
        f'<td class="r" data-v="{_key(one.largest)}">{largest}</td></tr>'
    )


def _score(score: Score | None, name: str) -> str:
    """Value with bar, interval, n and failures."""
    if score is None or score.value is None:
        return f'<td data-v=""><small>{"undefined" if score else ""}</small></td>'
    share = max(0.0, min(1.0, score.value))
    span = ""
    if score.low is not None and score.high is not None:
        span = f"[{cards.short(score.low)}, {cards.short(score.high)}] "
    failed = f' <span class="bad">{score.failed:,} failed</span>' if score.failed else ""
    return (
        f'<td data-v="{_key(score.value)}"><span class="meter {STYLES[name]}">'
        f'<b style="width:{share:.0%}"></b></span>{cards.two(score.value)} '
        f"<small>{span}n {cards.compact(score.n)}{failed}</small></td>"
    )


def _key(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
