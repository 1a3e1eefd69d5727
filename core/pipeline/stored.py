"""An import of some contexts and no more: what can be asked of it.

Its contexts are taken as they came, whatever their length and number, in place of a draw. What a
feature does elsewhere is not known: there is no base rate, other features' contexts are no silent
ones, and a score says in its preset what it was made on.
"""

from collections.abc import Sequence

import numpy as np

from core.examples import FeatureExamples
from core.examples.contexts import TEST, TRAIN
from core.examples.stored import shuffled, stored_contexts, with_split
from core.explain import EXPLAINERS
from core.explain.settings import ExplainerSettings
from core.grammar.settings import Settings
from core.seeds import draws, seed_of
from data import items
from data.catalogue import Catalogue
from data.errors import BadInput
from data.records import CacheRecord, HookpointRecord

JUDGING = ("detection", "fuzzing", "simulation", "embedding", "surprisal")
EXPLAINING = ("plain", "activations", "logits", "cot", "single-token", "debate", "output")
FEWEST_TAUGHT = 3  # train contexts, below which a feature is not explained
UNTAUGHT = "untaught"  # reason: fewer were imported
MARKING = ("fuzzing", "simulation")  # scorers that ask which tokens a feature fires on
LACKING = {
    "intruder": "a feature's contexts by decile, of the whole corpus",
    "neighbour": "the feature's activations in contexts of its nearest features",
    "discrimination": "the feature's activations in contexts of its nearest features",
    "generation": "the subject and its SAE",
    "sensitivity": "the subject and its SAE",
    "output-side": "the subject and its SAE",
    "translated": "every token of the corpus",
}  # fmt: skip
THIRD = np.uint64(2**64 // 3)
JUDGED = """
select distinct slot
from item
where hookpoint_id = ? and feature = ? and slot is not null and preset like '%(imported)'
"""
FEATURES = "select feature from feature where hookpoint_id = ? order by feature"


class Stored:
    """The contexts of such a cache, read from the catalogue."""

    def __init__(self, catalogue: Catalogue, seed: int) -> None:
        self._catalogue, self._seed = catalogue, seed

    def features(self, hookpoint: HookpointRecord) -> np.ndarray:
        """Numbers of the features that the import is about, ascending, int64."""
        with self._catalogue.reading() as con:
            rows = con.rows(FEATURES, [hookpoint.hookpoint_id])
        return np.array([row["feature"] for row in rows], np.int64)

    def examples(self, hookpoint: HookpointRecord, feature: int) -> FeatureExamples:
        """One feature's contexts, those of a kind and decile in random order.

        Where the import does not say what explainers saw, a third of the contexts that it did not
        have judged is kept for explainers, as it is of contexts of our own.
        """
        with self._catalogue.reading() as con:
            rows = items.examples(con, hookpoint.hookpoint_id, feature)
            judged = [row["slot"] for row in con.rows(JUDGED, [hookpoint.hookpoint_id, feature])]
        found = stored_contexts(rows, feature)
        if not (found.split == TRAIN).any():
            lot = draws(seed_of(self._seed, hookpoint.name, feature, "split"), found.first_token)
            is_judged = np.isin([row["slot"] for row in rows], judged)
            found = with_split(found, np.where(~is_judged & (lot < THIRD), TRAIN, TEST))
        seed = seed_of(self._seed, hookpoint.name, feature, "stored")
        return shuffled(found, seed)


def require_explainer(record: CacheRecord, settings: Settings | ExplainerSettings) -> None:
    """Refuse an explainer that needs what an import of contexts has not."""
    here = f"cache '{record.name}' was imported without activations of the whole corpus"
    if isinstance(settings, Settings):
        raise BadInput(f"{here}, from which rules are learnt: give --model, or import a run that "
                       "has them")  # fmt: skip
    if settings.explainer not in EXPLAINING or settings.measures_output:
        raise BadInput(f"{here}, which {settings.explainer} needs: take one of "
                       f"{', '.join(EXPLAINING)}")  # fmt: skip


def able(record: CacheRecord, names: Sequence[str]) -> tuple[str, ...]:
    """Those of some scorers that a cache has what they need for: all, but for such an import."""
    if record.has_activations:
        return tuple(names)
    has_marks = any(hookpoint.n_activations for hookpoint in record.hookpoints)
    can = [name for name in JUDGING if has_marks or name not in MARKING]
    return tuple(name for name in names if name in can)


def explainers(record: CacheRecord) -> tuple[str, ...]:
    """Explainers that a cache has what they need for."""
    return tuple(EXPLAINERS) if record.has_activations else EXPLAINING


def require_scorers(
    record: CacheRecord, scorers: Sequence[str], *, by_rules: bool, kinds: Sequence[str]
) -> None:
    """Refuse scorers that need what an import of contexts has not; kinds: of harder contexts."""
    here = f"cache '{record.name}' holds the contexts that were imported and no more"
    made = f"{', '.join(JUDGING[:-1])} and {JUDGING[-1]} are made on them"
    for name in scorers:
        if name in LACKING:
            raise BadInput(f"{here}; {name} needs {LACKING[name]}: {made}")
        if not able(record, [name]):
            raise BadInput(
                f"{here}, without an activation of any token, which {name} needs: detection, "
                "embedding and surprisal are made on them"
            )
    if by_rules:
        raise BadInput(
            f"{here}; rules are checked where every token's place is known: give --judge MODEL, "
            "or --scorers embedding,surprisal"
        )
    if kinds:
        raise BadInput(f"{here}; --kinds draws contexts of the whole corpus: leave it out")
