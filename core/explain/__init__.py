"""Explainers: what a feature means, in a sentence, with a language model or without.

    settings.py    what a person can change
    evidence.py    what an explainer may see
    explaining.py  the Explainer protocol, what it gets and gives
    asking.py      a question, its one repair, its failure
    direct.py      plain, activations, logits, cot, contrastive, single-token, output
    best.py  iterative.py  debate.py
    promoted.py    what a feature makes likelier, in a sentence; no model
    grammar.py     rules that a program checks; no model
    trial.py       what an explanation did on texts kept aside

EXPLAINERS is the table of them, for people and for the stage that gathers what they need;
explainer_for makes one.
"""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from core.explain.explaining import Explainer
    from core.explain.settings import ExplainerSettings

PAPER = "arXiv 2410.13928"


class Needs(NamedTuple):
    """What has to be there besides activating contexts."""

    model: bool = True  # an endpoint
    silent: int = 0  # silent train contexts, hardest kind first
    effects: int = 0  # promoted and suppressed tokens, of either kind
    peak_tokens: int = 0
    trial: bool = (
        False  # a judge for the selection split; contexts shown come from the rest of train
    )
    redraws: bool = False  # other train contexts for each candidate

    @property
    def words(self) -> str:
        """Say it in words, for a table."""
        parts = [
            "a language model" if self.model else "nothing",
            "silent contexts" if self.silent else "",
            "logit effects" if self.effects else "",
            "peak tokens" if self.peak_tokens else "",
            "a judge" if self.trial else "",
        ]
        return ", ".join(part for part in parts if part)


class Method(NamedTuple):
    """One explainer, for people."""

    adds: str  # to marked contexts
    needs: Needs
    source: str


EXPLAINERS = {
    "grammar": Method(
        "rules instead of a model, checked exactly on the whole corpus",
        Needs(model=False),
        "EleutherAI 2024 (proposed); Gloss",
    ),
    "plain": Method("nothing: marks alone", Needs(), PAPER),
    "activations": Method("strengths from 0 to 10 of the marked tokens", Needs(), PAPER),
    "logits": Method(
        "strengths, and the tokens it makes likelier or less likely",
        Needs(effects=10),
        "EleutherAI, July 2024",
    ),
    "cot": Method("strengths, and worked stages before the answer", Needs(), PAPER),
    "contrastive": Method(
        "strengths, and texts in which the feature is silent",
        Needs(silent=5),
        "EleutherAI/delphi 0.1.1; all deciles: Gloss",
    ),
    "single-token": Method(
        "a list of the tokens it fires on, and five contexts", Needs(peak_tokens=20), "Gloss"
    ),
    "best-of-k": Method(
        "several candidates, the best on texts kept aside",
        Needs(trial=True, redraws=True),
        "arXiv 2410.13928 (choosing on what is scored); selection split: Gloss",
    ),
    "iterative": Method(
        "rounds of trial and revision on texts kept aside",
        Needs(trial=True),
        "EleutherAI/delphi (a branch); accept test: Gloss",
    ),
    "debate": Method(
        "several explanations with verified quotes, and a judge that sees no texts",
        Needs(),
        "EleutherAI 2024 (proposed)",
    ),
    "output": Method(
        "the tokens it makes likelier or less likely instead of contexts; a sentence of the "
        "likelier ones where no model is named",
        Needs(effects=50),
        "arXiv 2501.08319; the sentence: Gloss",
    ),
}


def explainer_for(settings: "ExplainerSettings") -> "Explainer":
    """Make the explainer that settings name; it has no state and serves any number of threads."""
    from core.explain.best import BestOfK
    from core.explain.debate import Debate
    from core.explain.direct import Direct
    from core.explain.iterative import Iterative

    several = {"best-of-k": BestOfK, "iterative": Iterative, "debate": Debate}
    return several.get(settings.explainer, Direct)(settings)
