"""Values at which holding a feature moves the next token's distribution by a given KL.

The search is that of interventions (core/intervening/strength.py); here many features are searched
at once, each step of all of them in one batch. A value below 0 is searched by its size.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from core.intervening.strength import STEPS, Matched, Tried, search


class Aim(NamedTuple):
    """What a feature is to be held at."""

    feature: int
    target: float  # nats: positive; KL(clean || held) of the next token, mean over the prompts
    sign: int  # 1 turned up, -1 turned down


Measure = Callable[[Sequence[tuple[int, float]]], Sequence[float]]  # (feature, value) -> KL, nats


class _Wanted(Exception):
    """A strength that the search wants to know of next."""


def matched_together(aims: Sequence[Aim], kl: Measure) -> dict[Aim, Matched]:
    """Search for all aims at once; aims of one feature and sign learn from each other.

    kl: measures pairs of feature and value, whatever their number.
    """
    tried: dict[tuple[int, int], dict[float, float]] = {}
    found: dict[Aim, Matched] = {}
    for _ in range(STEPS):
        wanted: dict[tuple[int, int, float], None] = {}
        for aim in aims:
            if aim in found:
                continue
            known = tried.setdefault((aim.feature, aim.sign), {})
            asked = _asked(aim.target, tuple(known.items()))
            if isinstance(asked, Matched):
                found[aim] = asked
            else:
                wanted[aim.feature, aim.sign, asked] = None
        if not wanted:
            return found
        values = kl([(feature, sign * size) for feature, sign, size in wanted])
        for (feature, sign, size), value in zip(wanted, values, strict=True):
            tried[feature, sign][size] = value
    for aim in aims:
        known = tuple(tried[aim.feature, aim.sign].items())
        asked = found.get(aim) or _asked(aim.target, known)
        found[aim] = asked if isinstance(asked, Matched) else _unmatched(known)
    return found


def _asked(target: float, known: Tried) -> Matched | float:
    """Go as far as what is known leads: to the end, or to the strength that is wanted next."""

    def want(strength: float) -> NoReturn:
        raise _Wanted(strength)

    try:
        return search(want, target, known=known)
    except _Wanted as wanted:
        (strength,) = wanted.args
        return strength


def _unmatched(known: Tried) -> Matched:
    reason = f"not matched in {len(known)} steps"
    return Matched(None, None, reason, tuple(sorted(known)))
