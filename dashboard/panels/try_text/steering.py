"""Steering one feature: settings, the job that writes on, and what became of the text."""

from collections.abc import Callable, Hashable
from threading import Event

import pandas as pd
import streamlit as st

from core.drawing import cards
from core.drawing.cards import Fact
from core.drawing.spans import block, escape, heading
from core.probe import Continued, Probe
from core.steered import LONGEST, Mode, Steering, Where, Writing
from dashboard import session
from dashboard.charts.steering import divergence_figure
from dashboard.commands import duration
from dashboard.jobs import Job
from dashboard.panels import chart
from dashboard.panels.try_text import drawn, feature, rules
from dashboard.panels.try_text.asking import Asked
from dashboard.panels.try_text.fired import Reading
from dashboard.panels.try_text.holding import CANCELLED
from dashboard.panels.try_text.loading import patiently, waiting
from dashboard.session import KEPT
from data.errors import Stopped
from data.records import Progress

MOST_TEXTS = 4
MODES: dict[str, Mode] = {"Add": "add", "Ablate": "ablate", "Set": "set"}
WHERE: dict[str, Where] = {"From the last token on": "end", "Whole prompt too": "everywhere"}
WHAT = {
    "Add": "Adds the feature's decoder direction to what the subject computes",
    "Ablate": "Takes out what the feature adds; the SAE's error is kept",
    "Set": "Holds the feature at a value, whatever it would be",
}


def show(asked: Asked, reading: Reading, probe: Probe) -> None:
    """Settings left, the feature on the prompt right, the texts below."""
    left, right = st.columns([1.2, 1], gap="large")
    with right:
        claims = rules.claims(asked, reading.found, probe)
        feature.about(asked, reading, claims)
        feature.shaded(asked, reading, claims)
    with left:
        if asked.feature is None:
            st.html(cards.sentence("Choose the feature to steer: type its number beside Run, or "
                                   "come from its page."))  # fmt: skip
            return
        steering, writing = settings(asked, reading)
        key = ("try.steer", asked.place.cache.cache_id, asked.place.hookpoint.name, asked.text,
               steering, writing)  # fmt: skip
        pressed = st.button("Write on", type="primary", icon=":material/edit_note:",
                            key="try.write")  # fmt: skip
        job = session.library().jobs.get(key)
        if pressed and (job is None or not job.is_running):
            label = f"steering feature {steering.feature}"
            task = work(asked, probe, steering, writing)
            job = session.library().jobs.start_telling(key, label, task)
        job = watched(key, job)
    if job is not None:
        result(asked, probe, job.result, steering)


def settings(asked: Asked, reading: Reading) -> tuple[Steering, Writing]:
    """The widgets; all of them in the address."""
    assert asked.feature is not None
    largest = reading.maxima[asked.place.hookpoint.name].get(asked.feature, 0.0)
    known = session.library().feature(asked.place, asked.feature).facts or {}
    largest = largest or known.get("max_activation") or 0.0
    edit = st.segmented_control("Edit", list(MODES), default="Add", required=True, key="edit",
                                label_visibility="collapsed", **KEPT)  # fmt: skip
    unit = f"its largest activation ({largest:.2f})" if largest else "raw units: it never fired"
    st.caption(f"{WHAT[edit]}." + f" Strength in units of {unit}." * (edit != "Ablate"))
    strength = st.slider("Strength", -10.0, 20.0, 1.0, 0.25, key="strength", format="%.2f ×",
                         disabled=edit == "Ablate", **KEPT)  # fmt: skip
    where = st.segmented_control("Where", list(WHERE), default="From the last token on",
                                 required=True, key="where", **KEPT)  # fmt: skip
    writing = _writing()
    steering = Steering(
        asked.feature, MODES[edit], 0.0 if edit == "Ablate" else float(strength), largest or 1.0,
        WHERE[where],
    )  # fmt: skip
    return steering, writing


def _writing() -> Writing:
    """How the text goes on."""
    one, two, three, four = st.columns(4)
    n = one.number_input("New tokens", 1, LONGEST, 20, key="new", **KEPT)
    heat = two.number_input("Temperature", 0.0, 2.0, 0.0, 0.1, key="heat", format="%.1f",
                            help="0: always the likeliest token.", **KEPT)  # fmt: skip
    is_drawn = heat > 0
    texts = three.number_input("Texts", 1, MOST_TEXTS, 1, key="texts", disabled=not is_drawn,
                               help="Several differ only where tokens are drawn.",
                               **KEPT)  # fmt: skip
    seed = four.number_input("Seed", 0, 2**31 - 1, 0, key="seed", disabled=not is_drawn,
                             help="Both sides draw with the same numbers.", **KEPT)  # fmt: skip
    return Writing(int(n), int(texts) if is_drawn else 1, round(float(heat), 2),
                   int(seed) if is_drawn else 0)  # fmt: skip


def work(
    asked: Asked, probe: Probe, steering: Steering, writing: Writing
) -> Callable[[Event, Callable[[Progress], None]], Continued]:
    """The job: it says how far it is, and can be stopped between tokens."""
    prompt, hookpoint = asked.text, asked.place.hookpoint.name

    def run(stop: Event, tell: Callable[[Progress], None]) -> Continued:
        def watch(done: int, total: int) -> None:
            if stop.is_set():
                raise Stopped(CANCELLED)
            tell(Progress("writing", done, total, "passes"))

        return probe.steer(prompt, hookpoint, steering, writing, watch)

    return run


