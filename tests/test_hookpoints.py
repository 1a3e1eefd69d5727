"""Hooks of every library: the mapped place gives the numbers that the library means."""

from functools import cache

import pytest
import tiny
import torch
from transformers import AutoModelForCausalLM, Gemma2Config, Gemma3Config, Gemma3TextConfig

from core.hookpoints import family_of, locate, transformer_lens_name
from core.sae.hooks import Hook
from core.subject import Subject
from data.errors import BadInput

GEMMA = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 6,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "vocab_size": tiny.VOCABULARY,
}
VISION = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "intermediate_size": 8,
    "image_size": 28,
    "patch_size": 14,
}
CONFIGS = {
    "gemma2": lambda: Gemma2Config(**GEMMA, **tiny.IDS, pad_token_id=None),
    "gemma3": lambda: Gemma3TextConfig(**GEMMA, **tiny.IDS, pad_token_id=None),
    "gemma3 with images": lambda: Gemma3Config(
        text_config=GEMMA, vision_config=VISION, mm_tokens_per_image=4, image_token_index=5,
        boi_token_index=6, eoi_token_index=7,
    ),
}  # fmt: skip
IDS = torch.arange(1, 11).reshape(2, 5) * 20
FAMILIES = [*tiny.FAMILIES, *CONFIGS]
WHERE = {  # blocks, then within block 1: attention, MLP, both projections back, norm before the MLP
    "gpt-neox": ("gpt_neox.layers", "attention", "mlp", "dense", "dense_4h_to_h", ""),
    "gpt2": ("transformer.h", "attn", "mlp", "c_proj", "c_proj", "ln_2"),
    "llama": ("model.layers", "self_attn", "mlp", "o_proj", "down_proj",
              "post_attention_layernorm"),
    "gemma2": ("model.layers", "self_attn", "mlp", "o_proj", "down_proj",
               "pre_feedforward_layernorm"),
}  # fmt: skip
WHERE["gemma3"] = WHERE["gemma2"]
WHERE["gemma3 with images"] = ("model.language_model.layers", *WHERE["gemma2"][1:])


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param


@cache
def made(family: str) -> Subject:
    torch.manual_seed(0)
    model = (
        tiny.model(family)
        if family in tiny.FAMILIES
        else AutoModelForCausalLM.from_config(CONFIGS[family]())
    )
    for parameter in model.parameters():  # norms whose scale is one would hide a mistake
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return Subject(model, name=family)


@pytest.fixture(scope="module")
def subject(family):
    return made(family)


@pytest.fixture(scope="module")
def seen(subject):
    """What goes into and comes out of every module, by plain forward hooks."""
    found = {}

    def keep(name):
        def hook(_module, args, kwargs, output):
            given = [*args, *kwargs.values()]
            found[name] = (
                given[0] if given else None,
                output[0] if isinstance(output, tuple) else output,
            )

        return hook

    handles = [
        module.register_forward_hook(keep(name), with_kwargs=True)
        for name, module in subject.model.named_modules()
    ]
    with torch.inference_mode():
        subject.model(IDS, use_cache=False)
    for handle in handles:
        handle.remove()
    return found


def read(subject, hook: Hook) -> torch.Tensor:
    """What an SAE gets that is trained at a hook."""
    place = locate(hook, subject)
    x = subject.activations(IDS, [place.reads])[place.reads] * place.scale
    if place.transform == "rms":
        x = x / (x.pow(2).mean(-1, keepdim=True) + place.eps).sqrt()
    return x - x.mean(-1, keepdim=True) if place.transform == "centre" else x


def lens(name: str, **more) -> Hook:
    return Hook("transformer_lens", name, **more)


def test_the_stream_is_the_sum_of_what_is_written_into_it(subject, family):
    into, out = (read(subject, lens(f"blocks.1.hook_resid_{end}")) for end in ("pre", "post"))
    added = [read(subject, lens(f"blocks.1.hook_{part}_out")) for part in ("attn", "mlp")]
    assert torch.allclose(into + added[0] + added[1], out, atol=1e-5)
    if family != "gpt-neox":
        middle = read(subject, lens("blocks.1.hook_resid_mid"))
        assert torch.allclose(into + added[0], middle, atol=1e-5)


def test_one_blocks_end_is_the_next_ones_beginning(subject):
    for layer in (0, 1):
        end = read(subject, lens(f"blocks.{layer}.hook_resid_post"))
        assert torch.equal(end, read(subject, lens(f"blocks.{layer + 1}.hook_resid_pre")))


def test_heads_and_hidden_layer_are_what_the_projections_back_read(subject, family, seen):
    blocks, attention, mlp, out, down, _ = WHERE[family]
    z, hidden = (
        read(subject, lens("blocks.1.attn.hook_z")),
        read(subject, lens("blocks.1.mlp.hook_post")),
    )
    assert torch.equal(z, seen[f"{blocks}.1.{attention}.{out}"][0])
    assert torch.equal(hidden, seen[f"{blocks}.1.{mlp}.{down}"][0])


def test_the_normalised_stream_is_the_norms_output_without_its_scale(subject, family, seen):
    hook = lens("blocks.1.ln2.hook_normalized", writes="blocks.1.hook_mlp_out")
    if family in ("gpt2", "gpt-neox"):
        with pytest.raises(BadInput, match=r"hook_normalized .* cannot be read"):
            locate(hook, subject)
        return
    blocks, *_, norm = WHERE[family]
    weight = subject.model.get_submodule(f"{blocks}.1.{norm}").weight
    scale = 1 + weight if family.startswith("gemma") else weight
    want = seen[f"{blocks}.1.{norm}"][1] / scale
    assert torch.allclose(read(subject, hook), want, rtol=1e-3, atol=1e-5)
    assert locate(hook, subject).writes == locate(lens("blocks.1.hook_mlp_out"), subject).reads


