"""A text that goes on token by token, with what a module computes changed on its way."""

import copy
import inspect
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from core.subject.edit import Edit

if TYPE_CHECKING:
    from core.subject.model import Subject


class Decoding:
    """A text that goes on; keys and values are kept, so that every token is run once.

    An edit therefore changes a token when it is run, and what later tokens see of it.
    """

    def __init__(
        self, subject: "Subject", edit: Edit | None, padding: Tensor | None = None
    ) -> None:
        """Begin; padding: tokens before each text that are none of it, int64 [batch]."""
        from transformers import DynamicCache

        self._subject, self._edit = subject, edit
        cache = DynamicCache(config=subject.model.config)
        known = inspect.signature(subject.model.forward).parameters
        # transformers renamed the argument within version 5 and warns of the old name.
        self._given: dict[str, Any] = {"cache" if "cache" in known else "past_key_values": cache}
        if "logits_to_keep" in known:
            self._given["logits_to_keep"] = 1
        self._padding, self._n = padding, 0

    def run(self, ids: Tensor) -> Tensor:
        """Append tokens [batch, sequence]; logits of what follows, float32 [batch, vocabulary]."""
        self._n += ids.shape[1]
        given = self._given
        if self._padding is not None:
            place = torch.arange(self._n) - self._padding[:, None]  # [batch, tokens], text from 0
            place = place.to(self._subject.device)
            positions = place.clamp_min(0)[:, -ids.shape[1] :]
            given = given | {"attention_mask": (place >= 0).long(), "position_ids": positions}
        return self._subject.logits(ids, given, self._edit)

    def branch(self, edit: Edit | None) -> "Decoding":
        """Go on from here in another text, with another change from here on or none.

        The keys and values are copied: neither text sees what is appended to the other.
        """
        other = copy.copy(self)
        other._given = copy.deepcopy(self._given)
        other._edit = None if edit is None else self._subject.resolved(edit)
        return other
