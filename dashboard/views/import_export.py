"""The Data page: health of caches, import, export, and a box for SQL."""

from collections.abc import Callable

import streamlit as st

from dashboard import session, strip
from dashboard.panels.import_export import exporting, health, importing, sql
from dashboard.session import KEPT

PARTS: dict[str, Callable[[], None]] = {
    "Health": health.show,
    "Import": importing.show,
    "Export": exporting.show,
    "SQL": sql.show,
}


@session.guarded
def page() -> None:
    """The choice of a part, and that part."""
    session.library()
    strip.show()
    part = st.segmented_control("Part", list(PARTS), default="Health", required=True, key="part",
                                label_visibility="collapsed", **KEPT)  # fmt: skip
    PARTS[part]()


if __name__ == "__main__":
    page()
