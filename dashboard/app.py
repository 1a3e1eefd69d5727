"""The frame: page, style sheets, navigation. Each page is a file in views/; none of it lives here.

Served by `gloss serve`, `gloss demo` or `python -m dashboard`.
"""

from pathlib import Path

import streamlit as st

from core.drawing import SHEET
from dashboard.panels import find

HERE = Path(__file__).parent


@st.cache_resource
def style(theme: str | None) -> str:
    """All style sheets as one, sent once a run.

    Streamlit tells the page which of light and dark it is, but not the dialogs, which lie outside.
    """
    sheets = sorted([*(HERE / "style").glob("*.css"), SHEET], key=lambda sheet: sheet.name)
    rules = [sheet.read_text(encoding="utf-8") for sheet in sheets]
    rules.append(f"[role=dialog] {{ color-scheme: {'dark' if theme == 'dark' else 'light'} }}")
    return "<style>" + "\n".join(rules) + "</style>"


st.set_page_config(page_title="Gloss", page_icon=str(HERE / "icon.svg"), layout="wide")
st.html(style(st.context.theme.type))
pages = st.navigation(
    [
        st.Page("views/features.py", title="Features", icon=":material/table_rows:", default=True),
        st.Page("views/feature.py", title="Feature", icon=":material/data_object:",
                url_path="feature"),
        st.Page("views/compare.py", title="Compare", icon=":material/balance:",
                url_path="compare"),
        st.Page("views/runs.py", title="Runs", icon=":material/progress_activity:",
                url_path="runs"),
        st.Page("views/try_text.py", title="Try text", icon=":material/edit_note:",
                url_path="try-text"),
        st.Page("views/import_export.py", title="Data", icon=":material/database:",
                url_path="data"),
    ],
    position="top",
)  # fmt: skip
find.button()
pages.run()
