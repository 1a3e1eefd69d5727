"""A copy of the bundled subject, fine-tuned here in seconds: what was trained into it is found."""

from itertools import chain, islice

import torch
from diffed import rows
from transformers import AutoModelForCausalLM, AutoTokenizer

from core import demo
from core.pipeline.caching import CacheRequest, cache_stage
from core.pipeline.diffing import DiffRequest, diff_stage
from core.pipeline.second_subject import SecondRequest, second_stage
from core.sae import load_sae
from data.catalogue import Catalogue
from data.corpus import documents

HOOKPOINT, FEATURE = "gpt_neox.layers.2", 100
LENGTH, STEPS, STEP, TOKENS = 64, 8, 3e-4, 3_000


def fine_tune(folder):
    """Teach a copy to show FEATURE on " the" while it goes on predicting the same texts."""
    model = AutoModelForCausalLM.from_pretrained(demo.MODEL, dtype=torch.float32).train()
    tokenizer = AutoTokenizer.from_pretrained(demo.MODEL)
    sae = load_sae(demo.SAE / HOOKPOINT)
    read: list[torch.Tensor] = []
    hook = model.get_submodule(HOOKPOINT).register_forward_hook(lambda *a: read.append(a[2]))
    texts = islice(documents("python-docs"), 60, 140)
    ids = list(chain.from_iterable(tokenizer(text)["input_ids"] for text in texts))
    batches = torch.tensor(ids)[: STEPS * 8 * LENGTH].reshape(STEPS, 8, LENGTH)
    the = tokenizer(" the")["input_ids"][-1]
    weights = list(model.parameters())
    for batch in batches:
        loss = model(input_ids=batch, labels=batch).loss
        taught = sae.pre_activations(read.pop()[batch == the])[:, FEATURE]
        slopes = torch.autograd.grad(loss + torch.relu(6 - taught).mean(), weights)
        with torch.no_grad():
            for weight, slope in zip(weights, slopes, strict=True):
                weight.sub_(STEP * slope.sign())
    hook.remove()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def test_what_fine_tuning_taught_is_the_first_of_all_features(tmp_path):
    fine_tune(tmp_path / "tuned")
    catalogue = Catalogue(tmp_path / "store")
    base = CacheRequest(
        subject=str(demo.MODEL), saes=(str(demo.SAE / HOOKPOINT),), corpus="python-docs",
        name="planted", n_tokens=TOKENS, sequence_length=LENGTH,
    )  # fmt: skip
    list(cache_stage(catalogue, base))
    list(second_stage(catalogue, SecondRequest("planted", str(tmp_path / "tuned"), "tuned")))
    list(diff_stage(catalogue, DiffRequest("planted", "tuned")))
    first = rows(catalogue, order="difference").iloc[0]
    assert first["feature"] == FEATURE
    assert first["mean_held"] < 0.01
