"""Runs of delphi whose subject is named: what their hookpoints are called then."""

import numpy as np
import pytest
from delphi_runs import HOOK, put, write_text_run
from imported_runs import bring, codes, rows_in
from safetensors.numpy import save_file

from data import caches
from data.errors import BadInput


def write_subject(folder, architecture: str, *parameters: str):
    """A folder that says what modules a subject has, and no more."""
    put(folder / "config.json", {"architectures": [architecture]})
    save_file({name: np.zeros(1, np.float32) for name in parameters}, folder / "m.safetensors")
    return folder


@pytest.mark.parametrize(
    ("architecture", "parameters", "expected"),
    [("GPTNeoXForCausalLM", ["x.weight"], "gpt_neox.layers.0"),
     ("OddModel", ["odd.layers.0.w", "odd.layers.10.w"], "odd.layers.0"),
     ("OddModel", ["odd.blocks.0.w"], HOOK)],
    ids=["family", "parameters", "unknown"],
)  # fmt: skip
def test_a_named_subject_gives_hookpoints_their_full_names(
    tmp_path, architecture, parameters, expected
):
    subject = write_subject(tmp_path / "subject", architecture, *parameters)
    catalogue = bring(tmp_path / "s", write_text_run(tmp_path / "run"), subject=subject)
    (hookpoint,) = caches.cache(catalogue, "run").hookpoints
    assert hookpoint.name == expected
    assert rows_in(catalogue, "explanation", "verdict") == {"explanation": 2, "verdict": 16}
    assert codes(catalogue, "run").get("hookpoint_unknown", 0) == (expected == HOOK)


def test_a_hookpoint_that_may_be_two_modules_is_refused_with_both(tmp_path):
    subject = write_subject(tmp_path / "subject", "OddModel", "eye.layers.0.w", "text.layers.0.w")
    with pytest.raises(BadInput, match=r"may be eye\.layers\.0 or text\.layers\.0"):
        bring(tmp_path / "s", write_text_run(tmp_path / "run"), subject=subject)
