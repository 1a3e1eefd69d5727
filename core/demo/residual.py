"""The residual stream of the demo subject, read by plain forward hooks.

Training needs neither tracing nor an early stop, so this stays apart from `core.subject`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from core.demo.text import BOS_ID


@torch.inference_mode()
def activations(model: nn.Module, ids: Tensor, hookpoints: tuple[str, ...]) -> dict[str, Tensor]:
    """Run sequences and keep what leaves each hookpoint at ordinary tokens.

    ids [sequence, position] -> float16 [token, d_model] per hookpoint; special positions, whose
    residual is many times longer than any other, are left out.
    """
    parts: dict[str, list[Tensor]] = {name: [] for name in hookpoints}
    for batch in ids.split(32):
        with _recording(model, hookpoints) as seen:
            model(input_ids=batch, use_cache=False, logits_to_keep=1)
        for name in hookpoints:
            parts[name].append(seen[name][batch != BOS_ID].half())
    return {name: torch.cat(kept) for name, kept in parts.items()}


@contextmanager
def _recording(model: nn.Module, hookpoints: tuple[str, ...]) -> Iterator[dict[str, Tensor]]:
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            seen[name] = output

        return hook

    handles = [model.get_submodule(name).register_forward_hook(keep(name)) for name in hookpoints]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
