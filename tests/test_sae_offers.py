"""Which SAE a hookpoint gets, in the words of every library, releases and neurons included."""

import pytest
import sae_files
import tiny
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
)

from core.cli import app
from core.hookpoints import is_output_known, written
from core.pipeline.offers import list_sources
from core.pipeline.saes import load_saes
from core.quality import Sample
from core.releases import RELEASES, find_release, like, lines, parse_source
from core.subject import Subject
from data.errors import BadInput, WrongSae

SMALL = {"num_hidden_layers": 3, "num_attention_heads": 1, "intermediate_size": 12,
         "hidden_size": sae_files.D, "vocab_size": tiny.VOCABULARY}  # fmt: skip
GEMMA = SMALL | {"num_key_value_heads": 1, "head_dim": 4, "pad_token_id": None} | tiny.IDS


@pytest.fixture(scope="module")
def subjects():
    torch.manual_seed(0)
    configs = {
        "gpt2": GPT2Config(n_embd=6, n_layer=3, n_head=1, vocab_size=tiny.VOCABULARY, **tiny.IDS),
        "neox": GPTNeoXConfig(**SMALL, **tiny.IDS),
        "gemma2": Gemma2Config(**GEMMA),
        "gemma3": Gemma3TextConfig(**GEMMA | {"num_hidden_layers": 13}),
    }
    return {name: Subject(AutoModelForCausalLM.from_config(c), name=name)
            for name, c in configs.items()}  # fmt: skip


def loaded(subject, *sources, at=()):
    return load_saes(subject, list_sources([str(source) for source in sources]), at)


def standard(folder, hook, **metadata):
    said = {"hook_name": hook, "model_name": "demo"} | metadata
    return sae_files.saelens(folder, "standard", "relu", metadata=said)


@pytest.mark.parametrize(
    ("write", "family", "reads"),
    [
        (lambda p: sae_files.sparsify(p / "h.1.mlp"), "gpt2", "transformer.h.1.mlp"),
        (lambda p: standard(p / "a", "blocks.2.hook_resid_pre"), "neox", "gpt_neox.layers.2:in"),
        (lambda p: standard(p / "a", "blocks.1.attn.hook_z"), "gpt2",
         "transformer.h.1.attn.c_proj:in"),
        (lambda p: standard(p / "a", "blocks.1.hook_resid_mid", hf_hook_name="model.layers.0"),
         "gemma2", "model.layers.0"),
        (lambda p: sae_files.gemma_scope(
            p / "gemma-scope-2b-pt-mlp" / "layer_1" / "width_16k" / "average_l0_9"),
         "gemma2", "model.layers.1.post_feedforward_layernorm"),
        (lambda p: sae_files.gemma_scope(
            p / "gemma-scope-2b-pt-transcoders" / "layer_1" / "width_16k" / "average_l0_9"),
         "gemma2", "model.layers.1.pre_feedforward_layernorm:in"),
        (lambda p: sae_files.gemma_scope_2(p / "resid_post" / "layer_12_width_16k_l0_small"),
         "gemma3", "model.layers.12"),
        (lambda p: sae_files.openai(p / "gpt2-small/resid_post_attn_v5_32k/autoencoders/1.pt"),
         "gpt2", "transformer.h.1.ln_2:in"),
        (lambda p: sae_files.dictionary_learning(p / "t", "BatchTopKSAE"), "neox",
         "gpt_neox.layers.2"),
    ],
)  # fmt: skip
def test_files_say_where_they_read_in_any_librarys_words(tmp_path, subjects, write, family, reads):
    write(tmp_path)
    (name,) = loaded(subjects[family], tmp_path)
    assert name == reads


def test_a_transcoder_reads_one_place_and_rebuilds_another(tmp_path, subjects):
    folder = tmp_path / "gemma-scope-2b-pt-transcoders" / "layer_1" / "width_16k"
    written = sae_files.gemma_scope(folder / "average_l0_9")
    (sae,) = loaded(subjects["gemma2"], folder).values()
    assert sae.origin.hook is not None
    assert sae.origin.hook.writes == "model.layers.1.post_feedforward_layernorm"
    x = torch.from_numpy(sae_files.inputs())
    unit = x / (x.pow(2).mean(1, keepdim=True) + 1e-6).sqrt()
    dense, rebuilt = sae_files.formula(written.record, unit.numpy())
    active = sae.encode(x)
    assert torch.allclose(active.dense(), torch.from_numpy(dense).float(), atol=1e-5)
    assert torch.allclose(sae.decode(active, x), torch.from_numpy(rebuilt).float(), atol=1e-5)


