"""What the page of two models is about: two caches and a place; all of it in the address.

first=  second=   caches over the same tokens through the same SAEs; differences are second - first
at=               hookpoint
part=             features, pairs, noise, game
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.diffing.words import fit_warning
from core.drawing.cards import Fact, fact_strip, sentence
from core.drawing.spans import block, escape, plain
from dashboard import session
from dashboard.panels import launched
from data import diffs
from data.diffs import DiffRecord
from data.percents import percent
from data.records import CacheRecord, HookpointRecord

PAGE = "two-models"
PARTS = {"features": "Features", "pairs": "Contrast pairs", "noise": "Noise", "game": "Blind game"}


class Chosen(NamedTuple):
    """What is shown."""

    first: CacheRecord
    second: CacheRecord
    places: tuple[HookpointRecord, HookpointRecord]  # of the first cache and of the second
    part: str  # of PARTS


def choose() -> Chosen | None:
    """The bar of choices, what each SAE makes of both subjects; None = nothing to compare."""
    pairs = session.library().ask(diffs.alike)
    records = {record.name: record for record in session.library().caches()}
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    if not pairs:
        nothing(list(records.values()))
        return None
    first, second = _two(bar, pairs)
    both = records[first], records[second]
    places = _place(bar, *both)
    bar.space("stretch")
    _start(bar, [first, *(name for name in records if name != first)])
    launched.watch(PAGE)
    fit(*places)
    return Chosen(*both, places, _part())


def _two(bar: DeltaGenerator, pairs: Sequence[tuple[str, str]]) -> tuple[str, str]:
    asked = st.query_params.get("first", ""), st.query_params.get("second", "")
    firsts = list(dict.fromkeys(first for first, _ in pairs))
    first = asked[0] if asked[0] in firsts else pairs[0][0]
    seconds = [b for a, b in pairs if a == first]
    second = asked[1] if asked[1] in seconds else seconds[0]
    for name, chosen in zip(asked, (first, second), strict=True):
        if name and name != chosen:
            st.html(block(f'<p class="mut">Cache “{escape(name[:60])}” cannot be compared so; '
                          f"“{escape(chosen)}” is shown.</p>"))  # fmt: skip
    for name, options, chosen, label in (
        ("first", firsts, first, "First subject, the reference"),
        ("second", seconds, second, "Second subject, in question"),
    ):
        st.session_state[f"two.{name}"] = chosen
        bar.selectbox(label, options, key=f"two.{name}", width=240, on_change=put, args=(name,))
    return first, second


def _place(
    bar: DeltaGenerator, first: CacheRecord, second: CacheRecord
) -> tuple[HookpointRecord, HookpointRecord]:
    """The hookpoint in the address, else the last that both have."""
    known = {one.name: one for one in second.hookpoints}
    both = {one.name: (one, known[one.name]) for one in first.hookpoints if one.name in known}
    asked = st.query_params.get("at", "")
    chosen = asked if asked in both else list(both)[-1]
    if len(both) > 1:
        st.session_state["two.at"] = chosen
        bar.selectbox("Hookpoint", list(both), key="two.at", width=230, on_change=put,
                      args=("at",))  # fmt: skip
    return both[chosen]


def _part() -> str:
    asked = st.query_params.get("part", "")
    chosen = asked if asked in PARTS else "features"
    st.session_state["two.part"] = chosen
    st.segmented_control("Part", list(PARTS), key="two.part", required=True, on_change=put,
                         format_func=PARTS.__getitem__, args=("part",),
                         label_visibility="collapsed")  # fmt: skip
    return chosen


def measured(chosen: Chosen, kind: str) -> list[DiffRecord]:
    """Every diff of a kind of both at the chosen place, newest first; else of the first alone."""
    ask, names = session.library().ask, (chosen.first.name, chosen.second.name)
    found = ask(diffs.diffs, kind, *names) or ask(diffs.diffs, kind, names[0], None)
    return [one for one in found[::-1] if one.first_hookpoint == chosen.places[0].hookpoint_id]


def picked(
    bar: DeltaGenerator, found: list[DiffRecord], name: str, label: str,
    words: Callable[[DiffRecord], str], width: int,
) -> DiffRecord:  # fmt: skip
    """The diff in the address (under `name`), else the newest; a choice where there are several."""
    by_id = {str(one.diff_id): one for one in found}
    asked = st.query_params.get(name, "")
    chosen = asked if asked in by_id else next(iter(by_id))
    if len(found) > 1:
        st.session_state[f"two.{name}"] = chosen
        bar.selectbox(label, list(by_id), key=f"two.{name}", on_change=put, args=(name,),
                      width=width, format_func=lambda key: words(by_id[key]))  # fmt: skip
    return by_id[chosen]


def put(name: str) -> None:
    """Put the chosen value of a widget in the address; a default or nothing leaves it out."""
    value = st.session_state[f"two.{name}"]
    st.query_params[name] = [] if value in (None, "", False) else str(value)


def explained(rows: pd.DataFrame) -> list[str]:
    """The explanations of a table's rows, for its cells."""
    return [plain(x) if isinstance(x, str) else "— not explained" for x in rows["explanation"]]


