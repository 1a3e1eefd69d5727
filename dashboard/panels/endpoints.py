"""Which endpoint and which model: widgets, and what is said about the key. Keys are never typed."""

from dataclasses import asdict, fields, replace
from typing import Any

import streamlit as st

from core.drawing.spans import block, escape
from core.llm.place import key_of
from core.llm.presets import PRESETS, Preset, resolve
from core.llm.settings import EndpointSettings
from dashboard.panels.fields import KEEP, first_value, keep, record_fields, widget
from data.errors import BadInput

ELSEWHERE = "another address"
NAMES = [preset.name for preset in PRESETS]
IN_FRONT = ("model", "base_url", "budget")
HELP = {name: found.metadata["help"] for name, found in record_fields(EndpointSettings).items()}


def chosen_endpoint(prefix: str, who: str) -> EndpointSettings:
    """Draw the widgets of one endpoint; who: whose model it is, e.g. "Model"."""
    address = _address(prefix)
    st.session_state.setdefault(f"{prefix}.model", "")
    model = st.text_input(who, key=f"{prefix}.model", help=HELP["model"],
                          placeholder="the id that the endpoint knows it by", **KEEP)  # fmt: skip
    st.html(block(f'<p class="mut">{about(address)}</p>'))
    with st.expander("Settings of the endpoint"):
        more = {
            found.name: widget(EndpointSettings, found.name, prefix)
            for found in fields(EndpointSettings)
            if found.name not in IN_FRONT
        }
    return EndpointSettings(model=model.strip(), base_url=address, **more)


def _address(prefix: str) -> str:
    """A known name, or an address that is typed."""
    first = str(first_value(record_fields(EndpointSettings)["base_url"]))
    st.session_state.setdefault(f"{prefix}.where", first if first in NAMES else ELSEWHERE)
    st.session_state.setdefault(f"{prefix}.url", "" if first in NAMES else first)
    where = st.selectbox("Endpoint", [*NAMES, ELSEWHERE], key=f"{prefix}.where",
                         help=HELP["base_url"], **KEEP)  # fmt: skip
    if where != ELSEWHERE:
        return where
    return st.text_input("Address", key=f"{prefix}.url", placeholder="http://host:8000/v1",
                         **KEEP).strip()  # fmt: skip


def fill(prefix: str, endpoint: EndpointSettings) -> None:
    """Put an endpoint into the widgets."""
    values: dict[str, Any] = asdict(endpoint)
    address = values.pop("base_url")
    values.pop("budget")
    known = address in NAMES
    keep(prefix, values)
    keep(prefix, {"where": address if known else ELSEWHERE, "url": "" if known else address})


def about(address: str) -> str:
    """Where it is, whether there is a key for it, and how a local one is started; as HTML."""
    if not address:
        return "An address like http://host:8000/v1; the key comes from the environment."
    try:
        preset = resolve(address)
        key = key_of(preset)
    except BadInput as error:
        return f"<b>{escape(str(error))}</b>"
    return escape(" · ".join(_facts(preset, key is not None)))


def _facts(preset: Preset, has_key: bool) -> list[str]:
    facts = [preset.base_url]
    if preset.key_variable:
        facts.append(f"{preset.key_variable} is {'set' if has_key else 'not set, none is needed'}")
    else:
        facts.append("takes no key")
    if preset.start:
        facts.append(f"start it with: {preset.start}")
    return facts


def same(one: EndpointSettings | None, other: EndpointSettings | None) -> bool:
    """Whether two endpoints are the same model at the same place, asked in the same way."""
    if one is None or other is None:
        return one is other
    return replace(one, budget=None) == replace(other, budget=None)
