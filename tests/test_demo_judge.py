"""`gloss demo --judge-model`: a second language model that judges; never over what is there."""

import numpy as np
import pytest

from core.causal import Causal
from core.demo.judge import train_judge, warning
from core.demo.language_model import ModelSettings, StepReport
from data.errors import BadInput

SMALL = ModelSettings(
    n_layers=1, d_model=32, n_heads=2, sequence_length=48, batch=2, report_every=1
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n\n".join(f"The value {i} is returned by the function." for i in range(200)))
    return str(path)


def test_a_trained_judge_is_read_as_any_language_model(tmp_path, corpus):
    out = tmp_path / "judge"
    last = list(train_judge(out, 0.5, 7, corpus=corpus, settings=SMALL))[-1]
    assert (last.done, last.total) == (0, 0)  # whole seconds
    judge = Causal.load(str(out))
    assert judge.max_length == 48
    assert judge.logprobs("The value", [" is returned"])[0].sum() < 0
    card = (out / "README.md").read_text()
    assert "seed 7, 0.5 seconds" in card
    assert "not known" not in card
    with pytest.raises(BadInput, match="is not empty"):
        next(train_judge(out, 1, corpus=corpus, settings=SMALL))


@pytest.mark.parametrize(("loss", "words"), [(1.38, ""), (1.39, "too few")], ids=["read", "not"])
def test_a_judge_that_knows_frequencies_only_is_no_judge(loss, words):
    said = warning(StepReport(3, 1.0, loss), np.arange(4))  # four tokens, equally often: ln 4
    assert bool(said) == bool(words)
    assert words in said


def test_training_takes_time(tmp_path, corpus):
    with pytest.raises(BadInput, match="--seconds 0"):
        next(train_judge(tmp_path / "judge", 0, corpus=corpus, settings=SMALL))
