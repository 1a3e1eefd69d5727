"""Scripts in the browser: the few places where Streamlit's own elements do not do.

A script writes text as text; the one that writes markup (words.js) cleans it first. Each is
registered with the running server once; longer ones lie in component/.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.components.v2 import component


def source(file: str) -> str:
    """The text of a file in component/."""
    return Path(__file__).with_name("component").joinpath(file).read_text(encoding="utf-8")


def script(
    name: str, source: str, *, html: str | None = None, css: str | None = None
) -> Callable[..., Any]:
    """Give what mounts a script (an ES module with a default export) on the page."""
    server = id(runtime.get_instance()) if runtime.exists() else 0
    return _registered(name, source, html, css, server)


@st.cache_resource(max_entries=8, show_spinner=False)
def _registered(
    name: str, source: str, html: str | None, css: str | None, _server: int
) -> Callable[..., Any]:
    return component(name, js=source, html=html, css=css, isolate_styles=False)
