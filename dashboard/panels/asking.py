"""The form of the drawer: who explains with what, who judges; all of it as one `Ask`.

`fill` puts an ask back into the widgets, which is how saved settings are chosen again.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

import streamlit as st

from core.drawing.spans import escape
from core.examples import PRESETS
from core.explain import EXPLAINERS
from core.explain.settings import ExplainerSettings
from core.grammar.settings import Settings
from core.llm.settings import EndpointSettings
from core.pipeline.ask import Ask
from core.pipeline.by_hand import offline_offers
from core.pipeline.judging import DEFAULT
from core.pipeline.scorers import (
    COUNTED,
    GRAMMAR,
    JUDGED,
    JUDGELESS,
    MODEL_ONLY,
    Means,
    judge_name,
)
from core.pipeline.stored import able, explainers
from core.score import METHODS, named_tokens
from dashboard.panels import endpoints, shown_parts
from dashboard.panels.fields import KEEP, keep, offered, record_fields, widget
from data.records import CacheRecord, ExplanationRecord

PREFIX = "reexplain"
MODEL, JUDGE = f"{PREFIX}.model", f"{PREFIX}.judge"  # prefixes of endpoints
ASKING = f"{PREFIX}.asking"  # prefix of a model's settings
ALL, SOME = "All train tokens", "Examples"
FAMILIES = {"token": "Tokens", "form": "+ word forms", "context": "+ context before"}
BY_GRAMMAR, SAME, OTHER, NOBODY = "The grammar", "Same model", "Another model", "Nobody"
IN_FRONT = ("examples", "sampling", "highlight", "temperature")


def chosen_ask(cache: CacheRecord, shown: ExplanationRecord | None) -> Ask:
    """Draw the whole form; shown: the explanation that may be scored beside the new one."""
    explainer = chosen_explainer(cache)
    endpoint, chooser = None, ""
    if explainer == GRAMMAR:
        settings = grammar_settings()
    else:
        endpoint = endpoints.chosen_endpoint(MODEL, "Model")
        settings = model_settings(explainer)
        if explainer == "debate":
            st.session_state.setdefault(f"{PREFIX}.chooser", "")
            chooser = st.text_input("Model that chooses", key=f"{PREFIX}.chooser",
                                    placeholder="the same", **KEEP).strip()  # fmt: skip
    means, scorers, preset = chosen_judge(cache, explainer, endpoint)
    against = beside(shown, means)
    budget = None
    if endpoint is not None or (means is not None and means.judge != GRAMMAR):
        budget = chosen_budget()
    return Ask(settings, endpoint, chooser, means, scorers, preset, against, budget=budget)


def chosen_explainer(cache: CacheRecord) -> str:
    """Who explains, and what that one is shown."""
    options, key = explainers(cache), f"{PREFIX}.explainer"
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0]
    explainer = st.selectbox("Explainer", options, key=key, format_func=explainer_words,
                             help=about_explainers(cache), **KEEP)  # fmt: skip
    shown_parts.switches(explainer, f"{PREFIX}.explainer")
    return explainer


def about_explainers(cache: CacheRecord) -> str:
    """What there is to choose from."""
    if cache.has_activations:
        return "The grammar needs no model; all others ask one and differ in what they show it."
    return ("These ask a model about the contexts that were imported; rules are learnt from "
            "activations of the whole corpus, which this import has not.")  # fmt: skip


def explainer_words(name: str) -> str:
    """One line of the list, e.g. "plain — nothing: marks alone"."""
    return f"{name} — {EXPLAINERS[name].adds}"


def grammar_settings() -> Settings:
    """What the rules are learnt from, and what they may ask."""
    st.session_state.setdefault(f"{PREFIX}.data", ALL)
    data = st.segmented_control("Learn from", [ALL, SOME], key=f"{PREFIX}.data", required=True,
                                help=record_fields(Settings)["examples"].metadata["help"],
                                **KEEP)  # fmt: skip
    chosen: dict[str, Any] = {"examples": None}
    if data == SOME:
        n = int(st.session_state.setdefault(f"{PREFIX}.examples", 40))
        step = 1 if n % 5 else 5  # an explanation from elsewhere may have any number
        chosen["examples"] = int(st.slider("Examples", min(5, n), max(200, n), step=step,
                                           key=f"{PREFIX}.examples", **KEEP))  # fmt: skip
        chosen["sampling"] = widget(Settings, "sampling", PREFIX)
    chosen["families"] = widget(Settings, "families", PREFIX, words=FAMILIES)
    chosen["objective"] = widget(Settings, "objective", PREFIX)
    numbers = [found.name for found in fields(Settings) if found.type in (int, float)]
    with st.expander("More settings"):
        for name in numbers:
            chosen[name] = widget(Settings, name, PREFIX)
    return Settings(**chosen)


def model_settings(explainer: str) -> ExplainerSettings:
    """What a language model is shown and how it is asked; only what this explainer heeds."""
    every = {n: f for n, f in record_fields(ExplainerSettings).items() if n != "explainer"}
    heeded = [n for n, f in every.items() if explainer in f.metadata.get("only", (explainer,))]
    chosen: dict[str, Any] = {"explainer": explainer}
    chosen["sampling"] = widget(ExplainerSettings, "sampling", ASKING)
    columns = st.columns(2)
    own = [name for name in heeded if "only" in every[name].metadata]
    front = [name for name in IN_FRONT if name != "sampling"]
    for place, name in enumerate([*front, *own]):
        chosen[name] = widget(ExplainerSettings, name, ASKING, columns[place % 2])
    with st.expander("More settings"):
        for name in heeded:
            if name not in chosen:
                chosen[name] = widget(ExplainerSettings, name, ASKING)
    return ExplainerSettings(**chosen)


def chosen_judge(
    cache: CacheRecord, explainer: str, endpoint: EndpointSettings | None
) -> tuple[Means | None, tuple[str, ...], str]:
    """Who judges, by which scorers, on which contexts."""
    first = BY_GRAMMAR if explainer == GRAMMAR else SAME
    key = f"{PREFIX}.judged.{first}"
    st.session_state.setdefault(key, first)
    who = st.segmented_control(
        "Judge", [first, OTHER, NOBODY], key=key, required=True, **KEEP,
        help="Who says of unseen contexts whether the explanation fits. The grammar can judge "
        "rules only, so words need a language model.",
        format_func=lambda who: "A model" if who == OTHER and first == BY_GRAMMAR else who,
    )  # fmt: skip
    means = Means()
    if who == OTHER:
        endpoint = endpoints.chosen_endpoint(JUDGE, "Judge's model")
    if who in (SAME, OTHER):
        assert endpoint is not None
        means = Means(judge=endpoint.model, endpoint=endpoint)
    scorers = chosen_scorers(cache, who)
    if not scorers:
        return None, (), "gloss"
    if not cache.has_activations:
        return means, scorers, "gloss"  # its contexts are judged as they came
    st.session_state.setdefault(f"{PREFIX}.preset", "gloss")
    preset = st.segmented_control("Test contexts", list(PRESETS), key=f"{PREFIX}.preset",
                                  required=True, help=_sizes(), **KEEP)  # fmt: skip
    return means, scorers, preset or "gloss"


def _sizes() -> str:
    """What the presets ask about, e.g. "gloss: 100 + 100"."""
    sizes = (f"{p.name}: {p.detection.activating} activating and {p.detection.random} silent"
             for p in PRESETS.values())  # fmt: skip
    return f"How many contexts detection asks about. {'; '.join(sizes)}."


def chosen_scorers(cache: CacheRecord, who: str | None) -> tuple[str, ...]:
    """Scorers that this judge can answer, and those that need no judge and can be had."""
    options = able(cache, scorer_options(who))
    key = f"{PREFIX}.scorers.{who}"
    offered(key, options, DEFAULT)
    helped = "; ".join(f"{name}: {METHODS[name].measures}" for name in options)
    return tuple(st.pills("Scorers", options, selection_mode="multi", key=key,
                          help=f"{helped}.", **KEEP))  # fmt: skip


def scorer_options(who: str | None) -> list[str]:
    """Scorers that can be had with a judge."""
    by_model = (*JUDGED, *MODEL_ONLY, *COUNTED)
    judged = {BY_GRAMMAR: JUDGED, NOBODY: ()}.get(who or NOBODY, by_model)
    wanted = JUDGELESS if judged == by_model else (*COUNTED, *JUDGELESS)
    offline = [offer.scorer for offer in offline_offers(wanted) if offer.possible]
    return [*judged, *offline]


def beside(shown: ExplanationRecord | None, means: Means | None) -> int | None:
    """Whether the shown explanation is scored by the same judge too."""
    if shown is None or shown.text is None or means is None:
        return None
    if means.judge == GRAMMAR:
        return shown.explanation_id if shown.rule else None
    st.session_state.setdefault(f"{PREFIX}.beside", True)
    wanted = st.toggle(
        f"Score both on the same contexts (#{shown.explanation_id} too)",
        key=f"{PREFIX}.beside", help="Only scores of one judge on the same items can be compared.",
        **KEEP,
    )  # fmt: skip
    return shown.explanation_id if wanted else None


def chosen_budget() -> float | None:
    """Dollars that must not be passed."""
    return st.number_input(
        "Budget, dollars", min_value=0.0, value=None, key=f"{PREFIX}.budget", format="%.2f",
        placeholder="none", help=endpoints.HELP["budget"], **KEEP,
    )  # fmt: skip


def fill_explainer(settings: Settings | ExplainerSettings, chooser: str) -> None:
    """Put an explainer's settings into the widgets, also into those that are not drawn now."""
    explainer = GRAMMAR if isinstance(settings, Settings) else settings.explainer
    keep(PREFIX, {"explainer": explainer, "chooser": chooser})
    if isinstance(settings, Settings):
        values = asdict(settings)
        examples = values.pop("examples")
        keep(PREFIX, values | {"data": ALL if examples is None else SOME})
        keep(PREFIX, {"examples": examples or 40})
    else:
        keep(ASKING, {n: v for n, v in asdict(settings).items() if n != "explainer"})


