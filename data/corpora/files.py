"""Which files a path means, in which order, and how each is read: by its suffix.

    .txt .md             text            may end in .gz or .zst
    .jsonl .ndjson       JSON lines      may end in .gz or .zst
    .json                a JSON list, one object, or lines; may end in .gz or .zst
    .parquet             Parquet
    .arrow .feather      Arrow, also a folder that `datasets` saved
    .npy .npz .safetensors .pt           token ids

A single file with another suffix is text. Below a folder, files come sorted by their path; what has
another suffix, hidden files and folders and links that lead out are left out.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from data.corpora import json_rows, plain, tables
from data.corpora.document import Choice, Document
from data.corpora.streams import COMPRESSIONS, whole
from data.errors import BadInput

TEXT = {
    ".txt": plain.read,
    ".md": plain.read,
    ".jsonl": json_rows.read_lines,
    ".ndjson": json_rows.read_lines,
    ".json": json_rows.read_list,
}
TABLES = (".parquet", ".arrow", ".feather")
ARRAYS = (".npy", ".npz", ".safetensors", ".pt")
UNREADABLE = (".zip", ".csv", ".tsv", ".xz", ".bz2", ".tar", ".pkl", ".bin", ".pdf", ".docx")
SIDECARS = ("state.json", "dataset_info.json", "dataset_dict.json", "sae_lens.json")
POSSIBLE = (
    "possible are python-docs, hf:REPO, a file (.txt .md .jsonl .json .parquet .arrow, the first "
    "four also with .gz or .zst) or a folder of them, token ids in .npy .npz .safetensors .pt"
)


class Found(NamedTuple):
    """One file of a corpus."""

    path: Path
    source: str  # below the corpus' folder, "/" between parts; a single file's name
    suffix: str  # without that of a compression


def list_files(spec: str) -> list[Found]:
    """List the files that a path means."""
    path = Path(os.path.expanduser(spec))
    if spec and os.path.isdir(path):
        found = _saved_dataset(path) or _below(path)
        if not found:
            raise BadInput(f"Corpus {spec}: the folder holds no file that can be read; {POSSIBLE}")
        return found
    if not os.path.isfile(path):
        raise BadInput(f"Corpus {spec}: no such file or folder; {POSSIBLE}")
    suffix = _suffix(path)
    if suffix in UNREADABLE or _packed_table(path, suffix):
        said = suffix if suffix == path.suffix.lower() else suffix + path.suffix
        raise BadInput(f"Corpus {spec}: {said} files cannot be read; {POSSIBLE}")
    return [Found(path, path.name, suffix if suffix in (*TEXT, *TABLES, *ARRAYS) else ".txt")]


def read(file: Found, choice: Choice) -> Iterator[Document]:
    """Read the documents of one file."""
    reader = TEXT.get(file.suffix, tables.read)
    return reader(file.path, file.source, choice)


def _suffix(path: Path) -> str:
    last = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if last in COMPRESSIONS else last


def _packed_table(path: Path, suffix: str) -> bool:
    return path.suffix.lower() in COMPRESSIONS and suffix in (*TABLES, *ARRAYS)


def _below(root: Path) -> list[Found]:
    """List the readable files below a folder; links that lead out of it are left out."""
    inside, found = root.resolve(), []
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".")]
        for name in files:
            path, suffix = Path(folder, name), _suffix(Path(name))
            wanted = suffix in (*TEXT, *TABLES, *ARRAYS) and not _packed_table(path, suffix)
            if name.startswith(".") or not wanted or name in SIDECARS or not path.is_file():
                continue
            if path.resolve().is_relative_to(inside):
                found.append(Found(path, path.relative_to(root).as_posix(), suffix))
    return sorted(found)


def _saved_dataset(root: Path) -> list[Found]:
    """List the files of a folder that `datasets` saved, in its own order; [] for other folders."""
    if (root / "dataset_dict.json").is_file():
        splits = _json(root / "dataset_dict.json").get("splits")
        names = ", ".join(str(name) for name in splits) if isinstance(splits, list) else "splits"
        raise BadInput(f"Corpus {root} holds {names}: give the folder of one, e.g. {root}/train")
    if not (root / "state.json").is_file():
        return []
    state = _json(root / "state.json")
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise BadInput(f"Corpus {root} is a selection of a dataset: save it after flatten_indices")
    listed = state.get("_data_files")
    rows = listed if isinstance(listed, list) else []
    names = [row.get("filename") if isinstance(row, dict) else None for row in rows]
    return [Found(_plain_name(root, name), str(name), ".arrow") for name in names]


def _plain_name(root: Path, name: object) -> Path:
    """The file of a name that a foreign file gives: beside it, nowhere else."""
    if not isinstance(name, str) or not name or "/" in name or "\\" in name or "\0" in name:
        raise BadInput(f"{root / 'state.json'} names a file {name!r}, which is not beside it")
    path = root / name
    if not path.is_file() or not path.resolve().is_relative_to(root.resolve()):
        raise BadInput(f"{path}: no such file, though {root / 'state.json'} names it")
    return path


def _json(path: Path) -> dict:
    try:
        found = json.loads(whole(path))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not valid JSON: fetch it again") from error
    if not isinstance(found, dict):
        raise BadInput(f"{path} holds no JSON object: fetch it again")
    return found