def fit(first: HookpointRecord, second: HookpointRecord) -> None:
    """How well the SAE rebuilds each subject: an SAE of the first may not fit the second."""
    st.html(fact_strip(fit_facts(first, second)))
    if said := fit_warning(first, second):
        st.html(block(f'<p class="mut">{escape(said)}</p>'))


def fit_facts(first: HookpointRecord, second: HookpointRecord) -> list[Fact]:
    """Reconstruction of each subject by the same SAE."""
    a, b = (one.losses and one.losses.recovered_mean for one in (first, second))
    return [
        Fact("FVU, first → second", _both(first.fvu, second.fvu, "{:.3f}".format), "",
             "variance of the subject's vectors that the SAE leaves unexplained; 0 is perfect"),
        Fact("Loss recovered", _both(a, b, partial(percent, digits=1)), "against the mean",
             "how much of the loss of replacing the vectors by their mean the SAE wins back"),
        Fact("Features a token", _both(first.l0, second.l0, "{:.1f}".format)),
        Fact("Features that fire", f"{first.n_alive:,} → {second.n_alive:,}",
             f"of {first.n_features:,}"),
    ]  # fmt: skip


def _both(first: float | None, second: float | None, form: Callable[[float], str]) -> str:
    return " → ".join("–" if one is None else form(one) for one in (first, second))


def nothing(records: Sequence[CacheRecord]) -> None:
    """Why there is nothing to compare, and how to make it."""
    able = [one.name for one in records if one.status == "done" and one.has_activations]
    name = able[0] if able else "CACHE"
    st.html(sentence(
        "No two caches hold the same tokens through the same SAEs yet. This runs a second subject, "
        "such as one tuned from the first, over the very tokens of a cache:",
        session.command(["gloss", "diff", "cache", name, "SUBJECT"])))  # fmt: skip
    launched.watch(PAGE)
    if able:
        with st.container(width=520):
            form(able)


def _start(bar: DeltaGenerator, caches: list[str]) -> None:
    """A second subject from a page where there is one already."""
    with bar.popover("Another subject", icon=":material/add:"):
        form(caches)


def form(caches: list[str]) -> None:
    """Name a second subject and cache it as a process."""
    cache = st.selectbox("Beside the cache", caches, key="two.new.cache")
    subject = st.text_input("Second subject", key="two.new.subject", max_chars=500,
                            placeholder="folder, GGUF file or hub id")  # fmt: skip
    name = st.text_input("Name of its cache", key="two.new.name", max_chars=100,
                         placeholder="the subject's name")  # fmt: skip
    words = ["gloss", "diff", "cache", str(cache), subject.strip() or "SUBJECT"]
    words += ["--name", name.strip()] * bool(name.strip())
    st.code(session.command(words), language=None, wrap_lines=True)
    st.button("Cache it", type="primary", key="two.new", disabled=not subject.strip(),
              on_click=launched.begin, args=(PAGE, words))  # fmt: skip


def start(label: str, words: list[str], key: str, *, disabled: bool = False) -> None:
    """A button that begins a command as a process."""
    st.button(label, type="primary", key=key, disabled=disabled, on_click=launched.begin,
              args=(PAGE, words))  # fmt: skip
