"""Where the files of SAEs are: a folder, one file, or a hub repository of which little is fetched.

Names come from folders and from the hub; none is followed out of its root.
"""

import glob
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from core.pretrained import hub_answers, looks_local, reported
from data.errors import BadInput

DEPTH = 5  # folders below a root that are looked into
MOST_FILES = 200_000
ENDINGS = {".json", ".safetensors", ".pt", ".npz"}


class Place(NamedTuple):
    """Where one SAE is."""

    source: str  # path or repository, as given
    name: str  # of its folder or file below the source; "." is the source itself
    path: Path  # its folder or file on this machine

    @property
    def words(self) -> str:
        """The address in which layer and kind are written: longer than the name, where known."""
        return f"{self.source}/{self.name}/{self.path.as_posix()}"


def file_of(source: str | Path) -> Path | None:
    """Give the file where a source is one, not a folder or a repository."""
    path = Path(source).expanduser()
    return path.absolute() if path.is_file() else None


def list_files(source: str | Path) -> list[str]:
    """List the files of a folder (not through linked folders) or of a hub repository."""
    folder = _local(source)
    if folder is None and hub_answers():
        return [name for name in _repository_files(str(source)) if _stays_inside(name)]
    folder = folder or _snapshot(str(source), None)
    files: list[str] = []
    for here, folders, names in os.walk(folder):
        inside = Path(here).relative_to(folder)
        files += [(inside / name).as_posix() for name in names if Path(name).suffix in ENDINGS]
        if len(files) > MOST_FILES:
            raise BadInput(f"{source} holds more than {MOST_FILES:,} files: give a smaller folder")
        if len(inside.parts) >= DEPTH:
            folders.clear()
    return files


def fetch(source: str | Path, names: Sequence[str]) -> Path:
    """Give the root of a folder, or of a repository after downloading just these files of it."""
    return _local(source) or (_snapshot(str(source), names) if names else Path(source))


def _local(source: str | Path) -> Path | None:
    """Give a local folder; None for what can only be a hub id."""
    path = Path(source).expanduser()
    if path.is_dir():
        return path.resolve()
    if path.is_file():
        return path.absolute().parent
    if path.exists() or isinstance(source, Path) or looks_local(str(source)):
        raise BadInput(f"no SAE folder {source}: give a folder or a hub id like org/name")
    return None


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix in ENDINGS and not path.is_absolute() and ".." not in path.parts


def _repository_files(repository: str) -> list[str]:
    from huggingface_hub import HfApi

    with reported(f"the SAE {repository}"):
        return HfApi().list_repo_files(repository)


def _snapshot(repository: str, names: Sequence[str] | None) -> Path:
    """Fetch files of a repository; None takes what is in the local cache."""
    from huggingface_hub import snapshot_download

    with reported(f"the SAE {repository}"):
        folder = snapshot_download(
            repository,
            allow_patterns=None if names is None else [glob.escape(name) for name in names],
            local_files_only=names is None or not hub_answers(),
        )
    return Path(folder)
