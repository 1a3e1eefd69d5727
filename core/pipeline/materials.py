"""One feature's test material, drawn from a cache as its scorers want it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.examples import (
    PRESETS,
    FeatureExamples,
    Neighbour,
    Preset,
    with_neighbours,
    with_similar,
    with_token,
)
from core.examples.similar import SimilarIndex
from core.pipeline.workbench import Workbench
from core.score.material import Material
from data.activations import FeatureActivations
from data.catalogue import Catalogue
from data.records import HookpointRecord

KINDS = ("token", "neighbour", "similar")


class Drawing(NamedTuple):
    """What is drawn for a feature's scorers beyond the preset."""

    preset: str
    kinds: tuple[str, ...] = ()  # harder non-activating contexts, reported apart
    size: int | None = None  # contexts of each of those kinds; None = as the preset says
    is_stored: bool = False  # nothing is drawn: contexts are those of an import

    @property
    def label(self) -> str:
        """The preset with what was asked for beyond it, e.g. "gloss+token"."""
        label = "+".join((self.preset, *sorted(self.kinds)))
        return f"{label}, imported contexts" if self.is_stored else label


@dataclass(frozen=True)
class Drawer:
    """Draws the material of one hookpoint's features; the same feature gives the same."""

    bench: Workbench
    hookpoint: HookpointRecord
    drawing: Drawing
    index: SimilarIndex | None = None  # for kind similar

    def material(self, feature: int, nearest: Sequence[Neighbour] = ()) -> Material:
        """Draw one feature's contexts; nearest: by decoder cosine, where neighbours are needed."""
        bench, preset = self.bench, PRESETS[self.drawing.preset]
        activations = bench.slice(self.hookpoint, feature)
        examples = bench.draw(self.hookpoint, feature, preset)
        if examples.reason in (None, "reduced"):
            examples = self._with_kinds(activations, examples, preset, nearest)
        return Material(
            contexts=bench.contexts,
            vocabulary=bench.files.vocabulary,
            activations=activations,
            examples=examples,
            preset=preset,
            label=self.drawing.label,
            hookpoint=self.hookpoint.name,
            max_activation=float(activations.activation.max(initial=0)),
            nearest=tuple(nearest),
            others={near.feature: bench.slice(self.hookpoint, near.feature) for near in nearest},
        )

    def _with_kinds(
        self,
        activations: FeatureActivations,
        examples: FeatureExamples,
        preset: Preset,
        nearest: Sequence[Neighbour],
    ) -> FeatureExamples:
        contexts, name, kinds = self.bench.contexts, self.hookpoint.name, self.drawing.kinds
        size = self.drawing.size or preset.on_request
        if "token" in kinds:
            examples = with_token(contexts, activations, examples, hookpoint=name, size=size)
        if "neighbour" in kinds:
            columns = self.bench.columns(self.hookpoint)
            examples = with_neighbours(
                contexts, columns, activations, examples, nearest, hookpoint=name, size=size
            )
        if "similar" in kinds and self.index is not None:
            examples = with_similar(
                contexts, self.index, activations, examples, hookpoint=name, size=size
            )
        return examples


NEAREST = """
select feature, other, value
from neighbour
where hookpoint_id = ? and measure = 'cosine'
order by feature, rank
"""


def nearest_features(
    catalogue: Catalogue, hookpoint: HookpointRecord
) -> Mapping[int, tuple[Neighbour, ...]]:
    """Every feature's nearest features by decoder cosine, nearest first."""
    found: dict[int, list[Neighbour]] = {}
    with catalogue.reading() as con:
        for row in con.rows(NEAREST, [hookpoint.hookpoint_id]):
            found.setdefault(row["feature"], []).append(Neighbour(row["other"], row["value"]))
    return {feature: tuple(nearest) for feature, nearest in found.items()}
