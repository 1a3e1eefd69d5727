"""Tokens and activations to escaped HTML; knows nothing of where they come from.

Every character is shown, none is obeyed: markup is escaped, controls and direction marks become
glyphs. Only active or marked tokens get a tag, so that a list of a hundred contexts stays small.
Classes live in fx.css.
"""

import html
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

NAMED = [*range(0x20), *range(0x7F, 0xA0), 0x061C, *range(0x200B, 0x2010), *range(0x2028, 0x202F),
         *range(0x2060, 0x206A), 0xAD, 0x180E, 0xFEFF, *range(0xFFF9, 0xFFFC)]  # fmt: skip
NEWLINE = "<i>↵</i>"
GLYPHS = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}
    | {chr(c): f"<i>[{c:04X}]</i>" for c in NAMED}  # zero width and direction: named, not obeyed
    | {"\n": f"{NEWLINE}\n", "\t": "<i>⇥</i>\t", "\r": "<i>␍</i>"}
)
WORD = re.compile(r" \S{1,24}")
LEADING_BREAK = re.compile(f"^((?:{NEWLINE})+)\n")  # would leave an empty line over the text,
TRAILING_BREAK = re.compile(r"\n(?= *$)")  # and this one under it
LONGEST = 10_000  # characters of an explanation that are drawn
BORDER = '<i class="doc" title="document border">¶</i>'


class Shade(StrEnum):
    """How an activation becomes one of ten levels."""

    LINEAR = "linear"
    LOG = "log"


class Verdict(StrEnum):
    """What became of one question about a context."""

    RIGHT = "right"
    WRONG = "wrong"
    UNREADABLE = "no usable reply"


@dataclass(frozen=True, slots=True)
class Passage:
    """One stretch of text of one feature, ready to draw."""

    pieces: Sequence[str]  # one a token; "" continues the character of the piece before
    activations: Sequence[float]  # raw, one a token
    borders: frozenset[int] = frozenset()  # offsets at which another document starts
    marks: frozenset[int] = frozenset()  # offsets that a judge was asked about
    outside: frozenset[int] = frozenset()  # offsets beyond the judged context, drawn muted
    tokens: Sequence[int] = ()  # ids, one a token, -1 where it is not shown; () = not known


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside a context for one explanation."""

    note: str = ""  # in place of verdicts: "prompt", "train"
    detection: Verdict | None = None  # None = not asked
    fuzzing: Verdict | None = None


@dataclass(frozen=True, slots=True)
class ContextRow:
    """One row of the list: a passage, where it stands, and what was said about it."""

    passage: Passage
    peak: float  # largest activation in the context
    note: str = ""  # in place of verdicts: "prompt", "train"
    detection: Verdict | None = None  # None = not asked
    fuzzing: Verdict | None = None
    copies: int = 1  # contexts with the same tokens
    second: Beside | None = None  # for the pinned explanation; None = there is none


@dataclass(frozen=True, slots=True)
class GroupHeading:
    """What stands above a group of rows."""

    name: str
    note: str = ""  # range of peaks, or what the group is
    hits: str = ""  # verdicts of the whole group


def block(inside: str, name: str = "") -> str:
    """Wrap in the class that switches the style sheet on."""
    return f'<div class="fx {name}">{inside}</div>' if name else f'<div class="fx">{inside}</div>'


def heading(text: str, note: str = "") -> str:
    """A small panel title with a muted note behind it."""
    return block(f"<h5>{escape(text)}<span>{escape(note)}</span></h5>")


def escape(text: str) -> str:
    """Text as HTML that shows every character, also those that are meant to be unseen.

    >>> escape("a<b\\u202e")
    'a&lt;b<i>[202E]</i>'
    """
    return text.encode("utf-8", "replace").decode("utf-8").translate(GLYPHS)


def one_line(text: str) -> str:
    """As `escape`, for a cell: the glyphs stay, the breaks behind them go."""
    return escape(text).replace("\n", "").replace("\t", "")


def in_brief(text: str) -> str:
    """As `one_line`; of a text that a browser would take minutes to lay out, the beginning."""
    if len(text) <= LONGEST:
        return one_line(text)
    return f"{one_line(text[:LONGEST])} … ({len(text):,} characters in all)"


def plain(text: str) -> str:
    """As `one_line` but without markup, for places that draw text literally (table cells)."""
    return html.unescape(one_line(text).replace("<i>", "").replace("</i>", ""))


def level(value: float, scale: float, shade: Shade) -> int:
    """Which of the ten shades a positive activation gets; scale is the feature's largest."""
    share = min(value / scale, 1.0) if scale > 0 else 0.0
    if shade is Shade.LOG:
        share = math.log10(1 + 9 * share)
    return max(1, min(10, round(10 * share)))


def highlighted(
    passage: Passage, scale: float, shade: Shade = Shade.LINEAR, *, breaks: bool = True
) -> str:
    """The passage's text; what lies outside the judged context is muted.

    breaks: whether a newline also breaks the line; its glyph is there in any case.
    """
    drawn = ((start in passage.outside, text) for start, text in _drawn(passage, scale, shade))
    whole = "".join(
        f'<span class="far">{inside}</span>' if far else inside
        for far, run in groupby(drawn, key=lambda pair: pair[0])
        if (inside := "".join(text for _, text in run))
    )
    if not breaks:
        return whole.replace(f"{NEWLINE}\n", NEWLINE)
    once = whole.replace(f"\n{NEWLINE}", NEWLINE)  # a run of newlines breaks the line once
    return LEADING_BREAK.sub(r"\1", TRAILING_BREAK.sub("", once))


