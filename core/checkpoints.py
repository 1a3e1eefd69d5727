"""Looks into a subject's folder before a library follows what its files say.

Lengths and names in foreign files decide what is allocated and opened, so they are held against
the bytes that are there. Knows nothing of the hub, and loads nothing.
"""

import json
import math
from pathlib import Path
from typing import Any

from data.errors import BadInput

LARGEST_JSON = 64 * 2**20  # bytes of config.json or of an index of shards
TOKENIZERS = ("token*", "vocab.*", "merges.txt", "*.model", "tekken.json")
WEIGHTS = ("*.safetensors", "*.bin", "*.gguf")
MOST_WEIGHTS = 16  # weights a byte of file: half a bit each, more than any format packs


def require_sound(folder: Path) -> None:
    """Refuse a folder without a readable config.json, or whose files name files elsewhere."""
    if not (folder / "config.json").exists():
        raise BadInput(_no_config(folder))
    stated = _object(folder / "config.json").get("transformers_weights")
    if stated is not None:
        _require_inside(folder, folder / "config.json", stated)
    for index in sorted(folder.glob("*.index.json")):
        shards = _object(index).get("weight_map")
        if not isinstance(shards, dict):
            raise BadInput(f"{index} has no weight_map: fetch it again")
        for name in dict.fromkeys(map(str, shards.values())):
            _require_inside(folder, index, name)


def _no_config(folder: Path) -> str:
    files = sorted(path.name for path in folder.glob("*.gguf"))
    if files:
        return f"{folder} holds GGUF files: give one of them, such as {folder / files[0]}"
    return f"{folder} has no config.json: give the folder of a Hugging Face model"


def _object(path: Path) -> dict[str, Any]:
    """Read a JSON object of moderate size."""
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise BadInput(f"{path} is larger than any such file: fetch it again")
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        empty = path.stat().st_size == 0
        raise BadInput(f"{path} is {'empty' if empty else 'not JSON'}: fetch it again") from error
    if not isinstance(found, dict):
        raise BadInput(f"{path} holds no JSON object: fetch it again")
    return found


def _require_inside(folder: Path, said_by: Path, name: Any) -> None:
    if not isinstance(name, str) or name != Path(name).name:
        raise BadInput(f"{said_by} names {name!r}, which is no file of its folder: fetch it again")
    if not (folder / name).exists():
        raise BadInput(f"{folder} lacks {name}, which {said_by.name} names: fetch it again")


def has_tokenizer(folder: Path) -> bool:
    """Say whether a folder holds any file of a tokenizer."""
    return any(next(folder.glob(pattern), None) is not None for pattern in TOKENIZERS)


def require_room(config: Any, folder: Path) -> None:
    """Refuse a configuration whose model cannot be in so few bytes, before any of it is built."""
    n_bytes = sum(path.stat().st_size for pattern in WEIGHTS for path in folder.glob(pattern))
    text = config.get_text_config()
    width = getattr(text, "hidden_size", 1)
    other = [
        getattr(text, name, 1) for name in ("vocab_size", "num_hidden_layers", "intermediate_size")
    ]
    sizes = [width, *(value for value in other if isinstance(value, int))]
    if not isinstance(width, int) or min(sizes) < 1:
        raise BadInput(f"{folder / 'config.json'} states sizes that are no sizes: fetch it again")
    if n_bytes and math.prod((width, max(sizes[1:], default=1))) > MOST_WEIGHTS * n_bytes:
        raise BadInput(
            f"{folder} has {n_bytes:,} bytes of weights, too few for the model that its "
            "configuration describes: fetch it again"
        )
