"""Trials of the output-side score, and sensitivity's own contexts, to escaped HTML.

A trial shows its three text sets side by side as the judge saw them: what the subject wrote while
the feature was turned up, and while it was turned down. Knows nothing of Streamlit.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from core.drawing.cards import short
from core.drawing.spans import block, escape
from core.prompts.judged_texts import one_line
from data.catalogue import Row
from data.percents import percent

TURNED = ((1, "Turned up"), (-1, "Turned down"))


def trial_list(rows: Sequence[Row], feature: int) -> str:
    """All trials, the first one open."""
    answered = [row for row in rows if row["predicted"] is not None]
    right = sum(row["predicted"] for row in answered)
    said = f"{right} of {len(answered)} trials right; a guess is right once in three"
    if len(answered) < len(rows):
        said += f"; {len(rows) - len(answered)} without a usable reply"
    drawn = (_trial(number, row, feature) for number, row in enumerate(rows, 1))
    return block(f'<p class="mut">{said}</p>{"".join(drawn)}', "behind")


def _trial(number: int, row: Row, feature: int) -> str:
    own = [one["feature"] for one in row["sets"]].index(feature) + 1
    if row["answer"] is None:
        verdict = "no usable reply"
    else:
        verdict = f"set {row['answer']} chosen, " + ("right" if row["predicted"] else "wrong")
    sets = "".join(
        _set(place, one, is_own=place == own, is_chosen=place == row["answer"])
        for place, one in enumerate(row["sets"], 1)
    )
    is_open = " open" if number == 1 else ""
    return (
        f"<details{is_open}><summary>Trial {number}: {verdict}</summary>"
        f'<div class="sets">{sets}</div></details>'
    )


def _set(place: int, one: Mapping[str, Any], *, is_own: bool, is_chosen: bool) -> str:
    marks = [f"feature {one['feature']}"]
    marks += ["its own"] if is_own else []
    marks += ["chosen"] if is_chosen else []
    parts = "".join(_turned(one, sign, words) for sign, words in TURNED)
    own = " own" if is_own else ""
    head = f"<b>Set {place}</b> <em>{escape(' · '.join(marks))}</em>"
    return f'<div class="set{own}">{head}{parts}</div>'


def _turned(one: Mapping[str, Any], sign: int, words: str) -> str:
    held = [at for at in one["held"] if at["sign"] == sign]
    if not held:
        return ""
    texts = "".join(_text(text) for at in held for text in at["texts"])
    values = ", ".join(f"{at['value']:.3g} (KL {short(at['kl'])})" for at in held)
    return f'<p class="mut">{words}, held at {escape(values)}</p>{texts}'


def _text(text: Sequence[str]) -> str:
    prompt, *pieces = text
    return (
        f'<div class="tx" dir="auto"><span class="mut">{escape(prompt)}</span>'
        f"{escape(one_line(''.join(pieces)))}</div>"
    )


def originals(found: Mapping[str, Any]) -> str:
    """How the contexts did that the new texts were to be like."""
    share = "" if found["share"] is None else f" ({percent(found['share'])})"
    return block(
        f'<p class="mut">Run again as texts by themselves, {found["hits"]} of {found["n"]} '
        f"of the contexts that were shown activate the feature{share}: no new text can be "
        "expected to do better.</p>"
    )
