"""Choosing what is compared: sides, scorer, hookpoint, judge; all of it in the address.

A side is one explainer setting in one cache, CACHE:ID in the address. Choices are put there by
hand, because a bound widget would write the words of its options instead. Each is a step that Back
undoes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import comparing
from core.comparing import Comparison, Side, SideRecord
from core.drawing.cards import HUMAN, sentence
from core.drawing.spans import block, escape, plain
from core.drawing.words import grammar_words, model_words, pushed_words
from dashboard import session
from dashboard.panels.compare import sweep

LETTERS = ("a", "b")
MORE = "more"  # parameter of the sides beyond two
LONGEST = 60  # characters of a bad value that are shown
ORDER = ("detection", "fuzzing", "exact", "simulation")  # of scorers; others behind them


def known() -> list[SideRecord]:
    """Every side of the store, oldest first."""
    return session.library().ask(comparing.sides)


def words(record: SideRecord) -> str:
    """A side in a few words, e.g. "grammar · 40 examples, top · f1"."""
    settings = record.settings
    if record.explainer == "grammar":
        parts = ["grammar", *grammar_words(settings)]
    elif record.explainer == HUMAN:
        parts = ["by hand"]
    elif {"examples", "explainer"} <= settings.keys():
        parts = [record.model or record.explainer, *model_words(settings | {"model": None})]
    else:
        pushed = pushed_words(settings) if "kl" in settings else []  # of an intervention
        parts = [record.explainer, *filter(None, [record.model]), *pushed]
    return plain(" · ".join(map(str, parts)))


def option(record: SideRecord) -> str:
    """A side as a choice: its words, how many features it has, and its address."""
    scored = f"{record.n_scored:,} scored of {record.n_explained:,} features"
    return f"{words(record)} · {scored} · {plain(str(record.side))}"


def two() -> tuple[SideRecord, SideRecord]:
    """The sides in the address, else an old one and one that it pairs with; stops without two."""
    found = known()
    if st.query_params.get("cache") and not st.query_params.get("a"):
        session.place()  # a cache that is not there is said
    if len(found) < 2:
        alone(found)
    by_name = {str(record.side): record for record in found}
    asked = [st.query_params.get(letter, "") for letter in LETTERS]
    for name in asked:
        if name and name not in by_name:
            st.html(_unknown(name, by_name))
    named = by_name.get(asked[1])
    first = by_name.get(asked[0]) or _oldest(found, pairing(named) if named else {}, but=asked[1])
    second = named or _best(found, first)
    session.share({"a": str(first.side), "b": str(second.side)})
    return first, second


def pairing(record: SideRecord) -> dict[Side, int]:
    """Features that each other side shares with this one, as far as the address narrows them."""
    at, scorer = (st.query_params.get(name) or None for name in ("hookpoint", "score"))
    return session.library().ask(comparing.partners, record.side, at, scorer)


def _unknown(name: str, known_names: dict[str, SideRecord]) -> str:
    shown = name if len(name) <= LONGEST else name[:LONGEST] + "…"
    there = ", ".join(list(known_names)[:12])
    return block(f'<p class="mut">There is no run “{escape(shown)}” to compare; another one is '
                 f"shown. There are: {escape(there)}.</p>")  # fmt: skip


def _oldest(
    found: Sequence[SideRecord], pairs: Mapping[Side, int], *, but: str
) -> SideRecord:  # fmt: skip
    """The first side of the cache at hand that was scored; where B is given, one that pairs."""
    here = st.query_params.get("cache") or st.session_state.get("place.cache")
    others = [record for record in found if str(record.side) != but]
    return min(others, key=lambda r: (bool(pairs) and r.side not in pairs, r.side.cache != here,
                                      not r.n_scored))  # fmt: skip


def _best(found: Sequence[SideRecord], first: SideRecord) -> SideRecord:
    """The newest of the same cache that pairs with A, else that of another cache with most pairs.

    Where none pairs, the newest there is, of the same cache if it can be.
    """
    pairs = pairing(first)

    def rank(record: SideRecord) -> tuple[bool, bool, int, bool, int]:
        is_near, n = record.side.cache == first.side.cache, pairs.get(record.side, 0)
        return n > 0, is_near, 0 if is_near else n, record.n_scored > 0, record.run_id

    return max((record for record in found if record is not first), key=rank)


def alone(found: Sequence[SideRecord]) -> NoReturn:
    """Say how to make what there is to compare, and stop."""
    place = session.place()
    if not found:
        session.say("Nothing is explained yet, so there is nothing to compare; this explains it:",
                    session.command(["gloss", "explain", place.cache.name]))  # fmt: skip
    cache = found[0].side.cache
    again = ["gloss", "explain", cache, "--examples", "40", "--features", "0-99"]
    st.html(sentence(f"There is one run to look at, {words(found[0])}, and none to compare it "
                     "with. Explain with other settings, then score:",
                     session.command(again)))  # fmt: skip
    sweep.button(place)
    st.stop()


def choose_two(first: SideRecord, second: SideRecord) -> None:
    """A, a button that swaps, and B; with a search in each."""
    names = {str(record.side): option(record) for record in known()}
    for letter, record in zip(LETTERS, (first, second), strict=True):
        st.session_state[f"compare.{letter}"] = str(record.side)
    left, middle, right = st.columns([1, 0.06, 1], vertical_alignment="bottom", gap="small")
    left.selectbox("A, the reference (circle)", list(names), key="compare.a",
                   format_func=names.__getitem__, on_change=put, args=("a",))  # fmt: skip
    middle.button("Swap A and B", key="compare.swap", icon=":material/swap_horiz:",
                  on_click=_swap, args=(first, second), help="Swap A and B.")  # fmt: skip
    right.selectbox("B (square)", list(names), key="compare.b", format_func=names.__getitem__,
                    on_change=put, args=("b",))  # fmt: skip


def put(name: str) -> None:
    """Put the chosen value of a widget in the address; nothing chosen leaves it out."""
    value: Any = st.session_state[f"compare.{name}"]
    st.query_params[name] = value if isinstance(value, str) else list(value or ())


def _swap(first: SideRecord, second: SideRecord) -> None:
    st.query_params.update({"a": str(second.side), "b": str(first.side)})


def more(first: SideRecord, second: SideRecord) -> list[SideRecord]:
    """Further sides in the address, each once."""
    by_name = {str(record.side): record for record in known()}
    asked = dict.fromkeys(st.query_params.get_all(MORE))
    return [
        by_name[name] for name in asked
        if name in by_name and by_name[name] not in (first, second)
    ]  # fmt: skip


def choose_more(
    bar: DeltaGenerator, first: SideRecord, second: SideRecord, now: Sequence[SideRecord]
) -> None:
    """Sides beyond two, where there are any; now: those in the address."""
    names = {
        str(record.side): option(record) for record in known() if record not in (first, second)
    }
    if names:
        st.session_state["compare.more"] = [str(r.side) for r in now]
        bar.multiselect("More runs against A", list(names), key="compare.more", max_selections=8,
                        format_func=names.__getitem__, on_change=put, args=(MORE,), width=330,
                        placeholder="none")  # fmt: skip


def scorers_of(records: Sequence[SideRecord]) -> list[str]:
    """Scorers that judged any of the sides, those that judged all first."""
    names = {name for record in records for name in record.scorers}

    def order(name: str) -> tuple[bool, int, str]:
        place = ORDER.index(name) if name in ORDER else len(ORDER)
        return any(name not in record.scorers for record in records), place, name

    return sorted(names, key=order)


def choose_score(bar: DeltaGenerator, names: Sequence[str]) -> str:
    """The scorer in the address, else the first."""
    asked = st.query_params.get("score", "")
    if asked and asked not in names:
        shown = escape(asked[:LONGEST])
        st.html(block(f'<p class="mut">Neither run was scored by “{shown}”; {names[0]} is shown.'
                      "</p>"))  # fmt: skip
    chosen = asked if asked in names else names[0]
    st.session_state["compare.score"] = chosen
    bar.segmented_control("Score", names, key="compare.score", required=True, on_change=put,
                          args=("score",), format_func=str.capitalize)  # fmt: skip
    return chosen


def choose_hookpoint(bar: DeltaGenerator, records: Sequence[SideRecord]) -> str | None:
    """The hookpoint in the address; None = all."""
    caches = {record.side.cache for record in records}
    names = dict.fromkeys(
        h.name for c in session.library().caches() if c.name in caches for h in c.hookpoints
    )
    asked = st.query_params.get("hookpoint", "")
    if asked and asked not in names:
        session.say(f"These runs have no hookpoint “{asked[:LONGEST]}”; "
                    f"they have: {', '.join(list(names)[:12])}.")  # fmt: skip
    if len(names) < 2:
        return asked or None
    st.session_state["compare.hookpoint"] = asked
    bar.selectbox("Hookpoint", ["", *names], key="compare.hookpoint", on_change=put,
                  args=("hookpoint",), width=210,
                  format_func=lambda name: name or f"all {len(names)}")  # fmt: skip
    return asked or None


def asked_judge() -> int | None:
    """The scorer_id in the address."""
    asked = st.query_params.get("judge", "")
    return int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else None


def choose_judge(bar: DeltaGenerator, found: Comparison) -> None:
    """Who judged, where several scored both sides."""
    if len(found.choices) < 2 or not found.judge:
        return
    names = {str(j.scorer_id): plain(f"{j.judge}, {j.preset} ({j.n:,})") for j in found.choices}
    st.session_state["compare.judge"] = str(found.judge.scorer_id)
    bar.selectbox("Judge, preset", list(names), key="compare.judge", on_change=put,
                  args=("judge",), format_func=names.__getitem__, width=230)  # fmt: skip
