"""Members of a collection as HTML: what each reads on the left, what it does on the right.

Knows nothing of Streamlit or of where it comes from.
"""

from collections.abc import Sequence

from core.collections.table import MemberRow, Said
from core.collections.words import role_words
from core.drawing.spans import block, escape, one_line

TOKENS = 8  # shown of every list


def sides(rows: Sequence[MemberRow]) -> str:
    """One line a member."""
    head = ('<div class="reads top"><span></span><span>what it reads</span>'
            "<span>what it does</span></div>")  # fmt: skip
    return block(head + "".join(map(_line, rows)))


def _line(row: MemberRow) -> str:
    role = f'<div><span class="role">{escape(role_words(row))}</span></div>'
    label = f'<div class="m">{escape(row.label)}</div>' if row.label else ""
    return (
        f'<div class="reads"><div><b>{escape(row.address)}</b>{label}{role}</div>'
        f"<div>{_reads(row)}</div><div>{_does(row)}</div></div>"
    )


def _reads(row: MemberRow) -> str:
    """The explanation of the input, the tokens it fires on, its scores."""
    scores = [("detection", row.detection), ("fuzzing", row.fuzzing)]
    said = " · ".join(f"{name} {_figure(score)}" for name, score in scores if score)
    if said and row.null_95 is not None:
        said += f" · 95 % of other explanations stay below {row.null_95:.2f}"
    return _text(row.reads or f"— {row.why}") + _tokens("fires on", row.top_tokens) + _muted(said)


def _does(row: MemberRow) -> str:
    """The explanation of the output, the tokens it moves, its score."""
    said = f"output-side {_figure(row.output_side)}" if row.output_side else ""
    return (
        (_text(row.does) if row.does else "")
        + _tokens("promotes", row.promoted)
        + _tokens("suppresses", row.suppressed)
        + _muted(said)
    )


def _text(text: str | None) -> str:
    return f'<div class="t">{escape(text or "")}</div>'


def _muted(text: str) -> str:
    return f'<div class="m">{escape(text)}</div>' if text else ""


def _tokens(name: str, tokens: Sequence[str]) -> str:
    if not tokens:
        return ""
    shown = "".join(f"<code>{one_line(one)}</code>" for one in tokens[:TOKENS])
    return f'<div class="m">{name} {shown}</div>'


def _figure(score: Said) -> str:
    """A score with its interval, n and failures."""
    if score.value is None:
        return "undefined"
    span = "" if score.low is None else f" [{score.low:.2f}, {score.high:.2f}]"
    failed = f", {score.failed} failed" if score.failed else ""
    return f"{score.value:.2f}{span} n {score.n}{failed}"
