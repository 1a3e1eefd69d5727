"""The drawer that asks for another explanation of one feature, and waits for it beside the page."""

from dataclasses import asdict, fields
from typing import get_args

import streamlit as st

from core.grammar.settings import Families, Objective, Sampling, Settings
from core.pipeline.again import reexplain
from dashboard import cards, session
from dashboard.commands import duration
from dashboard.jobs import Job
from dashboard.library import FeatureRecord, Place
from data.records import ExplanationRecord

REOPEN = "reexplain.reopen"  # set when the page must draw the drawer again
EVERY = 0.3  # seconds between looks at the job
HELP = {found.name: found.metadata["help"] for found in fields(Settings)}
DATA = {"All train tokens": None, "Examples": 40}
FAMILY_NAMES = {"token": "Tokens", "form": "+ word forms", "context": "+ context before"}


@st.dialog("Re-explain", position="right", width=520)
@session.guarded
def drawer(
    place: Place, feature: int, record: FeatureRecord, shown: ExplanationRecord | None
) -> None:
    """Settings for a new explanation; the page stays readable behind it."""
    st.caption(
        f"Feature {feature} · {place.hookpoint.name} · grammar, no key and no network needed"
    )
    settings = chosen_settings()
    key = (place.cache.cache_id, place.hookpoint.hookpoint_id, feature, settings)
    job = session.library().jobs.get(key)
    if job is not None and job.is_running:
        progress(key, shown)
        return
    known = asked_before(record, settings)
    if job is not None and job.error and not arrived(known):
        st.html(cards.sentence(f"That did not work: {job.error}."))
    action = "Start"
    if known is not None:
        action = "" if arrived(known) else "Score it"
        st.html(cards.sentence(already(known)))
        if st.button("Show it", key="reexplain.show", type="secondary" if action else "primary"):
            arrive(known.explanation_id, shown)
    if action:
        st.caption("Explains, checks exactly on every token, scores detection and fuzzing · about "
                   "a second · costs nothing")  # fmt: skip
    if action and st.button(action, type="primary", key="reexplain.start"):
        start(place, feature, settings, key)
        st.rerun(scope="fragment")


def arrived(known: ExplanationRecord | None) -> bool:
    """Whether an earlier answer is complete: scored, or nothing that could be scored."""
    return known is not None and (known.text is None or bool(cards.score_of(known, "detection")))


def already(known: ExplanationRecord) -> str:
    """What the same settings gave before."""
    which = f"Already asked: explanation #{known.explanation_id} has these settings"
    if known.text is None:
        return f"{which} and gave no text ({known.error or known.status}); change a setting."
    return f"{which}." if arrived(known) else f"{which}; it is not scored yet."


def chosen_settings() -> Settings:
    """The widgets of the drawer."""
    data = st.segmented_control("Learn from", list(DATA), default="All train tokens", required=True,
                                key="reexplain.data", help=HELP["examples"])  # fmt: skip
    examples = None
    sampling: Sampling = "quantiles"
    if data == "Examples":
        examples = int(st.slider("Examples", 5, 200, 40, 5, key="reexplain.examples"))
        sampling = st.segmented_control("Sampling", list(get_args(Sampling)), default="quantiles",
                                        required=True, key="reexplain.sampling",
                                        help=HELP["sampling"])  # fmt: skip
    families = st.segmented_control(
        "Rules may ask for", list(get_args(Families)), default="context", required=True,
        format_func=FAMILY_NAMES.__getitem__, key="reexplain.families", help=HELP["families"],
    )  # fmt: skip
    objective = st.segmented_control("Objective", list(get_args(Objective)), default="f1",
                                     required=True, key="reexplain.objective",
                                     help=HELP["objective"])  # fmt: skip
    sizes = st.columns(2)
    rules = sizes[0].slider("Most rules", 1, 8, 8, key="reexplain.rules", help=HELP["max_rules"])
    literals = sizes[1].slider("Most conditions in a rule", 1, 3, 3, key="reexplain.literals",
                               help=HELP["max_literals"])  # fmt: skip
    return Settings(families=families, max_rules=rules, max_literals=literals,
                    objective=objective, examples=examples, sampling=sampling)  # fmt: skip


def asked_before(record: FeatureRecord, settings: Settings) -> ExplanationRecord | None:
    """The explanation that these settings gave before."""
    wanted = asdict(settings)
    return next(
        (e for e in record.explanations if e.explainer == "grammar" and e.settings == wanted), None
    )


def start(place: Place, feature: int, settings: Settings, key: tuple) -> Job:
    """Begin the job; a second press joins it."""
    library = session.library()
    bench = session.workbench(place.cache)
    return library.jobs.start(
        key,
        f"re-explaining {place.hookpoint.name}/{feature}",
        lambda _stop: reexplain(library.patient, bench, place.hookpoint, feature, settings),
    )


@st.fragment(run_every=EVERY)
@session.guarded
def progress(key: tuple, shown: ExplanationRecord | None) -> None:
    """Watch the job in place of Start; leave for the new explanation when it is there."""
    job = session.library().jobs.get(key)
    if job is None or (not job.is_running and job.error):
        st.session_state[REOPEN] = True  # a rerun of the whole page closes the drawer
        st.rerun()
    elif job.is_running:
        st.html(cards.sentence(f"Explaining and scoring … {duration(job.seconds)}"))
    else:
        arrive(job.result, shown)


def arrive(explanation_id: int, shown: ExplanationRecord | None) -> None:
    """Show the new explanation beside the one that was shown."""
    is_another = shown is not None and shown.explanation_id != explanation_id
    st.query_params.update(
        {
            "explanation": str(explanation_id),
            "against": str(shown.explanation_id) if shown and is_another else [],
        }
    )
    st.rerun()
