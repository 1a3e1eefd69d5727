"""Noise over a grid of strengths: how far each subject's predictions move.

sweep=  diff_id of the sweep shown
"""

import streamlit as st

from core.diffing.points import curves
from core.drawing.cards import sentence
from core.drawing.spans import block, escape, plain
from dashboard import session
from dashboard.charts.two_models import noise_figure, noise_table
from dashboard.panels import chart
from dashboard.panels.two_models.choice import Chosen, measured, picked, start
from data import diffs
from data.diffs import DiffRecord


@session.guarded
def show(chosen: Chosen) -> None:
    """The curves of a sweep; or how to measure one."""
    sweeps = measured(chosen, "noise")
    if not sweeps:
        st.html(sentence(
            "No noise was added yet. This adds noise, and random directions as its control, to "
            "what both subjects compute at this place, and measures how far their predictions "
            "move:", session.command(words_of(chosen, None, "")))
        )  # fmt: skip
        form(chosen)
        return
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    diff = picked(bar, sweeps, "sweep", "Sweep", name_of, 340)
    with bar.popover("Another sweep", icon=":material/add:"):
        form(chosen)
    points = session.library().ask(diffs.points_of, diff.diff_id)
    st.html(block(f'<p class="mut">{escape(said(diff, points))}</p>'))
    kl = curves(points, "kl")
    target = curves(points, "target") if diff.settings["target"] else []
    chart.show(noise_figure(kl, [one for one in target if one.side < 3], len(points[0].kl)),
               lambda: noise_table(kl, target), key="two-noise")  # fmt: skip


def name_of(diff: DiffRecord) -> str:
    """A sweep in a few words."""
    asked = diff.settings
    parts = ["noise", *[f"feature {asked['feature']}"] * (asked["feature"] is not None)]
    parts += [f"target “{plain(asked['target'])[:24]}”"] * bool(asked["target"])
    return f"#{diff.diff_id} " + ", ".join(parts)


def said(diff: DiffRecord, points: list[diffs.Point]) -> str:
    """What was done, in a sentence or two."""
    asked = diff.settings
    lengths = {point.side: point.length for point in points}
    where = ("prompts of a file" if asked["texts"]
             else f"sequences of the cache, {asked['prompt_tokens']} tokens each")  # fmt: skip
    steps = f", and along feature {asked['feature']}" * (asked["feature"] is not None)
    unit = " and ".join(f"{length:.3g}" for _, length in sorted(lengths.items()))
    target = f" Target text: “{plain(asked['target'])}”." * bool(asked["target"])
    return (
        f"Noise of its own direction at every token{steps}; control: {asked['controls']} random "
        f"directions. {len(points[0].kl)} {where}. Strength 1 is the mean length of the vectors "
        f"there: {unit}.{target}"
    )


def words_of(chosen: Chosen, feature: int | None, target: str) -> list[str]:
    """The command of a sweep."""
    words = ["gloss", "diff", "noise", chosen.first.name, "--with", chosen.second.name,
             "--hookpoint", chosen.places[0].name]  # fmt: skip
    words += ["--feature", str(feature)] if feature is not None else []
    return words + (["--target", target] if target else [])


def form(chosen: Chosen) -> None:
    """What to add besides noise, and which text to read; run as a process."""
    feature = st.number_input("Along a feature too", 0, chosen.places[0].n_features - 1, None,
                              key="two.noise.feature", placeholder="none")  # fmt: skip
    target = st.text_input("Target text", key="two.noise.target", max_chars=500,
                           placeholder="none",
                           help="Its log-probability after each prompt is read, e.g. the answer "
                           "that should not come.")  # fmt: skip
    start("Add noise", words_of(chosen, feature, target.strip()), "two.noise.run")
