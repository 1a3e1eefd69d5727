"""One feature's figures as facts and sentences; knows nothing of Streamlit.

Whatever is missing (no firing, too few contexts, no explanation) is said with its reason.
"""

from collections.abc import Sequence

import numpy as np

from core.drawing.cards import Fact, score_of
from core.drawing.measures import flag_facts
from core.score.statistics import precision_at
from core.statistics import positional_information
from data.baselines import subject_words
from data.catalogue import Row
from data.percents import percent
from data.records import CacheRecord, ExplanationRecord, HookpointRecord, Score

FULL, SCORED, EXPLAINED = 200, 40, 10  # contexts from which a feature gets that much (methods 2.3)


def facts(
    found: Row,
    cache: CacheRecord,
    shown: ExplanationRecord | None,
    nearest: Row | None,
    *,
    n_contexts: int | None,
) -> list[Fact]:
    """The strip under the explanations.

    n_contexts: distinct contexts of the whole cache; None or 0 = not known.
    """
    return [
        _frequency(found, cache),
        Fact("Max activation", _number(found["max_activation"])),
        Fact("Mean when active", _number(found["mean_activation"])),
        Fact("Contexts", _count(found["n_contexts"]), "distinct",
             "contexts in which it is active, copies counted once"),
        _judged(shown and score_of(shown, "detection")),
        _precision(shown, n_contexts and (found["n_contexts"] or 0) / n_contexts),
        *_areas(shown),
        _nearest(nearest),
        *flag_facts(found),
    ]  # fmt: skip


def _frequency(found: Row, cache: CacheRecord) -> Fact:
    """How often it fires; an import of contexts says it as a share, or not at all."""
    if found["n_active"] is None and found["density"] is not None:
        return Fact("Activates on", _percent(found["density"]), "of tokens", "as the import says")
    if found["n_active"] is None:
        return Fact("Activates on", "–", "not in the import")
    of = f" of {cache.n_unmasked:,}" if cache.has_activations else ""
    return Fact("Activates on", _percent(found["density"]), "of tokens",
                f"{found['n_active']:,}{of} tokens")  # fmt: skip


def _count(n: int | None) -> str:
    return "–" if n is None else f"{n:,}"


def _percent(share: float | None) -> str:
    """A share as percent with two figures, e.g. 0.00417 -> "0.42 %"; "–" when not known."""
    if share is None:
        return "–"
    if share == 0:
        return "0 %"
    return f"{100 * share:.2g} %" if share < 0.1 else percent(share)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _judged(score: Score | None) -> Fact:
    """How many contexts the detection score rests on."""
    hint = "usable verdicts of the detection score; failed ones are never counted in"
    if score is None:
        return Fact("Contexts judged", "none", "", hint)
    active = sum(t.n for t in score.by_decile.values())
    failed = f", {score.failed} failed" if score.failed else ""
    return Fact("Contexts judged", f"{active:,}", f"+ {score.n - active:,} silent{failed}", hint)


def _areas(shown: ExplanationRecord | None) -> list[Fact]:
    """Areas under the ROC curve of detection and fuzzing, where the judge gave probabilities."""
    found = [
        (name, score.detail.get("auroc"))
        for name in ("detection", "fuzzing")
        if (score := shown and score_of(shown, name))
    ]
    areas = [(name, area) for name, area in found if area is not None]
    if not areas:
        return []
    return [
        Fact("AUROC", " / ".join(f"{area:.2f}" for _, area in areas),
             " / ".join(name[0].upper() for name, _ in areas),
             "detection (D) and fuzzing (F): chance that an activating context is ranked above a "
             "silent one; .5 = guessing"),
    ]  # fmt: skip


def _precision(shown: ExplanationRecord | None, base: float | None) -> Fact:
    """What share of the contexts that the explanation claims are right, at the true base rate.

    With no false alarm in n silent contexts their rate is only known to be below 3 / n, so the
    precision gets its lower bound (methods 6.3).
    """
    label, hint = "Precision in text", (
        "share of the contexts claimed by the explanation that do activate, at the measured base "
        "rate; from the detection score")  # fmt: skip
    score = shown and score_of(shown, "detection")
    silent = score and score.non_activating.get("random")
    if not base or not score or score.tpr is None or not silent or not silent.n:
        return Fact(label, "–", "not scored", hint)
    alarms = 1 - silent.correct / silent.n
    value = precision_at(score.tpr, alarms or 3 / silent.n, base)
    if value is None:
        return Fact(label, "–", "claims nothing", hint)
    bound = "" if alarms else "≥ "
    return Fact(label, f"{bound}{value:.2g}", f"base rate {_percent(base)}", hint)


def _nearest(nearest: Row | None) -> Fact:
    if nearest is None:
        return Fact("Nearest feature", "–", "not computed")
    return Fact("Nearest feature", f"#{nearest['other']}", f"cos {nearest['value']:.2f}",
                "by cosine of the decoder directions")  # fmt: skip