def test_an_embedding_that_the_model_scales_is_read_unscaled(tmp_path, subjects):
    folder = tmp_path / "gemma-scope-2b-pt-res" / "embedding" / "width_4k"
    written = sae_files.gemma_scope(folder / "average_l0_6")
    (sae,) = loaded(subjects["gemma2"], folder).values()
    rows = torch.from_numpy(sae_files.inputs())
    dense, rebuilt = sae_files.formula(written.record, rows.numpy())
    scaled = rows * sae_files.D**0.5  # what the module gives
    active = sae.encode(scaled)
    assert torch.allclose(active.dense(), torch.from_numpy(dense).float(), atol=1e-5)
    want = torch.from_numpy(rebuilt).float() * sae_files.D**0.5
    assert torch.allclose(sae.decode(active, scaled), want, atol=1e-5)


def test_several_saes_of_a_set_for_one_hookpoint_are_listed_and_one_is_chosen(tmp_path, subjects):
    layer = tmp_path / "gemma-scope-2b-pt-res" / "layer_1"
    for width, l0 in (("16k", 9), ("16k", 40), ("65k", 9)):
        sae_files.gemma_scope(layer / f"width_{width}" / f"average_l0_{l0}")
    for asked in ((), ("layers.1",)):
        with pytest.raises(BadInput, match=r"has 3 SAEs for model\.layers\.1: .*choose one") as e:
            loaded(subjects["gemma2"], layer.parent, at=asked)
        assert f"--sae {layer}/width_16k/average_l0_9" in str(e.value)
    one = layer / "width_65k" / "average_l0_9"
    assert list(loaded(subjects["gemma2"], one)) == ["model.layers.1"]


@pytest.mark.parametrize(
    ("hook", "family", "words"),
    [
        ("blocks.1.hook_resid_mid", "neox", r"a: blocks\.1\.hook_resid_mid does not exist in neox"),
        ("blocks.7.hook_resid_post", "neox", r"has no hookpoint 'gpt_neox\.layers\.7'"),
        ("blocks.1.attn.hook_q", "neox", "no place in a GPTNeoXForCausalLM: say with --hookpoint"),
    ],
)
def test_a_hook_that_the_subject_lacks_is_said(tmp_path, subjects, hook, family, words):
    standard(tmp_path / "a", hook)
    with pytest.raises(BadInput, match=words):
        loaded(subjects[family], tmp_path / "a")
    assert list(loaded(subjects[family], tmp_path / "a", at=("layers.0",))) == ["gpt_neox.layers.0"]


def test_a_hookpoint_may_be_asked_for_in_transformer_lens_words(tmp_path, subjects):
    standard(tmp_path / "a", "blocks.2.hook_resid_pre")
    found = loaded(subjects["neox"], tmp_path, at=("blocks.2.hook_resid_pre",))
    assert list(found) == ["gpt_neox.layers.2:in"]


def test_a_typed_place_before_and_behind_a_norm_are_not_the_same(tmp_path, subjects):
    standard(tmp_path / "a", "blocks.1.hook_resid_mid")
    with pytest.raises(WrongSae, match=r"a reads .* before its norm, .*_normalized is behind it"):
        loaded(subjects["gemma2"], tmp_path / "a", at=("blocks.1.ln2.hook_normalized",))
    assert loaded(subjects["gemma2"], tmp_path, at=("blocks.1.hook_resid_mid",))
    with pytest.raises(BadInput, match=r"^--hookpoint: .*hook_normalized .* folded into") as caught:
        loaded(subjects["neox"], "random:8:2", at=("blocks.1.ln2.hook_normalized",))
    assert "this SAE" not in str(caught.value)


def test_the_embedding_may_be_asked_for_and_is_scaled_as_the_library_has_it(subjects):
    (sae,) = loaded(subjects["gemma2"], "random:8:8", at=("hook_embed",)).values()
    rows = subjects["gemma2"].model.get_input_embeddings().weight[:5].float()
    given = subjects["gemma2"].activations(torch.arange(5)[None], ["embed_tokens"])
    (plain,) = loaded(subjects["gemma2"], "random:8:8", at=("model.embed_tokens",)).values()
    want = plain.encode(rows * sae_files.D**0.5).dense()
    assert torch.allclose(sae.encode(given["embed_tokens"][0]).dense(), want, atol=1e-5)


