"""Published sets of SAEs: a table of facts.

Names are those that SAELens gives its releases, where it has one. The hub ids and hookpoints are
facts of the repositories; what only users report is marked.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Release:
    """A set of SAEs in one repository."""

    name: str
    repository: str  # hub id
    format: str  # as core.sae.formats calls it
    subject: str  # hub id of the model it was trained on
    hookpoints: str  # what its SAEs read, in the set's own words; L is a layer
    features: str  # sizes of the dictionaries
    folders: str  # what stands behind the short name to choose one, by example
    note: str = ""
    also: tuple[str, ...] = ()  # other names for it


def _sparsify(name: str, repository: str, subject: str, hookpoints: str, features: str,
              folders: str, note: str = "", also: tuple[str, ...] = ()) -> Release:  # fmt: skip
    return Release(
        name, f"EleutherAI/{repository}", "sparsify", subject, hookpoints, features, folders, note,
        also,
    )  # fmt: skip


def _gemma_scope(size: str, kind: str, hookpoints: str, features: str,
                 folders: str = "layer_12/width_16k/canonical", note: str = "",
                 tuned: str = "pt") -> Release:  # fmt: skip
    name = f"gemma-scope-{size}-{tuned}-{kind}"
    return Release(
        name,
        f"google/{name}",
        "Gemma Scope",
        f"google/gemma-2-{size}" + ("-it" if tuned == "it" else ""),
        hookpoints,
        features,
        folders,
        note or "trained with BOS; folders are average_l0_N, one of each width is canonical",
        (f"gemma-scope-{size}-{kind}",) if tuned == "pt" else (),
    )


def _gemma_scope_2(size: str, tuned: str) -> Release:
    pretrained = "google/gemma-3-270m" if size == "270m" else f"google/gemma-3-{size}-pt"
    return Release(
        f"gemma-scope-2-{size}-{tuned}",
        f"google/gemma-scope-2-{size}-{tuned}",
        "Gemma Scope 2",
        pretrained if tuned == "pt" else f"google/gemma-3-{size}-it",
        "resid_post, attn_out, mlp_out, transcoder of some layers; with _all of every layer",
        "16k to 1m; _all 16k and 262k",
        "resid_post_all/layer_12_width_16k_l0_small",
        "trained with BOS",
    )


def _openai(location: str, hookpoint: str, features: str, size: str) -> Release:
    return Release(
        f"gpt2-small-{location}-v5-{size}",
        f"jbloom/GPT2-Small-OAI-v5-{size}-{location}-SAEs",
        "SAELens",
        "openai-community/gpt2",
        f"blocks.L.{hookpoint}",
        features,
        f"v5_{size}_layer_8" + (".pt" if (location, size) == ("resid-post", "32k") else ""),
        "OpenAI's TopK SAEs, k 32; OpenAI's own .pt files load from a folder too",
        (f"openai-gpt2-{location}-v5-{size}",),
    )


RELEASES = (
    _sparsify("pythia-70m-32k", "sae-pythia-70m-32k", "EleutherAI/pythia-70m", "layers.L",
              "32,768", "layers.3", "k 32"),
    _sparsify("pythia-160m-32k", "sae-pythia-160m-32k", "EleutherAI/pythia-160m", "layers.L",
              "32,768", "layers.3", "k 32", ("pythia-160m-k32",)),
    _sparsify("llama-3-8b-32x", "sae-llama-3-8b-32x", "meta-llama/Meta-Llama-3-8B",
              "layers.L, embed_tokens", "131,072", "layers.12"),
    _sparsify("llama-3.1-8b-64x", "sae-llama-3.1-8b-64x", "meta-llama/Llama-3.1-8B",
              "layers.23, layers.29 and their .mlp", "262,144", "layers.23",
              "contents as users report them"),
    _sparsify("llama-3.2-1b-131k", "sae-Llama-3.2-1B-131k", "meta-llama/Llama-3.2-1B",
              "layers.L.mlp", "131,072", "layers.8.mlp", "contents as users report them"),
    _gemma_scope("2b", "res", "output of every block, and the embedding", "16k, 65k; some to 1m"),
    _gemma_scope("2b", "mlp", "what every MLP adds", "16k, 65k"),
    _gemma_scope("2b", "att", "heads of every layer", "16k, 65k"),
    _gemma_scope("2b", "transcoders", "what every MLP reads, rebuilding what it adds", "16k",
                 "layer_0/width_16k/average_l0_76", "trained with BOS"),
    _gemma_scope("9b", "res", "output of every block, and the embedding", "16k, 131k; some to 1m"),
    _gemma_scope("9b", "mlp", "what every MLP adds", "16k, 131k"),
    _gemma_scope("9b", "att", "heads of every layer", "16k, 131k"),
    _gemma_scope("9b", "res", "output of blocks 9, 20 and 31", "16k, 131k",
                 "layer_20/width_16k/canonical", tuned="it"),
    _gemma_scope("27b", "res", "output of blocks 10, 22 and 34", "131k",
                 "layer_22/width_131k/canonical"),
    *(_gemma_scope_2(size, tuned) for size in ("270m", "1b", "4b", "12b", "27b")
      for tuned in ("pt", "it")),
    Release("gpt2-small-res-jb", "jbloom/GPT2-Small-SAEs-Reformatted", "SAELens",
            "openai-community/gpt2", "blocks.L.hook_resid_pre, blocks.11.hook_resid_post",
            "24,576", "blocks.8.hook_resid_pre",
            "trained with BOS and centred weights: the mean is taken from what they read",
            ("gpt2-res-jb",)),
    _openai("resid-post", "hook_resid_post", "32,768", "32k"),
    _openai("resid-mid", "hook_resid_mid", "32,768", "32k"),
    _openai("attn-out", "hook_attn_out", "32,768", "32k"),
    _openai("mlp-out", "hook_mlp_out", "32,768", "32k"),
    _openai("resid-post", "hook_resid_post", "131,072", "128k"),
    _openai("resid-mid", "hook_resid_mid", "131,072", "128k"),
    _openai("attn-out", "hook_attn_out", "131,072", "128k"),
    _openai("mlp-out", "hook_mlp_out", "131,072", "128k"),
    Release("pythia-70m-deduped-res-sm", "ctigges/pythia-70m-deduped__res-sm_processed", "SAELens",
            "EleutherAI/pythia-70m-deduped", "blocks.0.hook_resid_pre, blocks.L.hook_resid_post",
            "32,768", "3-res-sm"),
    Release("pythia-70m-deduped-mlp-sm", "ctigges/pythia-70m-deduped__mlp-sm_processed", "SAELens",
            "EleutherAI/pythia-70m-deduped", "blocks.L.hook_mlp_out", "32,768", "3-mlp-sm"),
    Release("pythia-70m-deduped-att-sm", "ctigges/pythia-70m-deduped__att-sm_processed", "SAELens",
            "EleutherAI/pythia-70m-deduped", "blocks.L.hook_attn_out", "32,768", "3-att-sm"),
    Release("gemma-2-2b-res-matryoshka-dc",
            "chanind/gemma-2-2b-batch-topk-matryoshka-saes-w-32k-l0-40", "SAELens",
            "google/gemma-2-2b", "blocks.L.hook_resid_post", "32,768",
            "standard/blocks.12.hook_resid_post", "two sets: standard and snap"),
    *(Release(f"saebench-gemma-2-2b-2pow{power}", repository, "dictionary_learning",
              "google/gemma-2-2b", "resid_post_layer_L of some layers", f"{2**power:,}",
              f"gemma-2-2b_topk_width-2pow{power}_date-1109/resid_post_layer_12/trainer_0",
              "several kinds and sparsities a layer: trainer_N")
      for power in (12, 14, 16)
      for repository in (f"canrager/saebench_gemma-2-2b_width-2pow{power}_date-1109",)),
)  # fmt: skip
