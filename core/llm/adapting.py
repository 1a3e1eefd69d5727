"""What an endpoint does not take is left out from then on, and said once.

A parameter goes when a 400 or 422 complains about it. The request stays the same request: it states
what was wished for, and a reply without, say, log-probabilities just has none.
"""

import re
from collections.abc import Mapping
from threading import Lock
from typing import Any

from core.llm.settings import EndpointSettings

COMPLAINT = re.compile(
    r"support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|not available"
    r"|not implemented|not enabled|invalid|incompatible|only|must be|can(no|')t|less than|between",
    re.IGNORECASE,
)
NOT_KNOWN = re.compile(
    r"max_completion_tokens|support|unrecogni[sz]ed|unknown|unexpected|not permitted", re.IGNORECASE
)
TOO_LONG = re.compile(r"too (large|long|many)|context (length|window|size)|exceed", re.IGNORECASE)
FEW = 5  # alternatives that endpoints with a limit below 20 allow

# Parameters of a body, the words that a complaint has for them, and the setting that insists.
OPTIONAL = (
    ("response_format", r"response_format|json_schema|json schema|structured|guided|grammar",
     "structured"),
    ("top_logprobs", r"top_logprobs", "logprobs"),
    ("logprobs", r"logprobs", "logprobs"),
    ("seed", r"\bseed\b", ""),
    ("max_tokens", r"max_tokens|max_completion_tokens", ""),
    ("temperature", r"\btemperature\b", ""),
)  # fmt: skip


class Adaptation:
    """Which parameters one endpoint takes, as far as it has said; shared by threads."""

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._left_out: set[str] = set()
        self._few = False  # alternatives
        self._renamed = False  # max_tokens is max_completion_tokens
        self.notes: tuple[str, ...] = ()  # what was found out, a sentence each

    def applied(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Leave out what the endpoint does not take."""
        with self._lock:
            out = {name: value for name, value in body.items() if name not in self._left_out}
            if self._renamed and "max_tokens" in out:
                out["max_completion_tokens"] = out.pop("max_tokens")
            if self._few and "top_logprobs" in out:
                out["top_logprobs"] = min(FEW, out["top_logprobs"])
        return out

    def learn(self, sent: Mapping[str, Any], message: str, parameter: str) -> bool:
        """Read a complaint about a body; say whether it is worth sending again, without.

        parameter: the one that the endpoint names, where it does.
        """
        if TOO_LONG.search(message) or not (COMPLAINT.search(message) or parameter):
            return False
        for name, words, setting in OPTIONAL:
            present = name in sent or (name == "max_tokens" and "max_completion_tokens" in sent)
            insisted = setting and getattr(self._settings, setting) == "on"
            if present and not insisted and re.search(words, f"{parameter} {message}", re.I):
                with self._lock:
                    return self._drop(name, sent, message)
        return False

    def _drop(self, name: str, sent: Mapping[str, Any], message: str) -> bool:
        """Change one thing; False where nothing is left to change."""
        if name == "max_tokens":
            if "max_completion_tokens" in sent or not NOT_KNOWN.search(message):
                return False  # it is known, and its value does not please
            self._renamed = self._note(self._renamed, "takes max_completion_tokens for max_tokens")
            return True
        if name == "top_logprobs":
            if sent[name] > FEW and re.search(r"\d", message):
                self._few = self._note(self._few, f"gives {FEW} alternatives to a token at most")
                return True
            name = "logprobs"
        known = name in self._left_out
        self._note(known, f"does not take {name}: it is asked without")
        self._left_out |= {name, "top_logprobs"} if name == "logprobs" else {name}
        return True

    def _note(self, known: bool, what: str) -> bool:
        """Say something once."""
        if not known:
            self.notes += (f"{self._settings.model} {what}",)
        return True
