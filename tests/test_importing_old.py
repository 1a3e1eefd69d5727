"""Older runs of delphi, stores of autointerp, published explanations and the blog's tables."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from delphi_runs import activations, matrix, put, write_latents
from imported_runs import SHARED, bring, codes, feature_of, rows_in, shown
from safetensors.numpy import load_file, save_file

from core.cli import app
from core.importing.attach import Attached, AttachRequest, attach_explanations
from data import caches
from data.cachefiles import CacheFiles
from data.catalogue import Catalogue
from data.errors import BadInput, GlossError
from data.imports.delphi_rows import read_neighbours
from data.imports.report import Report


def tokens_of(folder: Path) -> Path:
    """The tokens of the made-up activations, as a file of their own."""
    np.save(folder / "tokens.npy", matrix())
    return folder / "tokens.npy"


def rows() -> tuple[torch.Tensor, torch.Tensor]:
    """Locations with absolute features, and activations."""
    found = activations()
    place = torch.tensor([one[:3] for one in found], dtype=torch.int64)
    return place, torch.tensor([one[3] for one in found], dtype=torch.float32)


def write_oldest(run: Path) -> Path:
    """Two parts of a hookpoint, as the first runs split them."""
    run.mkdir()
    place, value = rows()
    for number, half in enumerate((place[:, 2] < 2, place[:, 2] >= 2)):
        name = f"layers.0_split_{number}"
        torch.save(place[half], run / f"{name}_locations.pt")
        torch.save(value[half], run / f"{name}_activations.pt")
    return run


def write_store(run: Path) -> Path:
    """A store of autointerp, in parts beside a table of features."""
    folder = run / "layers.0"
    folder.mkdir(parents=True)
    place, value = rows()
    for number, half in enumerate((place[:, 2] < 2, place[:, 2] >= 2)):
        held = {"locations": place[half], "activations": value[half],
                "tokens_path": "/home/someone/tokens.pt", "model_id": "org/tiny"}  # fmt: skip
        torch.save(held, folder / f"{number}.pt")
    (folder / "header.parquet").write_bytes(b"not looked at")
    return run


def require_all(catalogue: Catalogue, name: str) -> None:
    """Every activation of the made-up ones is in the cache."""
    record = caches.cache(catalogue, name)
    columns = CacheFiles.open(catalogue.store / record.folder).columns(
        record.hookpoints[0].hookpoint_id
    )
    for feature in range(5):
        wanted = [(8 * r + p, np.float16(v)) for r, p, f, v in activations() if f == feature]
        found = columns.slice(feature)
        assert found.token.tolist() == [token for token, _ in wanted]
        assert found.activation.tolist() == [float(value) for _, value in wanted]


@pytest.mark.parametrize("write", [write_oldest, write_store])
def test_activations_in_pt_files_arrive_with_the_tokens_that_are_named(tmp_path, write):
    run = write(tmp_path / "run")
    with pytest.raises(BadInput, match="--tokens"):
        bring(tmp_path / "store", run)
    catalogue = bring(tmp_path / "store", run, tokens=tokens_of(tmp_path))
    require_all(catalogue, "run")
    assert codes(catalogue, "run")["tokens_given"] == 1
    if write is write_store:
        assert caches.cache(catalogue, "run").subject == "org/tiny"


def test_shards_without_tokens_take_those_that_are_named(tmp_path):
    run = tmp_path / "run"
    write_latents(run)
    for path in run.rglob("*.safetensors"):
        held = load_file(path)
        del held["tokens"]
        save_file(held, path)
    require_all(bring(tmp_path / "store", run, tokens=tokens_of(tmp_path)), "run")


@pytest.mark.skipif(not (SHARED / "parity").is_dir(), reason="the sample runs are not here")
def test_tokens_of_another_corpus_are_refused(tmp_path):
    run = tmp_path / "one_hook"
    shutil.copytree(SHARED / "parity" / "delphi" / "one_hook", run)
    for path in run.rglob("*.safetensors"):
        held = load_file(path)
        tokens = held.pop("tokens")
        save_file(held, path)
    np.save(tmp_path / "right.npy", tokens)
    np.save(tmp_path / "wrong.npy", tokens[:, ::-1])
    model = SHARED / "parity" / "delphi" / "model"
    with pytest.raises(BadInput, match="of another corpus"):
        bring(tmp_path / "store", run, tokens=tmp_path / "wrong.npy", subject=model)
    with Catalogue(tmp_path / "store").reading() as con:
        assert con.value("select count(*) from cache") == 0
    catalogue = bring(tmp_path / "store", run, tokens=tmp_path / "right.npy", subject=model)
    assert "not_located" not in codes(catalogue, "one_hook")


def test_one_half_of_a_pair_is_refused(tmp_path):
    run = write_oldest(tmp_path / "run")
    next(run.glob("*_activations.pt")).unlink()
    with pytest.raises(BadInput, match="lacks the file with its activations"):
        bring(tmp_path / "store", run, tokens=tokens_of(tmp_path))


class Evil:
    def __reduce__(self):
        return print, ("run",)


def _save(found):
    return lambda path: torch.save(found, path)


def _compressed(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 1_000_000)


PLACE, VALUE = rows()
PT_DAMAGE = {
    "code": (_save(Evil()), "something else than tensors"),
    "compressed": (_compressed, "compressed archive"),
    "cut-off": (lambda path: path.write_bytes(path.read_bytes()[:200]), "."),
    "empty": (lambda path: path.write_bytes(b""), "."),
    "stride": (_save(torch.zeros(1, dtype=torch.int64).expand(10**9, 3)), "larger than the file"),
    "shape": (_save(PLACE.reshape(-1)), "table of three integers"),
    "floats": (_save(PLACE.float()), "table of three integers"),
    "beyond": (_save(PLACE + 1000), "outside of"),
    "negative": (_save(PLACE - 1000), "outside of"),
    "short": (_save(PLACE[:3]), "activations"),
    "twice": (_save(PLACE[:1].repeat(len(VALUE), 1)), "an activation twice"),
}


@pytest.mark.parametrize("what", PT_DAMAGE)
def test_damaged_pt_files_are_one_line(tmp_path, what):
    run = tmp_path / "run"
    run.mkdir()
    _save(PLACE)(run / "layers.0_locations.pt")
    _save(VALUE)(run / "layers.0_activations.pt")
    spoil, said = PT_DAMAGE[what]
    spoil(run / "layers.0_locations.pt")
    with pytest.raises(BadInput, match=said) as error:
        bring(tmp_path / "store", run, tokens=tokens_of(tmp_path))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "store").exists()


def test_activations_that_are_nan_are_refused(tmp_path):
    run = write_oldest(tmp_path / "run")
    torch.save(torch.full((len(VALUE),), torch.nan), run / "layers.0_split_0_activations.pt")
    torch.save(PLACE, run / "layers.0_split_0_locations.pt")
    with pytest.raises(BadInput, match="NaN"):
        bring(tmp_path / "store", run, tokens=tokens_of(tmp_path))


def test_published_explanations_arrive_with_their_sentinels(tmp_path):
    folder = tmp_path / "Llama" / "16k" / "res"
    texts = {"3": "Words about cats", "9": "Explanation could not be parsed.", "800": "Dogs"}
    put(folder / "model.layers.29_feature.json", texts)
    catalogue = bring(tmp_path / "store", folder, name="hub", sae="EleutherAI/sae-llama")
    record = caches.cache(catalogue, "hub")
    (hookpoint,) = record.hookpoints
    assert (record.origin, record.subject) == ("hub", "meta-llama/Llama-3.1-8B")
    assert (hookpoint.name, hookpoint.n_features) == ("model.layers.29", 16_384)
    assert hookpoint.sae_source == "EleutherAI/sae-llama"
    found = {one["feature"]: one["explanations"][0] for one in shown(catalogue, "hub")}
    assert found[3]["text"] == "Words about cats"
    assert (found[9]["text"], found[9]["status"]) == (None, "failed")
    assert found[3]["model"] == "Meta-Llama-3.1-70B-Instruct-AWQ-INT4"
    assert found[3]["settings"]["origin"] == "hub"
    assert found[3]["scores"] == {}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"300000": "x"}, "named after an SAE of 262,144"),
        ({"x": "y"}, "no number of a feature"),
        ({"1": 2}, "is no text"),
        ({"1": "a", "01": "b"}, "two explanations"),
        ([1], "no JSON object"),
    ],
)
def test_damaged_published_explanations_are_refused(tmp_path, texts, said):
    put(tmp_path / "262k" / "model.layers.1_feature.json", texts)
    with pytest.raises(BadInput, match=said):
        bring(tmp_path / "store", tmp_path / "262k" / "model.layers.1_feature.json")
    assert not (tmp_path / "store").exists()


def test_a_feature_that_a_file_names_twice_is_refused(tmp_path):
    path = tmp_path / "model.layers.3_feature.json"
    path.write_text('{"3": "Cats", "3": "Dogs", "4": "x"}')
    with pytest.raises(BadInput, match="'3' twice"):
        bring(tmp_path / "store", path)
    path.write_text('{"3": [[0.5, 1]], "03": [[0.5, 2]]}')
    with pytest.raises(BadInput, match="two lists of neighbours of feature 3"):
        read_neighbours(path, Report())


def test_a_table_of_the_blog_has_scores_without_verdicts(tmp_path):
    text = ("layer,feature,explanation,recall,fuzz,combined\n"
            '0,2,"Cats, and dogs",0.75,-1,0.4\n0,5,Numbers,N/A,0.5,N/A\n')  # fmt: skip
    (tmp_path / "gpt2.csv").write_text(text)
    catalogue = bring(tmp_path / "store", tmp_path / "gpt2.csv")
    assert rows_in(catalogue, "explanation", "score", "verdict") == {
        "explanation": 2, "score": 2, "verdict": 0
    }  # fmt: skip
    first, second = shown(catalogue, "gpt2.csv")
    assert first["explanations"][0]["text"] == "Cats, and dogs"
    score = first["explanations"][0]["scores"]["detection"]
    assert (score["metric"], score["value"], score["n"]) == ("as published", 0.75, 0)
    assert set(second["explanations"][0]["scores"]) == {"fuzzing"}
    assert codes(catalogue, "gpt2.csv")["verdicts_unknown"] == 2
    assert feature_of(catalogue, "gpt2.csv", "layer.0/2")["examples"] == []


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "layer,feature,explanation\n0,x,y\n",
                                  "layer,feature,explanation,recall\n0,1,y,7\n",
                                  "layer,feature,explanation\n0,1,y\n0,1,z\n", ""])  # fmt: skip
def test_damaged_tables_are_refused(tmp_path, text):
    (tmp_path / "gpt2.csv").write_text(text)
    with pytest.raises(BadInput):
        bring(tmp_path / "store", tmp_path / "gpt2.csv")
    assert not (tmp_path / "store").exists()


def attach(catalogue: Catalogue, path: Path, **how) -> list[Attached]:
    steps = attach_explanations(catalogue, AttachRequest(path, "run", **how))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_published_explanations_join_a_cache_of_the_same_sae(tmp_path):
    run = tmp_path / "run"
    write_latents(run)
    catalogue = bring(tmp_path / "store", run)
    put(tmp_path / "model.layers.0_feature.json", {"1": "Fires on cat", "2": ""})
    for written in (2, 0):  # the second time changes nothing
        came = attach(catalogue, tmp_path / "model.layers.0_feature.json")
        assert came == [("layers.0", 1, 1, written)]
        assert rows_in(catalogue, "explanation") == {"explanation": 2}
    found = {one["feature"]: one["explanations"] for one in shown(catalogue, "run")}
    assert [one["text"] for one in found[1]] == ["Fires on cat"]
    assert [one["status"] for one in found[2]] == ["failed"]


@pytest.mark.parametrize(
    ("name", "texts", "said"),
    [("layers.0", {"6": "x"}, "has 6 features"), ("layers.7", {"1": "x"}, "--hookpoint")],
)
def test_explanations_of_another_sae_are_refused(tmp_path, name, texts, said):
    write_latents(tmp_path / "run")
    catalogue = bring(tmp_path / "store", tmp_path / "run")
    put(tmp_path / f"{name}_feature.json", texts)
    with pytest.raises(GlossError, match=said):
        attach(catalogue, tmp_path / f"{name}_feature.json")
    assert rows_in(catalogue, "explanation", "run") == {"explanation": 0, "run": 1}


def test_the_command_counts_explanations_that_say_there_is_none(tmp_path, monkeypatch, capsys):
    write_latents(tmp_path / "run")
    bring(tmp_path / "store", tmp_path / "run")
    put(tmp_path / "layers.0_feature.json", {"1": "Fires on cat", "2": "No explanation found"})
    said = []
    for words in ((), ("--json",)):
        monkeypatch.setattr("sys.argv", [
            "gloss", "import", "explanations", str(tmp_path / "layers.0_feature.json"),
            "--into", "run", "--store", str(tmp_path / "store"), *words,
        ])  # fmt: skip
        with pytest.raises(SystemExit) as left:
            app()
        assert left.value.code in (0, None)
        said.append(capsys.readouterr().out)
    assert "1 explanations, and 1 that say there is none; 2 of them new" in said[0]
    assert json.loads(said[1]) == {"cache": "run", "hookpoints": [
        {"hookpoint": "layers.0", "explanations": 1, "failed": 1, "written": 0}]}  # fmt: skip


@pytest.mark.parametrize(
    ("hooks", "texts"),
    [
        (("layers.1.mlp", "model.layers.0"), ["of model.layers.0"]),
        (("layers.1.mlp",), ["of layers.1.mlp"]),  # the only one is what --hookpoint says it is
        (("layers.1.mlp", "layers.2"), None),
        (("model.layers.0", "encoder.layers.0"), None),
    ],
)
def test_of_several_hookpoints_the_one_that_is_called_like_it_is_taken(tmp_path, hooks, texts):
    write_latents(tmp_path / "run")
    catalogue = bring(tmp_path / "store", tmp_path / "run")
    for hook in hooks:
        put(tmp_path / "old" / "explanations" / f"{hook}_latent1.txt", f"of {hook}")
    if texts is None:
        with pytest.raises(BadInput, match=f"{hooks[-1]}.* layers.0"):
            attach(catalogue, tmp_path / "old", hookpoint="layers.0")
        assert rows_in(catalogue, "explanation", "run") == {"explanation": 0, "run": 1}
        return
    attach(catalogue, tmp_path / "old", hookpoint="layers.0")
    found = {one["feature"]: one["explanations"] for one in shown(catalogue, "run")}
    assert [one["text"] for one in found[1]] == texts
