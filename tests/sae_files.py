"""SAE checkpoints of every format with random weights, and what they compute, written out plainly.

The formula stands here a second time, in numpy and with dense arrays, so that a loader and the code
that encodes are never compared with themselves.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file

D, F, D_OUT, K = 6, 10, 4, 3


class Record(NamedTuple):
    """The canonical record: what a checkpoint means."""

    t: dict[str, np.ndarray]  # W_enc [d, F], b_enc, W_dec [F, d_out], b_dec, ...
    phi: str
    c: int = 1
    norm: str = "none"
    k: int = K
    scaled: bool = False


class Written(NamedTuple):
    """A checkpoint that was written."""

    folder: Path
    record: Record


def arrays(seed: int = 0, d_out: int = D) -> dict[str, np.ndarray]:
    """Random weights whose decoder norms are not 1."""
    rng = np.random.default_rng(seed)
    sizes = {"W_enc": (D, F), "b_enc": (F,), "W_dec": (F, d_out), "b_dec": (d_out,),
             "W_skip": (d_out, D), "b_gate": (F,), "r_mag": (F,)}  # fmt: skip
    found = {name: 0.7 * rng.standard_normal(size) for name, size in sizes.items()}
    found["threshold"] = rng.uniform(0.1, 0.6, F)
    return {name: array.astype(np.float32) for name, array in found.items()}


def inputs(n: int = 12, d: int = D) -> np.ndarray:
    return np.random.default_rng(99).standard_normal((n, d)).astype(np.float32) + 0.3


def formula(record: Record, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Compute a [n, F] and xhat [n, d_out] (None without a decoder)."""
    t = {name: array.astype(np.float64) for name, array in record.t.items()}
    x = x.astype(np.float64)
    mean, d = x.mean(1, keepdims=True), x.shape[1]
    shift, scale, eps = 0.0, 1.0, 0.0
    if record.norm == "layer_norm":
        shift, scale, eps = mean, np.sqrt(((x - mean) ** 2).sum(1, keepdims=True) / (d - 1)), 1e-5
    if record.norm == "unit_norm":
        scale = np.sqrt((x**2).sum(1, keepdims=True)) / np.sqrt(d)
    u = (x - shift) / (scale + eps) - (t["b_dec"] if record.c else 0)
    a = _phi(record, u @ t["W_enc"], t)
    if "W_dec" not in t:
        return a, None
    weight = a * t.get("scaling_factor", 1.0)
    if record.scaled:
        weight = weight / np.linalg.norm(t["W_dec"], axis=1)
    y = weight @ t["W_dec"] + t["b_dec"]
    is_sae = y.shape[1] == d and "W_skip" not in t
    back = y * scale + shift if is_sae else y
    return a, back + (x @ t["W_skip"].T if "W_skip" in t else 0)


def _phi(record: Record, q: np.ndarray, t: dict[str, np.ndarray]) -> np.ndarray:
    if record.phi == "gated":
        return (q + t["b_gate"] > 0) * np.maximum(q * np.exp(t["r_mag"]) + t["b_enc"], 0)
    p = q + t["b_enc"]
    if record.scaled:
        p = p * np.linalg.norm(t["W_dec"], axis=1)
    if record.phi == "jumprelu":
        return np.where(p > t["threshold"], np.maximum(p, 0), 0)
    if record.phi == "groupmax":
        groups = np.maximum(p, 0).reshape(len(p), record.k, -1)
        return np.where(groups == groups.max(2, keepdims=True), groups, 0).reshape(p.shape)
    if record.phi in ("topk", "abs_topk"):
        size = np.abs(p) if record.phi == "abs_topk" else p
        kept = np.where(size >= np.sort(size, axis=1)[:, [-record.k]], p, 0)
        return kept if record.phi == "abs_topk" else np.maximum(kept, 0)
    return np.maximum(p, 0)


