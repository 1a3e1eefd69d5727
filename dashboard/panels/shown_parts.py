"""What a prompt shows besides marked contexts, as three switches that choose the explainer."""

import streamlit as st

from core.drawing.spans import block, escape

PARTS: tuple[str, ...] = ("activations", "logits", "chain of thought")
# explainer -> whether strengths, logit effects and worked stages are in its prompt
SHOWN: dict[str, tuple[bool, ...]] = {
    "plain": (False, False, False), "activations": (True, False, False),
    "logits": (True, True, False), "cot": (True, False, True),
    "contrastive": (True, False, False), "single-token": (True, False, False),
    "best-of-k": (True, False, False), "iterative": (True, False, False),
    "debate": (True, False, False), "output": (False, True, False),
}  # fmt: skip
SWITCHED = {SHOWN[name]: name for name in ("plain", "activations", "logits", "cot")}
HELP = {
    "activations": "How strongly the marked tokens fire, from 0 to 10",
    "logits": "The tokens that the feature makes likelier or less likely; activations come with it",
    "chain of thought": "Worked stages before the answer; activations come with them",
}


def switches(explainer: str, key: str) -> None:
    """Draw the switches; key: of the widget that holds the explainer, set when one is used."""
    if explainer not in SHOWN:
        return
    columns = st.columns([1, 0.7, 1.2])
    for box, part, is_on in zip(columns, PARTS, SHOWN[explainer], strict=True):
        own, why = f"{key}.shows.{part}", refusal(explainer, part)
        st.session_state[own] = is_on
        box.checkbox(part.capitalize(), key=own, help=why or f"{HELP[part]}.",
                     disabled=why is not None, on_change=_switch,
                     args=(explainer, part, key))  # fmt: skip
    reasons = dict.fromkeys(filter(None, (refusal(explainer, part) for part in PARTS)))
    if reasons:
        st.html(block(f'<p class="mut">{escape(" ".join(reasons))}</p>'))


def switched(explainer: str, part: str) -> str | None:
    """The explainer after a switch is used; None = none shows that combination.

    >>> switched("plain", "logits"), switched("logits", "chain of thought")
    ('logits', None)
    """
    if explainer not in SWITCHED.values():
        return None
    wanted = dict(zip(PARTS, SHOWN[explainer], strict=True))
    wanted[part] = not wanted[part]
    if wanted[part]:
        wanted["activations"] = True
    return SWITCHED.get(tuple(wanted[name] for name in PARTS))


def refusal(explainer: str, part: str) -> str | None:
    """Why a switch cannot be used now, as a sentence."""
    if switched(explainer, part) is not None:
        return None
    if explainer not in SWITCHED.values():
        return f"What {explainer} shows is fixed: choose plain, activations, logits or cot."
    others = [name for name, has in zip(PARTS, SHOWN[explainer], strict=True)
              if has and name not in (part, "activations")]  # fmt: skip
    without = " without" if part == "activations" else " together with"
    return f"No explainer shows {others[0]}{without} {part}: switch {others[0]} off first."


def _switch(explainer: str, part: str, key: str) -> None:
    """Choose the explainer that shows it."""
    st.session_state[key] = switched(explainer, part) or explainer
