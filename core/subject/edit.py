"""What is changed in a running model, and where."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor


class Edit(NamedTuple):
    """A change of what the model computes at one place, whatever it is running."""

    read: str  # hookpoint that the change looks at
    write: str  # hookpoint that is changed: the same, or one that is computed later
    change: Callable[[Tensor, Tensor], Tensor]  # (read, written) -> new, [batch, sequence, width]
