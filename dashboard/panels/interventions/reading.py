"""One feature to read: its explanation and figures at one KL, and what it does to every prompt."""

import streamlit as st

from core.drawing import cards
from core.drawing.cards import Fact
from core.drawing.spans import block, escape, one_line
from core.intervening.spelling import spelling
from dashboard import session
from dashboard.library import Place
from dashboard.panels.interventions import drawn
from dashboard.panels.interventions.choice import Chosen
from data import interventions
from data.catalogue import Row

FEATURE = "views/feature.py"
ABLATION = "ablation"
EVERY = {"Scoring prompts": ("score",), "All prompts": ("score", "select", "explain")}


def show(chosen: Chosen, feature: int) -> None:
    """The KL, the figures, the prompts."""
    rows = {
        _name(row): row
        for row in chosen.rows
        if row["feature"] == feature and row["arm"] in ("feature", ABLATION)
    }
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    bar.html(block(f"<h5>Feature {feature}</h5>"))
    if not rows:
        st.html(cards.sentence(f"Feature {feature} is not in this study; “Measure features” "
                               "above measures it."))  # fmt: skip
        return
    row = rows[_pick(bar, list(rows), rows)]
    at = f"{chosen.place.hookpoint.name}/{feature}"
    bar.page_link(FEATURE, label="Open the feature", icon=":material/open_in_new:",
                  query_params={"cache": chosen.place.cache.name, "feature": at})  # fmt: skip
    exchanged = {one["target"]: one for one in chosen.rows
                 if one["arm"] == "shuffled" and one["feature"] == feature}  # fmt: skip
    figures(row, exchanged.get(row["target"]))
    prompts(chosen, row)


def _name(row: Row) -> str:
    return ABLATION if row["target"] is None else f"{row['target']:g}"


def _pick(bar, names: list[str], rows: dict[str, Row]) -> str:
    """The KL in the address, else the one with the highest score."""
    asked = st.query_params.get("kl", "")
    if asked not in names:
        asked = max(names, key=lambda name: (rows[name]["value"] is not None,
                                             rows[name]["value"] or 0.0))  # fmt: skip
    st.session_state["interventions.kl"] = asked
    ordered = sorted(names, key=lambda name: (name == ABLATION, float(name) if name != ABLATION
                                              else 0.0))  # fmt: skip
    bar.segmented_control("KL", ordered, key="interventions.kl", required=True,
                          format_func=lambda name: name if name == ABLATION else f"KL {name}",
                          label_visibility="collapsed", on_change=_put)  # fmt: skip
    return asked


def _put() -> None:
    st.query_params["kl"] = st.session_state["interventions.kl"]


def figures(row: Row, other: Row | None) -> None:
    """The explanation, the score and where it comes from, flags first."""
    if row["reason"]:
        st.html(cards.sentence(f"No score: {row['reason']}."))
    if row["text"]:
        st.html(block(f'<p class="big" dir="auto">{one_line(row["text"])}</p>'))
    facts = [
        Fact("Score", _number(row["value"]), _interval(row),
             "log p(explanation | with the push) − log p(explanation | without), nats, mean over "
             "the scoring prompts; 95 % bootstrap interval"),
        Fact("Per token", _number(row["per_token"]), f"nats, {row['n_tokens'] or '–'} tokens",
             "of the explanation with its quotation mark, as the judge cuts it"),
        Fact("Exchanged explanation", _number(other["value"] if other else None),
             f"nats, of #{other['other']}" if other else "not measured",
             "the same texts judged with another feature's explanation"),
        Fact("KL achieved", "–" if row["kl"] is None else f"{row['kl']:.3g}", "nats",
             "mean over the scoring prompts, at their last token"),
        Fact("Strength", "–" if row["strength"] is None else f"{row['strength']:.3g}",
             "units of activation", "how far the feature is pushed along its decoder row"),
        Fact("Prompts", f"{row['n_prompts']}", f"{row['n_failed']} without an answer"),
    ]  # fmt: skip
    st.html(cards.fact_strip(facts))
    if row["note"]:
        st.html(block(f'<p class="mut">Prompts: {escape(row["note"])}.</p>'))
    if row["candidates"]:
        st.html(drawn.candidates(row["candidates"], row["text"]))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:+z.2f}"


def _interval(row: Row) -> str:
    if row["low"] is None:
        return "nats"
    error = "" if row["error"] is None else f", ± {row['error']:z.2f}"
    return f"nats [{row['low']:z.2f}, {row['high']:z.2f}]{error}"


def prompts(chosen: Chosen, row: Row) -> None:
    """The prompts with both continuations side by side."""
    found = session.library().ask(
        interventions.prompts, chosen.at, row["arm"], row["feature"], row["target"]
    )
    if not found:
        return
    which = st.segmented_control("Prompts", list(EVERY), default="Scoring prompts", required=True,
                                 key="interventions.which",
                                 label_visibility="collapsed")  # fmt: skip
    every = spelled(chosen.place, found)
    st.html(drawn.prompts([one for role in EVERY[which] for one in every if one.role == role]))


def spelled(place: Place, found: list[Row]) -> list[drawn.Shown]:
    """Stored prompts as text."""
    bench = session.workbench(place.cache)
    spelt = spelling(bench.files)
    flat = bench.files.tokens.matrix().reshape(-1)
    out = []
    for row in found:
        first = int(row["first_token"])
        text = spelt(flat[first : first + int(row["length"])].tolist())
        out.append(drawn.shown(row, spelt, text))
    return out
