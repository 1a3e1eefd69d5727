"""A delphi run directory: which files it has for which feature, told by their names alone.

    run_config.json
    latents/<hookpoint>/<first>_<last>.safetensors    neighbours/<hookpoint>-<measure>.json
    explanations/<hookpoint>_latent<index>.txt        scores/<scorer>/<hookpoint>_latent<index>.txt
    train/<hookpoint>_latent<index>.json              contexts the explainer saw (not delphi's own)

Every part may be missing. Older runs have `_feature` for `_latent`, hookpoints that begin with a
dot, and one or two folders more between `scores` and the scorer; the oldest, and stores of
autointerp, have activations in `.pt` files. Published explanations come as `<hookpoint>_feature
.json`, one object for all features, those of the blog as tables. What the files hold is read in
delphi_rows.py, delphi_latents.py, delphi_tensors.py and published.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.errors import BadInput
from data.imports.delphi_run import (
    LAST_INDEX,
    Address,
    DelphiRun,
    ShardPath,
    TensorFiles,
    configured,
    require_hookpoint,
    text_in,
)
from data.imports.foreign import content_sha256, files_below, read_json, shown
from data.imports.published import (
    BULK,
    MODEL,
    Table,
    read_bulk,
    read_table,
    subject_of,
    width_of,
)

SCORERS = {
    "detection": "detection", "fuzz": "fuzzing", "simulation": "simulation", "intruder": "intruder",
    "embedding": "embedding", "surprisal": "surprisal", "surprisal_intervention": "intervention",
}  # fmt: skip
SINGLE = (".csv", ".json", ".pt")  # files that are a run of their own
PARTS = ("latents", "explanations", "scores")  # folders of a run
OTHER_SCORERS = ("example_embedding",)
ONE = re.compile(r"(?P<hook>.+)_(?:latent|feature)(?P<index>\d{1,9})\.(?:txt|json)")
CACHED = re.compile(r"(?:.*/)?latents/.+/config\.json")
SHARD = re.compile(r"(\d{1,99})_(\d{1,99})\.safetensors")
PAIR = re.compile(r"(?P<hook>.+?)(?:_split_\d{1,6})?_(?P<what>locations|activations)\.pt")
NEIGHBOURS = re.compile(
    r"(?P<hook>.+)-(?P<measure>co-occurrence|decoder_similarity|encoder_similarity)\.json"
)


@dataclass(slots=True)
class Parts:
    """A run as its files are sorted."""

    known: frozenset[str]  # hookpoints with "/" in their names
    headed: frozenset[str]  # folders of autointerp's
    explanations: dict[Address, Path] = field(default_factory=dict)
    scores: dict[str, dict[Address, Path]] = field(default_factory=dict)
    train: dict[Address, Path] = field(default_factory=dict)
    latents: dict[str, list[ShardPath]] = field(default_factory=dict)
    neighbours: dict[tuple[str, str], Path] = field(default_factory=dict)
    bulk: dict[str, Path] = field(default_factory=dict)  # explanations of a whole hookpoint
    tables: list[Path] = field(default_factory=list)
    pairs: dict[tuple[str, str], dict[str, Path]] = field(default_factory=dict)  # by what they are
    stores: dict[str, list[Path]] = field(default_factory=dict)  # files of autointerp
    others: dict[str, int] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)  # experiments that scores belong to
    unread: list[str] = field(default_factory=list)
    read: list[tuple[str, Path]] = field(default_factory=list)


def open_run(root: Path) -> DelphiRun:
    """Sort the files of a run directory, or of a single file; what is no such run is refused."""
    files = {root.name: root} if root.suffix in SINGLE and root.is_file() else files_below(root)
    config = {}
    if "run_config.json" in files:
        config = read_json(files["run_config.json"], dict)
    _require_single(root, files)
    for name in configured(config):
        require_hookpoint(name, shown(files["run_config.json"]))
    cached, damaged = _cached(files, config)
    parts = Parts(_slashed(files, config), _headed(files))
    for name, path in files.items():
        if _sort(parts, name.split("/"), path):
            parts.read.append((name, path))
        else:
            parts.unread.append(name)
    _require_one(root, parts)
    table = read_tables(parts.tables)
    whole = {Address(hookpoint, feature): text for hookpoint, path in parts.bulk.items()
             for feature, text in read_bulk(path).items()}  # fmt: skip
    return DelphiRun(
        root=root,
        config=config,
        cached=cached,
        explanations=parts.explanations,
        scores={name: parts.scores[name] for name in SCORERS.values() if name in parts.scores},
        train=parts.train,
        latents={name: tuple(sorted(shards)) for name, shards in parts.latents.items()},
        neighbours=parts.neighbours,
        texts=whole | table.texts,
        values=table.values,
        tensors=_tensors(parts),
        damaged=damaged,
        width=_width(root, whole),
        subject=text_in(config, "model")
        or text_in(cached, "model_name")
        or (subject_of(root.resolve().parts) if whole else None),
        explainer=text_in(config, "explainer_model") or (MODEL if whole else None),
        others=parts.others,
        unread=tuple(parts.unread),
        sha256=content_sha256(parts.read),
    )


def read_tables(paths: list[Path]) -> Table:
    """All tables of the blog as one."""
    whole = Table({}, {})
    for path in paths:
        found = read_table(path)
        if twice := found.texts.keys() & whole.texts.keys():
            raise BadInput(f"{shown(path)} is about {min(twice)}, as the table before it is")
        whole.texts.update(found.texts)
        for scorer, values in found.values.items():
            whole.values.setdefault(scorer, {}).update(values)
    return whole


def _cached(
    files: Mapping[str, Path], config: Mapping[str, Any]
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """How the activations were cached, and the files beside them that do not say so.

    The run's own settings count, else those of the first file; where they are all there is, a
    damaged one is refused.
    """
    found = config.get("cache_cfg")
    is_said, damaged = isinstance(found, dict), []
    for name, path in files.items():
        if not CACHED.fullmatch(name):
            continue
        try:
            beside = read_json(path, dict)
        except BadInput:
            if not is_said:
                raise
            damaged.append(name)
        else:
            found, is_said = (found if is_said else beside), True
    return (found if isinstance(found, dict) else {}), tuple(damaged)


def _require_single(root: Path, files: Mapping[str, Path]) -> None:
    """Refuse a folder of runs: each of these has settings of its own, or parts of a run."""
    homes = set()
    for name in files:
        parts = name.split("/")
        at = next((i for i, part in enumerate(parts[:-1]) if part in PARTS), None)
        if parts[-1] == "run_config.json":
            homes.add("/".join(parts[:-1]))
        elif at is not None and (ONE.fullmatch(parts[-1]) or SHARD.fullmatch(parts[-1])):
            homes.add("/".join(parts[:at]))
    if "" not in homes and len(homes) > 1:
        listed = ", ".join(shown(home) for home in sorted(homes)[:4])
        raise BadInput(f"{root} holds {len(homes)} runs ({listed}): give one of them")


def _require_one(root: Path, parts: Parts) -> None:
    """Refuse what is no run, and what is several."""
    if len(parts.groups) > 1:
        listed = ", ".join(sorted(parts.groups)[:4])
        raise BadInput(f"{root} holds several experiments ({listed}): give one of them a folder")
    tensors = parts.pairs or parts.stores
    whole = parts.bulk or parts.tables
    if not (parts.explanations or parts.scores or parts.latents or tensors or whole):
        raise BadInput(
            f"{root} is no delphi run: it has neither latents/<hookpoint>/<first>_<last>"
            ".safetensors nor explanations/ or scores/ with <hookpoint>_latent<index>.txt"
        )


def _tensors(parts: Parts) -> dict[str, tuple[TensorFiles, ...]]:
    """Activations in `.pt` files, by hookpoint; one half of a pair without the other is refused."""
    found: dict[str, list[TensorFiles]] = {}
    for (hookpoint, _), pair in sorted(parts.pairs.items()):
        for what in ("locations", "activations"):
            if what not in pair:
                (other,) = pair.values()
                raise BadInput(f"{shown(other)} lacks the file with its {what}: put it beside")
        found.setdefault(hookpoint, []).append(TensorFiles(**pair))
    for hookpoint, paths in sorted(parts.stores.items()):
        found.setdefault(hookpoint, []).extend(TensorFiles(path, path) for path in paths)
    return {hookpoint: tuple(pairs) for hookpoint, pairs in found.items()}


def _width(root: Path, texts: Mapping[Address, str]) -> int | None:
    """Features of the SAE that a folder is named after; explanations of more are refused."""
    width = width_of(root.resolve().parts) if texts else None
    beyond = next((one for one in texts if width is not None and one.feature >= width), None)
    if beyond is not None:
        raise BadInput(f"{shown(root)} explains {beyond}, but is named after an SAE of {width:,} "
                       "features")  # fmt: skip
    return width


def _headed(files: Mapping[str, Path]) -> frozenset[str]:
    """Folders of autointerp's store that is split: beside the parts lies a table of features."""
    return frozenset(name.removesuffix("/header.parquet") for name in files
                     if name.endswith("/header.parquet"))  # fmt: skip