def fill_model(model: str) -> None:
    """Put a model's name into its widget; the endpoint used last stays."""
    keep(MODEL, {"model": model})


def fill_judge(
    explainer: str, model: str | None, judge: str, scorers: tuple[str, ...], preset: str
) -> None:
    """Put a judge whose endpoint is not known, and what it is asked, into the widgets."""
    first = BY_GRAMMAR if explainer == GRAMMAR else SAME
    if judge in (GRAMMAR, named_tokens.NAME):
        who = BY_GRAMMAR if first == BY_GRAMMAR else NOBODY
    else:
        who = SAME if first == SAME and judge == model else OTHER
    names = [name for name in scorers if name in scorer_options(who)]
    keep(PREFIX, {f"judged.{first}": who, f"scorers.{who}": names})
    if preset in PRESETS:
        keep(PREFIX, {"preset": preset})
    if who == OTHER:
        keep(JUDGE, {"model": judge})


def fill(ask: Ask) -> None:
    """Put an ask into the widgets, also into those that are not drawn now."""
    fill_explainer(ask.settings, ask.chooser)
    keep(PREFIX, {"budget": ask.budget})
    if ask.endpoint is not None:
        endpoints.fill(MODEL, ask.endpoint)
    first = BY_GRAMMAR if ask.explainer == GRAMMAR else SAME
    who = judge_of(ask)
    keep(PREFIX, {f"judged.{first}": who, f"scorers.{who}": list(ask.scorers)})
    if ask.means is not None:
        keep(PREFIX, {"preset": ask.preset})
    if who == OTHER and ask.means is not None and ask.means.endpoint is not None:
        endpoints.fill(JUDGE, ask.means.endpoint)


