"""How far to push a feature, so that the next token's distribution moves by a given KL.

The edit is h + s W_dec[f] at the last prompt token (core/steering.py), s in units of the feature's
activation; KL is the mean over prompts of KL(clean || steered) of what follows it, in nats. log10 s
is searched over [-3, 4] from 2 in at most ten steps, by interpolation of log KL between the nearest
strengths on both sides, and halfway where one of them moves nothing (methods.md 5.9, 3).
In: token ids. Out: a strength, or why there is none. Knows nothing of texts and stores.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from core.hookpoints import written as write_place
from core.intervening.ends import Ends
from core.sae import Sae
from core.steered import Steering
from core.steering import divergence, edit_of
from core.subject import Edit, Subject
from data.errors import BadInput, NotFound

LOW, START, HIGH = -3.0, 2.0, 4.0  # log10 of the strength
STEPS = 10
TOLERANCE = 0.1  # share of the target
NO_POSITIONS = torch.ones(0, dtype=torch.bool)  # an edit at the end looks at no prompt

Tried = tuple[tuple[float, float], ...]  # strength and KL in nats


class Matched(NamedTuple):
    """A strength for a target, or why there is none."""

    strength: float | None  # raw: units of the feature's activation
    kl: float | None  # achieved, nats; None without a strength
    reason: str | None  # why there is no strength
    tried: Tried  # all strengths that were run, ascending


def matched(
    subject: Subject,
    sae: Sae,
    hookpoint: str,
    prompts: Sequence[Sequence[int]],
    feature: int,
    target: float,
    *,
    special_ids: Sequence[int] = (),
    tolerance: float = TOLERANCE,
) -> Matched:
    """Find the strength at which the mean KL at the prompts' ends is within tolerance of target.

    prompts: token ids with BOS, which end in an ordinary token; target in nats.
    """
    if any(not prompt or prompt[-1] in special_ids for prompt in prompts):
        raise BadInput(
            "a prompt has to end in an ordinary token: that is where a feature is pushed"
        )
    return search(Pushed(subject, sae, hookpoint, feature, Ends(subject, prompts)).kl, target,
                  tolerance=tolerance)  # fmt: skip


def pushing(sae: Sae, hookpoint: str, feature: int, strength: float) -> Edit:
    """The edit h + strength W_dec[feature] at the last prompt token and all that follow."""
    return edit_of(sae, hookpoint, Steering(feature, "add", strength), NO_POSITIONS)


def ablating(sae: Sae, hookpoint: str, feature: int) -> Edit:
    """The edit h - a_f W_dec[feature] at the same places."""
    return edit_of(sae, hookpoint, Steering(feature, "ablate"), NO_POSITIONS)


def require_decoder(sae: Sae) -> None:
    """Refuse an SAE that does not say where its features write."""
    if sae.W_dec is None:
        raise BadInput(
            f"the SAE {sae.origin.source or 'in memory'} has no decoder: nothing says which "
            "direction the feature writes, so it cannot be pushed"
        )


def firing(sae: Sae, hookpoint: str, feature: int, ends: Ends) -> list[bool]:
    """Whether the feature is on at the last token of each prompt as it is run, without an edit.

    A prompt is cut from a longer sequence, so what stood before it no longer counts, and the
    feature that was on there may be silent here.
    """
    here: list[Tensor] = []

    def noted(read: Tensor, written: Tensor) -> Tensor:
        active = sae.encode(read[:, -1])
        rows = active.row[(active.feature == feature) & (active.value > 0)]
        here[:] = [rows.cpu()]
        return written

    is_on = [False] * ends.n
    for group, _, _ in ends.begun(Edit(hookpoint, write_place(sae, hookpoint), noted)):
        for row in here[0].tolist():
            is_on[group.places[row]] = True
    return is_on


class Pushed:
    """The ends of some prompts under one feature."""

    def __init__(
        self,
        subject: Subject,
        sae: Sae,
        hookpoint: str,
        feature: int,
        ends: Ends,
        *,
        counted: Sequence[int] | None = None,
    ) -> None:
        """Run the ends without an edit; counted: prompts that the KL is the mean of, None = all."""
        require_decoder(sae)
        if not 0 <= feature < sae.n_features:
            raise NotFound(f"the SAE has features 0 to {sae.n_features - 1}, not {feature}")
        self._edit_at = lambda strength: pushing(sae, hookpoint, feature, strength)
        self._ends, self._counted = ends, counted
        self._clean = ends.logits(None)  # [prompts, vocabulary]

    def kl(self, strength: float) -> float:
        """Mean KL(clean || steered) of the next token at a strength, nats; exactly 0 at 0."""
        found = divergence(self._clean, self._ends.logits(self._edit_at(strength)))
        chosen = found if self._counted is None else [found[place] for place in self._counted]
        return sum(chosen) / len(chosen)


def search(
    kl: Callable[[float], float], target: float, *, tolerance: float = TOLERANCE, known: Tried = ()
) -> Matched:
    """Find s with kl(s) within tolerance of target, in at most ten runs; known ones cost nothing.

    >>> search(lambda s: 1e-4 * s**2, 0.25).strength
    50.0
    """
    if not 0 < target < math.inf:
        raise BadInput(f"a KL of {target:g} nats cannot be aimed at: give a number above 0")
    tried = dict(known)
    for _ in range(STEPS):
        found = _within(tried, target, tolerance)
        if found is not None:
            break
        at = _next(tried, target)
        if at is None:
            break
        tried[10**at] = kl(10**at)
    return _concluded(tried, target, tolerance)


def _within(tried: dict[float, float], target: float, tolerance: float) -> float | None:
    """The strength whose KL is nearest the target, where that is near enough."""
    if not tried:
        return None
    best = min(tried, key=lambda s: (not math.isfinite(tried[s]), abs(tried[s] - target)))
    return best if abs(tried[best] - target) <= tolerance * target else None


def _next(tried: dict[float, float], target: float) -> float | None:
    """Where to look next, log10 of a strength; None when both ends of the range were of no use."""
    low = max((s for s in tried if tried[s] < target), default=None)
    high = min((s for s in tried if not tried[s] < target and (low is None or s > low)),
               default=None)  # fmt: skip
    if low is None and high is None:
        return START
    if high is None:
        return None if math.log10(low or 1) >= HIGH - 1e-9 else HIGH
    above = math.log10(high)
    if low is None:
        if above <= LOW + 1e-9:
            return None
        return max(LOW, (LOW + above) / 2) if above > START - 1 else LOW
    below = math.log10(low)
    middle, width = (below + above) / 2, above - below
    if tried[low] <= 0 or not math.isfinite(tried[high]) or width > 2:
        return middle
    share = math.log(target / tried[low]) / math.log(tried[high] / tried[low])
    return below + width * min(0.9, max(0.1, share))


def _concluded(tried: dict[float, float], target: float, tolerance: float) -> Matched:
    every = tuple(sorted(tried.items()))
    best = _within(tried, target, tolerance)
    if any(not math.isfinite(value) for _, value in every):
        best = None
    reason = _reason(every, target, tolerance) if best is None else _falls(every, best, tolerance)
    if reason is not None or best is None:
        return Matched(None, None, reason, every)
    return Matched(best, tried[best], None, every)


def _reason(every: Tried, target: float, tolerance: float) -> str:
    values = [value for _, value in every]
    if not all(map(math.isfinite, values)):
        return f"at a strength of {_first_undefined(every):g} the KL is not a number"
    falls = _falls(every, every[-1][0], tolerance)
    if falls is not None:
        return falls
    if max(values) < target:
        return f"unreachable: at {every[-1][0]:g}, the largest strength, KL is {max(values):.3g}"
    if min(values) > target:
        return f"unreachable: at {every[0][0]:g}, the smallest strength, KL is {min(values):.3g}"
    nearest = min(values, key=lambda value: abs(value - target))
    return f"not matched in {len(every)} steps: the nearest KL is {nearest:.3g}"


def _first_undefined(every: Tried) -> float:
    return next(s for s, value in every if not math.isfinite(value))


def _falls(every: Tried, upto: float, tolerance: float) -> str | None:
    """Say where KL falls while the strength grows, by more than the tolerance, up to a strength."""
    for (s, kl), (t, next_kl) in pairwise(every):
        if t <= upto and next_kl < kl * (1 - tolerance):
            return f"not monotone: KL {kl:.3g} at {s:.3g}, {next_kl:.3g} at {t:.3g}"
    return None
