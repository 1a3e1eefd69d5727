"""What the features are narrowed by: widgets whose values live in the address, as one `Filter`.

The search, the presets and the order are always seen; everything else is in a popover, and what of
it is active stands below as words that a click takes away.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitAPIException

from core.drawing.cards import TITLE
from core.drawing.spans import block, escape
from core.drawing.words import explain_words
from dashboard.labels import literal
from dashboard.session import KEPT
from data.catalogue import Row
from data.feature_filter import Explained, Filter, Marked, Preset, Sort, Span
from data.feature_table import Choices
from data.flags import Flag

USUAL = "in the preset's order"
FACETS = {"explainer": "Explained by", "judge": "Judged by", "made_in": "Explained in",
          "listed_in": "In collection"}  # fmt: skip
# No collection has that name: names do not begin with -.
ANY = {"explainer": "any explainer", "judge": "any judge", "made_in": "any run",
       "listed_in": "- any collection -"}  # fmt: skip
FEWEST = {"listed_in": 1}  # that are a choice; of the others two, since one is what all have
# Keys are names in the address; page is not part of a filter.
DEFAULTS: dict[str, Any] = {
    "q": "", "meaning": False, "preset": Preset.ALL, "sort": USUAL, "view": "Table",
    "alive": False, "explained": Explained.ANY, "density_from": None, "density_to": None,
    "scorer": "detection", "score_from": None, "score_to": None, "flags": [], "marked": [],
    **ANY,
}  # fmt: skip
FEATURES = "views/features.py"
LEFT = "features.left"  # the filter when a feature was opened from the list
RESTORED = "features.restored"  # the same, to be set in the coming run
CHOSEN = "features.chosen"  # set while a page chosen by hand is newer than the address


class Word(NamedTuple):
    """One active part of the filter, in words."""

    text: str
    keys: tuple[str, ...]  # what goes back to its default when the word is taken away
    left: Any = None  # what stays instead of the default, for the one key


@dataclass(frozen=True, slots=True)
class Options:
    """What may be chosen here, by key; a saved view may hold something else."""

    sorts: dict[str, Sort | None]
    scorers: list[str]
    explainers: dict[str, int]
    judges: list[str]
    runs: dict[str, int]
    collections: dict[str, int]

    def facet(self, key: str) -> list[str]:
        """The choices of one of ANY; none where there is nothing to choose."""
        known = {"explainer": self.explainers, "judge": self.judges, "made_in": self.runs,
                 "listed_in": self.collections}[key]  # fmt: skip
        return list(known) if len(known) >= FEWEST.get(key, 2) else []

    def allows(self, key: str, value: Any) -> bool:
        """Whether a widget can take a value."""
        known = {
            "preset": Preset, "sort": self.sorts, "view": VIEWS, "explained": Explained,
            "scorer": self.scorers,
        } | {facet: [usual, *self.facet(facet)] for facet, usual in ANY.items()}  # fmt: skip
        if key in known:
            return value in list(known[key])
        if key in ("flags", "marked"):
            every = list(Flag if key == "flags" else Marked)
            return isinstance(value, list) and all(one in every for one in value)
        if isinstance(DEFAULTS[key], (bool, str)):
            return type(value) is type(DEFAULTS[key])
        return value is None or isinstance(value, (int, float))


VIEWS = ("Table", "Chart")


def options(found: Choices) -> Options:
    """The choices in words."""
    sorts = [Sort("index"), *(Sort(by, end) for by in (*found.scorers, "density", "max",
             "explanations") for end in (False, True))]  # fmt: skip
    return Options(
        sorts={USUAL: None} | {sort.label: sort for sort in sorts},
        scorers=found.scorers,
        explainers={explainer_words(row): row["explainer_id"] for row in found.explainers},
        judges=found.judges,
        runs={run_words(row): row["run_id"] for row in found.runs},
        collections={row["name"]: row["collection_id"] for row in found.collections},
    )


def explainer_words(row: Row) -> str:
    """An explainer with its settings, e.g. "grammar · all train tokens · f1 · #3"."""
    settings = json.loads(row["settings"] or "{}")
    who = row["model"] or row["name"]
    words = [word for word in explain_words(settings) if word != who]
    return " · ".join([who, *words, f"#{row['explainer_id']}"])


def run_words(row: Row) -> str:
    """A run, e.g. "run 12 · explain · 24 Nov"."""
    when = f" · {row['started_at']:%-d %b}" if row["started_at"] else ""
    return f"run {row['run_id']} · {row['stage']}{when}"


def popover(bar: DeltaGenerator, found: Options, hint: str) -> None:
    """The widgets that are not always seen; hint: what else there could be."""
    with bar.popover("Filter", icon=":material/tune:", key="features.filter"):
        st.toggle("Only features that fire", key="alive", on_change=first_page, **KEPT)
        st.segmented_control("Explanation", list(Explained), default=Explained.ANY, required=True,
                             key="explained", on_change=first_page, **KEPT)  # fmt: skip
        _ends("density", "Density, % of tokens", (0.0, 100.0), 0.1)
        st.selectbox("Score of the explanation shown", found.scorers, key="scorer",
                     format_func=score_title, on_change=first_page, **KEPT)  # fmt: skip
        _ends("score", "Score", (-1.0, 1.0), 0.05)
        st.pills("Flags, any of", list(Flag), selection_mode="multi", key="flags",
                 on_change=first_page, **KEPT)  # fmt: skip
        st.pills("Yours", list(Marked), selection_mode="multi", key="marked",
                 on_change=first_page, **KEPT)  # fmt: skip
        for key, label in FACETS.items():
            _facet(label, key, found.facet(key))
        if hint:
            st.html(block(f'<p class="mut">{escape(hint)}</p>'))


def score_title(scorer: str) -> str:
    """A scorer as pages name it."""
    return str(TITLE.get(scorer, scorer))


def _ends(name: str, label: str, limits: tuple[float, float], step: float) -> None:
    """Two number fields, from and to; empty = open."""
    columns = st.columns(2)
    for column, end in zip(columns, ("from", "to"), strict=True):
        column.number_input(
            f"{label}, {end}", *limits, value=None, step=step, key=f"{name}_{end}",
            placeholder=end, on_change=first_page, format="%g", **KEPT,
        )  # fmt: skip


def tidy_address(found: Options) -> None:
    """Take out of the address what nothing on this page reads, so that copies do not carry it.

    Widgets do so themselves with values that they cannot take. In answer to Back the browser
    replaces its entry of the history, so that Back is never caught.
    """
    unread = ["feature", *(key for key in ANY if not found.facet(key))]
    for key in set(unread) & set(st.query_params):
        with suppress(StreamlitAPIException):  # a widget had it in the run before; it takes it away
            st.query_params.pop(key)


def _facet(label: str, key: str, known: Sequence[str]) -> None:
    """A choice, only where there is one; of those of explanations, the best of it is shown."""
    if known:
        st.selectbox(label, [ANY[key], *known], key=key, on_change=first_page, **KEPT)


def read(found: Options, *, page: int) -> Filter:
    """What the widgets say."""
    sort = found.sorts.get(_value("sort"))
    explainer, judge, run, collection = (_value(key) for key in ANY)
    return Filter(
        words=_value("q") or "",
        preset=Preset(_value("preset")),
        alive=_value("alive"),
        explained=Explained(_value("explained")),
        density=_span("density", 0.01),
        scorer=_value("scorer"),
        score=_span("score"),
        flags=tuple(Flag(flag) for flag in _value("flags")),
        marked=tuple(Marked(mark) for mark in _value("marked")),
        explainer=found.explainers.get(explainer),
        judge=judge if judge in found.judges else None,
        run=found.runs.get(run),
        collection=found.collections.get(collection),
        sort=sort,
        page=page,
    )


def _value(key: str) -> Any:
    """A widget's value, or what it is at first."""
    found = st.session_state.get(key)
    return DEFAULTS[key] if found is None else found


