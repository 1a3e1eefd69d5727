"""A sweep as the words of its command, so that a page starts what a person would type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from core.llm.settings import EndpointSettings
from core.pipeline.judging import DEFAULT
from core.pipeline.scorers import GRAMMAR, Means
from core.pipeline.sweeping import SweepRequest, explainer_of
from core.pipeline.variations import variations
from data.catalogue import Catalogue
from data.errors import BadInput

READ = ("--explainer", "--model", "--vary")  # flags that say which settings are swept


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be swept, before it is spelt out."""

    cache: str
    explainers: tuple[str, ...]
    vary: tuple[tuple[str, tuple[str, ...]], ...] = ()  # name of a setting and its values
    hookpoints: tuple[str, ...] = ()
    features: str = "random:50"
    endpoint: EndpointSettings = field(default_factory=EndpointSettings)
    judge: str = GRAMMAR  # or a model's id at the same endpoint
    scorers: tuple[str, ...] = DEFAULT

    @property
    def varied(self) -> tuple[str, ...]:
        """What follows each --vary."""
        return tuple(f"{name}={','.join(values)}" for name, values in self.vary if values)

    @property
    def asks_a_model(self) -> bool:
        """Whether a language model explains or judges."""
        return self.judge != GRAMMAR or any(name != GRAMMAR for name in self.explainers)


def request_of(wish: Wish) -> SweepRequest:
    """Spell it out; BadInput where it means nothing."""
    asks = any(name != GRAMMAR for name in wish.explainers)
    endpoint = wish.endpoint.require_model() if asks else None
    return SweepRequest(
        cache=wish.cache,
        settings=variations(wish.explainers, wish.varied),
        hookpoints=wish.hookpoints,
        features=wish.features,
        endpoint=endpoint,
        means=Means(judge=wish.judge, endpoint=wish.endpoint),
        scorers=wish.scorers,
    )


def words_of(wish: Wish) -> list[str]:
    """The command, without the store.

    >>> words_of(Wish("demo", ("grammar",), (("objective", ("f1", "mdl")),)))[:4]
    ['gloss', 'sweep', 'demo', '--explainer']
    """
    words = ["gloss", "sweep", wish.cache, "--explainer", ",".join(wish.explainers),
             "--features", wish.features]  # fmt: skip
    words += _repeated("--vary", wish.varied) + _repeated("--hookpoint", wish.hookpoints)
    if wish.scorers != DEFAULT:
        words += ["--scorers", ",".join(wish.scorers)]
    words += ["--judge", wish.judge]
    return words + (endpoint_words(wish.endpoint) if wish.asks_a_model else [])


def explainers_of(catalogue: Catalogue, command: Sequence[str]) -> list[int]:
    """The explainer_id of every setting of a sweep that was used, from its command.

    Its runs alone do not tell: a setting that every feature had already was not run again.
    """
    flags: dict[str, list[str]] = {}
    words = iter(command)
    for word in words:
        name, equals, value = word.partition("=")
        if name in READ:
            flags.setdefault(name, []).append(value if equals else next(words, ""))
    (model,) = flags.get("--model", [""])[-1:]
    names = [n.strip() for n in flags.get("--explainer", [""])[-1].split(",") if n.strip()]
    names = names or ["activations" if model else GRAMMAR]
    try:
        made = variations(names, flags.get("--vary", ()))
    except BadInput:  # another version's command
        return []
    request = SweepRequest(cache="", settings=made, endpoint=EndpointSettings(model=model))
    found = (explainer_of(catalogue, request, settings) for settings in made)
    return [one for one in found if one is not None]


def _repeated(flag: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (flag, value)]


def endpoint_words(endpoint: EndpointSettings) -> list[str]:
    """Flags of what is not as usual; base_url always, since a variable may set it otherwise."""
    words = []
    for one in fields(endpoint):
        value = getattr(endpoint, one.name)
        if value is not None and (value != one.default or one.name == "base_url"):
            known: Mapping[str, str] = one.metadata
            words += [known.get("flag", f"--{one.name.replace('_', '-')}"), str(value)]
    return words
