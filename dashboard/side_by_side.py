"""Several explanations of one feature beside each other, as HTML; knows nothing of Streamlit.

In: explanations in the order of the columns, the verdicts on them, a reader of contexts. The first
explanation is the one that the others are compared with. A column has a letter, a colour and the
mark that its line has in the figure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from core.drawing.cards import interval, made_words, says, score_of, scorers
from core.drawing.listing import SILENT_KINDS, Context, asked
from core.drawing.reader import Reader, Width
from core.drawing.spans import (
    GroupHeading,
    Passage,
    Shade,
    Verdict,
    block,
    escape,
    group_heading,
    highlighted,
    one_line,
    verdict,
)
from core.score.statistics import Comparison
from dashboard.charts.deciles import LETTERS
from dashboard.comparison import SCORERS, by_judge, finding, signed
from data.catalogue import Row
from data.records import ExplanationRecord

GLYPHS = "●■◆▲"  # as the figure's marks, in their order
MOST = len(GLYPHS)  # columns
LIMITS = (60, 20, 20, 20)  # rows of a group
READ = 300  # contexts of a group that are read, to find those with the largest peaks
Said = tuple[Verdict | None, Verdict | None]  # detection, fuzzing


class Group(StrEnum):
    """What became of a context under all explanations."""

    DIFFER = "Verdicts differ"
    WRONG = "Wrong under every explanation"
    RIGHT = "Right under every explanation"
    NOTHING = "No usable reply"


@dataclass(frozen=True, slots=True)
class Compared:
    """One context with what was said of it under each explanation."""

    context: Context
    kind: str  # of the item: wrong-mark where silent tokens of an activating context were marked
    marks: frozenset[int]  # offsets that the judge was asked about
    said: tuple[Said, ...]  # in the order of the columns

    @property
    def group(self) -> Group:
        """The group that it belongs to."""
        if self.disagreements:
            return Group.DIFFER
        usable = {v for pair in self.said for v in pair} - {None, Verdict.UNREADABLE}
        if not usable:
            return Group.NOTHING
        return Group.WRONG if Verdict.WRONG in usable else Group.RIGHT

    @property
    def disagreements(self) -> int:
        """Scorers that found one explanation right here and another one wrong, 0..2."""
        both = {Verdict.RIGHT, Verdict.WRONG}
        return sum(both <= {pair[scorer] for pair in self.said} for scorer in (0, 1))


def compared(verdicts: Sequence[Row], ids: Sequence[int]) -> list[Compared]:
    """Every context that was judged under one of the explanations; of two questions the newest."""
    said: dict[tuple[Context, str], list[list[Verdict | None]]] = {}
    marks: dict[tuple[Context, str], frozenset[int]] = {}
    for column, explanation_id in enumerate(ids):
        for context, questions in asked(verdicts, explanation_id).by_context.items():
            for question in questions:
                key = context, question.kind
                here = said.setdefault(key, [[None, None] for _ in ids])
                here[column][SCORERS.index(question.scorer)] = question.verdict
                if question.kind != "activating" and question.marks:
                    marks[key] = question.marks
    return [
        Compared(context, kind, marks.get((context, kind), frozenset()),
                 tuple((detection, fuzzing) for detection, fuzzing in here))
        for (context, kind), here in said.items()
    ]  # fmt: skip


def columns(found: Sequence[ExplanationRecord]) -> str:
    """The explanations with what differs between their settings on top, and their scores."""
    differs = differing(found)
    names, cells = scorers(found), []
    for k, explanation in enumerate(found):
        settings = "".join(f"<dt>{escape(name)}</dt><dd>{one_line(values[k])}</dd>"
                           for name, values in differs.items())  # fmt: skip
        same = f'<div class="s">{one_line(" · ".join(made_words(explanation)))}</div>'
        scores = "".join(interval(score_of(explanation, name), name) for name in names)
        cells.append(
            f'<div class="col c{k}"><div class="hd">{tag(k)}'
            f'<span class="mut">explanation #{explanation.explanation_id}</span></div>'
            f"{f'<dl>{settings}</dl>' if settings else same}"
            f'<div class="t" dir="auto">{says(explanation)}</div>'
            f'<div class="sc">{scores}</div></div>'
        )
    inside = f'<div class="cols" style="--n:{len(found)}">{"".join(cells)}</div>'
    note = ""
    if len(found) > 1 and not differs:
        note = '<p class="mut">These have the same settings: the explainer was asked again.</p>'
    return block(inside + note)


def tag(k: int) -> str:
    """A column's mark and letter in its colour."""
    return f'<b class="tag c{k}">{GLYPHS[k]} {LETTERS[k]}</b>'


def differing(found: Sequence[ExplanationRecord]) -> dict[str, list[str]]:
    """Settings that are not the same everywhere, by their name, with each explanation's value.

    A setting that an explainer does not have is "–".
    """
    every = [
        {"explainer": e.explainer, "model": e.model or "none"} | dict(e.settings) for e in found
    ]
    names = dict.fromkeys(name for one in every for name in one)
    values = {name: [value_words(name, one.get(name, "–")) for one in every] for name in names}
    return {
        name.replace("_", " "): listed
        for name, listed in values.items()
        if len(set(listed)) > 1 and name != "content"  # of an import: a hash of its files
    }


