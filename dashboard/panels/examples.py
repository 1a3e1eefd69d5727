"""The list of contexts and what it shows; a fragment, so that a filter leaves the figure alone."""

import streamlit as st

from dashboard import session
from dashboard.cards import sentence
from dashboard.listing import Listing, Show, asked
from dashboard.reader import Width
from dashboard.session import KEPT, Place
from dashboard.spans import Shade, example_list, heading

EVERY_DECILE = "all"


@st.fragment
def show(place: Place, feature: int, explanation_id: int | None) -> None:
    """Choose and draw; the choice is in the address."""
    chosen, decile, width, shade = controls()
    record = session.feature_record(place.hookpoint.hookpoint_id, feature)
    shown = next((e for e in record.explanations if e.explanation_id == explanation_id), None)
    reader = session.reader(place, feature)
    listing = Listing(reader, asked(record.verdicts, explanation_id), shown, width)
    groups = listing.groups(chosen, decile)
    scale = (record.facts or {}).get("max_activation") or 0.0
    if groups:
        st.html(example_list(groups, scale, shade))
    else:
        st.html(sentence(nothing(chosen, shown is not None, bool(record.verdicts))))


def controls() -> tuple[Show, int | None, Width, Shade]:
    """What to show in the first line; how, in a popover."""
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    bar.html(heading("Examples", "hover a token for its activation"), width="content")
    bar.space("stretch")
    chosen = bar.segmented_control("Show", list(Show), default=Show.DECILES, required=True,
                                   key="show", label_visibility="collapsed", **KEPT)  # fmt: skip
    how = bar.popover("View", icon=":material/tune:")
    width = how.segmented_control("Text around the peak", list(Width), default=Width.CONTEXT,
                                  required=True, key="width", **KEPT)  # fmt: skip
    shade = how.segmented_control("Shade", list(Shade), default=Shade.LINEAR, required=True,
                                  key="shade", **KEPT)  # fmt: skip
    options = [EVERY_DECILE, *map(str, range(10, 0, -1))]
    decile = how.selectbox("Decile (1 weakest … 10 strongest)", options, key="decile", **KEPT)
    only = None if decile == EVERY_DECILE else int(decile)
    return Show(chosen), only, Width(width), Shade(shade)


def nothing(show: Show, has_explanation: bool, has_verdicts: bool) -> str:
    """Why the list is empty."""
    if show is Show.WRONG and not has_explanation:
        return "Nothing was judged, for there is no explanation; press E to explain this feature."
    if show is Show.WRONG and not has_verdicts:
        return (
            "The explanation is not scored yet; gloss score judges it on contexts it has not seen."
        )
    if show is Show.WRONG:
        return "Every verdict on this explanation is right."
    if show is Show.SILENT:
        return "The feature is active in every context: there is no silent one to show."
    return "There is no such context."
