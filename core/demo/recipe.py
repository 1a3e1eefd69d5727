"""Everything that decides what the demo's weights become, but the text and the machine."""

from dataclasses import dataclass, field

from core.demo import HOOKPOINTS
from core.demo.autoencoder import SaeSettings
from core.demo.language_model import ModelSettings


@dataclass(frozen=True, slots=True)
class Recipe:
    """Sizes, settings and how the time is divided."""

    model: ModelSettings = field(default_factory=ModelSettings)
    sae: SaeSettings = field(default_factory=SaeSettings)
    hookpoints: tuple[str, ...] = HOOKPOINTS
    model_share: float = 0.9  # of the training time; the SAEs divide the rest equally
    sae_tokens: int = 2_000_000  # training tokens whose activations the SAEs learn from
    measured_tokens: int = 500_000  # training tokens that dead features are counted on
    seed: int = 0
