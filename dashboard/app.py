"""The frame: page, style sheet, navigation. Each page is a file in views/; none of it lives here.

Served by `gloss serve`, `gloss demo` or `python -m dashboard`.
"""

from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent

st.set_page_config(page_title="Gloss", page_icon=str(HERE / "icon.svg"), layout="wide")
st.html(HERE / "style.css")
st.navigation(
    [
        st.Page("views/features.py", title="Features", icon=":material/table_rows:", default=True),
        st.Page("views/feature.py", title="Feature", icon=":material/data_object:",
                url_path="feature"),
        st.Page("views/runs.py", title="Runs", icon=":material/progress_activity:",
                url_path="runs"),
    ],
    position="top",
).run()  # fmt: skip