def test_centred_weights_take_the_mean_from_the_stream_and_from_nothing_else(subject, family):
    names = ("hook_resid_pre", "hook_mlp_out", "attn.hook_z", "mlp.hook_post")
    means = {
        name: read(subject, lens(f"blocks.1.{name}", centred_weights=True)).mean(-1).abs().max()
        for name in names
    }
    centred = family in ("gpt2", "gpt-neox")  # a root mean square does not forgive a shift
    assert (means["hook_resid_pre"] < 1e-5) == (means["hook_mlp_out"] < 1e-5) == centred
    assert min(means["attn.hook_z"], means["mlp.hook_post"]) > 1e-5


def test_the_embedding_is_scaled_as_the_library_has_it(subject, family):
    rows = subject.model.get_input_embeddings().weight[IDS]
    scaled = rows * 4 if family.startswith("gemma") else rows  # sqrt(16)
    assert torch.allclose(read(subject, lens("hook_embed")), scaled, atol=1e-6)
    assert torch.allclose(read(subject, Hook("gemma_scope", "embedding")), rows, atol=1e-6)


@pytest.mark.parametrize(
    ("world", "name", "same"),
    [
        ("gemma_scope", "res/1", "blocks.1.hook_resid_post"),
        ("gemma_scope", "mlp/1", "blocks.1.hook_mlp_out"),
        ("gemma_scope", "att/1", "blocks.1.attn.hook_z"),
        ("openai", "resid_post_mlp/1", "blocks.1.hook_resid_post"),
        ("openai", "resid_delta_mlp_v5_32k/1", "blocks.1.hook_mlp_out"),
        ("openai", "resid_delta_attn/1", "blocks.1.hook_attn_out"),
        ("openai", "mlp_post_act/1", "blocks.1.mlp.hook_post"),
        ("dictionary_learning", "resid_post_layer_1", "blocks.1.hook_resid_post"),
        ("dictionary_learning", "resid_out_layer1", "blocks.1.hook_resid_post"),
        ("module", "layers.1", "blocks.1.hook_resid_post"),
        ("module", "h.1", "blocks.1.hook_resid_post"),
    ],
)
def test_other_words_mean_the_same_place(subject, family, world, name, same):
    if world == "module" and name.split(".")[0] not in WHERE[family][0].split("."):
        with pytest.raises(BadInput, match="no hookpoint"):
            locate(Hook(world, name), subject)
        return
    assert locate(Hook(world, name), subject) == locate(lens(same), subject)


def test_dictionary_learning_reads_modules_not_what_is_added(subject, family):
    blocks, attention, mlp, *_ = WHERE[family]
    for name, module in (("mlp_out_layer1", mlp), ("attn_out_layer1", attention)):
        place = locate(Hook("dictionary_learning", name), subject)
        assert place.reads == f"{blocks}.1.{module}"
    into = locate(Hook("dictionary_learning", "mlp_out_layer1", side="in"), subject)
    assert into.reads == f"{blocks}.1.{mlp}:in"


def test_a_text_models_path_finds_its_place_in_a_model_with_images():
    hook = Hook("module", "model.layers.2.pre_feedforward_layernorm")
    assert locate(hook, made("gemma3 with images")).reads == (
        "model.language_model.layers.2.pre_feedforward_layernorm"
    )


def test_names_go_there_and_back(subject, family):
    parts = ["hook_resid_pre", "hook_resid_post", "hook_attn_out", "hook_mlp_out",
             "attn.hook_z", "mlp.hook_post"]  # fmt: skip
    names = ["hook_embed", *(f"blocks.2.{part}" for part in parts)]
    names += [] if family == "gpt-neox" else ["blocks.2.hook_resid_mid"]
    for name in names:
        reads = locate(lens(name), subject).reads
        assert transformer_lens_name(reads, subject.architecture) == name


@pytest.mark.parametrize(
    ("hookpoint", "architecture"),
    [
        ("model.layers.2.mlp", "Gemma2ForCausalLM"),  # before the norm: it has no name there
        ("gpt_neox.layers.2.post_attention_layernorm:in", "GPTNeoXForCausalLM"),
        ("gpt_neox.layers.2", "LlamaForCausalLM"),
        ("gpt_neox.layers.2", None),
        ("layers.2", "GPTNeoXForCausalLM"),
        ("transformer.h.1.mlp:in", "GPT2LMHeadModel"),
    ],
)
def test_what_has_no_name_there_has_none(hookpoint, architecture):
    assert transformer_lens_name(hookpoint, architecture) is None


def test_side_by_side_blocks_have_no_middle():
    with pytest.raises(BadInput, match="does not exist in gpt-neox, whose attention and MLP run"):
        locate(lens("blocks.1.hook_resid_mid"), made("gpt-neox"))


@pytest.mark.parametrize("name", ["blocks.9.hook_resid_post", "blocks.1.attn.hook_k", "odd"])
def test_a_hook_that_is_nowhere_is_one_line(subject, name):
    with pytest.raises(BadInput) as caught:
        locate(lens(name), subject)
    assert "\n" not in str(caught.value)


def test_the_classes_of_all_families_are_different():
    assert family_of("GPTNeoXForCausalLM") is not family_of("GPT2LMHeadModel")
    assert family_of("NoSuchModel") is None
