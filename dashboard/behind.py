"""What stands behind an explanation to escaped HTML: how it was made, what every score rests on.

Knows nothing of Streamlit or of where it comes from.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from core.drawing.cards import compact, cost_words, identity, made_words, short
from core.drawing.spans import ContextRow, GroupHeading, Passage, block, escape, example_list
from core.drawing.words import HUMAN
from core.score import METHODS
from dashboard.commands import counted, known
from data.catalogue import Row
from data.records import ExplanationRecord, Score, Usage

MOST = 24  # members of a list that are written out
LONGEST = 2_000  # characters of a value that are written out
SIMULATED_MAX = 10.0  # what a simulator gives for the feature's largest activation


def facts(explanation: ExplanationRecord, made: Row) -> str:
    """Who made it, from what, at what cost."""
    usage = explanation.usage
    pairs = [
        ("explainer", " · ".join(made_words(explanation))),
        ("status", explanation.status if explanation.text else
         f"{explanation.status}: {explanation.error or 'no text'}"),
        ("contexts shown", _learnt_from(made["n_examples"], explanation.settings)),
        ("seed", str(made["seed"])),
        ("calls", usage_words(usage)),
        ("cost", cost_words(explanation.cost_usd) if usage else "free: no model was asked"),
        ("took", "not known" if explanation.seconds is None else f"{explanation.seconds:.2g} s"),
        ("made", f"{datetime.fromisoformat(explanation.created_at):%-d %b %Y %H:%M} UTC"),
    ]  # fmt: skip
    return identity(pairs)


def _learnt_from(n: int | None, settings: Mapping[str, Any]) -> str:
    """The contexts behind an explanation; what the grammar and a person saw is not listed."""
    if n is not None:
        return counted(n, "contexts")
    if settings.get("explainer") == HUMAN:
        return "not known"
    most = settings.get("examples")
    return f"at most {most} contexts" if most else "all train tokens"


def usage_words(usage: Usage | None) -> str:
    """Answers and tokens, e.g. "3 · 2,314 tokens in, 150 out"; a count may be unknown."""
    if usage is None:
        return "none"
    if not usage.n_calls and usage.cost_usd is None:
        return "not known: made elsewhere"
    return f"{usage.n_calls:,} · {token_words(usage.input_tokens, usage.output_tokens)}"


def token_words(into: int | None, out: int | None) -> str:
    """Tokens of calls, e.g. "2,314 tokens in, 150 out"."""
    return f"{known(into)} tokens in, {known(out)} out"


METRICS = {"f1": "F1", "auroc": "AUROC", "pearson": "Pearson's r"}
HEADINGS = ("score", "value", "95 % interval", "n", "failed", "judge", "preset", "cost")


def score_table(scores: Sequence[Score]) -> str:
    """Every score, of every judge and preset, one a line."""
    head = "".join(f"<th>{name}</th>" for name in HEADINGS)
    body = "".join(f"<tr>{''.join(map(_cell, _score_cells(score)))}</tr>" for score in scores)
    return block(
        f'<table class="scores"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def _cell(text: str) -> str:
    return f"<td>{escape(text)}</td>"


def _score_cells(score: Score) -> list[str]:
    span = "–" if score.low is None or score.high is None else (
        f"{short(score.low)} to {short(score.high)}")  # fmt: skip
    paid = cost_words(score.usage.cost_usd) if score.usage else "free"
    return [
        score.scorer,
        "undefined" if score.value is None else f"{short(score.value)} {_metric(score)}",
        span,
        compact(score.n),
        f"{score.failed:,} failed" if score.failed else "0",
        score.judge,
        score.preset,
        paid,
    ]


def _metric(score: Score) -> str:
    return METRICS.get(score.metric, score.metric.replace("_", " "))


def score_details(scores: Sequence[Score]) -> str:
    """What each scorer measures and what only it has, closed at first."""
    return block("".join(map(_score_detail, scores)), "behind")


def _score_detail(score: Score) -> str:
    method = METHODS.get(score.scorer)
    words = f"measures {method.measures} ({method.source})" if method else ""
    title = f"{score.scorer}, judge {score.judge}, preset {score.preset}"
    kinds = {kind: _tally(t.correct, t.n, t.failed) for kind, t in score.non_activating.items()}
    deciles = {f"decile {d}": _tally(t.correct, t.n, t.failed) for d, t in score.by_decile.items()}
    rates = {"activating right": score.tpr, "non-activating right": score.tnr}
    shown = {k: v for k, v in rates.items() if v is not None} | deciles | kinds
    usage = {"calls": usage_words(score.usage)} if score.usage else {}
    return (
        f"<details><summary>{escape(title)}</summary><p class=mut>{escape(words)}</p>"
        f"{nested(shown | usage | score.detail)}</details>"
    )


def _tally(correct: int, n: int, failed: int) -> str:
    return f"{correct} of {n} right" + (f", {failed} failed" if failed else "")


def nested(value: Any) -> str:
    """Anything that came from JSON: names and values, lists in brief."""
    if isinstance(value, Mapping):
        lines = (f"<dt>{escape(str(k).replace('_', ' '))}</dt><dd>{nested(v)}</dd>"
                 for k, v in value.items())  # fmt: skip
        return f"<dl>{''.join(lines)}</dl>"
    if isinstance(value, (list, tuple)):
        return _list(value)
    return f"<span>{escape(scalar(value))}</span>"


def _list(values: Sequence[Any]) -> str:
    rest = f" … {len(values):,} in all" if len(values) > MOST else ""
    if any(isinstance(v, (Mapping, list, tuple)) for v in values):
        items = "".join(f"<li>{nested(v)}</li>" for v in values[:MOST])
        return f"<ol>{items}</ol>{rest}"
    return f"<span>{escape(', '.join(map(scalar, values[:MOST])) or 'none')}{rest}</span>"


def scalar(value: Any) -> str:
    """A single value in words, e.g. None -> "–", 0.12345 -> "0.123", True -> "yes"."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
    if isinstance(value, int):
        return f"{value:,}"
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def generated_list(texts: Sequence[Row], largest: float) -> str:
    """Texts written for the explanation with the feature's largest activation on each."""
    hits = sum((row["max_activation"] or 0) > 0 for row in texts)
    ran = sum(row["max_activation"] is not None for row in texts)
    head = (f"{hits} of {ran} texts activate the feature; its largest activation in the corpus is "
            f"{largest:.1f}")  # fmt: skip
    if ran < len(texts):
        head += f"; {len(texts) - ran} could not be run"
    return block(f'<p class="mut">{head}</p>{"".join(_generated(row, largest) for row in texts)}')


