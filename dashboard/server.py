"""The dashboard's server: Streamlit's, and beside its pages the Plotly that draws their charts.

Streamlit's own Plotly cannot be reached from a component, and what a component brings with it is
sent, hashed and compiled for every page; a file of its own the browser keeps.
"""

import gzip
from functools import cache
from pathlib import Path

import plotly
import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from streamlit.starlette import App

LIBRARY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
YEAR = 31_536_000  # seconds


def library(request: Request) -> Response:
    """Plotly's JavaScript, compressed; its version is in its address, so it never changes."""
    headers = {"Content-Encoding": "gzip", "Cache-Control": f"max-age={YEAR}, immutable"}
    return Response(packed(), media_type="text/javascript", headers=headers)


@cache
def packed() -> bytes:
    """The file, compressed once a server."""
    return gzip.compress(LIBRARY.read_bytes(), 6)


BASE = str(st.get_option("server.baseUrlPath") or "").strip("/")
ADDRESS = "/charts/plotly.{version}.js"
app = App("app.py", routes=[Route(f"/{BASE}{ADDRESS}" if BASE else ADDRESS, library)])
