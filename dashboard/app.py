"""The frame: page, style sheets, navigation. Each page is a file in views/; none of it lives here.

Served by `gloss serve`, `gloss demo` or `python -m dashboard`.
"""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

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


def study(title: str) -> str:
    """What marks the menu of studies while one is shown: of its own the menu does not say which."""
    menu = "[data-testid=stTopNavSection]"
    return (f"<style>{menu} {{ background: rgba(151, 166, 195, .25); font-weight: 600 }} "
            f'{menu} p::after {{ content: ": {title}" }}</style>')  # fmt: skip


st.set_page_config(page_title="Gloss", page_icon=str(HERE / "icon.svg"), layout="wide")
st.html(style(st.context.theme.type))
PAGES = [
    st.Page("views/features.py", title="Features", icon=":material/table_rows:", default=True),
    st.Page("views/feature.py", title="Feature", icon=":material/data_object:", url_path="feature"),
    st.Page("views/compare.py", title="Compare", icon=":material/balance:", url_path="compare"),
    st.Page("views/runs.py", title="Runs", icon=":material/progress_activity:", url_path="runs"),
    st.Page("views/try_text.py", title="Try text", icon=":material/edit_note:",
            url_path="try-text"),
    st.Page("views/import_export.py", title="Data", icon=":material/database:", url_path="data"),
]  # fmt: skip
STUDIES: list[StreamlitPage] = [  # questions about a whole cache, in a menu of their own
    st.Page("views/interventions.py", title="Interventions", icon=":material/science:",
            url_path="interventions"),
    st.Page("views/filters.py", title="Filters", icon=":material/filter_alt:", url_path="filters"),
    st.Page("views/baselines.py", title="Baselines", icon=":material/casino:",
            url_path="baselines"),
    st.Page("views/similarity.py", title="Similarity", icon=":material/join_inner:",
            url_path="similarity"),
    st.Page("views/collected.py", title="Collections", icon=":material/hub:",
            url_path="collections"),
    st.Page("views/two_models.py", title="Two models", icon=":material/compare:",
            url_path="two-models"),
]  # fmt: skip
pages = st.navigation({"": PAGES, "Studies": STUDIES} if STUDIES else PAGES, position="top")
if pages in STUDIES:
    st.html(study(pages.title))
find.button()
pages.run()