def _generated(row: Row, largest: float) -> str:
    peak = row["max_activation"]
    share = min(1.0, (peak or 0) / largest) if largest > 0 else 0.0
    words = "not run" if peak is None else f"{peak:.1f}" if peak > 0 else "silent"
    return (
        f'<div class="gen"><div class="tx" dir="auto">{escape(row["text"])}</div>'
        f'<div><s style="width:{share:.0%}"></s><em>{words}</em></div></div>'
    )


def simulated_list(rows: Sequence[Row], passages: Sequence[Passage], largest: float) -> str:
    """Contexts twice: as the feature fires and as the simulator thought, on one scale."""
    pairs = [
        (_heading(row), list(_twice(row, passage, largest)))
        for row, passage in zip(rows, passages, strict=True)
    ]
    return example_list(pairs, largest)


def _heading(row: Row) -> GroupHeading:
    name = f"Decile {row['decile']}" if row["decile"] else "Non-activating"
    return GroupHeading(name)


def _twice(row: Row, passage: Passage, largest: float) -> Iterator[ContextRow]:
    scale = largest / SIMULATED_MAX
    guessed = [value * scale for value in row["predicted"]]
    yield ContextRow(passage, max(passage.activations), note="true")
    thought = Passage(passage.pieces, guessed, passage.borders, tokens=passage.tokens)
    yield ContextRow(thought, max(guessed), note="simulated")


def few(rows: Sequence[Row], n: int = 3) -> list[Row]:
    """Some contexts over the whole range: n activating ones, strongest first, and one silent.

    >>> [row["decile"] for row in few([{"decile": d} for d in (10, 9, 8, 2, 1, None, None)])]
    [10, 8, 1, None]
    """
    active = [row for row in rows if row["decile"]]
    places = np.linspace(0, len(active) - 1, min(n, len(active))).astype(int)
    silent = [row for row in rows if not row["decile"]]
    return [*(active[i] for i in places), *silent[:1]]


def turns(messages: Sequence[Sequence[str]]) -> str:
    """A conversation as plain text, each turn under its role."""
    return "\n\n".join(f"[{role}]\n{content}" for role, content in messages)
