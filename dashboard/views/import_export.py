"""The Data page: health of caches, import, export, and a box for SQL."""

from collections.abc import Callable

import streamlit as st

from dashboard import session, strip
from dashboard.cards import sentence
from dashboard.panels import data_export, data_health, data_sql
from dashboard.session import KEPT

try:
    from dashboard.panels import data_import
except ImportError:
    data_import = None


def no_import() -> None:
    """Say that foreign runs cannot be read."""
    st.html(sentence("This installation reads no foreign runs."))


PARTS: dict[str, Callable[[], None]] = {
    "Health": data_health.show,
    "Import": data_import.show if data_import else no_import,
    "Export": data_export.show,
    "SQL": data_sql.show,
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
