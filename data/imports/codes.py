"""Every finding that an import can report: its code, how severe it is, and what it means.

Codes of delphi are those of the format reference, some are our own. The words say what was done.
"""

from typing import Literal

Severity = Literal["info", "warning", "error"]

CODES: dict[str, tuple[Severity, str]] = {
    "str_tokens_joined": (
        "error",
        "the text of a context is one string, not tokens: its explanation was made from unmarked "
        "text and fuzzing marks were void; fuzzing scores of such features are left undefined",
    ),
    "bos_removed": (
        "warning",
        "the run took every BOS out of the tokens, so the subject ran without one; activations "
        "differ from the SAE's training condition",
    ),
    "train_test_overlap": (
        "warning",
        "this tool draws the explainer's and the judge's contexts from one list with one seed, so "
        "some judged contexts had been in the prompt; these scores are not held out",
    ),
    "negatives_repeat": (
        "warning",
        "non-activating contexts that are asked about more than once within a feature (drawn with "
        "replacement); the score keeps the number of distinct ones beside n",
    ),
    "values_disagree_with_cache": (
        "warning",
        "contexts whose text is in the cache but whose values differ from it; values of the cache "
        "are shown",
    ),
    "hookpoint_unknown": (
        "info",
        "hookpoints that no module of the subject is called like; they keep the run's name",
    ),
    "length_mismatch": (
        "warning",
        "contexts with unequal numbers of tokens and activations; kept without activations",
    ),
    "not_located": (
        "warning",
        "contexts that are not found in the cache's tokens; kept beside it with their own text",
    ),
    "silent_not_located": (
        "warning",
        "non-activating contexts found in the cache's tokens only where the feature is active",
    ),
    "failed_verdicts": ("warning", "questions without a usable reply; counted as failed"),
    "failed_explanation": (
        "warning",
        "explanations that say that there is none; kept as failed, their scores are marked",
    ),
    "nan_scores": ("warning", "simulations whose correlation is undefined; counted as failed"),
    "correct_disagrees": (
        "warning",
        "verdicts whose stored `correct` is not prediction == activating; recomputed",
    ),
    "missing_range": (
        "warning",
        "a gap between the ranges of the shards; nothing is known of the features in it",
    ),
    "not_covered": (
        "warning",
        "features with explanations or scores that no file of activations is about; how often they "
        "fire is unknown",
    ),
    "settings_damaged": (
        "warning",
        "settings beside the activations that cannot be read; those of run_config.json count",
    ),
    "shards_misnamed": (
        "warning",
        "files of activations whose names give no range of features; not read",
    ),
    "rows_incomplete": (
        "warning",
        "rows of score files that lack activations, a verdict or `correct`; a row without a "
        "verdict counts as failed",
    ),
    "scores_empty": ("warning", "score files without a row; their features have no such score"),
    "distance_missing": (
        "warning",
        "activating contexts without a `distance`; they have no decile",
    ),
    "distance_outside": (
        "warning",
        "activating contexts whose `distance` names no slice of the run; they have no decile",
    ),
    "slices_disagree": (
        "warning",
        "activating contexts of a run whose `n_quantiles` is not the number of slices that "
        "`distance` counts; none of them has a decile",
    ),
    "text_damaged": (
        "warning",
        "token texts with half of a character, which no text can hold; it is shown as \ufffd",
    ),
    "details_damaged": (
        "warning",
        "scores whose verdicts are cut off or no JSON; kept without them",
    ),
    "inf_values": ("warning", "activations beyond half precision; stored as its largest number"),
    "values_without_class": (
        "warning",
        "contexts called non-activating that carry activations of the feature; kept as they are",
    ),
    "silent_positives": (
        "warning",
        "contexts called activating that carry no activation; kept as activating",
    ),
    "recovered_vocabulary": (
        "warning",
        "the subject's tokenizer was not found; token texts are taken from contexts whose values "
        "match the cache, others are shown by number: import with --subject FOLDER to have all",
    ),
    "random_sae": ("warning", "the run used an SAE with random weights"),
    "silent_simulations": (
        "warning",
        "simulated contexts in which nothing at all was expected, which may be failed calls; they "
        "count, and the correlation without them stands beside the score",
    ),
    "tokens_missing": (
        "warning",
        "shards of activations without tokens, which mean nothing alone; they are left out",
    ),
    "tokens_given": (
        "warning",
        "the run does not keep its tokens: they are those of the file that was named, which must "
        "be the ones it was made from",
    ),
    "tokens_unchecked": (
        "warning",
        "without the subject's tokenizer nothing says that the tokens are those of this run: "
        "import with --subject FOLDER to have them compared with the contexts",
    ),
    "verdicts_unknown": (
        "warning",
        "scores that were published without their verdicts; they have no interval and no deciles",
    ),
    "published_alone": (
        "info",
        "explanations without the run that made them: prompts, contexts and scores are not there; "
        "subject and explainer are those that the paper names, the SAE is what --sae says",
    ),
    "class_ambiguous": (
        "warning",
        "rows of further scorers whose class cannot be told (distance 0), or that may be lost "
        "replies (place 0 of intruder); the former are left out",
    ),
    "scorer_not_imported": ("warning", "score files of a scorer that is not imported"),
    "partial_run": ("info", "features without a score"),
    "not_centred": (
        "info",
        "contexts of this run are plain tiles of the sequences, whatever `center_examples` says",
    ),
    "fuzz_position_leak": (
        "info",
        "wrong marks of this tool's fuzzing stand at the same places in every silent context, "
        "which makes them easier to refuse; which tokens were marked there is not stored",
    ),
    "half_precision_ties": (
        "info",
        "activations were stored in half precision, so contexts may share a peak",
    ),
    "facts_unknown": (
        "info",
        "features known only from the run's contexts: density, number of firings and silent "
        "contexts are not in the import; the largest activation is the largest in these contexts",
    ),
    "silent_kind_unknown": (
        "info",
        "the run does not say how its non-activating contexts were chosen; they are called random",
    ),
    "distance_from_1": (
        "info",
        "`distance` counts from 1 = strongest in this run: decile = n + 1 - distance",
    ),
    "slices_inferred": (
        "info",
        "the run does not say into how many slices it cut the contexts: the largest distance does",
    ),
    "not_deciles": ("info", "the run cut contexts into another number of slices than ten"),
    "train_scaled": (
        "info",
        "activations of the explainer's contexts are written 0..10 where those of judged contexts "
        "are 0..1; divided by ten",
    ),
    "not_read": ("info", "files of the run that are not read"),
    "bos_is_max": (
        "warning",
        "contexts whose largest activation is on the first token that the tokenizer adds, which "
        "the feature is not about",
    ),
    "peak_disagrees": (
        "warning",
        "contexts whose stated maximum, or its place, is not that of their values; the values "
        "count",
    ),
    "histogram_damaged": (
        "warning",
        "histograms whose lists differ in length, or whose values do not increase; left out",
    ),
    "logits_damaged": (
        "warning",
        "features whose promoted or suppressed tokens are out of order, or without a value; put in "
        "order, what has no value is left out",
    ),
    "neighbours_damaged": (
        "warning",
        "features whose neighbours are damaged: NaN, without a value, or of no feature; left out",
    ),
    "feature_missing": (
        "warning",
        "features with contexts or explanations but without a row of their own; known by these",
    ),
    "score_unmatched": ("warning", "scores of explanations that are not in the export; left out"),
    "scores_repeat": (
        "warning",
        "further scores of an explanation by the same scorer, judge and preset; the first is kept",
    ),
    "score_disagrees": (
        "warning",
        "scores that are not what their verdicts give; recomputed from the verdicts",
    ),
    "failures_unknown": (
        "warning",
        "scores written by a tool that turns a lost reply into a no; how many failed is unknown",
    ),
    "contexts_repeat": ("info", "contexts that a feature has more than once; kept once"),
    "density_unknown": ("info", "features whose density is not given"),
    "intervals": (
        "info",
        "contexts grouped by intervals of equal width; kept as intervals, never as deciles",
    ),
    "silent_shown_only": (
        "info",
        "contexts without an activation; they are silent for the tokens shown, which may not be "
        "all that the subject saw",
    ),
    "values_rounded": (
        "info",
        "activations of such exports are rounded, and those of other tools are of an SAE whose "
        "decoder norms were folded into them: they may differ from ours by that factor",
    ),
    "tokens_respelled": (
        "info",
        "tokens written as pieces of a vocabulary; their signs for a space, line break and tab are "
        "shown as such",
    ),
}  # fmt: skip