def watched(key: Hashable, job: Job | None) -> Job | None:
    """The job when it has a result; else say how far it is, or what went wrong."""
    if job is None:
        st.html(block('<p class="mut">Nothing is written with these settings yet.</p>'))
        return None
    if patiently(job).is_running:
        waiting(key, _progress)
        return None
    if job.error:
        st.html(cards.sentence(f"Nothing was written: {job.error}."))
        return None
    return job


def _progress(job: Job) -> str:
    said = job.progress
    words = f"pass {said.done + 1} of {said.total}" if said else "beginning"
    return f"Writing with and without the edit: {words} … {duration(job.seconds)}"


def result(asked: Asked, probe: Probe, found: Continued, steering: Steering) -> None:
    """Divergence, texts side by side, tokens that move."""
    st.html(cards.fact_strip(facts(found, steering)))
    if said := beyond(found, probe):
        st.html(block(f'<p class="mut">{escape(said)}</p>'))
    if is_silent := steering.mode == "ablate" and not found.steered.activation:
        st.html(cards.sentence(silent_words(found, steering)))
    steered = found.steered
    pairs = [
        drawn.Pair(_spelled(probe, clean), _spelled(probe, moved), _alike(clean.ids, moved.ids))
        for clean, moved in zip(steered.clean, steered.steered, strict=True)
    ]
    st.html(drawn.side_by_side(asked.text, pairs))
    left, right = st.columns(2, gap="large")
    with left:
        moves = drawn.movers(_named(probe, steered.rising), _named(probe, steered.falling))
        st.html(heading("Next token", "probability without → with the edit") + moves)
    with right:
        if is_silent and not any(map(any, steered.kl_by_token)):
            st.html(heading("Divergence", "none: the feature is silent, nothing was taken out"))
            return
        chart.show(divergence_figure(steered.kl_by_token), lambda: numbers(probe, found),
                   key="steering")  # fmt: skip


def silent_words(found: Continued, steering: Steering) -> str:
    """Why an ablation may change nothing: there is nothing to take out at this place."""
    words = "The feature is silent at the last token of the prompt, so nothing is taken out there"
    if steering.where == "everywhere":
        return f"{words}; it may fire on earlier tokens, where it is taken out."
    if not any(map(any, found.steered.kl_by_token)):
        words += " nor at the tokens written"
    return f"{words}. “Whole prompt too” takes it out where it fires in the prompt."


def beyond(found: Continued, probe: Probe) -> str:
    """A warning where prompt and text are longer than what the cache's activations come from."""
    longest, usual = max(map(len, found.steered.kl_by_token), default=0), probe.text_length
    total = found.n_prompt + longest
    if total <= usual:
        return ""
    return (f"Prompt and text are {total:,} tokens, more than the {usual:,} of a sequence in the "
            "cache: what the feature does beyond them was not measured there.")  # fmt: skip


def _spelled(probe: Probe, text) -> drawn.Written:
    return drawn.Written(probe.pieces(text.ids), text.is_ended)


def _named(probe: Probe, changes) -> list[tuple[str, float, float]]:
    return [(probe.pieces([c.token])[0], c.before, c.after) for c in changes]


def _alike(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Tokens at the beginning that two texts share."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def facts(found: Continued, steering: Steering) -> list[Fact]:
    """The figures over the texts."""
    steered = found.steered
    raw = steering.strength * steering.scale
    removed = f"{-steered.activation:+.2f}" if steered.activation else "–"
    edits = {"add": ("Added", f"{raw:+.2f}"), "set": ("Set to", f"{raw:.2f}"),
             "ablate": ("Ablated", removed)}  # fmt: skip
    label, value = edits[steering.mode]
    cut = f", {found.n_cut:,} before them left out" if found.n_cut else ""
    return [
        Fact("KL at the next token", f"{steered.kl:.3g}", "nats",
             "KL(without || with the edit) of the distribution after the prompt's last token"),
        Fact(label, value, "silent" if value == "–" else "raw, along the decoder",
             "at the last token of the prompt"),
        Fact("Feature there", f"{steered.activation:.2f}",
             "raw" if steered.activation else "silent",
             "its activation at the last prompt token without the edit"),
        Fact("Prompt", f"{found.n_prompt:,}", f"tokens{cut}"),
    ]  # fmt: skip


def numbers(probe: Probe, found: Continued) -> pd.DataFrame:
    """The divergence before every token of every text."""
    rows = []
    for number, (text, apart) in enumerate(
        zip(found.steered.steered, found.steered.kl_by_token, strict=True), 1
    ):
        pieces = [*probe.pieces(text.ids), *["(end of text)"] * text.is_ended]
        rows += [
            {"text": number, "token": place, "piece": piece, "kl_nats": kl}
            for place, (piece, kl) in enumerate(zip(pieces, apart, strict=True), 1)
        ]
    return pd.DataFrame(rows)
