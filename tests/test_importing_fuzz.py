"""Spoilt runs and exports of every kind: a report or one line, and never a changed store."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from delphi_runs import HOOK, activations, matrix, put, write_latents, write_text_run
from neuronpedia_runs import gloss_score, write_dashboard, write_export
from spoiling import spoilt

from core.importing.delphi import import_delphi, open_source
from core.importing.neuronpedia import open_batches, open_export
from core.importing.stage import ImportRequest, import_source
from data.errors import GlossError

TRIES = 150  # spoilt copies of each kind
WRITTEN = 30  # every so manieth goes through the store, too


def _run(folder: Path) -> None:
    write_text_run(folder)
    for scorer in ("embedding", "surprisal", "intruder", "surprisal_intervention"):
        further = {"distance": 1, "similarity": 0.5, "no_explanation": [1.0], "explanation": [0.5],
                   "prediction": 1, "correct": True, "final_score": 0.1}  # fmt: skip
        put(folder / "scores" / scorer / f"{HOOK}_latent0.txt", [further])
    put(folder / "train" / f"{HOOK}_latent0.json", [{"str_tokens": ["a"], "activations": [1]}])
    put(folder / "neighbours" / f"{HOOK}-decoder_similarity.json", {"0": [[0.5, 2]]})
    inner = {"tokens": ["a"], "expected_activations": [3]}
    one = {"distance": 0, "simulation": inner, "true_activations": [1]}
    put(folder / "scores" / "simulation" / f"{HOOK}_latent0.txt",
        [{"distance": 0, "scored_sequence_simulations": [one]}])  # fmt: skip


def _whole(folder: Path) -> None:
    write_text_run(folder, features=(1,))
    write_latents(folder)


def _tensors(folder: Path) -> None:
    folder.mkdir()
    found = activations()
    torch.save(torch.tensor([one[:3] for one in found]), folder / "layers.0_locations.pt")
    torch.save(torch.tensor([one[3] for one in found]), folder / "layers.0_activations.pt")
    np.save(folder / "tokens.npy", matrix())


def _older(folder: Path) -> None:
    base = {"ground_truth": True, "predicted": True, "text": "a", "quantile": 0}
    rows = [base | {"highlighted": False, "id": 1}, base | {"highlighted": True, "id": 1}]
    put(folder / "scores" / "layers.0_feature0.txt", rows)
    put(folder / "explanations" / "layers.0_feature0.txt", {"result": "Letters", "time": 1.5})


def _published(folder: Path) -> None:
    put(folder / "model.layers.3_feature.json", {"3": "Cats", "4": "No explanation found"})
    text = 'layer,feature,explanation,recall,fuzz\n0,2,"Cats, dogs",0.5,N/A\n0,3,x,-1,1\n'
    (folder / "gpt2.csv").write_text(text)


KINDS: dict[str, tuple[Callable, Callable]] = {
    "run": (_run, open_source),
    "whole": (_whole, open_source),
    "tensors": (_tensors, open_source),
    "older": (_older, open_source),
    "published": (_published, open_source),
    "export": (lambda folder: write_export(folder, scores=[gloss_score()]), open_export),
    "batches": (write_dashboard, open_batches),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A store with something in it."""
    folder = tmp_path_factory.mktemp("fuzz")
    list(import_delphi(folder / "store", ImportRequest(write_text_run(folder / "first"))))
    return folder / "store"


def snapshot(store: Path) -> dict[str, str]:
    """The hash of every file of a store."""
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(store.rglob("*")) if path.is_file()}  # fmt: skip


def copies(tmp_path: Path, write: Callable) -> Iterator[tuple[Path, str]]:
    """Copies of a run in which one file is spoilt."""
    write(tmp_path / "whole")
    for number in range(TRIES):
        rng = Random(number)
        copy = tmp_path / f"copy{number}"
        shutil.copytree(tmp_path / "whole", copy)
        path = rng.choice(sorted(p for p in copy.rglob("*") if p.is_file()))
        yield copy, f"{path.name}, {spoilt(path, rng)}, number {number}"


def outcome(steps: Iterator) -> str:
    """What an import is refused with, "" where it came to its end."""
    try:
        for _ in steps:
            pass
    except GlossError as error:
        return str(error) or "(nothing said)"
    return ""


def looked_at(request: ImportRequest, opened: Callable) -> Iterator:
    """The part of an import before the store is touched."""
    yield from opened(request).read()


@pytest.mark.parametrize("kind", KINDS)
def test_spoilt_files_give_a_report_or_one_line(tmp_path, store, kind):
    write, opened = KINDS[kind]
    refused = 0
    before = snapshot(store)
    for number, (copy, how) in enumerate(copies(tmp_path, write)):
        tokens = copy / "tokens.npy" if kind == "tensors" else None
        request = ImportRequest(copy, f"{kind}-{copy.name}", tokens=tokens)
        said = outcome(looked_at(request, opened))
        assert "\n" not in said, how
        refused += bool(said)
        if number % WRITTEN == 0:
            assert outcome(import_source(store, request, opened)) == said, how
            after = snapshot(store)
            assert not said or after == before, how
            before = after
    assert refused > TRIES / 5
