"""Pooled figures in sentences, and the table of features by KL."""

from typing import Any

import pandas as pd
import streamlit as st

from core.drawing.spans import block, escape, plain
from core.intervening.pooled import WORDS, Arm, Target
from dashboard.charts.interventions import interventions_figure, interventions_table
from dashboard.commands import counted
from dashboard.panels import chart
from dashboard.panels.interventions.choice import Chosen

KEY = "interventions-by-kl"
ROW, HEIGHT = 35, 320  # pixels: of a row, of the table at most


def pooled(chosen: Chosen) -> int | None:
    """The chart with its sentences; gives the feature whose point was clicked."""
    targets = chosen.targets
    picked = chart.clickable(interventions_figure(targets), lambda: interventions_table(targets),
                             key=KEY)  # fmt: skip
    st.html(block("".join(f"<p>{escape(target.sentence)}</p>" for target in targets)))
    with st.expander("Pooled figures"):
        st.dataframe(pooled_table(targets), hide_index=True, key="interventions.pooled",
                     placeholder="–")  # fmt: skip
    if isinstance(picked, list) and len(picked) == 2 and picked[0] != "random-sae":
        return int(picked[1])
    return None


def pooled_table(targets: list[Target]) -> pd.DataFrame:
    """One row a KL and arm."""
    rows = [
        {
            "KL": target.target if arm.arm != "ablation" else None,
            "Scores of": WORDS[arm.arm],
            "n": len(arm.values),
            "Flagged": arm.flagged,
            "KL achieved": arm.kl,
            "Mean, nats": arm.mean and arm.mean.value,
            "95 % interval": _interval(arm),
            "Features more by": arm.more and arm.more.value,
            "95 % interval of that": "" if arm.more is None else
            f"{arm.more.low:z.2f} to {arm.more.high:z.2f}",
        }
        for k, target in enumerate(targets)
        for arm in target.arms.values()
        if arm.arm != "ablation" or k == len(targets) - 1
    ]  # fmt: skip
    return pd.DataFrame(rows).round(3)


def _interval(arm: Arm) -> str:
    return "" if arm.mean is None else f"{arm.mean.low:z.2f} to {arm.mean.high:z.2f}"


def features(chosen: Chosen) -> int | None:
    """One row a feature; gives the one whose row was chosen."""
    table = features_table(chosen)
    st.html(block(f"<h5>{counted(len(table), 'features')}<span>score in nats ± standard error "
                  "over prompts; choose a row to read it</span></h5>"))  # fmt: skip
    picked = st.dataframe(
        table, hide_index=True, key="interventions.features", on_select="rerun",
        height=min(HEIGHT, ROW * (len(table) + 1) + 3),
        selection_mode="single-row", placeholder="–", column_config=_columns(table),
    )  # fmt: skip
    rows = picked["selection"]["rows"]
    name = f"gloss-interventions-{chosen.place.cache.name}.csv"
    st.download_button("CSV of the table", lambda: table.to_csv(index=False), name, "text/csv",
                       key="interventions.csv", icon=":material/download:", type="tertiary",
                       on_click="ignore")  # fmt: skip
    return int(table["Feature"].iloc[rows[0]]) if rows and rows[0] < len(table) else None


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    scores = {name: number(format="%+.3f" if name.startswith("KL") else "%.3f", width=72)
              for name in table.columns[3:]}  # fmt: skip
    return scores | {
        "Feature": number(width=70, format="%d"), "Explanation": text(width=360),
        "Flags": number("No score", width=70, help="KLs at which it has no score; the row "
                        "says why"),
    }  # fmt: skip


def features_table(chosen: Chosen) -> pd.DataFrame:
    """A feature's score at every KL with its error, its best explanation, and what is flagged."""
    by_feature: dict[int, dict[str, object]] = {}
    best: dict[int, float] = {}
    for row in chosen.rows:
        if row["arm"] != "feature":
            continue
        found = by_feature.setdefault(
            row["feature"], {"Feature": row["feature"], "Explanation": "", "Flags": 0}
        )
        found[f"KL {row['target']:g}"] = row["value"]
        found[f"± {row['target']:g}"] = row["error"]
        if row["value"] is None:
            found["Flags"] = int(str(found["Flags"])) + 1
        elif row["value"] > best.get(row["feature"], -float("inf")):
            best[row["feature"]] = row["value"]
            found["Explanation"] = plain(row["text"] or "")
    return pd.DataFrame(list(by_feature.values())).round(4)
