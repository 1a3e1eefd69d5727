"""Explanations, facts and small tables to escaped HTML; knows nothing of Streamlit.

A score is never drawn without its interval, its n and its failures.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from core.drawing.spans import block, escape, in_brief, one_line, plain
from core.drawing.words import HUMAN, explain_words, hand_words, pushed_words
from data.percents import percent
from data.records import ExplanationRecord, Score
from data.results import headline

AXIS = {"detection": (0.4, 1.0), "fuzzing": (0.4, 1.0), "exact": (0.0, 1.0)}
COLOUR = {"detection": "var(--det)", "fuzzing": "var(--fuz)", "exact": "var(--exa)"}
TITLE = {"detection": "Detection", "fuzzing": "Fuzzing", "exact": "Exact F1"}
SYMBOL = {"pearson": "r", "auroc": "AUROC", "hit_share": "hits"}  # where a name needs its measure
PINNED = '<span class="pin">pinned</span> '
MANY_FAILED = 0.1  # share of unusable replies above which a score is greyed (methods 6.2)


@dataclass(frozen=True, slots=True)
class Fact:
    """One cell of the strip."""

    label: str
    value: str
    unit: str = ""
    hint: str = ""  # what the number means, on hover


def score_of(explanation: ExplanationRecord, scorer: str) -> Score | None:
    """The headline score of one scorer, None when it was not run."""
    return headline(explanation.scores).get(scorer)


def scorers(explanations: Sequence[ExplanationRecord]) -> list[str]:
    """The score columns that these explanations need: two always, exact where one has it."""
    has_exact = any(score_of(e, "exact") for e in explanations)
    return ["detection", "fuzzing", *["exact"] * has_exact]


def card(
    explanation: ExplanationRecord,
    columns: Sequence[str],
    *,
    name: str,
    is_shown: bool,
    is_pinned: bool = False,
) -> str:
    """Text and provenance on the left, one interval a score on the right.

    name: "first", "last" or both, for the corners of the list.
    """
    inside = _card(explanation, columns, "cur" if is_shown else "", is_pinned=is_pinned)
    return block(f'<div style="--scores:{len(columns)}">{inside}</div>', name)


def pair(
    new: ExplanationRecord, old: ExplanationRecord, columns: Sequence[str], differences: list[str]
) -> str:
    """Two explanations side by side; differences: one line a score, already in words."""
    lines = "".join(f"<span>{escape(line)}</span>" for line in differences)
    return block(
        f'<div class="two" style="--scores:{len(columns)}">{_card(new, columns, "cur")}'
        f'{_card(old, columns, "old", is_pinned=True)}<div class="dif">{lines}</div></div>'
    )


def _card(
    explanation: ExplanationRecord, columns: Sequence[str], style: str, *, is_pinned: bool = False
) -> str:
    rule = explanation.rule and (
        f"<details><summary>rule</summary><pre>{escape(explanation.rule)}</pre></details>"
    )
    intervals = (interval(score_of(explanation, name), name) for name in columns)
    others = other_scores(explanation, columns)
    beside = f'<div class="s more">{escape(others)}</div>' if others else ""
    return (
        f'<div class="ex {style}"><div><div class="t" dir="auto">{says(explanation)}</div>'
        f'<div class="s">{PINNED * is_pinned}{escape(provenance(explanation))}</div>'
        f"{beside}{rule or ''}</div>"
        f"{''.join(intervals)}</div>"
    )


def says(explanation: ExplanationRecord) -> str:
    """What an explanation says as HTML, or why it says nothing."""
    why_not = f"No explanation: {explanation.error or explanation.status}"
    return in_brief(explanation.text or why_not)


def provenance(explanation: ExplanationRecord) -> str:
    """Who wrote it, how, when and at what cost, e.g. "grammar · f1 · 24 Nov 13:20 · #12"."""
    when = datetime.fromisoformat(explanation.created_at)
    paid = [cost_words(explanation.cost_usd)] if explanation.usage else []
    words = [*made_words(explanation), f"{when:%-d %b %H:%M}", *paid]
    return " · ".join([*words, f"#{explanation.explanation_id}"])


def made_words(explanation: ExplanationRecord) -> list[str]:
    """Who wrote it and from what, e.g. ["grammar", "all train tokens", "f1"] or ["by hand"]."""
    if explanation.explainer == HUMAN:
        return hand_words(explanation.settings)
    who = explanation.model or explanation.explainer
    if explanation.explainer != "grammar" and not explanation.settings.get("examples"):
        push = "kl" in explanation.settings  # of an intervention, else imported: not ours
        pushed = pushed_words(explanation.settings) if push else []
        return [*dict.fromkeys([who, explanation.explainer]), *pushed]
    return [*dict.fromkeys([who, *explain_words(explanation.settings)])]


def cost_words(dollars: float | None) -> str:
    """What something cost, e.g. "$0.0021"; free and unknown are not the same."""
    if dollars is None:
        return "cost unknown"
    return "free" if dollars == 0 else f"${dollars:.2g}" if dollars < 1 else f"${dollars:,.2f}"


def other_scores(explanation: ExplanationRecord, columns: Sequence[str]) -> str:
    """Scores without a column as one line, e.g. "simulation r .41 [.30, .52], n 40 · …"."""
    names = dict.fromkeys(s.scorer for s in explanation.scores if s.scorer not in columns)
    found = (score_of(explanation, name) for name in names)
    return " · ".join(score_words(score) for score in found if score)


def score_words(score: Score) -> str:
    """One score with interval, n and failures, e.g. "intruder .40 [.28, .54], n 50, 2 failed"."""
    failed = [f"{score.failed:,} failed"] * bool(score.failed)
    figure = undefined(score) if score.value is None else short(score.value)
    if score.low is not None and score.high is not None:
        figure += f" [{short(score.low)}, {short(score.high)}]"
    named = " ".join(filter(None, [score.scorer, SYMBOL.get(score.metric, ""), figure]))
    judged = filter(None, [judged_words(score)])
    return ", ".join([named, f"n {compact(score.n)}", *failed, *judged])


def undefined(score: Score) -> str:
    """What stands in place of a figure, with the reason, e.g. "undefined: names-no-token"."""
    reason = score.detail.get("reason")
    return f"undefined: {reason}" if reason else "undefined"


def two(value: float) -> str:
    """Two decimals as a browser rounds them, where tables and charts do: 0.625 -> "0.63"."""
    return str(Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_UP))


def short(value: float) -> str:
    """Two figures without the nought, e.g. 0.41 -> ".41", -0.2 -> "−.20", 1.0 -> "1.0"."""
    figure = two(abs(value))
    return "−" * (value < 0) + ("1.0" if figure == "1.00" else figure.removeprefix("0"))


def interval(score: Score | None, name: str) -> str:
    """A score as number, interval, n and bar on a fixed axis, so that cards compare by eye."""
    title = TITLE.get(name, name)
    if score is None:
        missing = '<span class="mut">not scored</span>'
        return f'<div class="ci"><span class="k">{title}</span>{missing}</div>'
    failed = f'<div class="bad">{score.failed:,} failed</div>' if score.failed else ""
    head = f'<span class="k">{title}<small>n {compact(score.n)}</small></span>'
    if score.value is None:
        said = escape(undefined(score))
        return f'<div class="ci">{head}<span class="mut">{said}</span>{failed}</div>'
    asked = score.n + score.failed
    grey = " grey" if asked and score.failed / asked > MANY_FAILED else ""
    return (
        f'<div class="ci{grey}" title="{html.escape(plain(_hint(score)))}">{head}'
        f'<b style="color:{COLOUR.get(name, "var(--ink)")}">{two(score.value)}</b> {_range(score)}'
        f"{_bar(score, name)}{_below(score)}{failed}</div>"
    )


def _range(score: Score) -> str:
    if score.low is None or score.high is None:
        return ""
    return f'<span class="mut">[{two(score.low)}, {two(score.high)}]</span>'


def _bar(score: Score, name: str) -> str:
    low_end, high_end = AXIS.get(name, (0.0, 1.0))
    colour = COLOUR.get(name, "var(--ink)")

    def at(share: float) -> float:
        return max(0.0, min(100.0, (share - low_end) / (high_end - low_end) * 100))

    value = score.value or 0.0
    low, high = (at(value if end is None else end) for end in (score.low, score.high))
    return (
        f'<div class="bar"><i style="left:{low:.0f}%;width:{high - low:.0f}%;background:{colour}">'
        f'</i><u style="left:{at(value):.0f}%;background:{colour}"></u></div>'
    )


def _below(score: Score) -> str:
    """Precision and recall under an exact score; under the others a preset that is not usual."""
    figures = exact_figures(score)
    if figures is None:
        words = judged_words(score)
        return f'<div class="low">{escape(words)}</div>' if words else ""
    precision, recall = figures
    return f'<div class="low">precision {_two(precision)} · recall {_two(recall)} of tokens</div>'


def judged_words(score: Score) -> str:
    """Who judged, unless the grammar did, and what is not usual about the preset."""
    who = [f"judge {score.judge}"] if score.judge != "grammar" else []
    return ", ".join([*who, *filter(None, [preset_words(score.preset)])])


def preset_words(preset: str) -> str:
    """What is not usual about a preset: "gloss" -> "", "gloss+token" -> "harder: token"."""
    base, *kinds = preset.split("+")
    words = [f"preset {base}"] if base != "gloss" else []
    return ", ".join([*words, *[f"harder: {' and '.join(kinds)}"] * bool(kinds)])


def exact_figures(score: Score) -> tuple[float | None, float | None] | None:
    """Precision and recall on the test sequences, None when the score is not an exact one."""
    test = score.detail.get("test") if score.scorer == "exact" else None
    return (test.get("precision"), test.get("recall")) if isinstance(test, dict) else None


def _hint(score: Score) -> str:
    if score.scorer == "exact":
        return "F1 over every token of the test sequences, at the true base rate"
    return (
        f"balanced accuracy, judge {score.judge}, preset {score.preset}; "
        f"activating right {_two(score.tpr)}, non-activating right {_two(score.tnr)}"
    )


def _two(value: float | None) -> str:
    return "–" if value is None else two(value)


def compact(n: int) -> str:
    """A count in at most four characters: 950 -> "950", 41_200 -> "41k", 2_300_000 -> "2.3M"."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if n >= size:
            return f"{n / size:.2g}{letter}" if n < 100 * size else f"{n / size:.0f}{letter}"
    return str(n)


