"""A text that goes on token by token, with what a module computes changed on its way."""

import inspect
from typing import TYPE_CHECKING, Any

from torch import Tensor

from core.subject.edit import Edit

if TYPE_CHECKING:
    from core.subject.model import Subject


class Decoding:
    """A text that goes on; keys and values are kept, so that every token is run once.

    An edit therefore changes a token when it is run, and what later tokens see of it.
    """

    def __init__(self, subject: "Subject", edit: Edit | None) -> None:
        from transformers import DynamicCache

        self._subject, self._edit = subject, edit
        cache = DynamicCache(config=subject.model.config)
        known = inspect.signature(subject.model.forward).parameters
        # transformers renamed the argument within version 5 and warns of the old name.
        self._given: dict[str, Any] = {"cache" if "cache" in known else "past_key_values": cache}
        if "logits_to_keep" in known:
            self._given["logits_to_keep"] = 1

    def run(self, ids: Tensor) -> Tensor:
        """Append tokens [batch, sequence]; logits of what follows, float32 [batch, vocabulary]."""
        return self._subject.logits(ids, self._given, self._edit)
