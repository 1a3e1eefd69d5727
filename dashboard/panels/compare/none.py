"""Why two runs share no scored feature, and what can be done about it.

A cache that was imported without activations is judged anew by a language model alone, which may
cost something: no command of a page does that, its words say how.
"""

import streamlit as st

from core.comparing import Comparison, SideRecord
from core.comparing.words import counted, left_out_words
from core.drawing.cards import sentence
from dashboard import session
from dashboard.panels.compare import sides
from data.records import CacheRecord

NOT_SCORED = "not scored"  # the reason that scoring would do away with


def needs_a_model(cache: str) -> str:
    """Say who can score a cache of imported contexts."""
    return (f"Cache “{cache}” was imported without activations, so only a language model can judge "
            f"its contexts anew: gloss score {cache} --judge MODEL")  # fmt: skip


def unscored(first: SideRecord, second: SideRecord) -> None:
    """Neither side has any score."""
    able, unable = _by_ability([first.side.cache, second.side.cache])
    said = "Neither run is scored yet"
    if not able:
        st.html(sentence(f"{said}. {needs_a_model(unable[0])}. Choose other runs above."))
        return
    also = f" {needs_a_model(unable[0])}." if unable else ""
    st.html(sentence(f"{said}.{also} This scores “{able[0]}”:",
                     session.command(["gloss", "score", able[0]])))  # fmt: skip


def nothing(found: Comparison, first: SideRecord) -> None:
    """Both sides have scores, but of no common feature."""
    asked = found.question
    said = (f"No feature has a {asked.scorer} score under both: {left_out_words(found)}. "
            f"{_why(found)}{_other(first)}")  # fmt: skip
    able, _ = _by_ability(_lacking(found, NOT_SCORED))
    if not able or not _common_hookpoints(found):
        st.html(sentence(said))
        return
    st.html(sentence(f"{said} Or score the same features under both:",
                     session.command(["gloss", "score", able[0]])))  # fmt: skip


def _why(found: Comparison) -> str:
    """What stands in the way, as sentences with a space behind each."""
    asked = found.question
    if not _common_hookpoints(found):
        a, b = (", ".join(_hookpoints(side.cache)) for side in (asked.first, asked.second))
        return f"They are at different hookpoints, A at {a} and B at {b}. "
    _, unable = _by_ability(_lacking(found, NOT_SCORED, "not explained"))
    return "".join(f"{needs_a_model(cache)}. " for cache in unable)


def _lacking(found: Comparison, *reasons: str) -> list[str]:
    """Caches of the sides that leave features out for one of some reasons."""
    asked, out = found.question, found.left_out
    sides_of = ((asked.first, out.first), (asked.second, out.second))
    return [side.cache for side, counts in sides_of if any(one in counts for one in reasons)]


def _other(first: SideRecord) -> str:
    """Another B that would pair, the one with most features."""
    for side, n in sides.pairing(first).items():
        return f"Choose another B: {side} shares {counted(n)} with A."
    return f"No other run shares a scored feature with {first.side}: choose another A."


def _common_hookpoints(found: Comparison) -> set[str]:
    first, second = (_hookpoints(s.cache) for s in (found.question.first, found.question.second))
    return set(first) & set(second)


def _hookpoints(cache: str) -> list[str]:
    return [h.name for h in _records()[cache].hookpoints]


def _by_ability(caches: list[str]) -> tuple[list[str], list[str]]:
    """Those that rules can be checked on, and those that they cannot, each once."""
    known, names = _records(), list(dict.fromkeys(caches))
    return ([name for name in names if known[name].has_activations],
            [name for name in names if not known[name].has_activations])  # fmt: skip


def _records() -> dict[str, CacheRecord]:
    return {record.name: record for record in session.library().caches()}
