"""What tells one subject from another: a digest of its weights, or of what stands for them."""

import hashlib
import json
from typing import Any

SAMPLE = 1024  # elements of every weight that are looked at


def of_weights(model: Any, *, has_head: bool) -> str:
    """Digest names and shapes of all weights and up to 1,024 elements of each."""
    digest = hashlib.sha256()
    head = model.get_output_embeddings()
    # A head that no checkpoint filled holds other random numbers after every load.
    left_out = set() if has_head or head is None else set(head.parameters())
    for name, weight in model.named_parameters():
        if weight in left_out:
            continue
        flat = weight.detach().reshape(-1)
        sample = flat[:: max(1, flat.numel() // SAMPLE)][:SAMPLE].float().cpu().numpy()
        digest.update(f"{name}{tuple(weight.shape)}".encode() + sample.tobytes())
    return digest.hexdigest()


def of_skeleton(model: Any, dtype: str) -> str:
    """Digest a model whose weights are elsewhere: its configuration, commit and number format.

    Nobody can compare it with the weights: it never equals the digest of a model that is here.
    """
    config = model.config
    known = {k: v for k, v in config.to_dict().items() if k != "transformers_version"}
    commit = getattr(config, "_commit_hash", None)
    text = json.dumps(["elsewhere", known, commit, dtype], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
