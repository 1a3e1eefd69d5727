"""Where a model is asked, as what, and with which key.

The key is read from the environment when it is sent and goes nowhere else.
"""

import json
import os
import re
from typing import Any

from core.llm.presets import Preset, resolve
from core.llm.settings import EndpointSettings
from data.errors import BadInput

NO_KEY = "none"  # for servers that take none; the SDK insists on one
ANY_KEY = "OPENAI_API_KEY"
OPENROUTER_KEY = "sk-or-"  # how keys of OpenRouter begin
OURS = frozenset({"model", "messages", "prompt", "input", "stream", "n", "echo"})
SECRET = re.compile(r"api[-_]?key|authorization|secret|password", re.IGNORECASE)


def preset_of(settings: EndpointSettings) -> Preset:
    """The endpoint; its base_url is the address by which requests are known."""
    return resolve(settings.base_url)


def identity(settings: EndpointSettings) -> str:
    """The model with everything that determines its replies beside the requests themselves.

    Goes into a request's hash in the place of the model: `request.sha256(address, identity)`.

    >>> identity(EndpointSettings(model="m", extra='{"top_k": 1}'))
    'm {"top_k":1}'
    """
    more: dict[str, Any] = extra_of(settings)
    if settings.reasoning:
        more |= {"reasoning tokens": settings.reasoning}
    if not more:
        return settings.model
    return f"{settings.model} {json.dumps(more, sort_keys=True, separators=(',', ':'))}"


def extra_of(settings: EndpointSettings) -> dict[str, Any]:
    """Parameters that the user adds to every request."""
    try:
        extra = json.loads(settings.extra) if settings.extra.strip() else {}
    except ValueError as error:
        raise BadInput(f"the extra parameters are no JSON ({error}): {settings.extra}") from error
    if not isinstance(extra, dict):
        raise BadInput(f'the extra parameters are no object: write {{"name": value}}, not {extra}')
    for name in extra:
        if name in OURS:
            raise BadInput(f"the extra parameter {name} would change what is asked: leave it out")
        if SECRET.search(name):
            raise BadInput(
                f"{name} among the extra parameters would be stored: use the environment"
            )
    return extra


def key_of(preset: Preset) -> str | None:
    """Read the key from the environment; None where there is none and none is needed."""
    key = os.environ.get(preset.key_variable or "", "").strip()
    other = os.environ.get(ANY_KEY, "").strip()
    if not key and (_takes_any(preset) or (preset.key_needed and other.startswith(OPENROUTER_KEY))):
        key = other
    if not key and preset.key_needed:
        raise BadInput(f"{preset.base_url} needs a key: export {preset.key_variable}=...")
    if not (key.isascii() and key.isprintable()):
        raise BadInput(f"{preset.key_variable} holds characters that no key has: export it again")
    return key or None


def _takes_any(preset: Preset) -> bool:
    """Whether a local server that may want a key gets the one that is there."""
    return preset.local and preset.key_variable is not None