def fact_strip(facts: Sequence[Fact]) -> str:
    """A row of label, number, unit."""
    cells = (
        f'<div title="{html.escape(f.hint)}"><div class="k">{escape(f.label)}</div>'
        f'<div class="v">{escape(f.value)}<small>{escape(f.unit)}</small></div></div>'
        for f in facts
    )
    return block(f'<div class="strip">{"".join(cells)}</div>')


Effects = Sequence[tuple[str, float]]  # token text and its logit


def logit_table(promoted: Effects, suppressed: Effects) -> str:
    """The most promoted and most suppressed tokens with bars on one common scale."""
    scale = max((abs(value) for _, value in [*promoted, *suppressed]), default=0) or 1

    def column(title: str, kind: str, effects: Effects) -> str:
        lines = (
            f'<div class="lr"><code>{one_line(token)}</code>'
            f'<s class="{kind}" style="width:{abs(value) / scale:.0%}"></s>'
            f"<em>{value:+z.2f}</em></div>"
            for token, value in effects
        )
        return f"<div><h6>{title}</h6>{''.join(lines)}</div>"

    columns = column("Promoted", "pos", promoted) + column("Suppressed", "neg", suppressed)
    return block(f'<div class="lg">{columns}</div>')


def token_table(tokens: Sequence[tuple[str, int, float]], total: int) -> str:
    """Most frequent firing tokens: text, share of the firings as bar, count and mean activation."""
    top = max((n for _, n, _ in tokens), default=0) or 1
    lines = (
        f'<div class="lr wide"><code>{one_line(text)}</code>'
        f'<s class="pos" style="width:{n / top:.0%}"></s>'
        f'<em title="{percent(n / max(total, 1), 1)} of its firings">{n:,} · mean {mean:.2f}</em>'
        "</div>"
        for text, n, mean in tokens
    )
    return block("".join(lines))


