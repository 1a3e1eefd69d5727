"""Fetches a language model and its tokenizer: from a local folder, never online, or from the hub.

Whatever goes wrong is one line that names the model. Code from the hub is never run.
"""

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from data.errors import BadInput

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class Loaded(NamedTuple):
    """A model and what came with it."""

    model: Any
    has_head: bool  # whether the output head came from the checkpoint


def load_model(name_or_path: str, *, dtype: str, device: str, revision: str | None) -> Loaded:
    """Load the weights in a number format onto a device; "auto" decides both."""
    from transformers import AutoModelForCausalLM

    place = choose_device(device)
    options = where(name_or_path, revision)
    options |= {"dtype": choose_dtype(dtype, place), "output_loading_info": True}
    with reported(f"the subject {name_or_path}"), quiet():
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            name_or_path, trust_remote_code=False, **options
        )
    model, report = loaded
    head = model.get_output_embeddings()
    heads = {f"{name}.weight" for name, module in model.named_modules() if module is head}
    return Loaded(model.to(place), not heads & set(report["missing_keys"]))


def load_tokenizer(name_or_path: str, *, revision: str | None) -> Any:
    """Load the tokenizer that belongs to a model; None when it has none."""
    from transformers import AutoTokenizer

    options = where(name_or_path, revision)
    if Path(name_or_path).is_dir() and not any(Path(name_or_path).glob("token*")):
        return None
    with reported(f"the tokenizer of {name_or_path}"), quiet():
        return AutoTokenizer.from_pretrained(name_or_path, trust_remote_code=False, **options)


def where(name_or_path: str, revision: str | None) -> dict[str, Any]:
    """Decide between a local folder and the hub, and refuse a folder that is not there."""
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        if not (path / "config.json").exists():
            raise BadInput(f"{path} has no config.json: give the folder of a Hugging Face model")
        return {"local_files_only": True}
    if looks_local(name_or_path):
        raise BadInput(f"no folder {name_or_path}: give a model's folder or a hub id like org/name")
    return {"local_files_only": not hub_answers(), "revision": revision}


def hub_answers() -> bool:
    """Ask the hub once; without this, each missing file is asked for six times over 23 seconds."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    question = urllib.request.Request(constants.ENDPOINT, method="HEAD")
    try:
        urllib.request.urlopen(question, timeout=5).close()
    except urllib.error.HTTPError:
        return True  # an answer, though not a kind one
    except OSError:
        return False
    return True


@contextmanager
def reported(what: str) -> Iterator[None]:
    """Turn what the Hugging Face libraries raise for a wrong name or no network into one line."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        yield
    except LocalEntryNotFoundError as error:
        raise BadInput(
            f"cannot load {what}: it is not on this machine and the hub does not answer"
        ) from error
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise BadInput(f"cannot load {what}: {first_line(error)}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from drawing bars and tables while it loads."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def looks_local(name: str) -> bool:
    """Tell a path from a hub id, which is `name` or `organisation/name`."""
    return name.startswith((".", "~", os.sep)) or name.count("/") > 1 or name.endswith("/")


def choose_device(device: str) -> torch.device:
    """Take the named device; "auto" takes a GPU when there is one."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise BadInput(f"no such device {device!r}: use cpu, cuda, cuda:1 or auto") from error
    if place.type == "cuda" and not torch.cuda.is_available():
        raise BadInput("this machine has no usable CUDA device: use --device cpu or auto")
    return place


def choose_dtype(dtype: str, device: torch.device) -> Any:
    """Take the named format; "auto" is float32 on a CPU, where halves are slow, else the file's."""
    if dtype == "auto":
        return torch.float32 if device.type == "cpu" else "auto"
    if dtype not in DTYPES:
        raise BadInput(f"no such dtype {dtype!r}: use {', '.join(DTYPES)} or auto")
    return DTYPES[dtype]


def first_line(error: Exception) -> str:
    """Say the first sentence of a foreign error, which often fills a screen."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(":.") if lines else type(error).__name__
