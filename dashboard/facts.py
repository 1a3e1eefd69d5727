"""One feature's figures as facts and sentences; knows nothing of Streamlit.

Whatever is missing (no firing, too few contexts, no explanation) is said with its reason.
"""

from core.score.statistics import precision_at
from dashboard.cards import Fact, score_of
from data.catalogue import Row
from data.records import CacheRecord, ExplanationRecord, HookpointRecord, Score

FULL, SCORED, EXPLAINED = 200, 40, 10  # contexts from which a feature gets that much (methods 2.3)


def facts(
    found: Row,
    cache: CacheRecord,
    shown: ExplanationRecord | None,
    nearest: Row | None,
    *,
    n_contexts: int,
) -> list[Fact]:
    """The strip under the explanations; n_contexts: distinct contexts of the whole cache."""
    return [
        Fact("Activates on", _percent(found["density"]), "of tokens",
             f"{found['n_active']:,} of {cache.n_unmasked:,} tokens"),
        Fact("Max activation", _number(found["max_activation"])),
        Fact("Mean when active", _number(found["mean_activation"])),
        Fact("Contexts", f"{found['n_contexts'] or 0:,}", "distinct",
             "contexts in which it is active, copies counted once"),
        _judged(shown and score_of(shown, "detection")),
        _precision(shown, (found["n_contexts"] or 0) / max(n_contexts, 1)),
        _nearest(nearest),
    ]  # fmt: skip


def _percent(share: float | None) -> str:
    """A share as percent with two figures, e.g. 0.00417 -> "0.42 %"."""
    if not share:
        return "0 %"
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


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


def _precision(shown: ExplanationRecord | None, base: float) -> Fact:
    """What share of the contexts that the explanation claims are right, at the true base rate.

    With no false alarm in n silent contexts their rate is only known to be below 3 / n, so the
    precision gets its lower bound (methods 6.3).
    """
    label, hint = "Precision in text", (
        "share of the contexts claimed by the explanation that do activate, at the measured base "
        "rate; from the detection score")  # fmt: skip
    score = shown and score_of(shown, "detection")
    silent = score and score.non_activating.get("random")
    if not score or score.tpr is None or not silent or not silent.n:
        return Fact(label, "–", "not scored", hint)
    alarms = 1 - silent.correct / silent.n
    value = precision_at(score.tpr, alarms or 3 / silent.n, base)
    if value is None:
        return Fact(label, "–", "claims nothing", hint)
    bound = "" if alarms else "≥ "
    return Fact(label, f"{bound}{value:.2g}", f"of contexts, base rate {_percent(base)}", hint)


def _nearest(nearest: Row | None) -> Fact:
    if nearest is None:
        return Fact("Nearest feature", "–", "not computed")
    return Fact("Nearest feature", f"#{nearest['other']}", f"cos {nearest['value']:.2f}",
                "by cosine of the decoder directions")  # fmt: skip


def why_silent(found: Row | None, cache: CacheRecord) -> str | None:
    """Why there is nothing to show at all, or None when there is."""
    if found is None:
        return f"Nothing is known of this feature: cache “{cache.name}” is not finished."
    if not found["n_active"]:
        return (f"Dead: it never fired on the {cache.n_unmasked:,} tokens of cache "
                f"“{cache.name}”, so there is nothing to explain or to show.")  # fmt: skip
    return None


def why_unexplained(found: Row | None) -> str | None:
    """Why a feature cannot be explained at all, or None when it can."""
    if found is None:
        return "Nothing is known of this feature yet"
    if found["reason"] == "dead" or not found["n_active"]:
        return "Dead: it never fired, so there is nothing to explain"
    if found["reason"] == "rare":
        return f"Rare: fewer than {EXPLAINED} distinct contexts are too few to explain"
    return None


def why_little(found: Row) -> str | None:
    """What the small number of contexts means for this feature, or None with enough of them."""
    n = found["n_contexts"] or 0
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
    width = f"{row['n_layers']} layers, width {row['d_model']}"
    return [
        ("cache", f"{cache.name} · {cache.n_tokens:,} tokens in {cache.n_sequences:,} sequences "
                  f"of {cache.sequence_length} · seed {cache.seed}"),
        ("subject", f"{row['subject']} · {row['architecture']} · {width} · {row['dtype']}"),
        ("revision", row["revision"] or "a folder, no revision"),
        ("hookpoint", hookpoint.name),
        ("SAE", f"{hookpoint.sae_source} · {hookpoint.sae_kind} · {hookpoint.n_features:,} "
                f"features, {hookpoint.n_alive:,} fired"),
        ("SAE settings", row["sae_settings"] or ""),
        ("SAE sha256", row["weights_sha256"] or ""),
        ("corpus", f"{cache.corpus} · {row['n_documents'] or 0:,} documents"),
        ("tokens sha256", row["tokens_sha256"] or ""),
        ("tokenizer sha256", row["tokenizer_sha256"] or ""),
    ]  # fmt: skip


def subject_line(cache: CacheRecord, hookpoint: HookpointRecord) -> str:
    """What is being explained, e.g. "org/pythia-70m · gpt_neox.layers.2 · 32,768 topk SAE"."""
    subject = "/".join(cache.subject.rstrip("/").split("/")[-2:])
    return f"{subject} · {hookpoint.name} · {hookpoint.n_features:,} {hookpoint.sae_kind} SAE"
