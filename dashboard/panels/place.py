"""Which cache and hookpoint a page is about: boxes that follow the address."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import session
from dashboard.library import Place


def pick_place(bar: DeltaGenerator, place: Place, page: str, drop: Sequence[str] = ()) -> None:
    """Choose the cache and the hookpoint where there is a choice.

    page: prefix of the keys; drop: parameters of the address that are about the place that is left.
    """
    labels = {one.name: one.label for one in session.library().caches() if one.hookpoints}
    names = {one.name: one.name for one in place.cache.hookpoints}
    for name, label, options, chosen in (
        ("cache", "Cache", labels, place.cache.name),
        ("hookpoint", "Hookpoint", names, place.hookpoint.name),
    ):
        if len(options) > 1:
            st.session_state[f"{page}.{name}"] = chosen
            bar.selectbox(label, list(options), key=f"{page}.{name}", width=200,
                          format_func=options.__getitem__, label_visibility="collapsed",
                          on_change=_go_to, args=(page, name, drop))  # fmt: skip


def _go_to(page: str, name: str, drop: Sequence[str]) -> None:
    """Put another cache or hookpoint in the address; a new cache has its own hookpoints."""
    chosen = {name: st.session_state[f"{page}.{name}"]} | {one: [] for one in drop}
    if name == "cache":
        chosen["hookpoint"] = []
        st.session_state.pop("place.hookpoint", None)
    st.query_params.update(chosen)
    st.session_state["page"] = 1  # of the table of features
