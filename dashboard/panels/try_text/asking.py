"""What is asked of the page: cache, hookpoints, text, feature; and how the address keeps it.

The text itself is not bound to the address, because a long one would not fit: a hidden field is,
with its first characters. The same field brings in the text of a link.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.drawing import cards
from core.drawing.spans import block, escape
from dashboard import session
from dashboard.address import every, feature_named
from dashboard.library import Place
from dashboard.panels.try_text.loading import ASKED
from dashboard.session import KEPT
from data.records import HookpointRecord

LONGEST = 10_000  # characters of a text
IN_ADDRESS = 1_000  # characters that an address keeps
DIGITS = 7  # of a place in a text that is longer than any
FEW = 4  # hookpoints whose SAEs are all loaded unless some are chosen


class Doing(StrEnum):
    """What the page is used for."""

    FIRE = "Which features fire"
    STEER = "Steer a feature"


class Asked(NamedTuple):
    """Everything that defines the page."""

    place: Place  # the cache, and the hookpoint of the feature
    text: str
    listed: tuple[str, ...]  # hookpoints whose features are listed
    feature: int | None  # of the place's hookpoint; None: none is chosen
    doing: Doing
    tokens: tuple[int, ...]  # places in the text that are chosen
    bar: DeltaGenerator  # the line under the text, which has room left

    @property
    def needed(self) -> tuple[str, ...]:
        """Hookpoints whose SAEs are needed, in the order of the cache."""
        own = {self.place.hookpoint.name} if self.feature is not None else set()
        chosen = {*self.listed, *own}
        return tuple(h.name for h in self.place.cache.hookpoints if h.name in chosen)

    @property
    def hookpoints(self) -> list[HookpointRecord]:
        """The hookpoints that are listed."""
        return [h for h in self.place.cache.hookpoints if h.name in self.listed]


def asked(place: Place) -> Asked:
    """Draw the widgets on top of the page and read them."""
    top = st.container(horizontal=True, vertical_alignment="center", gap="small")
    doing = top.segmented_control("Do", list(Doing), default=Doing.FIRE, required=True, key="do",
                                  label_visibility="collapsed", **KEPT)  # fmt: skip
    _pick_cache(top, place)
    listed = _pick_hookpoints(top, place)
    in_address, tokens = _hidden()
    text = _text(in_address, Doing(doing))
    feature, bar = _feature(place, is_main=doing == Doing.FIRE)
    return Asked(place, text, listed, feature, Doing(doing), tokens, bar)


def _pick_cache(bar: DeltaGenerator, place: Place) -> None:
    labels = {c.name: c.label for c in session.library().caches() if c.hookpoints}
    known = list(labels)
    if len(known) > 1:
        st.session_state["try.cache"] = place.cache.name
        bar.selectbox("Cache", known, key="try.cache", width=200, label_visibility="collapsed",
                      format_func=lambda name: labels[name],
                      on_change=_go_to_cache)  # fmt: skip


def _go_to_cache() -> None:
    """Put another cache in the address; it has its own hookpoints and features."""
    st.session_state.pop("place.hookpoint", None)
    st.session_state.pop("at", None)
    st.query_params.update({"cache": st.session_state["try.cache"], "feature": []})


def _pick_hookpoints(bar: DeltaGenerator, place: Place) -> tuple[str, ...]:
    """The hookpoints whose features are listed: all of a few, else the one at hand."""
    names = [h.name for h in place.cache.hookpoints]
    if len(names) == 1:
        return tuple(names)
    usual = names if len(names) <= FEW else [place.hookpoint.name]
    kept = st.session_state.get("at")
    if isinstance(kept, list) and not set(kept) <= set(names):
        st.session_state["at"] = [name for name in kept if name in names] or usual
    chosen = bar.pills("Hookpoints", names, selection_mode="multi", default=usual, key="at",
                       label_visibility="collapsed", **KEPT)  # fmt: skip
    return tuple(name for name in names if name in (chosen or usual))


def _hidden() -> tuple[str, tuple[int, ...]]:
    """Fields that only the address sees: the beginning of the text, and the tokens chosen."""
    with st.container(key="try-hidden"):
        text = st.text_area("Text in the address", key="text", **KEPT)
        tokens = st.text_input("Tokens in the address", key="tokens", **KEPT)
    return text or "", places_named(tokens or "")


def places_named(text: str) -> tuple[int, ...]:
    """Places of tokens, ascending; what is no number is left out.

    >>> places_named("7,3,x,3")
    (3, 7)
    """
    parts = [part for part in text.split(",") if part.isascii() and part.isdecimal()]
    return tuple(sorted({int(part) for part in parts if len(part) < DIGITS}))


def choose_tokens(places: Sequence[int]) -> None:
    """Put tokens in the address."""
    st.session_state["tokens"] = ",".join(map(str, places))
    st.session_state["fired_part"] = 1


def _text(in_address: str, doing: Doing) -> str:
    """The text; a link or Back that brings another one wins over what was typed before."""
    if in_address != st.session_state.get("try.address", ""):
        st.session_state["try.text"] = in_address[:LONGEST]
        st.session_state["try.address"] = in_address
    label = "Text" if doing is Doing.FIRE else "Prompt"
    # No max_chars: with it, a field drops a longer text that is pasted.
    text = st.text_area(
        label, key="try.text", height=96, label_visibility="collapsed",
        placeholder="Type or paste a text; Ctrl + Enter runs it.", on_change=_typed,
        persist_state="session",
    ) or ""  # fmt: skip
    if len(text) > IN_ADDRESS:
        st.caption(f"The address keeps the first {IN_ADDRESS:,} of {len(text):,} characters: who "
                   "opens a copy of it sees those.")  # fmt: skip
    return text


def _typed() -> None:
    """A new text: what was chosen in the old one means nothing in it."""
    text = st.session_state["try.text"] or ""
    if len(text) > LONGEST:
        text = st.session_state["try.text"] = text[:LONGEST]
        st.toast(f"The text was cut to {LONGEST:,} characters.", icon=":material/content_cut:")
    st.session_state["text"] = st.session_state["try.address"] = text[:IN_ADDRESS]
    choose_tokens([])
    st.session_state[ASKED] = bool(text.strip())


def _feature(place: Place, *, is_main: bool) -> tuple[int | None, DeltaGenerator]:
    """The feature in the address, and a field that takes another one."""
    named = st.query_params.get("feature", "")
    address = feature_named(named, place.cache, place.hookpoint) if named else None
    if named and address is None:
        st.html(cards.sentence(
            f"There is no feature “{named}” in cache “{place.cache.name}”: "
            f"{place.hookpoint.name} has features {every(place.hookpoint)}."))  # fmt: skip
    typed = st.session_state.pop("try.unknown", None)
    st.session_state["try.feature"] = typed if typed is not None else address or ""
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small", key="try-bar")
    bar.button("Run", type="primary" if is_main else "secondary", icon=":material/play_arrow:",
               key="try.run", on_click=_run)  # fmt: skip
    bar.text_input("Feature", key="try.feature", width=280, icon=":material/data_object:",
                   placeholder="look at one feature: its number", label_visibility="collapsed",
                   on_change=_go, args=(place,))  # fmt: skip
    if typed is not None:
        bar.html(block(f'<span class="mut">{escape(_unknown(place))}</span>'))
    return int(address.rpartition("/")[2]) if address else None, bar


def _unknown(place: Place) -> str:
    return f"No such feature: {place.hookpoint.name} has {every(place.hookpoint)}."


def _run() -> None:
    st.session_state[ASKED] = True


def _go(place: Place) -> None:
    """Take the feature that was typed; an empty field lets it go."""
    typed = (st.session_state["try.feature"] or "").strip()
    if not typed:
        st.query_params.update({"feature": []})
        return
    address = feature_named(typed, place.cache, place.hookpoint)
    if address is None:
        st.session_state["try.unknown"] = typed
        return
    choose_feature(place, address)


def choose_feature(place: Place, address: str) -> None:
    """Put a feature of any hookpoint of the cache in the address."""
    name, _, index = address.rpartition("/")
    hookpoint = next(h for h in place.cache.hookpoints if h.name == name)
    session.go_to(Place(place.cache, hookpoint), int(index))
