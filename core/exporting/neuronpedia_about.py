"""What a Neuronpedia export says of its model and sources: ids, and one row of metadata each.

Columns that their tables do not have are refused there, so nothing else is written. Times are those
of the cache, so that a second export has the same bytes.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

from core.exporting.neuronpedia_rows import Source
from core.hookpoints import transformer_lens_name
from data.baselines import original, subject_words
from data.catalogue import Row
from data.errors import BadInput
from data.exports.neuronpedia import as_id, require_id
from data.records import CacheRecord, HookpointRecord

LAYER = re.compile(r"\.(\d+)(?:\.(.+))?$")
SOURCE_ID = re.compile(r"(\d+|e)-([a-z0-9][a-z0-9_-]{0,120})")  # names of imported exports
EMBEDDING = "e"
WIDTHS = ("intermediate_size", "n_inner", "ffn_dim")  # of the MLP, in a model's config.json
SITES = {
    "hook_resid_post": "res", "hook_resid_pre": "res-pre", "hook_resid_mid": "res-mid",
    "hook_mlp_out": "mlp", "hook_attn_out": "att", "attn.hook_z": "att-z",
    "mlp.hook_post": "mlp-post", "ln2.hook_normalized": "mlp-in", "hook_embed": "embed",
}  # fmt: skip


def sources(
    record: CacheRecord,
    hookpoints: Sequence[HookpointRecord],
    facts: Row,
    *,
    model_id: str | None,
    set_name: str | None,
    user: str,
) -> list[Source]:
    """Name every hookpoint as the site does: <layer>-<set>.

    facts: of `data.exports.queries.bookkeeping`.
    """
    model = require_id("--model-id", model_id or as_id(subject_words(record.subject, 1)))
    if set_name is not None:
        require_id("--set", set_name)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", user):
        raise BadInput(f"--user-id {user[:40]!r} is no id of a user: letters and digits only")
    found: dict[str, Source] = {}
    for hookpoint in hookpoints:
        if record.origin and (own := SOURCE_ID.fullmatch(hookpoint.name)):
            layer, name = own[1], set_name or own[2]
        else:
            layer, site = place_of(hookpoint.name, facts.get("architecture"))
            name = set_name or as_id(f"{record.name.replace('/', '-')}-{site}")
        source = Source(record, hookpoint, model, f"{layer}-{name}", name, user,
                        corpus_name(record.corpus))  # fmt: skip
        if source.source_id in found:
            other = found[source.source_id].hookpoint.name
            raise BadInput(
                f"{other} and {hookpoint.name} would both be {source.source_id}: "
                "export one of them with --hookpoint, or leave --set out"
            )
        found[source.source_id] = source
    return list(found.values())


def place_of(hookpoint: str, architecture: str | None) -> tuple[str, str]:
    """Layer and kind of place, e.g. "gpt_neox.layers.2.mlp" -> ("2", "mlp")."""
    known = transformer_lens_name(hookpoint, architecture)
    if known == "hook_embed":
        return EMBEDDING, SITES[known]
    module = hookpoint.removesuffix(":in")
    found = re.search(r"(?:^|\.)(\d+)(?:\.(.+))?$", module)
    if known is not None and found:
        return found[1], SITES[known.split(".", 2)[2]]
    if not found:
        layer = EMBEDDING if "embed" in module or "wte" in module else None
        if layer is None:
            raise BadInput(
                f"{hookpoint} has no layer, which a sourceId begins with: leave it out by "
                "naming the others with --hookpoint"
            )
        return layer, as_id(module.replace(".", "-"))
    side = "-in" if module != hookpoint else ""
    return found[1], as_id((found[2] or "res").replace(".", "-")) + side


def corpus_name(spec: str) -> str:
    """A corpus without the folders of this machine."""
    if spec.startswith("hf:") or ("/" not in spec and "\\" not in spec):
        return spec
    return re.split(r"[/\\]", spec.rstrip("/\\"))[-1] if Path(spec).is_absolute() else spec


def mlp_width(subject: str) -> int | None:
    """Neurons of an MLP as a subject's own folder says; None where there is none to ask."""
    try:
        folder = Path(original(subject)).expanduser()
        found = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError, RuntimeError):
        return None
    if not isinstance(found, dict):
        return None
    known = [found[key] for key in WIDTHS if type(found.get(key)) is int]
    embedding = found.get("n_embd")
    if not known and type(embedding) is int:
        return 4 * embedding  # of GPT-2, where nothing else is said
    return known[0] if known else None


def metadata(source: Source, facts: Row, width: int | None) -> dict[str, dict[str, Any]]:
    """The rows of release.jsonl, model.jsonl, sourceset.jsonl and source.jsonl."""
    record, hookpoint = source.cache, source.hookpoint
    made = facts["created_at"].replace(tzinfo=UTC).isoformat(timespec="milliseconds")
    subject = subject_words(record.subject, 1)
    release = f"gloss-{as_id(record.name)}"
    about = f"{hookpoint.sae_kind} SAE with {hookpoint.extent} at {hookpoint.name} of {subject}"
    rows = {
        "release": {
            "name": release, "description": f"Features of {subject}, explained with Gloss",
            "descriptionShort": f"Gloss: {record.name}", "creatorName": "Gloss",
            "creatorNameShort": "Gloss", "creatorId": source.user, "urls": [],
            "visibility": "PUBLIC", "isNewUi": True, "featured": False,
            "defaultSourceSetName": source.set_name, "defaultSourceId": source.source_id,
            "defaultUmapSourceIds": [], "createdAt": made,
        },
        "model": {
            "id": source.model_id, "displayNameShort": subject, "displayName": subject,
            "creatorId": source.user, "owner": "", "layers": facts.get("n_layers") or 0,
            "neuronsPerLayer": width or 0, "instruct": False, "visibility": "PUBLIC",
            "dimension": record.d_model, "inferenceEnabled": False, "createdAt": made,
            "updatedAt": made,
        },
        "sourceset": {
            "modelId": source.model_id, "name": source.set_name, "creatorId": source.user,
            "creatorName": "Gloss", "description": about, "type": hookpoint.sae_kind, "urls": [],
            "visibility": "PUBLIC", "hasDashboards": True, "releaseName": release,
            "defaultRange": 1, "defaultShowBreaks": True, "showDfa": False,
            "showCorrelated": False, "showHeadAttribution": False, "showUmap": False,
            "createdAt": made,
        },
        "source": {
            "id": source.source_id, "modelId": source.model_id, "setName": source.set_name,
            "creatorId": source.user, "hasDashboards": True, "inferenceEnabled": False,
            "inferenceHosts": [], "visibility": "PUBLIC", "dataset": source.corpus,
            "num_prompts": record.n_sequences or None,
            "num_tokens_in_prompt": record.sequence_length or None, "notes": about,
            "hasUmap": False,
            "hasUmapLogSparsity": False, "hasUmapClusters": False, "createdAt": made,
        },
    }  # fmt: skip
    return {part: {k: v for k, v in row.items() if v is not None} for part, row in rows.items()}