def _only(t: dict[str, np.ndarray], *names: str) -> dict[str, np.ndarray]:
    return {name: t[name] for name in ("W_enc", "b_enc", "W_dec", "b_dec", *names)}


def _tensors(given: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.array(a, order="C")) for name, a in given.items()}


def _configured(folder: Path, name: str, settings: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(settings))


def sparsify(folder: Path, phi: str = "topk", *, dtype=torch.float32, **settings: Any) -> Written:
    t = arrays(1)
    transcode = settings.get("transcode", False)
    k = 5 if phi == "groupmax" else K
    said = {"groupmax": {"activation": "groupmax"}, "abs_topk": {"signed": True}}.get(phi, {})
    _configured(folder, "cfg.json", {"d_in": D, "num_latents": F, "k": k} | said | settings)
    names = ("W_skip",) if settings.get("skip_connection") else ()
    record = _only(t, *names)
    if settings.get("decoder") is False:
        record.pop("W_dec")
    stored = {"encoder.weight": record["W_enc"].T, "encoder.bias": record["b_enc"]}
    stored |= {name: record[name] for name in ("W_dec", "b_dec", *names) if name in record}
    tensors = {name: tensor.to(dtype) for name, tensor in _tensors(stored).items()}
    save_file(tensors, folder / "sae.safetensors")
    return Written(folder, Record(record, phi, 0 if transcode else 1, k=k))


def saelens(
    folder: Path,
    architecture: str | None,
    phi: str,
    *names: str,
    d_out: int = D,
    old: bool = False,
    c: int = 1,
    norm: str = "none",
    more: dict[str, np.ndarray] | None = None,
    **settings: Any,
) -> Written:
    """Write the files of SAELens; `old` before version 6."""
    t = arrays(2, d_out)
    t |= more or {}
    record = _only(t, *names, *(more or {}))
    stored = dict(record)
    if phi == "gated":
        stored["b_mag"] = stored.pop("b_enc")
    said = {"d_in": D, "d_sae": F, "dtype": "float32", "device": "cpu"} | settings
    if architecture:
        said["architecture"] = architecture
    if str(architecture).endswith("transcoder"):
        said["d_out"] = d_out
    if not old:
        said = {"apply_b_dec_to_input": bool(c), "reshape_activations": "none",
                "normalize_activations": "none",
                "metadata": {"sae_lens_version": "6.54.12", "model_name": "demo",
                             "hook_name": "blocks.2.hook_resid_post"}} | said  # fmt: skip
    _configured(folder, "cfg.json", said)
    save_file(_tensors(stored), folder / "sae_weights.safetensors")
    scaled = bool(settings.get("rescale_acts_by_decoder_norm"))
    return Written(folder, Record(record, phi, c, norm, scaled=scaled))


def gemma_scope(folder: Path, *, lower: bool = False, compressed: bool = False) -> Written:
    record = _only(arrays(3), "threshold")
    folder.mkdir(parents=True)
    stored = {name.lower() if lower else name: array for name, array in record.items()}
    (np.savez_compressed if compressed else np.savez)(folder / "params.npz", **stored)
    return Written(folder, Record(record, "jumprelu", 0))


def gemma_scope_2(folder: Path, *, transcoder: bool = False) -> Written:
    record = _only(arrays(4, D_OUT if transcoder else D), "threshold",
                   *(("W_skip",) if transcoder else ()))  # fmt: skip
    layer = "model.layers.12"
    hooks = {"hf_hook_point_in": f"{layer}.output"}
    if transcoder:
        hooks = {"hf_hook_point_in": f"{layer}.pre_feedforward_layernorm.output",
                 "hf_hook_point_out": f"{layer}.post_feedforward_layernorm.output",
                 "affine_connection": True}  # fmt: skip
    settings = {"architecture": "jump_relu", "model_name": "gemma-v3-1b-pt"} | hooks
    _configured(folder, "config.json", settings)
    stored = {name.lower(): array for name, array in record.items() if name != "W_skip"}
    if transcoder:
        stored["affine_skip_connection"] = record["W_skip"].T
    save_file(_tensors(stored), folder / "params.safetensors")
    return Written(folder, Record(record, "jumprelu", 0))


