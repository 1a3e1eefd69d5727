"""A delphi run directory: which files it has for which feature, told by their names alone.

    run_config.json
    latents/<hookpoint>/<first>_<last>.safetensors    neighbours/<hookpoint>-<measure>.json
    explanations/<hookpoint>_latent<index>.txt        scores/<scorer>/<hookpoint>_latent<index>.txt
    train/<hookpoint>_latent<index>.json              contexts the explainer saw (not delphi's own)

Every part may be missing. Older runs have `_feature` for `_latent`, hookpoints that begin with a
dot, and one or two folders more between `scores` and the scorer. What the files hold is read in
delphi_rows.py and delphi_latents.py.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from data.errors import BadInput
from data.imports.foreign import content_sha256, files_below, read_json, shown

SCORERS = {"detection": "detection", "fuzz": "fuzzing", "simulation": "simulation"}
OTHER_SCORERS = (
    "intruder", "embedding", "example_embedding", "surprisal", "surprisal_intervention",
)  # fmt: skip
ONE = re.compile(r"(?P<hook>.+)_(?:latent|feature)(?P<index>\d{1,9})\.(?:txt|json)")
SHARD = re.compile(r"(\d{1,9})_(\d{1,9})\.safetensors")
NEIGHBOURS = re.compile(
    r"(?P<hook>.+)-(?P<measure>co-occurrence|decoder_similarity|encoder_similarity)\.json"
)
LAST_INDEX = 2**24 - 2  # features are 24 bits wide in our files
LONGEST_NAME = 300  # letters of a hookpoint


class Address(NamedTuple):
    """One feature of a run."""

    hookpoint: str
    feature: int

    def __str__(self) -> str:
        """As messages name it, e.g. "layers.2/17"."""
        return f"{self.hookpoint}/{self.feature}"


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
    explanations: Mapping[Address, Path]
    scores: Mapping[str, Mapping[Address, Path]]  # by our name of the scorer
    train: Mapping[Address, Path]
    latents: Mapping[str, tuple[ShardPath, ...]]  # by hookpoint, ascending
    neighbours: Mapping[tuple[str, str], Path]  # by hookpoint and measure
    others: Mapping[str, int]  # scorers that are not imported, with their files
    unread: tuple[str, ...]
    sha256: str  # of everything that is read

    @property
    def name(self) -> str:
        """What the run calls itself, else its folder."""
        return str(self.config.get("name") or self.root.resolve().name)

    @property
    def hookpoints(self) -> list[str]:
        """Every hookpoint with data, in the order of the configuration, then by name."""
        found = {a.hookpoint for part in self._by_feature() for a in part} | set(self.latents)
        listed = [name for name in self._configured() if name in found]
        return listed + sorted(found - set(listed), key=_natural)

    def features(self, hookpoint: str) -> list[int]:
        """Features that have an explanation, a score or contexts, ascending."""
        return sorted(
            {a.feature for part in self._by_feature() for a in part if a.hookpoint == hookpoint}
        )

    def _by_feature(self) -> Iterator[Mapping[Address, Path]]:
        yield from (self.explanations, self.train, *self.scores.values())

    def _configured(self) -> list[str]:
        return _names(self.config)

    def text(self, name: str) -> str | None:
        """A text of the configuration, e.g. "model"; None without."""
        found = self.config.get(name)
        return found if isinstance(found, str) and found else None

    def section(self, name: str) -> Mapping[str, Any]:
        """A part of the configuration, e.g. "sampler_cfg"; empty without."""
        found = self.config.get(name)
        return found if isinstance(found, dict) else {}


def _names(config: Mapping[str, Any]) -> list[str]:
    found = config.get("hookpoints")
    names = found if isinstance(found, list) else []
    return [name.lstrip(".") for name in names if isinstance(name, str)]


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts layers.2 before layers.10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


@dataclass(slots=True)
class Parts:
    """A run as its files are sorted."""

    known: frozenset[str]  # hookpoints with "/" in their names
    config: Path | None = None
    explanations: dict[Address, Path] = field(default_factory=dict)
    scores: dict[str, dict[Address, Path]] = field(default_factory=dict)
    train: dict[Address, Path] = field(default_factory=dict)
    latents: dict[str, list[ShardPath]] = field(default_factory=dict)
    neighbours: dict[tuple[str, str], Path] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)  # experiments that scores belong to
    unread: list[str] = field(default_factory=list)
    read: list[tuple[str, Path]] = field(default_factory=list)


def open_run(root: Path) -> DelphiRun:
    """Sort the files of a run directory; what is no such run is refused."""
    files = files_below(root)
    config = {}
    if "run_config.json" in files:
        config = read_json(files["run_config.json"], dict)
    parts = Parts(_slashed(files, config))
    for name, path in files.items():
        if _sort(parts, name.split("/"), path):
            parts.read.append((name, path))
        else:
            parts.unread.append(name)
    if len(parts.groups) > 1:
        listed = ", ".join(sorted(parts.groups)[:4])
        raise BadInput(f"{root} holds several experiments ({listed}): give one of them a folder")
    if not (parts.explanations or parts.scores or parts.latents):
        raise BadInput(
            f"{root} is no delphi run: it has neither latents/<hookpoint>/<first>_<last>"
            ".safetensors nor explanations/ or scores/ with <hookpoint>_latent<index>.txt"
        )
    return DelphiRun(
        root=root,
        config=config,
        explanations=parts.explanations,
        scores={name: parts.scores[name] for name in SCORERS.values() if name in parts.scores},
        train=parts.train,
        latents={name: tuple(sorted(shards)) for name, shards in parts.latents.items()},
        neighbours=parts.neighbours,
        others=parts.others,
        unread=tuple(parts.unread),
        sha256=content_sha256(parts.read),
    )


def _slashed(files: Mapping[str, Path], config: Mapping[str, Any]) -> frozenset[str]:
    """Names of hookpoints that have a "/", which file names write as "--"."""
    below = {
        "/".join(parts[1:-1])
        for parts in (name.split("/") for name in files)
        if parts[0] == "latents" and SHARD.fullmatch(parts[-1])
    }
    return frozenset(name for name in below | set(_names(config)) if "/" in name)


def _sort(parts: Parts, where: list[str], path: Path) -> bool:
    """Put a file where it belongs; False: it is none that is read."""
    *folders, name = where
    if where == ["run_config.json"]:
        return True
    if "latents" in folders and (found := SHARD.fullmatch(name)):
        inside = folders[folders.index("latents") + 1 :]
        return bool(inside) and _add_shard(parts, "/".join(inside), found, path)
    if folders[:1] == ["neighbours"] and (found := NEIGHBOURS.fullmatch(name)):
        hookpoint = _hookpoint(parts, found["hook"], path)
        parts.neighbours[hookpoint, found["measure"]] = path
        return True
    found = ONE.fullmatch(name)
    return found is not None and _sort_one(parts, folders, _address(parts, found, path), path)


def _sort_one(parts: Parts, folders: list[str], address: Address, path: Path) -> bool:
    """Put a file about one feature where it belongs."""
    if "explanations" in folders:
        return _add(parts.explanations, address, path)
    if "scores" in folders:
        return _add_score(parts, folders[folders.index("scores") + 1 :], address, path)
    return folders == ["train"] and _add(parts.train, address, path)


def _add(into: dict[Address, Path], address: Address, path: Path) -> bool:
    if address in into:
        raise BadInput(f"{shown(path)} and {into[address].name} are about the same feature")
    into[address] = path
    return True


def _add_score(parts: Parts, inside: list[str], address: Address, path: Path) -> bool:
    """Older runs keep simulation scores beside the folders of the other scorers."""
    scorer = inside[-1] if inside else ""
    if scorer in OTHER_SCORERS:
        parts.others[scorer] = parts.others.get(scorer, 0) + 1
        return False
    if scorer not in SCORERS:
        scorer = "simulation" if inside else "detection"
    else:
        inside = inside[:-1]
    parts.groups.add("/".join(inside))
    return _add(parts.scores.setdefault(SCORERS[scorer], {}), address, path)


def _add_shard(parts: Parts, hookpoint: str, found: re.Match[str], path: Path) -> bool:
    first, last = int(found[1]), int(found[2])
    if first > last or last > LAST_INDEX:
        raise BadInput(f"{shown(path)} names features {first} to {last}: no such range is possible")
    name = _hookpoint(parts, hookpoint, path)
    parts.latents.setdefault(name, []).append(ShardPath(first, last, path))
    return True


def _address(parts: Parts, found: re.Match[str], path: Path) -> Address:
    index = int(found["index"])
    if index > LAST_INDEX:
        raise BadInput(f"{shown(path)} names feature {index}; there are at most {LAST_INDEX:,}")
    return Address(_hookpoint(parts, found["hook"], path), index)


def _hookpoint(parts: Parts, name: str, path: Path) -> str:
    """A hookpoint as we call it: no leading dot, "--" undone where that gives a known name."""
    name = name.removeprefix(".")
    undone = name.replace("--", "/")
    name = undone if undone in parts.known else name
    if not name or not name.isprintable() or len(name) > LONGEST_NAME:
        raise BadInput(f"{shown(path)} names no usable hookpoint")
    return name
