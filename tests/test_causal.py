"""Log-probabilities of a local language model, compared with running the whole text at once."""

from threading import Thread

import numpy as np
import pytest
import torch
from tiny import BOS, FAMILIES, model, save_subject, tokenizer

from core.causal import Causal
from data.errors import BadInput

PREFIX = "Sentences:\n-"
TEXTS = [" short", " a longer one", "", " é", " the last of five"]


def made(family="gpt-neox"):
    return Causal(model(family), tokenizer(), name=family)


def at_once(causal, prefix, text):
    """Run BOS, prefix and text in one pass without any cache."""
    before, own = [BOS, *prefix.encode()], list(text.encode())
    logits = causal.model(torch.tensor([before + own]), use_cache=False).logits[0].double()
    known = torch.log_softmax(logits, -1)[len(before) - 1 : -1]
    return known[torch.arange(len(own)), torch.tensor(own, dtype=torch.long)].numpy()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_kept_prefix_gives_what_one_pass_gives(family):  # [25]
    causal = made(family)
    for text, found in zip(TEXTS, causal.logprobs(PREFIX, TEXTS), strict=True):
        assert found.dtype == np.float64
        assert found == pytest.approx(at_once(causal, PREFIX, text), abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_results_do_not_depend_on_batch_size_or_order(family):  # [25]
    causal = made(family)
    one = causal.logprobs(PREFIX, TEXTS, batch=1)
    for batch in (2, 3, 32):
        turned = causal.logprobs(PREFIX, TEXTS[::-1], batch=batch)[::-1]
        for a, b in zip(one, turned, strict=True):
            assert a == pytest.approx(b, abs=1e-5)


def test_the_first_token_is_scored_from_the_prefix():  # [25]
    causal = made()
    every_byte = [chr(number) for number in range(128)]
    first = np.array([found[0] for found in causal.logprobs(PREFIX, every_byte)])
    assert 0 < np.exp(first).sum() < 1
    assert len(causal.logprobs(PREFIX, ["x"])[0]) == 1


def test_a_prefix_is_run_once_and_never_changed_by_a_batch():  # [25]
    causal = made()
    seen = []
    handle = causal.model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(args[0].shape), with_kwargs=True
    )
    first = causal.logprobs(PREFIX, TEXTS, batch=2)
    again = causal.logprobs(PREFIX, TEXTS, batch=2)
    handle.remove()
    assert seen.count((1, 1 + len(PREFIX))) == 1
    assert all((a == b).all() for a, b in zip(first, again, strict=True))


def test_threads_share_one_model():
    causal, found = made(), {}

    def ask(number):
        found[number] = causal.logprobs(f"{number}", TEXTS)

    threads = [Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, values in found.items():
        for text, one in zip(TEXTS, values, strict=True):
            assert one == pytest.approx(at_once(causal, f"{number}", text), abs=1e-5)


def test_counts_are_of_what_is_run():
    causal = made()
    assert causal.n_tokens("abc") == 4
    assert causal.n_text_tokens("é") == 2
    assert causal.max_length == 64


def test_a_model_is_loaded_from_a_folder(tmp_path):
    causal = Causal.load(str(save_subject(tmp_path / "subject")), device="cpu")
    assert causal.logprobs("", ["ab"])[0].shape == (2,)


def test_a_model_without_tokenizer_is_refused(tmp_path):
    model().save_pretrained(tmp_path / "bare")
    with pytest.raises(BadInput, match="no tokenizer"):
        Causal.load(str(tmp_path / "bare"), device="cpu")


def test_an_empty_prefix_needs_a_token_that_begins_a_sequence():
    causal = Causal(model(), tokenizer(special=False), name="bare")
    with pytest.raises(BadInput, match="give a prefix"):
        causal.logprobs("", ["a"])