def test_a_place_that_the_subject_lacks_is_noted_and_its_output_is_not_guessed(tmp_path, subjects):
    folder = tmp_path / "gemma-scope-2b-pt-transcoders" / "layer_9" / "width_16k"
    sae_files.gemma_scope(folder / "average_l0_9")
    (sae,) = loaded(subjects["gemma2"], tmp_path, at=("blocks.1.ln2.hook_normalized",)).values()
    assert sae.origin.elsewhere == "transcoders/9"
    assert sae.input_norm == ""  # the typed name says it
    assert sae.transforms[0].norm == "rms"
    assert not is_output_known(sae)
    sample = Sample.of_ids(subjects["gemma2"], torch.arange(12).reshape(2, 6), ())
    point = "model.layers.1.pre_feedforward_layernorm:in"
    assert sample.quality(point, sae).fvu is sample.losses(point, sae) is None
    with pytest.raises(BadInput, match="does not say which place of this subject it writes to"):
        written(sae, point)


def test_one_sae_of_a_set_without_a_place_can_be_left_out(tmp_path, subjects):
    for layer in (1, 9):
        sae_files.sparsify(tmp_path / f"layers.{layer}")
    with pytest.raises(BadInput, match=r"layers\.9\).*without it: .*e\.g\. gpt_neox\.layers\.1$"):
        loaded(subjects["neox"], tmp_path)
    assert list(loaded(subjects["neox"], tmp_path, at=("layers.1",))) == ["gpt_neox.layers.1"]


def test_what_a_decoder_writes_must_fit_too(tmp_path, subjects):
    sae_files.gemma_scope_2(tmp_path / "transcoder" / "layer_12_width_16k", transcoder=True)
    with pytest.raises(WrongSae, match=r"writes 4 numbers a token, but .* of gemma3 has 6"):
        loaded(subjects["gemma3"], tmp_path)


def neurons(subject, spec, at):
    (sae,) = loaded(subject, spec, at=(at,)).values()
    return sae


def test_neurons_are_the_largest_inputs_of_the_projection_back(subjects):
    subject, point = subjects["gpt2"], "h.1.mlp.c_proj:in"
    x = torch.randn(5, 24, generator=torch.Generator().manual_seed(0))
    sae = neurons(subject, "neurons:3", point)
    kept = torch.where(x >= x.topk(3).values[:, -1:], x, torch.tensor(0.0)).relu()
    assert (sae.n_features, sae.kind) == (24, "neurons")
    assert torch.equal(sae.encode(x).dense(), kept)
    both = neurons(subject, "neurons:3:both", point)
    dense = both.encode(x).dense()
    largest = torch.where(x.abs() >= x.abs().topk(3).values[:, -1:], x, torch.tensor(0.0))
    assert both.n_features == 48
    assert torch.equal(dense[:, :24] - dense[:, 24:], largest)


@pytest.mark.parametrize(("family", "point"), [("gpt2", "h.1.mlp.c_proj"),
                                               ("gemma2", "layers.1.mlp.down_proj")])  # fmt: skip
def test_all_neurons_of_both_sides_rebuild_the_mlp(subjects, family, point):
    subject = subjects[family]
    module = subject.model.get_submodule(subject.resolve(point))
    width = subject.width(f"{point}:in")
    sae = neurons(subject, f"neurons:{width}:both", f"{point}:in")
    x = torch.randn(5, width, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(sae.decode(sae.encode(x), x), module(x), atol=1e-6)


@pytest.mark.parametrize(
    ("spec", "at", "words"),
    [
        (
            "neurons:3",
            (),
            r"say with .* --hookpoint gpt_neox\.layers\.1\.mlp\.dense_4h",
        ),
        (
            "neurons:3",
            ("layers.1",),
            r"neurons of an MLP, which gpt_neox\.layers\.1 does",
        ),
        ("neurons:99", ("layers.1.mlp.dense_4h_to_h:in",), "has 12 neurons, fewer than 99"),
        ("neurons:0", (), "write neurons:K"),
        ("neurons:3:left", (), "write neurons:K"),
    ],
)
def test_what_are_no_neurons_is_one_line(subjects, spec, at, words):
    with pytest.raises(BadInput, match=words) as caught:
        loaded(subjects["neox"], spec, at=at)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "root", "below"),
    [
        ("pythia-160m-k32", "EleutherAI/sae-pythia-160m-32k", ""),
        ("pythia-70m-32k/layers.3", "EleutherAI/sae-pythia-70m-32k", "layers.3"),
        ("gemma-scope-2b-pt-res/layer_12/width_16k/canonical", "google/gemma-scope-2b-pt-res",
         "layer_12/width_16k/average_l0_82"),
        ("google/gemma-scope-9b-pt-att/layer_0/width_16k/canonical",
         "google/gemma-scope-9b-pt-att", "layer_0/width_16k/average_l0_61"),
        ("gemma-scope-27b-res/layer_22/width_131k/canonical", "google/gemma-scope-27b-pt-res",
         "layer_22/width_131k/average_l0_82"),
        ("some/repository/layers.3/", "some/repository", "layers.3"),
        ("some/repository", "some/repository", ""),
        ("./gpt2-small-res-jb", "./gpt2-small-res-jb", ""),
    ],
)  # fmt: skip
def test_short_names_stand_for_repositories_and_parts_of_them(typed, root, below):
    assert parse_source(typed, is_there=False)[:2] == (root, below)


