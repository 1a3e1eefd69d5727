"""How well an SAE fits its place, as measured when it was cached: for scripts and for people."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from data.percents import percent
from data.records import HookpointRecord, Losses


def as_object(hookpoint: HookpointRecord) -> dict[str, Any]:
    """Give the figures JSON-ready; what was not measured is None."""
    losses = hookpoint.losses
    return {
        "fvu": hookpoint.fvu,
        "l0": hookpoint.l0,
        "loss": None if losses is None else asdict(losses) | _recovered(losses),
    }


def _recovered(losses: Losses) -> dict[str, float | None]:
    return {
        "recovered_zero": losses.recovered_zero,
        "recovered_mean": losses.recovered_mean,
    }


def in_words(fit: Mapping[str, Any]) -> str:
    """Say what was measured, e.g. "FVU 0.18, L0 16.0, loss recovered 96 % (mean), 99 % (zero)"."""
    said = [
        f"{name} {fit[key]:{form}}"
        for name, key, form in (("FVU", "fvu", ".2f"), ("L0", "l0", ".1f"))
        if fit[key] is not None
    ]
    loss = fit["loss"]
    shares = [] if loss is None else [
        share_words(loss[f"recovered_{against}"], against, with_name=False)
        for against in ("mean", "zero")
    ]  # fmt: skip
    return ", ".join([*said, *([f"loss recovered {', '.join(shares)}"] if shares else [])])


def share_words(share: float | None, against: str, *, with_name: bool = True) -> str:
    """Say how much of the loss is recovered; None: replacing what is rebuilt hardly costs any.

    >>> share_words(0.957, "mean")
    '96 % of the loss recovered (mean)'
    """
    if share is None:
        return f"{'loss recovered ' * with_name}not meaningful ({against}: the loss hardly changes)"
    return f"{percent(share)}{' of the loss recovered' * with_name} ({against})"
