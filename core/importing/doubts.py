"""What has to be said of a run as a whole, from its settings and its contexts."""

import numpy as np

from core.examples.draw import ACTIVATING
from core.importing.gather import Gathered
from core.importing.spelling import Spelling
from core.importing.whole import Tables
from data.imports.delphi_run import DelphiRun
from data.imports.foreign import shown
from data.imports.report import Report

SEEN_SCALE = 10  # what a prompt calls the largest activation


def scaled(gathered: Gathered, report: Report) -> Gathered:
    """Bring the contexts that an explainer saw to the unit of those that were judged.

    Prompts say 0..10; where judged contexts say 0..1 the former are divided by ten.
    """
    contexts = gathered.contexts
    seen = np.zeros(len(contexts.peak), bool)
    asked = np.zeros(len(contexts.peak), bool)
    for numbers in gathered.seen.values():
        seen[numbers] = True
    for questions in gathered.questions:
        asked[questions.context] = True
    seen &= ~asked
    if not seen.any() or not asked.any():
        return gathered
    if not 1 < contexts.peak[seen].max() <= SEEN_SCALE or contexts.peak[asked].max() > 1:
        return gathered
    report.add("train_scaled", int(seen.sum()), "train/")
    by_token = np.repeat(seen, contexts.length)
    value = np.where(by_token, contexts.value / SEEN_SCALE, contexts.value)
    peak = np.where(seen, contexts.peak / SEEN_SCALE, contexts.peak)
    changed = contexts._replace(value=value.astype(np.float32), peak=peak.astype(np.float32))
    return gathered._replace(contexts=changed)


def note_run(
    run: DelphiRun,
    gathered: Gathered,
    tables: Tables | None,
    spelling: Spelling | None,
    report: Report,
) -> None:
    """Report what settings and contexts tell."""
    has_bos = spelling is None or spelling.bos_id is not None
    report.add("bos_removed", run.config.get("filter_bos") is True and has_bos, run.name)
    report.add("random_sae", run.config.get("random") is True, run.name)
    is_tiled = run.section("constructor_cfg").get("center_examples") is True
    report.add("not_centred", is_tiled, "center_examples: true")
    if tables is not None:
        stored = sum(latents.n_activations for latents in tables.latents.values())
        report.add("half_precision_ties", stored, "activations")
    else:
        n = sum(len(run.features(hookpoint)) for hookpoint in run.hookpoints)
        report.add("facts_unknown", n, run.name)
    _note_overlap(run, gathered, report)
    fuzzing = [q for q in gathered.questions if q.scorer == "fuzzing"]
    unmarked = [q for q in fuzzing if any(mark is None for mark in q.marks)]
    if gathered.era == "D":
        report.add("fuzz_position_leak", len(unmarked), _first(unmarked))
    for address, found in gathered.simulations.items():
        silent = sum(not any(one.expected) for one in found)
        report.add("silent_simulations", silent, str(address))
        report.add("nan_scores", not any(any(one.true) for one in found), str(address))
    for values in run.values.values():
        report.add("verdicts_unknown", len(values), run.name)
    if run.texts and not run.config:
        report.add("published_alone", len(run.texts), run.name)
    for scorer, n in run.others.items():
        report.add("scorer_not_imported", n, f"scores/{scorer}")
    report.add("settings_damaged", len(run.damaged), shown((*run.damaged, "")[0]))
    lost = [name for name in run.unread if name.endswith(".safetensors") and "latents/" in name]
    report.add("shards_misnamed", len(lost), shown((*lost, "")[0]))
    report.add("not_read", len(run.unread), shown((*run.unread, "")[0]))


def _note_overlap(run: DelphiRun, gathered: Gathered, report: Report) -> None:
    """Count judged contexts that had been shown; where none are kept, the tool is known for it."""
    if not gathered.questions:
        return
    if not gathered.seen:
        if gathered.era in ("D", "A"):
            report.add("train_test_overlap", len(gathered.questions), _first(gathered.questions))
        return
    contexts = gathered.contexts
    for questions in gathered.questions:
        numbers = gathered.seen.get(questions.address, [])
        prompted = {contexts.tokens(n).tobytes() for n in numbers}
        judged = {int(n) for n in questions.context[questions.kind == ACTIVATING]}
        n = sum(contexts.tokens(number).tobytes() in prompted for number in judged)
        report.add("train_test_overlap", n, str(questions.address),
                   "judged contexts that had been in the explainer's prompt; these scores are not "
                   "held out")  # fmt: skip


def _first(questions: list) -> str:
    return str(questions[0].address) if questions else ""