def position_bars(counts: Sequence[int]) -> str:
    """Firings by position in the sequence, at most 64 bins."""
    size = max(1, -(-len(counts) // 64))
    bins = [sum(counts[i : i + size]) for i in range(0, len(counts), size)]
    top = max(bins, default=0) or 1
    bars = (
        f'<i style="height:{n / top:.0%}" title="positions {k * size}–'
        f'{min((k + 1) * size, len(counts)) - 1}: {n:,} firings"></i>'
        for k, n in enumerate(bins)
    )
    each = f" in {size} positions" if size > 1 else ""
    unit = f"n = {sum(bins):,} firings; the tallest bar is {max(bins, default=0):,}{each}"
    return block(f'<div class="k">{unit}</div><div class="pos">{"".join(bars)}</div>'
                 f'<div class="k">position 0<small>{len(counts) - 1}</small></div>')  # fmt: skip


def identity(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values, one a line."""
    lines = (f"<dt>{escape(k)}</dt><dd>{one_line(v)}</dd>" for k, v in pairs)
    return block(f"<dl>{''.join(lines)}</dl>")


def capital(text: str) -> str:
    """A message as a sentence; a name or a path at its start stays as it is written."""
    return text[:1].upper() + text[1:] if re.match("[a-z]+ ", text) else text


def told(error: Exception) -> str:
    """What went wrong as a sentence with one full stop."""
    return f"{capital(str(error)).rstrip('.!')}."


def sentence(text: str, command: str = "") -> str:
    """One sentence in place of a panel, with the command that helps."""
    extra = f" <code>{escape(command)}</code>" if command else ""
    return block(f'<div class="say">{escape(text)}{extra}</div>')
