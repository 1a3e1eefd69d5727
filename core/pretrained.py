"""Fetches a language model and its tokenizer: from a local folder, never online, or from the hub.

    pythia-160m/        a folder with config.json        org/name          a repository of the hub
    models/x.gguf       one file, dequantised            org/name/x.gguf   one file of a repository

Whatever goes wrong is one line that names the model. Code from the hub is never run.
"""

import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from core import placement
from core.checkpoints import has_tokenizer, require_room, require_sound
from core.foreign import quiet, reported
from core.gguf_header import require_plausible
from data.errors import BadInput


class Loaded(NamedTuple):
    """A model and what came with it."""

    model: Any
    has_head: bool  # whether the output head came from the checkpoint


class Located(NamedTuple):
    """Where a model is and what every `from_pretrained` is told."""

    place: str  # folder or repository
    options: dict[str, Any]
    folder: Path | None  # None: the hub's, whose own library checks what it fetches


def load_model(
    name_or_path: str, *, dtype: str, device: str, revision: str | None, role: str = "subject"
) -> Loaded:
    """Load the weights in a number format onto a device; "auto" decides both.

    role: what an error calls the model, e.g. "judge".
    """
    chosen = placement.choose(dtype, device)
    found = locate(name_or_path, revision)
    with reported(f"the {role} {name_or_path}"), quiet():
        config = _configuration(name_or_path, found)
        loaded: Any = _class_of(name_or_path, config).from_pretrained(
            found.place, config=config, trust_remote_code=False, output_loading_info=True,
            **found.options, **chosen.options,
        )  # fmt: skip
        model, report = loaded
        if chosen.device is None:
            placement.require_on_gpus(getattr(model, "hf_device_map", {}).values())
        else:
            model = model.to(chosen.device)
    head = model.get_output_embeddings()
    heads = {f"{name}.weight" for name, module in model.named_modules() if module is head}
    missing = set(report["missing_keys"])
    _require_whole(name_or_path, model, missing - heads)
    return Loaded(model, not heads & missing)


def load_skeleton(name_or_path: str, *, revision: str | None) -> Any:
    """Build a model of the hub without weights, on the meta device."""
    found = locate(name_or_path, revision)
    with reported(f"the subject {name_or_path}"), quiet(), torch.device("meta"):
        config = _configuration(name_or_path, found)
        return _class_of(name_or_path, config).from_config(config, trust_remote_code=False)


def load_tokenizer(name_or_path: str, *, revision: str | None) -> Any:
    """Load the tokenizer that belongs to a model; None when it has none."""
    from transformers import AutoTokenizer

    found = locate(name_or_path, revision)
    if found.folder and "gguf_file" not in found.options and not has_tokenizer(found.folder):
        return None
    with reported(f"the tokenizer of {name_or_path}"), quiet():
        return AutoTokenizer.from_pretrained(found.place, trust_remote_code=False, **found.options)


def locate(name_or_path: str, revision: str | None) -> Located:
    """Decide what a name stands for, refusing what is not there."""
    path = Path(name_or_path).expanduser()
    if path.suffix.lower() == ".gguf" and not path.is_dir():
        file = path if path.is_file() else _fetched(name_or_path, revision)
        if file == path and revision is not None:
            raise BadInput(f"{path} is a local file without revisions: leave --revision out")
        placement.require_gguf()
        require_plausible(file)
        options = {"local_files_only": True, "gguf_file": file.name}
        return Located(str(file.parent), options, file.parent)
    options = where(name_or_path, revision)
    if not path.is_dir():
        return Located(name_or_path, options, None)
    require_sound(path)
    return Located(str(path), options, path)


def _fetched(name: str, revision: str | None) -> Path:
    """Fetch one file of a repository, named `org/name/file`."""
    from huggingface_hub import hf_hub_download

    parts = name.split("/")
    if len(parts) < 3 or looks_local(f"{parts[0]}/{parts[1]}"):
        raise BadInput(f"no file {name}: give a GGUF file, or org/name/file.gguf of the hub")
    with reported(f"the file {name}"):
        return Path(
            hf_hub_download(
                "/".join(parts[:2]), "/".join(parts[2:]), revision=revision,
                local_files_only=not hub_answers(),
            )
        )  # fmt: skip


def where(name_or_path: str, revision: str | None) -> dict[str, Any]:
    """Decide between a local folder and the hub, and refuse a folder that is not there."""
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        if revision is not None:
            raise BadInput(f"{path} is a local folder without revisions: leave --revision out")
        return {"local_files_only": True}
    if looks_local(name_or_path):
        raise BadInput(f"no folder {name_or_path}: give a model's folder or a hub id like org/name")
    return {"local_files_only": not hub_answers(), "revision": revision}


def _configuration(name: str, found: Located) -> Any:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(found.place, trust_remote_code=False, **found.options)
    if getattr(config, "is_encoder_decoder", False):
        raise BadInput(
            f"{name} is an encoder-decoder ({config.model_type}): only causal language models "
            "can be explained"
        )
    if found.folder is not None:
        require_room(config, found.folder)
    return config


def _class_of(name: str, config: Any) -> Any:
    """Choose the class that loads a model: causal, or a wrapper that sees images too.

    A wrapper is given text alone, so only its text model runs and has hookpoints.
    """
    import transformers
    from transformers.models.auto import modeling_auto as known

    trained = [str(each) for each in getattr(config, "architectures", None) or ()]
    causal = type(config) in known.MODEL_FOR_CAUSAL_LM_MAPPING
    if causal and not any(each.endswith(("ForMaskedLM", "ForPreTraining")) for each in trained):
        return transformers.AutoModelForCausalLM
    if not causal and type(config) in known.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return transformers.AutoModelForImageTextToText
    raise BadInput(
        f"{name} is no causal language model ({', '.join(trained) or config.model_type}): only "
        "models that predict the next token can be explained"
    )


def _require_whole(name: str, model: Any, missing: set[str]) -> None:
    """Refuse a checkpoint that left weights at random, or holds some that are no numbers."""
    if missing:
        raise BadInput(
            f"the checkpoint {name} lacks {len(missing)} weights, such as {min(missing)}: fetch it "
            "again"
        )
    for weight, values in model.named_parameters():
        if values.is_floating_point() and not _finite(values):
            raise BadInput(f"{name} has infinite or undefined numbers in {weight}: fetch it again")


def _finite(values: Tensor) -> bool:
    """Say whether all are numbers; one sum settles most, without a copy."""
    return bool(torch.isfinite(values.sum(dtype=torch.float32)) or torch.isfinite(values).all())


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


def looks_local(name: str) -> bool:
    """Tell a path from a hub id, which is `name` or `organisation/name`."""
    return name.startswith((".", "~", os.sep)) or name.count("/") > 1 or name.endswith("/")
