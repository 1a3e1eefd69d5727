"""Finds out which format an SAE is in, from the names of its files, and loads it.

One row a format; a format that is known but not read yet is refused by its name. A folder with
several SAEs is a set, one sub-folder (or file) each. Nothing is unpickled and no hub code is run.
A source `random:FEATURES:K` has no files: it is drawn.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from core.sae.coder import Sae
from core.sae.format_table import BARE, FORMATS, NO_SAES, UNNAMED, Format
from core.sae.hooks import Hook
from core.sae.places import Place, fetch, file_of, list_files
from core.sae.random import draw_sae, is_random, read_size
from core.sae.sparsify import SEED
from data.errors import BadInput

DEEPEST = 2  # folders that a pattern of the table goes down, itself included


class Listed(NamedTuple):
    """One SAE that a source has."""

    folder: str  # its folder or file, as `load_sae` takes it
    hook: Hook | None  # where it reads; None: its files do not say
    format: str
    problem: str = ""  # of its configuration, where others of the source have none


def load_sae(
    path_or_repo: str | Path, hookpoint: str | None = None, *, width: int | None = None
) -> Sae:
    """Load one SAE from a folder, a file, a set of folders or a hub repository.

    From a set, `hookpoint` chooses: a folder of the set, `layers.2` or the full
    `gpt_neox.layers.2`, side ":in" or not. A folder with one SAE gives that one: what its name
    means is known to a subject only. A random SAE is drawn for the hookpoint and its width
    (numbers a token), which files say themselves.
    """
    if is_random(path_or_repo):
        if hookpoint is None or width is None:
            raise BadInput(
                f"{path_or_repo} is for no hookpoint: say with --hookpoint what it reads"
            )
        return draw_sae(str(path_or_repo), hookpoint, width)
    files = list_files(path_or_repo)
    found = _found(path_or_repo, files)
    name = _choose(found, hookpoint, path_or_repo)
    known = found[name]
    if known.load is None:
        raise BadInput(f"{_shown(path_or_repo, name)} {known.refusal}")
    root = fetch(path_or_repo, belonging(name, known, files))
    return known.load(Place(str(path_or_repo), name, root / name))


def list_hookpoints(path_or_repo: str | Path) -> list[str]:
    """Name the SAEs that a folder or repository has, as its folders (or files) do.

    A random SAE is for any hookpoint; its only name is its source.
    """
    if is_random(path_or_repo):
        read_size(str(path_or_repo))
        return [str(path_or_repo)]
    found = _found(path_or_repo, list_files(path_or_repo))
    return [_folder(path_or_repo, name) for name in sorted(found, key=_natural)]


def list_offers(path_or_repo: str | Path, below: str = "") -> list[Listed]:
    """Say what every SAE of a source reads, from configurations and names: no weights are read.

    `below` keeps to a folder of the source, so that of a large repository little is fetched. One
    SAE of many whose configuration cannot be read is listed with the reason.
    """
    if is_random(path_or_repo):
        return [Listed(name, None, "random") for name in list_hookpoints(path_or_repo)]
    files = list_files(path_or_repo)
    found = _found(path_or_repo, files)
    found = {name: found[name] for name in found if f"{name}/".startswith(below and f"{below}/")}
    wanted = [f for name in found for f in belonging(name, found[name], files, (".json",))]
    root = fetch(path_or_repo, wanted)
    places = [Place(str(path_or_repo), n, root / n) for n in sorted(found, key=_natural)]
    if len(places) == 1:
        return [_listed(place, found[place.name]) for place in places]
    return [_listed_or_why(place, found[place.name]) for place in places]


def _listed(place: Place, known: Format) -> Listed:
    hook = known.read_hook(place) if known.read_hook else None
    return Listed(_folder(place.source, place.name), hook, known.name)


def _listed_or_why(place: Place, known: Format) -> Listed:
    try:
        return _listed(place, known)
    except BadInput as error:
        return Listed(_folder(place.source, place.name), None, known.name, str(error))


def find(files: Iterable[str]) -> dict[str, Format]:
    """Recognise SAEs among relative file names: folder (or file) -> format.

    `layers.2/cfg.json, layers.2/sae.safetensors` give {"layers.2": sparsify}. Files that no row
    of the table names are looked at only where nothing else is found.
    """
    paths = [PurePosixPath(file) for file in files]
    unnamed = [path for path in paths if not any(path.match(other) for other in NO_SAES)]
    return _recognised(paths, FORMATS) or _recognised(unnamed, UNNAMED)


def _recognised(paths: list[PurePosixPath], formats: tuple[Format, ...]) -> dict[str, Format]:
    found: dict[str, Format] = {}
    below: dict[PurePosixPath, list[PurePosixPath]] = {}
    for path in paths:
        for parent in list(path.parents)[:DEEPEST]:
            below.setdefault(parent, []).append(path.relative_to(parent))
    for folder in sorted(below):
        if any(parent.as_posix() in found for parent in (folder, *folder.parents)):
            continue  # part of an SAE that was found already
        known = next((f for f in formats if not f.each and _matches(f, below[folder])), None)
        if known:
            found[folder.as_posix()] = known
    for path in paths:
        if not any(parent.as_posix() in found for parent in path.parents):
            known = next((f for f in formats if f.each and _matches(f, [_name(path)])), None)
            if known:
                found[path.as_posix()] = known
    return found


def _name(path: PurePosixPath) -> PurePosixPath:
    return PurePosixPath(path.name)


def _matches(known: Format, files: list[PurePosixPath]) -> bool:
    return all(any(_is_like(file, pattern) for file in files) for pattern in known.files)


def _is_like(file: PurePosixPath, pattern: str) -> bool:
    """Match whole names: a star does not cross folders."""
    depth = pattern.count("/") + 1
    return len(file.parts) == depth and fnmatchcase(file.as_posix(), pattern)


def belonging(
    name: str, known: Format, files: Iterable[str], endings: tuple[str, ...] = ()
) -> list[str]:
    """List the files that are needed of an SAE, of some endings only; of several steps the last."""
    if known.each:
        return [name] if not endings or name.endswith(endings) else []
    inside = [PurePosixPath(file) for file in files]
    inside = [path.relative_to(name) for path in inside if path.is_relative_to(name)]
    needed = []
    for pattern in known.files:
        like = sorted((path.as_posix() for path in inside if _is_like(path, pattern)), key=_natural)
        needed += like[-1:]
    return [(PurePosixPath(name) / f).as_posix() for f in needed if f.endswith(endings or ("",))]


def _found(source: str | Path, files: list[str]) -> dict[str, Format]:
    """Recognise what a source has; a source that is a file has at most the SAE it belongs to."""
    file = file_of(source)
    found = find(files) if file is None else _of_file(file, files)
    if not found:
        known = ", ".join(dict.fromkeys(known.name for known in FORMATS))
        raise BadInput(f"{source} holds no SAE in a known format ({known})")
    return found


def _of_file(file: Path, files: list[str]) -> dict[str, Format]:
    found = find(name for name in files if "/" not in name)
    if file.name in found:
        return {file.name: found[file.name]}
    known = found.get(".")
    if known and any(fnmatchcase(file.name, pattern) for pattern in known.files):
        return {".": known}
    alone = next((f for f in UNNAMED if _is_like(PurePosixPath(file.name), f.files[0])), BARE)
    return {file.name: alone}


def _choose(found: dict[str, Format], hookpoint: str | None, root: str | Path) -> str:
    """Pick the folder that is named like the hookpoint, whole parts only."""
    if hookpoint in found:
        return hookpoint
    if set(found) == {"."} or (len(found) == 1 and hookpoint is None):
        return next(iter(found))
    like = _named_like(found, hookpoint) if hookpoint else []
    if len(like) == 1:
        return like[0]
    asked = f"no SAE for {hookpoint!r}" if hookpoint else "several SAEs, name one with --hookpoint"
    if like:
        asked = f"{len(like)} SAEs for {hookpoint!r}, name one of them"
    names = sorted(like or found, key=_natural)
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    raise BadInput(f"{root} has {asked}; it has {', '.join(names[:12])}{more}")


def _named_like(found: dict[str, Format], hookpoint: str) -> list[str]:
    """Find the names that agree best: all of the hookpoint's end, or the hookpoint all of theirs.

    `layers.2` and `gpt_neox.layers.2` find `layers.2`, and `layers.2/seed0` where it is alone.
    """
    wanted = hookpoint.removesuffix(":in")
    ends = {name: _end(name) for name in found}
    longer = [name for name, end in ends.items() if f".{wanted}".endswith(f".{end}")]
    if longer:
        most = max(len(ends[name]) for name in longer)
        return [name for name in longer if len(ends[name]) == most]
    shorter = [name for name, end in ends.items() if end.endswith(f".{wanted}")]
    return shorter or [name for name in found if wanted in PurePosixPath(name).parts]


def _end(name: str) -> str:
    """The part of a name that says the hookpoint: the last folder that is not a seed's."""
    parts = PurePosixPath(name).parts
    return parts[-2] if len(parts) > 1 and SEED.fullmatch(parts[-1]) else parts[-1] if parts else ""


def _folder(source: str | Path, name: str) -> str:
    return Path(source).expanduser().resolve().name if name == "." else name


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort layers.2 before layers.10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _shown(source: str | Path, name: str) -> str:
    return str(source) if name == "." or file_of(source) else f"{source}/{name}"