def why_silent(found: Row | None, cache: CacheRecord) -> str | None:
    """Why there is nothing to show at all, or None when there is."""
    if found is None and cache.origin:
        return f"This feature is not in the import of cache “{cache.name}”."
    if found is None:
        return f"Nothing is known of this feature: cache “{cache.name}” is not finished."
    if found["n_active"] == 0:
        return (f"Dead: it never fired on the {cache.n_unmasked:,} tokens of cache "
                f"“{cache.name}”, so there is nothing to explain or to show.")  # fmt: skip
    return None


def why_unexplained(found: Row | None) -> str | None:
    """Why a feature cannot be explained at all, or None when it can."""
    if found is None:
        return "Nothing is known of this feature yet"
    if found["reason"] == "unknown":
        return "In no file of activations of the import, so it cannot be explained anew"
    if found["reason"] == "dead" or found["n_active"] == 0:
        return "Dead: it never fired, so there is nothing to explain"
    if found["reason"] == "rare":
        return f"Rare: fewer than {EXPLAINED} distinct contexts are too few to explain"
    return None


def why_little(found: Row) -> str | None:
    """What the small number of contexts means for this feature, or None with enough of them."""
    if found["n_contexts"] is None:
        return None
    n = found["n_contexts"]
    if n < EXPLAINED:
        return (f"Rare: {n} distinct contexts, fewer than {EXPLAINED}; it is listed but not "
                "explained.")  # fmt: skip
    if n < SCORED:
        return (f"Scarce: {n} distinct contexts, fewer than {SCORED}; it may be explained from all "
                "of them, so none is left to score on.")  # fmt: skip
    if n < FULL:
        return (f"Reduced: {n} distinct contexts, fewer than {FULL}; scores rest on fewer "
                "contexts than usual.")  # fmt: skip
    return None


def identity_of(row: Row, cache: CacheRecord, hookpoint: HookpointRecord) -> list[tuple[str, str]]:
    """Subject, SAE and corpus with their hashes, as label and value."""
    width = "size not known"
    if row["n_layers"] is not None:
        width = f"{row['n_layers']} layers, width {row['d_model']}"
    return [
        ("cache", f"{cache.name} · {cache.n_tokens:,} tokens in {cache.n_sequences:,} sequences "
                  f"of {cache.sequence_length} · seed {cache.seed}"),
        ("subject", f"{row['subject']} · {row['architecture']} · {width} · {row['dtype']}"),
        ("revision", row["revision"] or "a folder, no revision"),
        ("hookpoint", hookpoint.name),
        ("SAE", f"{hookpoint.sae_source} · {hookpoint.sae_kind} · {hookpoint.extent}"
                + f", {hookpoint.n_alive:,} fired" * hookpoint.is_size_known),
        ("SAE settings", row["sae_settings"] or ""),
        ("SAE sha256", row["weights_sha256"] or ""),
        ("corpus", f"{cache.corpus} · {row['n_documents'] or 0:,} documents"),
        ("tokens sha256", row["tokens_sha256"] or ""),
        ("tokenizer sha256", row["tokenizer_sha256"] or ""),
    ]  # fmt: skip


def subject_line(cache: CacheRecord, hookpoint: HookpointRecord) -> str:
    """What is being explained, e.g. "org/pythia-70m · gpt_neox.layers.2 · 32,768 topk SAE"."""
    subject = subject_words(cache.subject)
    size = f"{hookpoint.n_features:,} " * hookpoint.is_size_known
    return f"{subject} · {hookpoint.name} · {size}{hookpoint.sae_kind} SAE"


def exact_sentence(score: Score) -> str:
    """What an exact check counted over the whole corpus, in words."""
    found = score.detail.get("corpus") or {}
    hits, misses, alarms = (found.get(name) for name in ("tp", "fn", "fp"))
    if hits is None or misses is None or alarms is None:
        return "The rules were checked on every token; how many they hit is not stored."
    return (
        f"Of {hits + misses:,} tokens of the corpus on which the feature fires the rules claim "
        f"{hits:,} and miss {misses:,}; of {hits + alarms:,} that they claim {alarms:,} are silent."
    )


def position_sentence(
    counts: Sequence[int], n_sequences: int, information: float | None = None
) -> str:  # fmt: skip
    """How firings lie over the positions of a sequence.

    Position 0 is left out of the information, since BOS never fires there. information: as the
    filters measured it, nats; they know which positions are filled up.
    """
    top, total = int(np.argmax(counts)), sum(counts)
    most = percent(counts[top] / total, 1)
    words = f"{most} of its firings are at position {top}, the most frequent one"
    spread = f"{percent(1 / len(counts), 1)} each if they were spread evenly"
    if n_sequences < 1 or len(counts) < 2:
        return f"{words}; {spread}."
    nats = information
    if nats is None:
        nats = positional_information(np.array([counts[1:]], np.float64), n_sequences)[0]
    return f"{words}; {spread}. Position tells {nats:.2g} nats about whether it fires."
