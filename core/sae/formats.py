"""Finds out which format an SAE is in, from the names of its files, and loads it.

One row a format; a format that is known but not read yet is refused by its name. A folder with
several hookpoints is a set, one sub-folder each. Nothing is unpickled and no hub code is run. A
source `random:FEATURES:K` has no files: it is drawn.
"""

import os
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from core.pretrained import hub_answers, looks_local, reported
from core.sae import sparsify
from core.sae.coder import Sae
from core.sae.random import draw_sae, is_random, read_size
from data.errors import BadInput

DEPTH = 3  # folders below a set's root that are looked into


class Format(NamedTuple):
    """One way of keeping an SAE in a folder."""

    name: str
    files: tuple[str, ...]  # patterns, each of which some file below the folder must match
    load: Callable[..., Sae] | None  # None = recognised, refused


FORMATS = (
    Format("sparsify", ("cfg.json", "sae.safetensors"), sparsify.load),
    Format("SAELens", ("cfg.json", "sae_weights.safetensors"), None),
    Format("Gemma Scope", ("params.npz",), None),
    Format("Gemma Scope 2", ("params.safetensors",), None),
    Format("dictionary_learning", ("config.json", "ae.pt"), None),
    Format("dictionary_learning", ("config.json", "checkpoints/ae_*.pt"), None),
    Format("Llama Scope", ("hyperparams.json", "checkpoints/final.safetensors"), None),
    Format("Qwen Scope", ("layer*.sae.pt",), None),
    Format("circuit-tracer transcoder", ("layer_*.safetensors",), None),
    Format("OpenAI sparse_autoencoder", ("autoencoder*.pt",), None),
)


def load_sae(
    path_or_repo: str | Path, hookpoint: str | None = None, *, width: int | None = None
) -> Sae:
    """Load one SAE from a folder, a set of folders or a hub repository.

    From a set, `hookpoint` chooses: `layers.2` or the full `gpt_neox.layers.2`, side ":in" or not.
    A folder with one SAE gives that one: what its name means is known to a subject only. A random
    SAE is drawn for the hookpoint and its width (numbers a token), which files say themselves.
    """
    if is_random(path_or_repo):
        if hookpoint is None or width is None:
            raise BadInput(
                f"{path_or_repo} is for no hookpoint: say with --hookpoint what it reads"
            )
        return draw_sae(str(path_or_repo), hookpoint, width)
    found = find(_listing(path_or_repo))
    name = _choose(found, hookpoint, path_or_repo)
    known = found[name]
    if known.load is None:
        raise BadInput(
            f"{_place(path_or_repo, name)} is in the {known.name} format, which is not read yet: "
            f"convert it to {' or '.join(_readable())}"
        )
    return known.load(_fetch(path_or_repo, name), source=str(path_or_repo))


def list_hookpoints(path_or_repo: str | Path) -> list[str]:
    """Name the hookpoints that a folder or repository has SAEs for, as its folders do.

    A random SAE is for any; its only name is its source.
    """
    if is_random(path_or_repo):
        read_size(str(path_or_repo))
        return [str(path_or_repo)]
    found = find(_listing(path_or_repo))
    _require_some(found, path_or_repo)
    if set(found) == {"."}:
        return [Path(path_or_repo).resolve().name]
    return sorted(found, key=_natural)


def find(files: Iterable[str]) -> dict[str, Format]:
    """Recognise SAEs among relative file names: folder -> format.

    `layers.2/cfg.json, layers.2/sae.safetensors` give {"layers.2": sparsify}.
    """
    paths = [PurePosixPath(file) for file in files]
    found: dict[str, Format] = {}
    for folder in sorted({parent for path in paths for parent in path.parents}):
        if any(parent.as_posix() in found for parent in folder.parents):
            continue  # part of an SAE that was found already
        below = [path.relative_to(folder) for path in paths if path.is_relative_to(folder)]
        known = next((known for known in FORMATS if _matches(known, below)), None)
        if known:
            found[folder.as_posix()] = known
    return found


def _matches(known: Format, files: list[PurePosixPath]) -> bool:
    def there(pattern: str) -> bool:
        depth = pattern.count("/") + 1
        return any(len(f.parts) == depth and fnmatch(f.as_posix(), pattern) for f in files)

    return all(there(pattern) for pattern in known.files)


def _readable() -> list[str]:
    return [known.name for known in FORMATS if known.load]


def _choose(found: dict[str, Format], hookpoint: str | None, root: str | Path) -> str:
    """Pick the folder that is named like the hookpoint, whole parts only."""
    _require_some(found, root)
    if hookpoint in found:
        return hookpoint
    if set(found) == {"."} or (len(found) == 1 and hookpoint is None):
        return next(iter(found))
    wanted = (hookpoint or "").removesuffix(":in")
    longer = [name for name in found if f".{wanted}".endswith(f".{name}")]
    shorter = [name for name in found if wanted and name.endswith(f".{wanted}")]
    if longer or len(shorter) == 1:
        return max(longer, key=len) if longer else shorter[0]
    asked = f"no SAE for {hookpoint!r}" if hookpoint else "several SAEs, name one with --hookpoint"
    names = sorted(found, key=_natural)
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    raise BadInput(f"{root} has {asked}; it has {', '.join(names[:12])}{more}")


def _require_some(found: dict[str, Format], root: str | Path) -> None:
    if not found:
        known = ", ".join(dict.fromkeys(known.name for known in FORMATS))
        raise BadInput(f"{root} holds no SAE in a known format ({known})")


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort layers.2 before layers.10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.split(".")]


def _place(path_or_repo: str | Path, name: str) -> str:
    return str(path_or_repo) if name == "." else f"{path_or_repo}/{name}"


def _listing(path_or_repo: str | Path) -> list[str]:
    """List the files of a folder (not through links) or of a hub repository."""
    folder = _local(path_or_repo)
    if folder is None and hub_answers():
        return _repository_files(str(path_or_repo))
    folder = folder or _snapshot(str(path_or_repo), None)
    files = []
    for here, folders, names in os.walk(folder):
        inside = Path(here).relative_to(folder)
        files += [(inside / name).as_posix() for name in names]
        if len(inside.parts) >= DEPTH:
            folders.clear()
    return files


def _fetch(path_or_repo: str | Path, name: str) -> Path:
    """Give one SAE's folder, downloading only what belongs to it."""
    return (_local(path_or_repo) or _snapshot(str(path_or_repo), name)) / name


def _local(path_or_repo: str | Path) -> Path | None:
    """Give a local folder; None for what can only be a hub id."""
    path = Path(path_or_repo).expanduser()
    if path.is_dir():
        return path.resolve()
    if path.exists() or isinstance(path_or_repo, Path) or looks_local(str(path_or_repo)):
        raise BadInput(f"no SAE folder {path_or_repo}: give a folder or a hub id like org/name")
    return None


def _repository_files(repository: str) -> list[str]:
    from huggingface_hub import HfApi

    with reported(f"the SAE {repository}"):
        return HfApi().list_repo_files(repository)


def _snapshot(repository: str, name: str | None) -> Path:
    """Fetch one folder of a repository; None takes what is in the local cache."""
    from huggingface_hub import snapshot_download

    below = "" if name in (None, ".") else f"{name}/"
    with reported(f"the SAE {repository}"):
        folder = snapshot_download(
            repository,
            allow_patterns=[f"{below}*.json", f"{below}*.safetensors"],
            local_files_only=name is None or not hub_answers(),
        )
    return Path(folder)