def _span(name: str, unit: float = 1.0) -> Span:
    ends = (_value(f"{name}_{end}") for end in ("from", "to"))
    return Span(*(None if end is None else end * unit for end in ends))


def words(wanted: Filter, found: Options) -> list[Word]:
    """The active parts of what the popover holds."""
    said: list[Word] = []
    if wanted.alive:
        said.append(Word("fires", ("alive",)))
    if wanted.explained is not Explained.ANY:
        said.append(Word(wanted.explained, ("explained",)))
    percent = Span(*(None if end is None else 100 * end for end in wanted.density))
    said += _span_words("density", "density", percent, " %")
    said += _span_words(score_title(wanted.scorer or ""), "score", wanted.score)
    if wanted.flags:
        said.append(Word(" or ".join(wanted.flags), ("flags",)))
    for mark in wanted.marked:
        said.append(Word(mark, ("marked",), [other for other in wanted.marked if other != mark]))
    chosen = (wanted.explainer, wanted.judge, wanted.run, wanted.collection)
    said += [
        Word(f"in {_value(key)}" if key == "listed_in" else _value(key), (key,))
        for key, value in zip(ANY, chosen, strict=True)
        if value is not None
    ]
    return said


def _span_words(title: str, name: str, span: Span, unit: str = "") -> list[Word]:
    keys = (f"{name}_from", f"{name}_to")
    match span:
        case Span(None, None):
            return []
        case Span(low, None):
            return [Word(f"{title} ≥ {low:g}{unit}", keys)]
        case Span(None, high):
            return [Word(f"{title} ≤ {high:g}{unit}", keys)]
        case Span(low, high):
            return [Word(f"{title} {low:g}–{high:g}{unit}", keys)]


