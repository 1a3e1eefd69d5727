"""The page of comparisons: one feature, many features, or the figures of runs."""

import streamlit as st

from dashboard import session, strip
from dashboard.panels.compare import figures, many, one

MODES = {"one": "One feature", "many": "Features", "figures": "Figures"}


@session.guarded
def page() -> None:
    """The choice of mode, and what it shows."""
    session.library()
    strip.show()
    mode = chosen()
    st.session_state["compare.mode"] = mode
    st.segmented_control("Compare", list(MODES), key="compare.mode", required=True,
                         format_func=MODES.__getitem__, label_visibility="collapsed",
                         on_change=_put_mode)  # fmt: skip
    panels = {"one": one, "many": many, "figures": figures}
    panels[mode].show()


def chosen() -> str:
    """The mode in the address; without one a feature in it says which."""
    asked = st.query_params.get("mode", "")
    if asked in MODES:
        return asked
    return "one" if st.query_params.get("feature") else "many"


def _put_mode() -> None:
    st.query_params["mode"] = st.session_state["compare.mode"]


if __name__ == "__main__":
    page()
