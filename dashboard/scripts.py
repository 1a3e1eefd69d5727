"""Scripts in the browser: the few places where Streamlit's own elements do not do.

A script writes text as text, never as markup, and is registered with the running server once.
"""

from collections.abc import Callable

import streamlit as st
from streamlit import runtime
from streamlit.components.v2 import component


def script(name: str, source: str) -> Callable[..., object]:
    """Give what mounts a script (an ES module with a default export) on the page."""
    return _registered(name, source, id(runtime.get_instance()) if runtime.exists() else 0)


@st.cache_resource(max_entries=8, show_spinner=False)
def _registered(name: str, source: str, _server: int) -> Callable[..., object]:
    return component(name, js=source, isolate_styles=False)