def openai(file: Path, activation: str = "TopK", *, tied: bool = False) -> Written:
    record = _only(arrays(5))
    if tied:
        record["W_dec"] = record["W_enc"].T
    stored = _tensors({"pre_bias": record["b_dec"], "encoder.weight": record["W_enc"].T,
                       "latent_bias": record["b_enc"], "decoder.weight": record["W_dec"].T,
                       "stats_last_nonzero": np.zeros(F, np.int64)})  # fmt: skip
    if tied:
        stored.pop("decoder.weight")
    state = {"k": K, "postact_fn": "ReLU"} if activation == "TopK" else {}
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(stored | {"activation": activation, "activation_state_dict": state}, file)
    norm = "layer_norm" if activation == "TopK" else "none"
    return Written(file, Record(record, activation.lower(), 1, norm))


def dictionary_learning(
    folder: Path, dict_class: str, *, threshold: float = 0.4, file: str = "ae.pt", **trainer: Any
) -> Written:
    t = arrays(6)
    batch = dict_class in ("BatchTopKSAE", "MatryoshkaBatchTopKSAE")
    record = Record(_only(t), {"AutoEncoderTopK": "topk"}.get(dict_class, "relu"))
    rows = {"encoder.weight": t["W_enc"].T, "decoder.weight": t["W_dec"].T}
    same = {name: t[name] for name in ("W_enc", "W_dec", "b_enc", "b_dec")}
    if dict_class == "AutoEncoder":
        stored = rows | {"encoder.bias": t["b_enc"], "bias": t["b_dec"]}
    elif dict_class == "AutoEncoderNew":
        stored = rows | {"encoder.bias": t["b_enc"], "decoder.bias": t["b_dec"]}
        record = record._replace(c=0)
    elif dict_class == "GatedAutoEncoder":
        stored = rows | {"decoder_bias": t["b_dec"], "gate_bias": t["b_gate"],
                         "mag_bias": t["b_enc"], "r_mag": t["r_mag"]}  # fmt: skip
        record = Record(_only(t, "b_gate", "r_mag"), "gated")
    elif dict_class == "JumpReluAutoEncoder":
        stored = same | {"threshold": t["threshold"]}
        record = Record(_only(t, "threshold"), "jumprelu", 0)
    elif dict_class == "MatryoshkaBatchTopKSAE":
        stored = same | {"group_sizes": np.array([4, 6])}
    else:
        stored = rows | {"encoder.bias": t["b_enc"], "b_dec": t["b_dec"]}
    if batch or dict_class == "AutoEncoderTopK":
        stored |= {"k": np.array(K, np.int32), "threshold": np.array(threshold, np.float32)}
    if batch:
        record = Record(_only(t) | {"threshold": np.float32(threshold) * np.ones(F)}, "jumprelu")
    said = {"dict_class": dict_class, "activation_dim": D, "dict_size": F, "k": K,
            "submodule_name": "resid_post_layer_2", "lm_name": "demo"} | trainer  # fmt: skip
    _configured(folder, "config.json", {"trainer": said, "buffer": {"io": "out"}})
    (folder / file).parent.mkdir(exist_ok=True)
    torch.save(_tensors(stored), folder / file)
    return Written(folder, record)


GEMMA = "gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82"
OPENAI = "gpt2-small/resid_post_mlp_v5_32k/autoencoders/8.pt"
CLASSES = ("AutoEncoder", "AutoEncoderNew", "GatedAutoEncoder", "JumpReluAutoEncoder",
           "AutoEncoderTopK", "BatchTopKSAE", "MatryoshkaBatchTopKSAE")  # fmt: skip
