"""What a delphi run directory holds, by feature and hookpoint: the record that delphi.py makes."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from data.errors import BadInput
from data.imports.foreign import clean

LAST_INDEX = 2**24 - 2  # features are 24 bits wide in our files
LONGEST_NAME = 300  # letters of a hookpoint


class Address(NamedTuple):
    """One feature of a run."""

    hookpoint: str
    feature: int

    def __str__(self) -> str:
        """As messages name it, e.g. "layers.2/17"."""
        return f"{self.hookpoint}/{self.feature}"


class TensorFiles(NamedTuple):
    """Activations as the oldest runs and autointerp keep them, in one `.pt` file or in two."""

    locations: Path
    activations: Path  # the same file where it holds both


class ShardPath(NamedTuple):
    """One file of activations, named by the features in it."""

    first: int
    last: int  # included
    path: Path


@dataclass(frozen=True, slots=True)
class DelphiRun:
    """What a run directory holds, unread."""

    root: Path
    config: Mapping[str, Any]  # run_config.json; {} without
    cached: Mapping[str, Any]  # how the activations were cached, by that file or beside these
    explanations: Mapping[Address, Path]
    scores: Mapping[str, Mapping[Address, Path]]  # by our name of the scorer
    train: Mapping[Address, Path]
    latents: Mapping[str, tuple[ShardPath, ...]]  # by hookpoint, ascending
    neighbours: Mapping[tuple[str, str], Path]  # by hookpoint and measure
    texts: Mapping[Address, str]  # explanations of files for all features
    values: Mapping[str, Mapping[Address, float]]  # scores without verdicts, by our name
    tensors: Mapping[str, tuple[TensorFiles, ...]]  # by hookpoint
    damaged: tuple[str, ...]  # settings beside the shards that cannot be read
    width: int | None  # features of the SAE, where a folder is named after it
    subject: str | None  # as the configuration has it; of published files, as the paper has it
    explainer: str | None  # the language model that explained, likewise
    others: Mapping[str, int]  # scorers that are not imported, with their files
    unread: tuple[str, ...]
    sha256: str  # of everything that is read
    names: Mapping[str, str] = field(default_factory=dict)  # of hookpoints, by the run's own

    @property
    def name(self) -> str:
        """What the run calls itself, else its folder."""
        return clean(str(self.config.get("name") or self.root.resolve().name))

    @property
    def hookpoints(self) -> list[str]:
        """Every hookpoint with data, in the order of the configuration, then by name."""
        found = {a.hookpoint for part in self._by_feature() for a in part}
        found |= {*self.latents, *self.tensors}
        listed = [name for name in self._configured() if name in found]
        return listed + sorted(found - set(listed), key=_natural)

    def features(self, hookpoint: str) -> list[int]:
        """Features that have an explanation, a score or contexts, ascending."""
        return sorted(
            {a.feature for part in self._by_feature() for a in part if a.hookpoint == hookpoint}
        )

    def _by_feature(self) -> Iterator[Iterable[Address]]:
        yield from (self.explanations, self.texts, self.train)
        yield from (*self.scores.values(), *self.values.values())

    @property
    def has_activations(self) -> bool:
        """Whether there are any, with or without their tokens."""
        return bool(self.latents or self.tensors)

    def _configured(self) -> list[str]:
        return [self.names.get(name, name) for name in configured(self.config)]

    def renamed(self, names: Mapping[str, str]) -> "DelphiRun":
        """Call hookpoints otherwise, by their names here; the configuration stays as it is."""

        def at(address: Address) -> Address:
            return address._replace(hookpoint=names.get(address.hookpoint, address.hookpoint))

        return replace(
            self,
            names=names,
            explanations={at(key): path for key, path in self.explanations.items()},
            scores={
                n: {at(k): path for k, path in part.items()} for n, part in self.scores.items()
            },
            train={at(key): path for key, path in self.train.items()},
            latents={names.get(name, name): shards for name, shards in self.latents.items()},
            neighbours={
                (names.get(name, name), measure): path
                for (name, measure), path in self.neighbours.items()
            },
            texts={at(key): text for key, text in self.texts.items()},
            values={n: {at(k): v for k, v in part.items()} for n, part in self.values.items()},
            tensors={names.get(name, name): files for name, files in self.tensors.items()},
        )

    def text(self, name: str) -> str | None:
        """A text of the configuration, e.g. "sparse_model"; None without."""
        return text_in(self.config, name)

    def section(self, name: str) -> Mapping[str, Any]:
        """A part of the configuration, e.g. "sampler_cfg"; empty without."""
        found = self.config.get(name)
        return found if isinstance(found, dict) else {}


def text_in(config: Mapping[str, Any], name: str) -> str | None:
    """A text of a configuration; None without, or where it is something else."""
    found = config.get(name)
    return clean(found) if isinstance(found, str) and found else None


def configured(config: Mapping[str, Any]) -> list[str]:
    """The hookpoints that a configuration lists."""
    found = config.get("hookpoints")
    names = found if isinstance(found, list) else []
    return [clean(name).lstrip(".") for name in names if isinstance(name, str)]


def require_hookpoint(name: str, where: str) -> str:
    """A name that foreign files give a hookpoint, or refused: it must never lead out of a folder.

    A "/" between parts is usual (layer_12/width_16k), "--" in the names of files; where: what names
    it, for the message.
    """
    parts, undone = name.split("/"), name.replace("--", "/").split("/")
    is_text = name.isprintable() and len(name) <= LONGEST_NAME and "\\" not in name
    leads_out = {".", ".."} & {part.strip() for part in undone}
    if is_text and not leads_out and "" not in {part.strip() for part in parts}:
        return name
    raise BadInput(f"{where} names the hookpoint {name[:80]!a}, which is no usable name: parts "
                   "between '/' may not be empty or dots, and there may be no backslash and no "
                   "control character")  # fmt: skip


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts layers.2 before layers.10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