def show_words(said: Sequence[Word]) -> None:
    """One small button a word; nothing when nothing is active."""
    if not said:
        return
    with st.container(horizontal=True, gap="small", key="words"):
        for place, word in enumerate(said):
            st.button(literal(word.text), key=f"without.{place}",
                      icon=":material/close:", icon_position="right", help="Take this away",
                      on_click=_take_away, args=(word,))  # fmt: skip
        if len(said) > 1:
            st.button("Clear all", type="tertiary", key="without.all",
                      on_click=_clear, args=(said,))  # fmt: skip


def _take_away(word: Word) -> None:
    for key in word.keys:
        st.session_state[key] = DEFAULTS[key] if word.left is None else word.left
    first_page()


def _clear(said: Sequence[Word]) -> None:
    for word in said:
        _take_away(word._replace(left=None))


def first_page() -> None:
    """Another filter begins at its first page."""
    st.session_state["page"] = 1
    choose_page()


def choose_page() -> None:
    """The page in the state is newer than the one in the address."""
    st.session_state[CHOSEN] = True


def page_number(last: int) -> int:
    """The page just chosen, else the one in the address (Back changes it), else the last one."""
    asked, is_chosen = st.query_params.get("page", ""), st.session_state.pop(CHOSEN, False)
    if asked.isdecimal() and 1 <= int(asked) <= last and not is_chosen:
        st.session_state["page"] = int(asked)
    return int(st.session_state.get("page") or 1)


def body() -> dict[str, Any]:
    """The filter at hand as a saved view keeps it: by name in the address, without defaults."""
    return {key: _value(key) for key, usual in DEFAULTS.items() if _value(key) != usual}


def apply(kept: dict[str, Any], allows: Callable[[str, Any], bool]) -> None:
    """Set the widgets to a saved view; what does not exist here stays at its default."""
    for key, usual in DEFAULTS.items():
        value = kept.get(key, usual)
        st.session_state[key] = value if allows(key, value) else usual
    first_page()


def list_only(query: dict[str, str], **chosen: Any) -> NoReturn:
    """Open the list narrowed by some values and by no other filter; query: cache, hookpoint."""
    for key, usual in DEFAULTS.items():
        st.session_state[key] = chosen.get(key, usual)
    first_page()
    st.switch_page(FEATURES, query_params=query | chosen)


def leave(query: dict[str, str], page: str) -> NoReturn:
    """Open another page from the list, which Back finds again as it is now."""
    st.session_state[LEFT] = body() | {"page": st.session_state.get("page") or 1}
    st.switch_page(page, query_params=query)


def return_to_list(allows: Callable[[str, Any], bool]) -> None:
    """Restore the filter on the first step back from a feature.

    Opening a page makes two entries in the history: this page under the new parameters, whose
    address lacks the filter, and the page itself. The first is told by its foreign parameter. A
    step back sets widgets to what the address says, whatever is set for them: hence another run.
    """
    if restored := st.session_state.pop(RESTORED, None):
        apply(restored, allows)
        st.session_state["page"] = restored["page"]
    elif "feature" in st.query_params and (left := st.session_state.pop(LEFT, None)):
        st.session_state[RESTORED] = left
        st.rerun()