S = 1.7  # inputs of some SAELens runs are multiplied by such a number
MADE: dict[str, Callable[[Path], Written]] = {
    "sparsify topk": lambda p: sparsify(p / "layers.1"),
    "sparsify groupmax": lambda p: sparsify(p / "layers.1", "groupmax"),
    "sparsify signed": lambda p: sparsify(p / "layers.1", "abs_topk"),
    "sparsify transcoder": lambda p: sparsify(p / "m", transcode=True, skip_connection=True),
    "sparsify without decoder": lambda p: sparsify(p / "layers.1", decoder=False),
    "saelens standard": lambda p: saelens(p, "standard", "relu"),
    "saelens topk": lambda p: saelens(p, "topk", "topk", k=K),
    "saelens topk, scaled": lambda p: saelens(
        p, "topk", "topk", k=K, rescale_acts_by_decoder_norm=True
    ),
    "saelens jumprelu, layer norm": lambda p: saelens(
        p,
        "jumprelu",
        "jumprelu",
        "threshold",
        norm="layer_norm",
        normalize_activations="layer_norm",
    ),
    "saelens gated, constant norm": lambda p: saelens(
        p,
        "gated",
        "gated",
        "b_gate",
        "r_mag",
        c=0,
        norm="unit_norm",
        normalize_activations="constant_norm_rescale",
    ),
    "saelens abstopk": lambda p: saelens(p, "abstopk", "abs_topk", k=K),
    "saelens transcoder": lambda p: saelens(p, "transcoder", "relu", c=0, d_out=D_OUT),
    "saelens transcoder, layer norm": lambda p: saelens(
        p,
        "transcoder",
        "relu",
        c=0,
        d_out=D_OUT,
        norm="layer_norm",
        normalize_activations="layer_norm",
    ),
    "saelens skip transcoder": lambda p: saelens(
        p, "skip_transcoder", "relu", "W_skip", c=0, d_out=D_OUT
    ),
    "saelens jumprelu transcoder": lambda p: saelens(
        p, "jumprelu_transcoder", "jumprelu", "threshold", c=0, d_out=D_OUT
    ),
    "saelens jumprelu skip transcoder": lambda p: saelens(
        p, "jumprelu_skip_transcoder", "jumprelu", "threshold", "W_skip", c=0, d_out=D_OUT
    ),
    "saelens 5 standard, hook_z": lambda p: saelens(
        p,
        None,
        "relu",
        old=True,
        hook_point="blocks.1.attn.hook_z",
        normalize_activations=False,
        more={"scaling_factor": np.linspace(0.5, 2, F, dtype=np.float32)},
        dtype="torch.float32",
    ),
    "saelens 5 topk": lambda p: saelens(
        p,
        "standard",
        "topk",
        old=True,
        hook_name="blocks.1.hook_resid_pre",
        c=0,
        apply_b_dec_to_input=False,
        normalize_activations="layer_norm",
        norm="layer_norm",
        activation_fn_str="topk",
        activation_fn_kwargs={"k": K},
        sae_lens_version="5.3.1",
        more={"scaling_factor": np.ones(F, np.float32)},
    ),
    "gemma scope": lambda p: gemma_scope(p / GEMMA),
    "gemma scope, lower case": lambda p: gemma_scope(p / GEMMA, lower=True, compressed=True),
    "gemma scope 2": lambda p: gemma_scope_2(p / "resid_post/layer_12_width_16k_l0_small"),
    "gemma scope 2 transcoder": lambda p: gemma_scope_2(p / "transcoder/layer_1", transcoder=True),
    "openai topk": lambda p: openai(p / OPENAI),
    "openai relu, tied": lambda p: openai(p / "autoencoder.pt", "ReLU", tied=True),
} | {f"dictionary_learning {c}": lambda p, c=c: dictionary_learning(p, c) for c in CLASSES}
