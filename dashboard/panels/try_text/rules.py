"""What the rules of an explanation claim of a text, beside what fires there."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from core.fired import Everything
from core.grammar import parse
from core.probe import Probe
from dashboard import session
from dashboard.commands import counted
from dashboard.panels.try_text.asking import Asked
from data import fired
from data.records import ExplanationRecord


class Claims(NamedTuple):
    """Tokens that rules claim."""

    explanation: ExplanationRecord
    by_token: np.ndarray  # bool [tokens]


def shown(asked: Asked) -> ExplanationRecord | None:
    """The explanation that tables show for the chosen feature."""
    hookpoint, feature = asked.place.hookpoint, asked.feature
    if feature is None:
        return None
    row = session.library().ask(fired.described, hookpoint.hookpoint_id, (feature,)).get(feature)
    usable = [e for e in session.library().feature(asked.place, feature).explanations if e.text]
    chosen = (e for e in usable if row and e.explanation_id == row["explanation_id"])
    return next(chosen, next(iter(usable), None))


def claims(asked: Asked, found: Mapping[str, Everything], probe: Probe) -> Claims | None:
    """What the chosen feature's rules claim: of the explanation shown, else of the newest."""
    everything = found.get(asked.place.hookpoint.name)
    if asked.feature is None or everything is None:
        return None
    known = session.library().feature(asked.place, asked.feature).explanations
    ruled = ruled_of(shown(asked), known)
    if ruled is None or not ruled.rule:
        return None
    return Claims(ruled, ~np.isnan(probe.claimed(everything, parse(ruled.rule))))


def ruled_of(
    shown: ExplanationRecord | None, known: Sequence[ExplanationRecord]
) -> ExplanationRecord | None:
    """The explanation whose rules can be asked."""
    return next((e for e in [*([shown] if shown else []), *known] if e.rule), None)


def words(claims: Claims, shown: ExplanationRecord | None, active: np.ndarray) -> str:
    """Right, false and missing claims, counted."""
    said = claims.by_token
    whose = "the rules"
    if shown is None or claims.explanation.explanation_id != shown.explanation_id:
        whose = f"the rules of explanation #{claims.explanation.explanation_id}"
    tokens = counted(int(said.sum()), "tokens")
    right, wrong, missed = (int(x.sum()) for x in (said & active, said & ~active, active & ~said))
    return f"{whose} claim {tokens}; right {right:,}, false alarms {wrong:,}, misses {missed:,}."
