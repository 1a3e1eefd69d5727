"""The dialog in which a person writes an explanation of their own, scored like any other."""

from collections.abc import Hashable
from threading import Event
from typing import NamedTuple

import streamlit as st

from core.drawing import cards
from core.drawing.spans import block, escape
from core.pipeline.again import score_chosen
from core.pipeline.ask import check_judge
from core.pipeline.by_hand import offline_offers, read_rule, read_text, write_by_hand
from core.pipeline.judging import DEFAULT
from core.pipeline.scorers import COUNTED, JUDGELESS, Means
from core.pipeline.stored import able
from core.pipeline.watching import Hearing, Say
from dashboard import session
from dashboard.commands import counted
from dashboard.labels import literal
from dashboard.library import FeatureRecord, Place
from dashboard.panels import asking, endpoints, working
from dashboard.panels.fields import KEEP, offered
from data.errors import BadInput
from data.records import CacheRecord, ExplanationRecord

KIND = "write"
MODEL = "a language model"
RULE_HELP = (
    "Conditions on a token and on what stands before it, joined by &; alternatives by |; several "
    'rules by ;. For example: here:word="pizza"|"pizzas" & near16:word="crust". Figures after an '
    "arrow, as learnt rules have them, are measured when they are left out."
)


BY_GRAMMAR = "The grammar checks the rule on every token and judges detection and fuzzing."
BY_NOBODY = "Words without a rule have no score until somebody judges them."


class Written(NamedTuple):
    """Everything that was typed and chosen."""

    text: str
    rule: str
    author: str
    scorers: tuple[str, ...]  # beyond what the grammar does for a rule
    means: Means


@st.dialog("Write an explanation", position="right", width=520, on_dismiss=working.dismissed)
@session.guarded
def dialog(
    place: Place, feature: int, record: FeatureRecord, shown: ExplanationRecord | None
) -> None:
    """Words, a rule or both; stored beside all other explanations of the feature."""
    beside = counted(len(record.explanations), "explanations")
    st.caption(f"Feature {feature} · {literal(place.hookpoint.name)} · stands beside {beside}")
    working.settle(KIND, place, feature, shown)
    begin(place, feature)
    written = typed(place.cache, shown)
    running = working.running_about(KIND, place, feature)
    for job in running:
        working.progress(KIND, job.key, shown)
    if not running:
        offer(place, feature, written)


def begin(place: Place, feature: int) -> None:
    """Empty the fields for another feature, and after something was saved."""
    here = place.hookpoint.hookpoint_id, feature
    if st.session_state.get(working.DRAFT) != here:
        st.session_state[working.DRAFT] = here
        st.session_state.update({"write.text": "", "write.rule": ""})


def typed(cache: CacheRecord, shown: ExplanationRecord | None) -> Written:
    """The widgets; what was typed stays for the session."""
    for name in ("text", "rule", "author"):
        st.session_state.setdefault(f"write.{name}", "")
    # No max_chars: with it, a field drops a longer text that is pasted.
    text = st.text_area("What the feature means", key="write.text", height=110,
                        placeholder="Names of days, where they date an event", **KEEP)  # fmt: skip
    rule = ""
    if cache.has_activations:  # or it could not be checked
        rule = st.text_area("As a rule that a program can check", key="write.rule", height=90,
                            placeholder='here:word="monday"|"friday"', help=RULE_HELP,
                            **KEEP)  # fmt: skip
    if cache.has_activations and shown is not None and shown.rule and not rule.strip():
        st.button(f"Begin with the rule of #{shown.explanation_id}", type="tertiary",
                  key="write.take", on_click=_take, args=(shown.rule,))  # fmt: skip
    author = st.text_input("Author", key="write.author", max_chars=80,
                           placeholder="may be left out", **KEEP)  # fmt: skip
    scorers, means = chosen_scoring(cache, has_rule=bool(rule.strip()))
    return Written(text.strip(), rule.strip(), author.strip(), scorers, means)


def _take(rule: str) -> None:
    st.session_state["write.rule"] = rule


def chosen_scoring(cache: CacheRecord, *, has_rule: bool) -> tuple[tuple[str, ...], Means]:
    """Who else judges the words; what cannot be had says why."""
    offers = offline_offers(able(cache, (*COUNTED, *JUDGELESS)))
    options = [*(offer.scorer for offer in offers if offer.possible), MODEL]
    offered("write.by", options)
    by = st.pills("Also scored by" if has_rule else "Scored by", options, selection_mode="multi",
                  key="write.by", **KEEP)  # fmt: skip
    said = [BY_GRAMMAR if has_rule else BY_NOBODY]
    said += [f"{offer.scorer.capitalize()}: {offer.words}." for offer in offers]
    st.html(block(f'<p class="mut">{escape(" ".join(said))}</p>'))
    offline = tuple(name for name in by if name != MODEL)
    if MODEL not in by:
        return offline, Means()
    endpoint = endpoints.chosen_endpoint(asking.JUDGE, "Judge's model")
    return (*able(cache, DEFAULT), *offline), Means(judge=endpoint.model, endpoint=endpoint)


def problem(written: Written) -> str | None:
    """Why this cannot be stored or scored, in a line; None = it can."""
    if not written.text and not written.rule:
        return "Say what the feature means, in words or as a rule"
    try:
        read_text(written.text)
        read_rule(written.rule)
        if written.scorers:
            check_judge(written.means, written.scorers, has_rules=False)
    except BadInput as error:
        return cards.capital(str(error))
    return None


def offer(place: Place, feature: int, written: Written) -> None:
    """What is wrong, and the button."""
    wrong = problem(written)
    if wrong and (written.text or written.rule):
        st.html(cards.sentence(f"{wrong}."))
    key = job_key(place, feature, written)
    working.say_ended(session.library().jobs.get(key))
    action = "Save and score" if written.rule or written.scorers else "Save"
    st.button(action, type="primary", key="write.save", disabled=wrong is not None,
              on_click=start, args=(place, feature, written, key))  # fmt: skip


def job_key(place: Place, feature: int, written: Written) -> tuple[Hashable, ...]:
    """What makes two requests the same job."""
    return *working.about_key(KIND, place, feature), written


def start(place: Place, feature: int, written: Written, key: Hashable) -> None:
    """Store and score in a thread."""
    library, hookpoint = session.library(), place.hookpoint

    def work(stop: Event, say: Say) -> int:
        catalogue, bench = library.patient, library.workbench(place.cache)
        hearing = Hearing(stop, say)
        made = write_by_hand(catalogue, bench, hookpoint, feature, written.text,
                             written.rule or None, written.author, hearing)  # fmt: skip
        if written.scorers:
            score_chosen(catalogue, bench, hookpoint, feature, [made], written.means,
                         written.scorers, hearing=hearing)  # fmt: skip
        return made

    working.watch(KIND, key)
    library.jobs.start_telling(key, f"writing {hookpoint.name}/{feature}", work)