def test_what_is_on_this_machine_comes_before_a_release():
    assert parse_source("gpt2-small-res-jb", is_there=True) == ("gpt2-small-res-jb", "", None)


def test_a_copy_of_a_release_on_this_machine_is_meant_before_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    width = tmp_path / "gemma-scope-2b-pt-res" / "layer_12" / "width_16k"
    sae_files.gemma_scope(width / "average_l0_82")
    (offer,) = list_sources(["gemma-scope-2b-pt-res/layer_12/width_16k/canonical"])
    assert offer.root == "gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82"
    (offer,) = list_sources([f"{width}/canonical"])
    assert offer.root == f"{width}/average_l0_82"
    sae_files.sparsify(tmp_path / "pythia-160m-k32" / "layers.3")
    with pytest.raises(BadInput, match=r"pythia-160m-k32 has no layers\.9; it has layers\.3$"):
        list_sources(["pythia-160m-k32/layers.9"])


@pytest.mark.parametrize("layer", ["layer_99/width_16k", "layer_3/width_3k", "layer_3"])
def test_where_none_is_canonical_an_example_is_named(layer):
    with pytest.raises(BadInput, match="no canonical SAE of gemma-scope-2b-pt-res is known"):
        parse_source(f"gemma-scope-2b-pt-res/{layer}/canonical", is_there=False)


def test_every_name_means_one_release_and_every_example_can_be_typed():
    names = [name for one in RELEASES for name in (one.name, *one.also)]
    assert len(set(names)) == len(names)
    for one in RELEASES:
        assert find_release(one.name) is one
        assert parse_source(f"{one.name}/{one.folders}", is_there=False).release is one
    assert len(list(lines(as_json=True))) == len(RELEASES) == len(list(lines(as_json=False))) - 1


def test_a_name_that_is_nearly_known_is_suggested(monkeypatch):
    monkeypatch.setattr("core.sae.places.hub_answers", lambda: False)
    with pytest.raises(BadInput, match="or did you mean pythia-70m-32k\\? gloss cache --list-saes"):
        list_sources(["pythia-70m-23k"])
    assert like("nothing-like-it") is None
    with pytest.raises(BadInput) as caught:  # nothing better is known than what was typed
        list_sources(["gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82"])
    assert "did you mean" not in str(caught.value)


def test_the_releases_model_is_known_where_files_do_not_say(tmp_path, subjects):
    sae_files.sparsify(tmp_path / "layers.1")
    named = "EleutherAI/pythia-70m"
    offers = [one._replace(trained_on=named) for one in list_sources([str(tmp_path)])]
    (sae,) = load_saes(subjects["neox"], offers, ()).values()
    assert sae.origin.hook is not None
    assert sae.origin.hook.model == named


def test_the_command_lists_releases_without_a_subject(monkeypatch, capsys):
    for words, first in (((), "--sae NAME"), (("--json",), '{"name": "pythia-70m-32k"')):
        monkeypatch.setattr("sys.argv", ["gloss", "cache", "--list-saes", *words])
        with pytest.raises(SystemExit) as left:
            app()
        assert left.value.code in (0, None)
        out = capsys.readouterr().out
        assert out.startswith(first)
        assert "pythia-160m-k32" in out  # another name of pythia-160m-32k


def test_a_configuration_that_cannot_be_read_is_told_with_the_others(tmp_path, subjects):
    sae_files.sparsify(tmp_path / "layers.1")
    sae_files.sparsify(tmp_path / "layers.2")
    (tmp_path / "layers.2" / "cfg.json").write_text("{")
    with pytest.raises(BadInput, match=r"layers\.2\): .*cfg\.json"):
        loaded(subjects["neox"], tmp_path)
    assert list(loaded(subjects["neox"], tmp_path, at=("layers.1",))) == ["gpt_neox.layers.1"]