def judge_of(ask: Ask) -> str:
    """Which choice of judge an ask was made by."""
    if ask.means is None:
        return NOBODY
    alone = (*JUDGELESS, *COUNTED) if ask.means.judge == GRAMMAR else JUDGELESS
    if not set(ask.scorers) - set(alone):
        return NOBODY
    if ask.means.judge == GRAMMAR:
        return BY_GRAMMAR
    return SAME if endpoints.same(ask.endpoint, ask.means.endpoint) else OTHER


def missing_scorers(
    found: Sequence[ExplanationRecord], ask: Ask, numbers: Sequence[int], preset: str
) -> list[str]:
    """Scorers of an ask that one of the given explanations lacks.

    found: with all their scores; preset: as scores name it.
    """
    if ask.means is None:
        return []
    lacking = []
    for name in ask.scorers:
        for one in found:
            if one.explanation_id in numbers and one.text is not None:
                has = any(
                    s.scorer == name and s.preset == preset
                    and (name in JUDGELESS or s.judge == judge_name(name, ask.means))
                    for s in one.scores
                )  # fmt: skip
                lacking += [name] * (not has)
    return list(dict.fromkeys(lacking))


def summary(ask: Ask) -> str:
    """What Start will do, in a line."""
    if not ask.asks_a_model:
        scored = f", scores {' and '.join(ask.scorers)}" if ask.means else ""
        loads = {"surprisal", *COUNTED} & set(ask.scorers)
        slow = " · loads the subject first" if loads else " · about a second"
        return f"Explains, checks exactly on every token{scored}{slow} · costs nothing"
    who = [ask.model] if ask.model else []
    judged = f"scored by {' and '.join(ask.scorers)}" if ask.means else "not scored"
    judge = f", judged by {ask.means.judge}" if ask.model_judge and ask.means else ""
    return escape(" · ".join([f"Asks {name}" for name in who] + [judged + judge]))
