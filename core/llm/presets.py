"""Endpoints that have a name: where they are, what they can do, and how a local one is started.

What they can do is what their documentation says, and for `transformers serve` what it was seen to
do. It advises people and decides nothing: servers accept what they ignore, so the reply tells.
"""

import ipaddress
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from data.errors import BadInput

Support = Literal["yes", "no", "model", "unknown"]  # model: depends on the model that is asked


@dataclass(frozen=True, slots=True)
class Preset:
    """One kind of OpenAI-compatible endpoint."""

    name: str  # "" = an address that is none of the known ones
    base_url: str
    key_variable: str | None  # environment variable that holds the key; None = takes no key
    key_needed: bool
    local: bool  # on this machine
    structured: Support  # answers by JSON schema
    logprobs: Support  # log-probabilities of an answer's tokens
    echo: Support  # log-probabilities of a prompt's tokens: completions with echo
    start: str | None = None  # command that starts a local one
    remark: str = ""  # what surprises, for people


PRESETS = (
    Preset(
        "openai", "https://api.openai.com/v1", "OPENAI_API_KEY", True, False,
        structured="yes", logprobs="model", echo="no",
        remark="reasoning models give no log-probabilities and take no temperature",
    ),
    Preset(
        "openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", True, False,
        structured="model", logprobs="model", echo="unknown",
        remark="its model list names prices and, for each model, the parameters it takes",
    ),
    Preset(
        "vllm", "http://localhost:8000/v1", "VLLM_API_KEY", False, True,
        structured="yes", logprobs="yes", echo="yes",
        start="vllm serve MODEL",
    ),
    Preset(
        "ollama", "http://localhost:11434/v1", None, False, True,
        structured="yes", logprobs="yes", echo="no",
        start="ollama serve",
        remark="fetch the model first: ollama pull MODEL; log-probabilities came with 0.12.11",
    ),
    Preset(
        "llama.cpp", "http://localhost:8080/v1", "LLAMA_API_KEY", False, True,
        structured="yes", logprobs="yes", echo="no",
        start="llama-server -m FILE.gguf --port 8080",
        remark="echo is accepted and ignored",
    ),
    Preset(
        "transformers", "http://localhost:8000/v1", None, False, True,
        structured="no", logprobs="no", echo="no",
        start="transformers serve MODEL",
        remark="needs pip install 'transformers[serving]'; accepts and ignores what it cannot do, "
        "a temperature above 0 too unless the model's own settings sample",
    ),
)  # fmt: skip
ELSEWHERE = Preset("", "", "OPENAI_API_KEY", False, False, "unknown", "unknown", "unknown")


def resolve(base_url_or_name: str) -> Preset:
    """Find the preset of a name or an address; an unknown address is one that nothing is known of.

    >>> resolve("ollama").base_url
    'http://localhost:11434/v1'

    An address without a path gets /v1. Port 8000 is vLLM's and transformers' alike, so by address
    such a server is neither.
    """
    said = base_url_or_name.strip()
    for preset in PRESETS:
        if said.lower() == preset.name:
            return preset
    address = _address(said)
    same = [one for one in PRESETS if _key(one.base_url) == _key(address)]
    if len(same) == 1:
        return replace(same[0], base_url=address)
    return replace(ELSEWHERE, base_url=address, local=_is_local(urlsplit(address)))


def _address(said: str) -> str:
    parts = _parts(said)
    if parts is None:
        names = ", ".join(preset.name for preset in PRESETS)
        raise BadInput(f"{said!r} is no endpoint: give an address like http://host/v1, or {names}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise BadInput(
            f"the address of {parts.hostname} has more in it than a path: put a key into the "
            "environment, and leave out whatever follows a ? or #"
        )
    path = parts.path.rstrip("/") or "/v1"
    return parts._replace(path=path).geturl()


def _parts(said: str) -> SplitResult | None:
    """Split an address; None if it is none, or one with a port that cannot be."""
    try:
        parts = urlsplit(said)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _key(address: str) -> tuple[str, int | None]:
    """Tell endpoints apart: all names of this machine are one, the path says nothing."""
    parts = urlsplit(address)
    host = "localhost" if _is_local(parts) else parts.hostname or ""
    return host, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _is_local(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
