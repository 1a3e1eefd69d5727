"""The list of contexts and what it shows; a fragment, so that a filter leaves the figure alone."""

from dataclasses import dataclass
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.drawing.cards import sentence
from core.drawing.facts import why_unexplained
from core.drawing.feature import judged
from core.drawing.listing import Group, Listing, Show
from core.drawing.reader import Width
from core.drawing.spans import Shade, as_text, example_list, heading
from dashboard import session
from dashboard.library import FeatureRecord, Library, Place
from dashboard.session import KEPT
from dashboard.words import words
from data import results
from data.errors import GlossError
from data.records import ExplanationRecord

ALL = "all"
DECILES = [ALL, *map(str, range(10, 0, -1)), *(f"{d}–{d + 1}" for d in range(9, 0, -2))]

DECILE_SEEN = "examples.deciles"  # those that the page was drawn with


@dataclass(frozen=True, slots=True)
class View:
    """What was chosen."""

    show: Show = Show.DECILES
    deciles: tuple[int, ...] = ()  # () = all of them
    width: Width = Width.CONTEXT
    shade: Shade = Shade.LINEAR
    breaks: bool = True  # whether a newline breaks the line


@st.fragment
@session.guarded
def show(place: Place, feature: int, shown_id: int | None, pinned_id: int | None) -> None:
    """Choose and draw; the choice is in the address.

    The list is sent before its controls where their state is known, for it is what people wait for.
    """
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    room, ids = st.empty(), (shown_id, pinned_id)
    known = chosen_before()
    if known is not None:
        draw(room, place, feature, ids, known)
    chosen = controls(bar)
    if st.session_state.get(DECILE_SEEN) != chosen[0].deciles:
        st.rerun(scope="app")  # the figure marks the chosen deciles, too
    st.session_state["examples.view"] = chosen[0]
    if chosen != known:
        draw(room, place, feature, ids, chosen, key="list.again")


def draw(
    room: DeltaGenerator,
    place: Place,
    feature: int,
    ids: "Ids",
    chosen: tuple[View, bool],
    key: str = "list.words",
) -> None:
    """The list, or its plain text."""
    library, (view, is_plain) = session.library(), chosen
    with room.container(key="list"):
        if not is_plain:
            words(drawn(library, place, feature, ids, view), key=key)
            return
        found = listed(library, place, feature, ids, view)[1]
        st.code(as_text(found), language=None, wrap_lines=True)


def chosen_before() -> tuple[View, bool] | None:
    """What the controls of this session say; None before they were drawn."""
    state = st.session_state
    try:
        view = View(Show(state["show"]), deciles_named(state["decile"]), Width(state["width"]),
                    Shade(state["shade"]), state["breaks"])  # fmt: skip
        return view, state["plain"]
    except (KeyError, ValueError):
        return None


def read_ahead(place: Place, *features: int) -> None:
    """Draw the features that are a key press away, while this page is looked at."""
    library, chosen = session.library(), last_view()
    library.ahead.wish(*(partial(prepared, library, place, f, chosen) for f in features))


def last_view() -> View:
    """What was chosen last."""
    return st.session_state.get("examples.view", View())


def prepared(
    library: Library, place: Place, feature: int, chosen: View
) -> tuple[FeatureRecord, ExplanationRecord | None, str] | None:
    """A feature as its page begins: record, explanation shown, list as HTML.

    None where that fails: the page itself will say so, if anybody goes there.
    """
    try:
        record = library.feature(place, feature)
        best = results.best(record.explanations)
        ids = (best and best.explanation_id, None)
        return record, best, drawn(library, place, feature, ids, chosen)
    except GlossError:
        return None


Ids = tuple[int | None, int | None]  # of the shown and of the pinned explanation


def drawn(library: Library, place: Place, feature: int, ids: Ids, view: View) -> str:
    """The list as HTML, or why it is empty."""
    key = (feature, ids, view)
    return library.drawn(place, key, lambda: _draw(library, place, feature, ids, view))


def _draw(library: Library, place: Place, feature: int, ids: Ids, view: View) -> str:
    record = library.feature(place, feature)
    listing, groups = listed(library, place, feature, ids, view)
    if not groups:
        shown = listing.shown and listing.shown.explanation
        is_judged = bool(listing.asked.by_context)
        return nothing(view.show, place, record, shown, is_judged=is_judged)
    scale = (record.facts or {}).get("max_activation") or 0.0
    return example_list(groups, scale, view.shade, breaks=view.breaks, columns=listing.columns)


def listed(
    library: Library, place: Place, feature: int, ids: Ids, view: View
) -> tuple[Listing, list[Group]]:
    """The contexts in their groups."""
    record = library.feature(place, feature)
    shown, pinned = (judged(record, number) for number in ids)
    listing = Listing(library.reader(place, feature), shown, pinned, view.width)
    return listing, listing.groups(view.show, view.deciles)


def controls(bar: DeltaGenerator) -> tuple[View, bool]:
    """What to show in the first line, how in a popover; and whether as plain text."""
    note = "" if st.session_state.get(DECILE_SEEN) else "hover a token for its activation"
    bar.html(heading("Examples", note), width="content")
    bar.space("stretch")
    chosen = bar.segmented_control("Show", list(Show), default=Show.DECILES, required=True,
                                   key="show", label_visibility="collapsed", **KEPT)  # fmt: skip
    chip = bar.container(width="content")
    how = bar.popover("View", icon=":material/tune:")
    decile = how.selectbox("Decile (1 weakest … 10 strongest)", DECILES, key="decile", **KEPT)
    width = how.segmented_control("Text around the peak", list(Width), default=Width.CONTEXT,
                                  required=True, key="width", **KEPT)  # fmt: skip
    shade = how.segmented_control("Shade", list(Shade), default=Shade.LINEAR, required=True,
                                  key="shade", **KEPT)  # fmt: skip
    breaks = how.toggle("Line breaks", value=True, key="breaks", **KEPT)
    is_plain = how.toggle("As plain text, to copy", key="plain", **KEPT)
    if decile != ALL and chosen == Show.DECILES:
        chip.button(f"Decile {decile}", icon=":material/close:", key="decile.all",
                    help="Show all deciles", on_click=clear_decile)  # fmt: skip
    view = View(Show(chosen), deciles_named(decile), Width(width), Shade(shade), breaks)
    return view, is_plain


def deciles_named(name: str) -> tuple[int, ...]:
    """The deciles of a choice, e.g. "all" -> (), "3" -> (3,), "3–4" -> (3, 4)."""
    return () if name == ALL else tuple(map(int, name.split("–")))


def clear_decile() -> None:
    """Show all deciles again."""
    st.session_state["decile"] = ALL


def toggle_decile(name: str) -> None:
    """Show one decile (or two), or all of them again; before the controls are drawn."""
    is_on = st.session_state.get("decile") == name
    st.session_state["decile"] = ALL if is_on else name
    st.session_state["show"] = Show.DECILES


def note_decile() -> None:
    """Keep the deciles that the whole page is drawn with, the figure too."""
    name = st.session_state.get("decile") or st.query_params.get("decile")
    st.session_state[DECILE_SEEN] = deciles_named(name if name in DECILES else ALL)


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
    return sentence("This explanation is not scored yet; this judges it on contexts that it has "
                    "not seen:", session.command_about("score", place, shown.feature))  # fmt: skip
