"""The cache that a part of the Data page is about, as the address has it."""

import streamlit as st

from dashboard import session
from data.records import CacheRecord

BOX = "data.cache"


def cache() -> CacheRecord:
    """The cache in the address, else the one looked at last, else the first; a box to change it."""
    known = {record.name: record for record in session.library().caches()}
    if not known:
        session.say(f"There is no cache in {session.store()} yet; this command makes one:",
                    session.command(["gloss", "demo"]))  # fmt: skip
    asked = st.query_params.get("cache")
    if asked is not None and asked not in known:
        session.say(f"There is no cache named “{asked[:80]}” in {session.store()}; there are: "
                    f"{', '.join(known)}.")  # fmt: skip
    last = st.session_state.get("place.cache", "")
    chosen = asked or (last if last in known else next(iter(known)))
    if len(known) > 1:
        st.session_state[BOX] = chosen
        st.selectbox("Cache", list(known), key=BOX, width=320, on_change=_put,
                     format_func=lambda name: known[name].label)  # fmt: skip
    return known[chosen]


def _put() -> None:
    st.query_params["cache"] = st.session_state[BOX]
