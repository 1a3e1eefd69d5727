"""A comparison of two runs as tables, for the page and for downloads; no Streamlit."""

from collections.abc import Sequence

import pandas as pd

from core.comparing import Comparison, Group
from core.comparing.agreement import Agreement
from core.comparing.words import p_words, spanned


def pairs_table(found: Comparison) -> pd.DataFrame:
    """Every pair, for the download."""
    pairs = found.pairs
    return pd.DataFrame(
        {
            "hookpoint": [found.names[i] for i in pairs.place.tolist()],
            "feature": pairs.feature,
            "score": found.question.scorer,
            "a": pairs.first,
            "b": pairs.second,
            "difference": pairs.difference,
            "explanation_a": pairs.explanations[:, 0],
            "explanation_b": pairs.explanations[:, 1],
            "density": pairs.density,
            "many_failed": ~pairs.is_ranked,
        }
    )


def figure_table(found: Comparison) -> pd.DataFrame:
    """What the figure draws: every pair, whose differences it counts, then the curves."""
    pairs, curves = pairs_table(found), curve_table(found)
    parts = [pairs.assign(panel="pairs"), curves.assign(panel="share right by place")]
    whole = pd.concat([part for part in parts if len(part)], ignore_index=True)
    whole.insert(0, "panel", whole.pop("panel"))
    return whole


def curve_table(found: Comparison) -> pd.DataFrame:
    """Share right by place of either side."""
    return pd.DataFrame(
        [
            {"side": letter, "place": share.place, "right": share.right, "n": share.n,
             "share": share.figure.value, "low": share.figure.low, "high": share.figure.high}
            for letter, curve in zip("ab", found.curves, strict=True)
            for share in curve
        ],
        columns=["side", "place", "right", "n", "share", "low", "high"],
    )  # fmt: skip


def parts_table(found: Comparison, agreements: Sequence[Agreement]) -> pd.DataFrame:
    """What the second figure draws: means by hookpoint and by density, then its points."""
    rows = [
        _group_row(name, group)
        for name, groups in (("hookpoint", found.by_hookpoint), ("density", found.by_density))
        for group in groups
    ]
    scores = pairs_table(found)[["hookpoint", "feature", "a", "b"]].assign(by="distribution")
    points = [
        pd.DataFrame({"by": f"detection against fuzzing of {letter}",
                      "detection": one.detection, "fuzzing": one.fuzzing})
        for letter, one in zip("ab", agreements, strict=True) if len(one.detection)
    ]  # fmt: skip
    return pd.concat([pd.DataFrame(rows), scores, *points], ignore_index=True)


def _group_row(by: str, group: Group) -> dict[str, object]:
    row: dict[str, object] = {"by": by, "group": group.name, "n": group.n}
    for name, figure in (("a", group.first), ("b", group.second), ("difference", group.difference)):
        row |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return row


def against_reference(found: Sequence[Comparison], names: Sequence[str]) -> pd.DataFrame:
    """One row a run: its difference from A."""
    return pd.DataFrame(
        [
            {
                "Run": name,
                "Difference": spanned(one.difference) if one.difference else "no common feature",
                "p, adjusted": p_words(one.p),
                "Features": one.n,
                "Wins": one.wins,
                "Ties": one.ties,
                "Losses": one.losses,
                "Left out": one.left_out.n,
                "Same judge": "yes" if one.judge else "no",
            }
            for name, one in zip(names, found, strict=True)
        ]
    )