def _drawn(passage: Passage, scale: float, shade: Shade) -> Iterator[tuple[int, str]]:
    """Offset and HTML of each drawn piece.

    A character split over tokens is drawn once, at its first token, with the largest value of them.
    """
    starts = [i for i, piece in enumerate(passage.pieces) if piece]
    judged = (v for i, v in enumerate(passage.activations) if i not in passage.outside)
    peak = max(judged, default=0.0)
    for start, end in zip(starts, [*starts[1:], len(passage.pieces)], strict=True):
        tokens, piece = range(start, end), passage.pieces[start]
        value = max(passage.activations[start:end])
        is_peak = 0 < value == peak and start not in passage.outside
        is_marked = not passage.marks.isdisjoint(tokens)
        border = "" if passage.borders.isdisjoint(tokens) else BORDER
        classes = _classes(value, scale, shade, is_peak=is_peak, is_marked=is_marked)
        ids = "+".join(str(i) for i in passage.tokens[start:end] if i >= 0)
        yield start, border + (_span(piece, value, classes, ids) if classes else escape(piece))


def _classes(
    value: float, scale: float, shade: Shade, *, is_peak: bool, is_marked: bool
) -> str:  # fmt: skip
    shaded = [f"a{level(value, scale, shade)}"] if value > 0 else []
    return " ".join([*shaded, *["p"] * is_peak, *["m"] * is_marked])


def _span(piece: str, value: float, classes: str, ids: str) -> str:
    """One active or marked token: shade by class, the value and the token's id on hover."""
    if WORD.fullmatch(piece):
        classes += " w"  # its leading space stays with it at the end of a line
    named = f' data-t="{ids}"' if ids else ""
    return f'<b class="{classes}" data-v="{value:.2f}"{named}>{escape(piece)}</b>'


SIGNS = {Verdict.RIGHT: ("ok", "✓"), Verdict.WRONG: ("no", "×"), Verdict.UNREADABLE: ("un", "?")}


def verdict(found: Verdict | None, letter: str, score: str) -> str:
    """D or F with ✓ (filled), × (dashed) or ? (dotted grey); a dot where nothing was asked."""
    if found is None:
        return f'<span class="na" title="{score}: not judged">·</span>'
    style, sign = SIGNS[found]
    label = f'role="img" aria-label="{score} {found}" title="{score}: {found}"'
    return f'<span class="{letter} {style}" {label}>{letter.upper()}{sign}</span>'


def row(context: ContextRow, scale: float, shade: Shade, *, breaks: bool = True) -> str:
    """Peak value | text | verdicts, those on the pinned explanation in a column of their own."""
    copies = f'<em title="contexts with the same tokens">×{context.copies}</em>'
    text = highlighted(context.passage, scale, shade, breaks=breaks)
    own = Beside(context.note, context.detection, context.fuzzing)
    columns = [own, *[context.second] * (context.second is not None)]
    return (
        f'<div class="row"><div class="pk">{context.peak:.1f}{copies if context.copies > 1 else ""}'
        f'</div><div class="tx" dir="auto">{text}</div>{"".join(map(_beside, columns))}</div>'
    )


def _beside(found: Beside | None) -> str:
    if found is None:
        return ""
    if found.note:
        return f'<div class="vd"><span class="note">{escape(found.note)}</span></div>'
    detection = verdict(found.detection, "d", "Detection")
    return f'<div class="vd">{detection}{verdict(found.fuzzing, "f", "Fuzzing")}</div>'


def group_heading(heading: GroupHeading) -> str:
    """Name of the group, what it holds, and how many verdicts were right."""
    return (
        f'<div class="grp"><b>{escape(heading.name)}</b>'
        f"<span>{escape(heading.note)}</span>"
        f'<span class="hits">{escape(heading.hits)}</span></div>'
    )


Groups = Iterable[tuple[GroupHeading, Sequence[ContextRow]]]


def example_list(
    groups: Groups,
    scale: float,
    shade: Shade = Shade.LINEAR,
    *,
    breaks: bool = True,
    columns: Sequence[str] = (),
) -> str:
    """All shown contexts as one string; one string because each st.html costs a message.

    columns: headings over the verdicts of two explanations; () with one of them.
    """
    names = "".join(f"<span>{escape(name)}</span>" for name in columns)
    parts = [f'<div class="row ids"><span></span><span></span>{names}</div>'] if columns else []
    for found, rows in groups:
        drawn = "".join(row(context, scale, shade, breaks=breaks) for context in rows)
        parts.append(f'<section style="--rows:{len(rows)}">{group_heading(found)}{drawn}</section>')
    return block("".join(parts), "pinned" if columns else "")


def as_text(groups: Groups) -> str:
    """The same contexts as plain text, to copy: peak, tab, text; a heading over each group."""
    parts: list[str] = []
    for found, rows in groups:
        parts.append(f"# {found.name}{': ' * bool(found.note)}{found.note}")
        parts += [f"{row.peak:.2f}\t{plain(''.join(row.passage.pieces))}" for row in rows]
    return "\n".join(parts)