def value_words(name: str, value: object) -> str:
    """A setting's value as a person would say it."""
    if value is None:
        return "all train tokens" if name == "examples" else "none"
    return str(value)


def differences(verdicts: Sequence[Row], found: Sequence[ExplanationRecord]) -> str:
    """Every explanation against the first: paired difference, interval, test, as a table.

    verdicts: of all scores; one line for each scorer and judge that judged both.
    """
    first, *others = found
    lines = []
    for k, other in enumerate(others, 1):
        both = by_judge(verdicts, other.explanation_id, first.explanation_id)
        lines += [_difference(k, f"{scorer} {by}", result) for scorer, by, result in both]
    if not lines:
        return block('<p class="mut">No scorer has judged both on the same contexts, so there is '
                     "no difference to tell.</p>")  # fmt: skip
    names = ("", "difference", "95 % interval", "right only in", "common contexts", "McNemar", "")
    head = "".join(f"<th>{name}</th>" for name in names)
    return block(f'<table class="diff"><tr>{head}</tr>{"".join(lines)}</table>')


def _difference(k: int, what: str, found: Comparison) -> str:
    left_out = f", {found.excluded} without a verdict on both" if found.excluded else ""
    span = "–" if found.low is None or found.high is None else (
        f"[{signed(found.low)}, {signed(found.high)}]")  # fmt: skip
    p = "p < 0.001" if found.p < 0.001 else f"p = {found.p:.2g}"
    cells = (
        f"{tag(k)} − {tag(0)} {escape(what)}", f"<b>{signed(found.difference)}</b>", span,
        f"{LETTERS[k]} {found.only_first}, A {found.only_second}", f"{found.n}{left_out}", p,
        finding(found, LETTERS[k], "A"),
    )  # fmt: skip
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def context_list(
    reader: Reader, verdicts: Sequence[Row], ids: Sequence[int], scale: float
) -> str | None:
    """Contexts in groups, those on which the verdicts differ first; None = nothing was judged."""
    every = compared(verdicts, ids)
    if not every:
        return None
    parts = []
    for group, limit in zip(Group, LIMITS, strict=True):
        here = [one for one in every if one.group is group]
        if here or (group is Group.DIFFER and len(ids) > 1):
            if not parts:
                parts.append(_letters(len(ids)))
            rows = _rows(reader, here, limit)
            count = f"{len(rows)} of {len(here)}" if len(rows) < len(here) else f"{len(here)}"
            note = f"{count} contexts" if here else "none: all say the same of every context"
            parts.append(group_heading(GroupHeading(group, note)))
            parts += [_row(one, passage, peak, scale) for one, passage, peak in rows]
    return block("".join(parts), "versus")


def _rows(
    reader: Reader, here: Sequence[Compared], limit: int
) -> list[tuple[Compared, Passage, float]]:
    """Those on which both scorers differ first, then the strongest."""
    ordered = sorted(here, key=lambda one: -one.disagreements)[:READ]
    firsts = np.array([one.context[1] for one in ordered], np.int64)
    marks: Mapping[int, frozenset[int]] = {i: one.marks for i, one in enumerate(ordered)}
    passages = reader.passages(firsts, Width.CONTEXT, marks)
    rows = [(one, p, _peak(p)) for one, p in zip(ordered, passages, strict=True)]
    rows.sort(key=lambda row: (-row[0].disagreements, -row[2], row[0].context))
    return rows[:limit]


def _peak(passage: Passage) -> float:
    inside = (v for i, v in enumerate(passage.activations) if i not in passage.outside)
    return max(inside, default=0.0)


def _letters(n: int) -> str:
    tags = "".join(f"<div>{tag(k)}</div>" for k in range(n))
    return f'<div class="row vs letters" style="--n:{n}"><div></div><div></div>{tags}</div>'


def _row(one: Compared, passage: Passage, peak: float, scale: float) -> str:
    """Peak | text | marks of every explanation."""
    said = "".join(
        f'<div class="vd">{verdict(detection, "d", f"{LETTERS[k]} detection")}'
        f"{verdict(fuzzing, 'f', f'{LETTERS[k]} fuzzing')}</div>"
        for k, (detection, fuzzing) in enumerate(one.said)
    )
    kind = "" if one.kind == "activating" else f"<em>{escape(_kind_words(one.kind))}</em>"
    return (
        f'<div class="row vs" style="--n:{len(one.said)}"><div class="pk">{peak:.1f}{kind}</div>'
        f'<div class="tx" dir="auto">{highlighted(passage, scale, Shade.LINEAR)}</div>{said}</div>'
    )


def _kind_words(kind: str) -> str:
    return "silent" if kind in SILENT_KINDS else kind.replace("-", " ")
