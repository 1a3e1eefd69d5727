"""Continuations and tokens that move, as escaped HTML; knows nothing of Streamlit."""

from collections.abc import Sequence
from typing import NamedTuple

from core.drawing.spans import block, escape, one_line

TAIL = 120  # characters of the prompt shown before what follows
Moves = Sequence[tuple[str, float, float]]  # token, probability without and with the edit


class Written(NamedTuple):
    """One continuation, spelled out."""

    pieces: Sequence[str]
    is_ended: bool  # the subject ended the text


class Pair(NamedTuple):
    """The same draw without and with the edit."""

    clean: Written
    steered: Written
    n_alike: int  # tokens at the beginning that both share


def side_by_side(prompt: str, pairs: Sequence[Pair]) -> str:
    """Without left, with right; what differs from the first different token on is marked."""
    tail = prompt if len(prompt) <= TAIL else f"…{prompt[-TAIL:]}"
    cells = "".join(
        f'<div class="tx" dir="auto">{_text(tail, pair.clean, pair.n_alike)}</div>'
        f'<div class="tx" dir="auto">{_text(tail, pair.steered, pair.n_alike, "dv")}</div>'
        for pair in pairs
    )
    heads = "<h6>Without the edit</h6><h6>With the edit</h6>"
    same = all(p.n_alike == max(len(p.clean.pieces), len(p.steered.pieces)) for p in pairs)
    note = '<p class="mut">Both sides are the same.</p>' if same else (
        '<p class="mut">Underlined: from the first token that differs on.</p>')  # fmt: skip
    return block(f'<div class="cont">{heads}{cells}</div>{note}')


def _text(tail: str, written: Written, n_alike: int, style: str = "") -> str:
    alike = escape("".join(written.pieces[:n_alike]))
    rest = escape("".join(written.pieces[n_alike:]))
    marked = f'<span class="{style}">{rest}</span>' if style and rest else rest
    end = '<i class="end"> ■ end of text</i>' if written.is_ended else ""
    return f'<span class="far">{escape(tail)}</span>{alike}{marked}{end}'


def movers(rising: Moves, falling: Moves) -> str:
    """Tokens whose probability rises and falls most, on one scale."""
    if not rising and not falling:
        return block('<p class="mut">No probability moves.</p>')
    top = max(p for _, *both in [*rising, *falling] for p in both) or 1.0

    def column(title: str, moves: Moves) -> str:
        lines = "".join(
            f'<div class="mv"><code>{one_line(token)}</code><span>'
            f'<s class="was" style="width:{before / top:.1%}"></s>'
            f'<s class="is" style="width:{after / top:.1%}"></s></span>'
            f"<em>{percent(before)} → {percent(after)}</em></div>"
            for token, before, after in moves
        )
        return f"<div><h6>{title}</h6>{lines}</div>"

    return block(f'<div class="lg">{column("Rise", rising)}{column("Fall", falling)}</div>')


def percent(share: float) -> str:
    """A probability as percent with two figures.

    >>> percent(0.1234), percent(0.00042), percent(0.0)
    ('12 %', '0.042 %', '0 %')
    """
    if 0 < share < 1e-6:
        return "< 0.0001 %"
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.3g} %"
