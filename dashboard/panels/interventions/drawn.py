"""Prompts with both continuations and the tokens that rise, as escaped HTML; no Streamlit."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from core.drawing.spans import block, escape, one_line
from dashboard.panels.try_text.drawn import percent

TAIL = 160  # characters of a prompt shown before what follows
ROLES = {"score": "scores", "select": "chooses", "explain": "explains"}


class Shown(NamedTuple):
    """One prompt as it is drawn."""

    role: str
    quintile: int
    prompt: str
    clean: str
    steered: str
    kl: float | None  # nats
    rising: Sequence[tuple[str, float, float]]  # token, probability before and after
    difference: float | None  # nats


def prompts(shown: Sequence[Shown]) -> str:
    """Clean left, pushed right, what rises below; one prompt after another."""
    heads = "<h6>Without the push</h6><h6>With the push</h6>"
    return block(f'<div class="cont ivn">{heads}{"".join(map(_prompt, shown))}</div>')


def _prompt(one: Shown) -> str:
    tail = one.prompt if len(one.prompt) <= TAIL else f"…{one.prompt[-TAIL:]}"
    figures = [ROLES.get(one.role, one.role), f"fifth {one.quintile} of 5"]
    figures += [] if one.kl is None else [f"KL {one.kl:.2g}"]
    figures += [] if one.difference is None else [f"{one.difference:+z.2f} nats"]
    risen = "".join(
        f"<code>{one_line(token)}</code> {percent(before)} → {percent(after)}"
        for token, before, after in one.rising
    )
    return (
        f'<div class="tx" dir="auto">{_text(tail, one.clean)}</div>'
        f'<div class="tx" dir="auto">{_text(tail, one.steered, "dv")}</div>'
        f'<div class="up">{escape(" · ".join(figures))}{" · rises: " if risen else ""}{risen}</div>'
    )


def _text(tail: str, written: str, style: str = "") -> str:
    marked = f'<span class="{style}">{escape(written)}</span>' if style else escape(written)
    return f'<span class="far">{escape(tail)}</span>{marked}'


def shown(row: dict, spelt: Callable[[Sequence[int]], str], prompt: str) -> Shown:
    """Spell out a stored prompt."""
    rising = [(spelt([one["token"]]), one["before"], one["after"]) for one in row["rising"] or ()]
    return Shown(
        row["role"], row["quintile"], prompt, spelt(row["clean"] or ()),
        spelt(row["steered"] or ()), row["kl"], rising, row["difference"],
    )  # fmt: skip


def candidates(found: Sequence[Sequence], chosen: str | None) -> str:
    """The explanations that were chosen among, with what chose them."""
    lines = "".join(
        f"<li>{'<b>' if text == chosen else ''}{one_line(str(text))}"
        f"{'</b>' if text == chosen else ''} <span class=mut>"
        f"{'no answer' if value is None else f'{value:+z.2f} nats'} on the prompts for choosing"
        "</span></li>"
        for text, value in found
    )
    return block(f'<ul class="cand">{lines}</ul>')