def _slashed(files: Mapping[str, Path], config: Mapping[str, Any]) -> frozenset[str]:
    """Names of hookpoints that have a "/", which file names write as "--"."""
    below = {
        "/".join(parts[1:-1])
        for parts in (name.split("/") for name in files)
        if parts[0] == "latents" and SHARD.fullmatch(parts[-1])
    }
    return frozenset(name for name in below | set(configured(config)) if "/" in name)


def _sort(parts: Parts, where: list[str], path: Path) -> bool:
    """Put a file where it belongs; False: it is none that is read."""
    *folders, name = where
    if where == ["run_config.json"] or CACHED.fullmatch("/".join(where)):
        return True
    if "latents" in folders and (found := SHARD.fullmatch(name)):
        inside = folders[folders.index("latents") + 1 :]
        return bool(inside) and _add_shard(parts, "/".join(inside), found, path)
    if folders[:1] == ["neighbours"] and (found := NEIGHBOURS.fullmatch(name)):
        hookpoint = _hookpoint(parts, found["hook"], path)
        parts.neighbours[hookpoint, found["measure"]] = path
        return True
    if found := ONE.fullmatch(name):
        return _sort_one(parts, folders, _address(parts, found, path), path)
    return _sort_whole(parts, folders, name, path)


def _sort_whole(parts: Parts, folders: list[str], name: str, path: Path) -> bool:
    """Put a file about all features of a hookpoint where it belongs."""
    if found := PAIR.fullmatch(name):
        hookpoint = _hookpoint(parts, found["hook"], path)
        split = "/".join([*folders, name.removesuffix(f"_{found['what']}.pt")])
        parts.pairs.setdefault((hookpoint, split), {})[found["what"]] = path
    elif name.endswith(".pt") and "/".join(folders) in parts.headed:
        parts.stores.setdefault(_hookpoint(parts, folders[-1], path), []).append(path)
    elif name.endswith(".pt") and not folders and "." in name.removesuffix(".pt"):
        parts.stores.setdefault(_hookpoint(parts, name.removesuffix(".pt"), path), []).append(path)
    elif found := BULK.fullmatch(name):
        hookpoint = _hookpoint(parts, found["hook"], path)
        if hookpoint in parts.bulk:
            raise BadInput(f"{shown(path)} and {shown(parts.bulk[hookpoint])} are of two SAEs at "
                           f"{hookpoint}: give the folder of one of them")  # fmt: skip
        parts.bulk[hookpoint] = path
    elif name.endswith(".csv") and not folders:
        parts.tables.append(path)
    else:
        return "/".join([*folders, name]) in {f"{folder}/header.parquet" for folder in parts.headed}
    return True


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
    first, last = int(found[1]), int(found[2])  # no longer than a file's name may be
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
    return require_hookpoint(name, shown(path))
