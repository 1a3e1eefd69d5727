"""The list of contexts and what it shows; a fragment, so that a filter leaves the figure alone."""

from dataclasses import dataclass
from functools import partial

import streamlit as st

from dashboard import session
from dashboard.cards import sentence
from dashboard.facts import why_unexplained
from dashboard.library import FeatureRecord, Library, Place
from dashboard.listing import Listing, Show, asked
from dashboard.panels import explanations
from dashboard.reader import Width
from dashboard.session import KEPT
from dashboard.spans import Shade, example_list, heading
from data.errors import GlossError
from data.records import ExplanationRecord

EVERY_DECILE = "all"


@dataclass(frozen=True, slots=True)
class View:
    """What was chosen."""

    show: Show = Show.DECILES
    decile: int | None = None  # None = all of them
    width: Width = Width.CONTEXT
    shade: Shade = Shade.LINEAR


@st.fragment
@session.guarded
def show(place: Place, feature: int, explanation_id: int | None) -> None:
    """Choose and draw; the choice is in the address."""
    view = controls()
    st.session_state["examples.view"] = view
    st.html(drawn(session.library(), place, feature, explanation_id, view))


def read_ahead(place: Place, *features: int) -> None:
    """Draw the features that are a key press away, while this page is looked at."""
    library, view = session.library(), st.session_state.get("examples.view", View())
    library.ahead.wish(*(partial(_prepare, library, place, f, view) for f in features))


def _prepare(library: Library, place: Place, feature: int, view: View) -> None:
    try:
        best = explanations.best(library.feature(place, feature).explanations)
        drawn(library, place, feature, best and best.explanation_id, view)
    except GlossError:
        return  # the page itself will say so, if anybody goes there


def drawn(
    library: Library, place: Place, feature: int, explanation_id: int | None, view: View
) -> str:
    """The list as HTML, or why it is empty."""
    key = (feature, explanation_id, view)
    return library.drawn(place, key, lambda: _draw(library, place, feature, explanation_id, view))


def _draw(
    library: Library, place: Place, feature: int, explanation_id: int | None, view: View
) -> str:
    record = library.feature(place, feature)
    shown = next((e for e in record.explanations if e.explanation_id == explanation_id), None)
    verdicts = asked(record.verdicts, explanation_id)
    listing = Listing(library.reader(place, feature), verdicts, shown, view.width)
    groups = listing.groups(view.show, view.decile)
    if not groups:
        return nothing(view.show, place, record, shown, is_judged=bool(verdicts.by_context))
    return example_list(groups, (record.facts or {}).get("max_activation") or 0.0, view.shade)


def controls() -> View:
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
    return View(Show(chosen), only, Width(width), Shade(shade))


def nothing(
    show: Show,
    place: Place,
    record: FeatureRecord,
    shown: ExplanationRecord | None,
    *,
    is_judged: bool,
) -> str:
    """Why the list is empty; is_judged: whether the shown explanation has verdicts."""
    if show is Show.WRONG and not is_judged:
        return unjudged(place, record, shown)
    if show is Show.WRONG:
        return sentence("Every verdict on this explanation is right.")
    if show is Show.SILENT:
        return sentence("The feature is active in every context: there is no silent one to show.")
    return sentence("There is no such context.")


def unjudged(place: Place, record: FeatureRecord, shown: ExplanationRecord | None) -> str:
    """Why there are no verdicts on the shown explanation, and what to do."""
    unable = why_unexplained(record.facts)
    if shown is None and unable:
        return sentence(f"Nothing was judged. {unable}.")
    if shown is None:
        return sentence("Nothing was judged, for there is no explanation; press E to explain this "
                        "feature.")  # fmt: skip
    if shown.text is None:
        return sentence("This attempt gave no explanation, so there is nothing to score.")
    if (record.facts or {}).get("reason") in ("rare", "scarce"):
        return sentence("This explanation is not scored: the feature has too few contexts to keep "
                        "some of them unseen.")  # fmt: skip
    words = ["gloss", "score", place.cache.name, "--hookpoint", place.hookpoint.name,
             "--features", str(shown.feature)]  # fmt: skip
    return sentence("This explanation is not scored yet; this judges it on contexts that it has "
                    "not seen:", session.command(words))  # fmt: skip
