"""What an ask would send and cost, when somebody wants to see it: the messages, an estimate."""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.drawing.cards import sentence
from core.drawing.spans import block, escape
from core.llm.client import price_at
from core.llm.planning import Dollars, Plan
from core.llm.prices import Price
from core.llm.requests import Request
from core.llm.settings import EndpointSettings
from core.pipeline.ask import Ask
from core.pipeline.explaining_model import as_sent
from core.pipeline.preview import Preview, preview
from dashboard import session
from dashboard.commands import counted
from dashboard.library import Library, Place
from data.catalogue import Catalogue
from data.errors import GlossError

HEIGHT = 340  # pixels of the prompt
PRICES = 600  # seconds for which a listed price is believed


def show(place: Place, feature: int, ask: Ask) -> None:
    """An expander; nothing is worked out before it is opened."""
    if not ask.asks_a_model:
        return
    opened = st.expander("Exact prompt, tokens and cost", on_change="rerun",
                         key="reexplain.forecast")  # fmt: skip
    if not opened.open:
        return
    with opened:
        with st.spinner("Working out what would be sent …"):
            found = foretold(place, feature, ask)
        st.html(block(f'<div class="cost">{"".join(lines(found))}</div>'))
        if found.lacking:
            st.html(sentence(f"Nothing can be asked about this feature: {found.lacking}."))
        if found.first is not None:
            st.code(as_sent(found.first), language=None, wrap_lines=True, height=HEIGHT)
            st.html(block(f'<p class="mut">{escape(parameters(found.first))}</p>'))


def in_short(place: Place, feature: int, ask: Ask, box: DeltaGenerator) -> None:
    """Calls, tokens and dollars in a line; comes last, for counting tokens takes a moment."""
    if not ask.asks_a_model:
        return
    box.html(block('<p class="mut">Counting calls and tokens …</p>'))
    try:
        said = line(foretold(place, feature, ask))
    except GlossError as error:
        said = f"no estimate: {error}"
    box.html(block(f'<p class="mut">{escape(said)}</p>'))


def line(found: Preview) -> str:
    """The estimate in short, e.g. "1 + 160 calls · ~157k tokens in · $0.15–0.24"."""
    if found.lacking:
        return "nothing can be asked"
    plans = [*found.explaining, *([found.scoring] if found.scoring else [])]
    if not any(plan.total.calls for plan in plans):
        return "0 calls · free"
    calls = [f"{plan.total.calls:,}" for plan in plans]
    n = sum(plan.total.input_tokens for plan in plans)
    about = "" if all(plan.exact for plan in plans) else "~"
    tokens = f"{n / 1000:,.0f}k" if n >= 10_000 else f"{n:,}"
    noun = "call" if calls == ["1"] else "calls"
    return f"{' + '.join(calls)} {noun} · {about}{tokens} tokens in · {dollars(plans)}"


def dollars(plans: Sequence[Plan]) -> str:
    """What all of them cost; unknown where one is."""
    known = [plan.dollars for plan in plans if plan.total.calls]
    if None in known:
        return "price unknown"
    low, high = (sum(ends) for ends in zip(*filter(None, known), strict=True))
    return str(Dollars(low, high)).replace(" to $", "–")


def foretold(place: Place, feature: int, ask: Ask) -> Preview:
    """The preview, kept until something is committed or another thing is asked."""
    library = session.library()
    key = (library.catalogue.revision(), place.hookpoint.hookpoint_id, feature, ask)
    return _foretold(library, place, feature, ask, repr(key))


@st.cache_resource(max_entries=32, show_spinner=False)
def _foretold(_library: Library, _place: Place, _feature: int, _ask: Ask, key: str) -> Preview:
    assert key
    bench = _library.workbench(_place.cache)
    return preview(_library.catalogue, bench, _place.hookpoint, _feature, _ask, listed_price)


def listed_price(catalogue: Catalogue, endpoint: EndpointSettings) -> Price | None:
    """The price of a model, looked up once in a while."""
    table = catalogue.store / "prices.toml"
    changed = table.stat().st_mtime_ns if table.exists() else 0
    return _price(catalogue, endpoint, endpoint.base_url, endpoint.model, changed)


@st.cache_data(ttl=PRICES, max_entries=64, show_spinner=False)
def _price(_catalogue: Catalogue, _endpoint: EndpointSettings, *_key: Any) -> Price | None:
    return price_at(_catalogue, _endpoint)


def lines(found: Preview) -> list[str]:
    """The estimate as rows: what for, calls, tokens, dollars."""
    named = [("Explaining", plan) for plan in found.explaining]
    named += [("Scoring", found.scoring)] if found.scoring else []
    if not named:
        return ["<p>Nothing is left to ask: the replies are in the store.</p>"]
    rows = [f"<b>{name}</b><span>{escape(words(plan))}</span>" for name, plan in named]
    unknown = next((plan for _, plan in named if plan.price is None and plan.total.calls), None)
    if unknown is not None:
        where = f"price unknown: {unknown.model} is not in {unknown.prices}"
        rows.append(f"<b></b><span class=mut>{escape(where)}</span>")
    return rows


def words(plan: Plan) -> str:
    """A plan in a line, e.g. "1 call · 2,314 tokens in · 8 to 300 out · $0.002 to $0.004"."""
    total = plan.total
    if not total.calls:
        return "already in the cache: free" if total.known else "nothing is asked"
    about = "" if plan.exact else "about "
    out = f"{total.output_low:,} to {total.output_high:,}"
    parts = [counted(total.calls, "calls"), f"{about}{total.input_tokens:,} tokens in",
             f"{out} out"]  # fmt: skip
    parts += [f"{total.known:,} more in the cache, free"] if total.known else []
    parts += [] if plan.dollars is None else [str(plan.dollars)]
    return " · ".join(parts)


def parameters(request: Request) -> str:
    """What goes with the messages, in words."""
    said = [f"temperature {request.temperature:g}", f"seed {request.seed}",
            f"at most {request.max_tokens:,} tokens"]  # fmt: skip
    said += ["answer by JSON schema where the endpoint can"] if request.schema else []
    return " · ".join(said)
