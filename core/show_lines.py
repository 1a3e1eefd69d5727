"""A feature of `gloss show` in lines for people, from the object that scripts are given."""

from collections.abc import Iterator
from typing import Any

from core.examples.activating import N_DECILES
from core.nulls.figures import FEWEST
from data.percents import percent


def paragraphs(found: dict[str, Any]) -> Iterator[str]:
    """Write a feature for people: what is known, explanations with scores, its first contexts."""
    top = found["max_activation"]
    yield (
        f"{found['cache']}  {found['hookpoint']}/{found['feature']}: {_activity(found)}, "
        f"max {'unknown' if top is None else f'{top:.2f}'}"
        + (f"; {found['reason']}" if found["reason"] else "")
    )
    for shown in found["explanations"]:
        who = " ".join(filter(None, (shown["explainer"], shown["model"])))
        yield f"  {shown['text'] or shown['error']}  ({who})"
        for score in shown["presets"]:
            value = score.get("balanced_accuracy", score.get("value"))
            low, high = score["interval"]
            span = f" [{low:.2f}, {high:.2f}]" if low is not None else ""
            why = f" ({score['reason']})" if score["reason"] else ""
            figure = f"undefined{why}" if value is None else f"{value:.2f}{span}"
            yield (
                f"    {score['scorer']} {figure}, n {score['n']}, failed {score['failed']}, "
                f"{_said_by(score)}{_cut(score)}{_among_nulls(score)}"
            )
    for example in found["examples"][:20]:
        peak = max(example["activations"])
        text = "".join(example["tokens"]).replace("\n", "↵")
        yield f"  {example['decile'] or '-':>2}  {peak:7.2f}  {text}"


def _activity(found: dict[str, Any]) -> str:
    """How often a feature fires; an import of contexts may say it as a share, or not at all."""
    if found["n_active"] is None and found["frequency"] is not None:
        return f"active on {percent(found['frequency'], 3)} of the tokens, as the import says"
    if found["n_active"] is None:
        return "its number of firings is not in the import"
    return f"active on {found['n_active']:,} tokens ({percent(found['frequency'] or 0, 3)})"


def _said_by(score: dict[str, Any]) -> str:
    """Who answered about what, e.g. "judged by llama, preset quick"; a check needs no preset."""
    if score["preset"] == "exact":
        return "checked"
    return f"judged by {score['judge']}, preset {score['preset']}"


def _cut(score: dict[str, Any]) -> str:
    """Say so where a run cut contexts into fewer slices than the deciles that they stand at."""
    n, is_used = score["slices"], any(one["n"] for one in score["by_decile"])
    if n == N_DECILES or not is_used:
        return ""
    return f", contexts cut into {n} slices, each at its highest decile"


def _among_nulls(score: dict[str, Any]) -> str:
    """Where it stands among null scores, e.g. ", above 97 % of 150 shuffled"."""
    return "".join(
        f", above {percent(place['value'])} of {place['n']} {kind}"
        for kind, place in score["percentile"].items()
        if place["n"] >= FEWEST
    )
