"""Generation: does a text that is written for the explanation activate the feature?

A language model is given the explanation alone and writes ten texts; they are run through the
subject and its SAE. The score is the share of them that activate the feature anywhere, special
positions left out (methods.md 5.5). It asks nothing about the contexts of the corpus, so it misses
whole modes of a feature, and it depends on how well the model writes.

A frequent feature fires on anything. Texts written for explanations of other features are the
control: the same request gives the same texts as when those features are scored, from the store.
`lift` is the share of hits among the feature's own texts minus that among the control's; a ratio
would be undefined for most features, whose control never hits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from core.llm.requests import Client, Outcome, Reply, Request
from core.prompts import generation as prompts
from core.replies.texts import texts_in
from core.score.asking import Asked, JudgeSettings, ask, repeated
from core.score.material import Claim, Generated, Material, Outcomes
from core.score.statistics import wilson
from core.score.undefined import NO_ITEMS
from data.records import Score

METRIC = "hit_share"
FEWEST_CONTROLS = 10  # texts; with fewer the control says nothing


class Prober(Protocol):
    """Runs texts through subject and SAE; `core.probe.Probe` does."""

    def peaks(self, texts: Sequence[str], hookpoint: str, feature: int) -> Sequence[float | None]:
        """Largest activation of a feature on each text, raw; None = the text could not be run."""
        ...


@dataclass(frozen=True)
class GenerationScorer:
    """Scores explanations by the texts that are written for them: one call, and its controls'."""

    client: Client
    probe: Prober
    controls_for: Callable[[Material], Sequence[str]]  # explanations of other features
    settings: JudgeSettings = field(default_factory=JudgeSettings)
    name = "generation"

    @property
    def judge(self) -> str:
        """The model that writes."""
        return self.client.model

    def score(self, material: Material, claims: Sequence[Claim]) -> list[Outcomes]:
        """Have texts written for each explanation, and run them."""
        controls = self.controls_for(material)
        asked = list(dict.fromkeys([*(claim.text for claim in claims), *controls]))
        written = dict(zip(asked, write_texts(self.client, asked, self.settings), strict=True))
        control = [written[text] for text in dict.fromkeys(controls)]
        own = [written[claim.text] for claim in claims]
        peaks = self._peaks(material, [*own, *control])
        return [
            self._outcomes(material, claim, written[claim.text], control, peaks) for claim in claims
        ]

    def _peaks(self, material: Material, written: Sequence["Written"]) -> dict[str, float | None]:
        """Run every text once."""
        texts = list(dict.fromkeys(text for one in written for text in one.texts))
        peaks = self.probe.peaks(texts, material.hookpoint, material.feature) if texts else []
        return dict(zip(texts, peaks, strict=True))

    def _outcomes(
        self,
        material: Material,
        claim: Claim,
        own: "Written",
        control: Sequence["Written"],
        peaks: dict[str, float | None],
    ) -> Outcomes:
        texts = [Generated(text, peaks[text], own.key) for text in own.texts]
        # Another feature's explanation that reads the same is no control.
        others = [text for one in control if one is not own for text in one.texts]
        figures = measured(
            np.array([text.max_activation for text in texts], np.float64),
            np.array([peaks[text] for text in others], np.float64),
            material,
        )
        interval = wilson(figures.hits, figures.n)
        score = Score(
            scorer=self.name, metric=METRIC, value=interval.value if interval else None,
            low=interval.low if interval else None, high=interval.high if interval else None,
            tpr=None, tnr=None, n=figures.n, failed=prompts.N_TEXTS - figures.n, judge=self.judge,
            preset=material.label, by_decile={}, non_activating={},
            detail=figures.detail | {"defect": own.defect},
        )  # fmt: skip
        return Outcomes(
            explanation_id=claim.explanation_id,
            items=NO_ITEMS,
            predicted=np.empty(0, np.int8),
            score=score,
            generated=tuple(texts),
            # Texts of controls are mostly those of other features, which count them as their own.
            asked=(*own.outcomes, *(o for one in control for o in one.outcomes if _is_new(o))),
        )


def _is_new(outcome: Outcome) -> bool:
    return isinstance(outcome, Reply) and not outcome.known


class Written(NamedTuple):
    """The texts that were written for one explanation."""

    texts: tuple[str, ...]  # () = no usable answer
    key: str  # request that they came from
    defect: str | None  # why there are none
    outcomes: tuple[Outcome, ...]


def write_texts(
    client: Client, explanations: Sequence[str], settings: JudgeSettings
) -> list[Written]:
    """Ask for the texts of all explanations."""
    requests = [
        prompts.ask_texts(one, max_tokens=settings.max_tokens, seed=settings.seed)
        for one in explanations
    ]
    return write(client, requests, lambda text: texts_in(text, prompts.N_TEXTS))


def write(
    client: Client, requests: Sequence[Request], texts: Callable[[str], tuple[str, ...]]
) -> list[Written]:
    """Have texts written, and ask once more where an answer cannot be used."""

    def read(_place: int, text: str) -> tuple[str, ...]:
        return texts(text)

    asked = ask(client, requests, read)
    outcomes = [[one.outcome] for one in asked]
    bad = [place for place, one in enumerate(asked) if one.defect is not None]
    for place, one in zip(bad, ask(client, [repeated(asked[i]) for i in bad], read), strict=True):
        asked[place] = one
        outcomes[place].append(one.outcome)
    return [_written(*both) for both in zip(asked, outcomes, strict=True)]


def _written(asked: Asked[tuple[str, ...]], outcomes: Sequence[Outcome]) -> Written:
    last = asked.outcome
    defect = asked.defect if isinstance(last, Reply) else last.reason
    return Written(asked.value or (), last.key, defect, tuple(outcomes))


class Figures(NamedTuple):
    """What the texts of one explanation are worth."""

    n: int  # texts that were written and run
    hits: int
    detail: dict[str, Any]


def measured(own: np.ndarray, control: np.ndarray, material: Material) -> Figures:
    """Count hits among peaks: raw activations [texts], NaN where a text could not be run."""
    own, control = own[~np.isnan(own)], control[~np.isnan(control)]
    edges = material.examples.decile_edges
    weakest = None if edges is None or np.isnan(edges[0]) else float(edges[0])
    share = _share(own > 0)
    control_share = _share(control > 0) if len(control) >= FEWEST_CONTROLS else None
    top = material.max_activation
    strength = float(own.mean()) / top if len(own) and top > 0 else None
    detail = {
        "asked": prompts.N_TEXTS,
        "hits": int((own > 0).sum()),
        # As strong as the weakest context of the corpus, below which a hit is hardly one.
        "share_in_range": None if weakest is None else _share(own >= weakest),
        "weakest_context": weakest,
        "mean_peak_share": strength,
        "control": {"n": len(control), "hits": int((control > 0).sum()), "share": control_share},
        "lift": None if share is None or control_share is None else share - control_share,
    }
    return Figures(len(own), int((own > 0).sum()), detail)


def _share(hit: np.ndarray) -> float | None:
    return float(hit.mean()) if len(hit) else None
