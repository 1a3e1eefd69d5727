"""Starting a comparison from the page, as a process of its own."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import meaning
from dashboard import session
from dashboard.panels import launched
from dashboard.panels.similarity.choice import NAMES
from data.records import CacheRecord

PAGE = "similarity"
ITSELF = "its own hookpoints"


def popover(bar: DeltaGenerator, record: CacheRecord) -> None:
    """Choose what is compared, see the command, start it."""
    with bar.popover("Compare SAEs", icon=":material/join_inner:"):
        others = [
            one.name
            for one in session.library().caches()
            if one.name != record.name and one.status == "done" and one.hookpoints
        ]
        options = [ITSELF] * (len(record.hookpoints) > 1) + others
        if not options:
            st.caption(f"Cache {record.name} has one SAE and there is no other cache: there is "
                       "nothing to compare it with.")  # fmt: skip
            return
        picked = st.selectbox(f"Compare the SAEs of {record.name} with", options,
                              key="similarity.start.with")  # fmt: skip
        measures = st.pills(
            "By", list(NAMES), selection_mode="multi", format_func=NAMES.__getitem__,
            key="similarity.start.measures", help="Nothing chosen: by all that can be had",
        )  # fmt: skip
        if not meaning.is_installed():
            st.caption(f"Explanations need sentence encoders, an extra: {meaning.EXTRA}")
        words = words_of(record, None if picked == ITSELF else picked, measures)
        st.code(session.command(words), language=None, wrap_lines=True)
        st.button("Start", type="primary", key="similarity.start", on_click=launched.begin,
                  args=(PAGE, words))  # fmt: skip


def words_of(record: CacheRecord, other: str | None, measures: list[str]) -> list[str]:
    """The command, without the store."""
    chosen = ["--measure", ",".join(measures)] if measures else []
    return ["gloss", "similarity", record.name, *([other] if other else []), *chosen]
