"""The sample runs of delphi: everything in their files is in the cache, counted one by one."""

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from imported_runs import SHARED, bring
from safetensors.numpy import load_file

from core.importing.reading import StoredReader
from core.pipeline.workbench import Workbench
from core.show import feature_lines
from data import caches, items
from data.catalogue import Catalogue
from data.imports.pickled import tensors_of
from data.imports.report import reports
from data.records import CacheRecord, HookpointRecord

DELPHI = SHARED / "parity" / "delphi"
pytestmark = pytest.mark.skipif(not DELPHI.is_dir(), reason="the sample runs are not here")


class Run(NamedTuple):
    """A sample run and the cache that was made of it."""

    folder: Path
    catalogue: Catalogue
    record: CacheRecord
    bench: Workbench


@pytest.fixture(scope="module", params=["one_hook", "two_hooks"])
def run(request, tmp_path_factory) -> Run:
    store = tmp_path_factory.mktemp(request.param) / "store"
    catalogue = bring(store, DELPHI / request.param)
    record = caches.cache(catalogue, request.param)
    return Run(DELPHI / request.param, catalogue, record, Workbench.open(catalogue, record))


def stored_rows(run: Run, hookpoint: HookpointRecord) -> np.ndarray:
    """(feature, flat token, bits of the value) of a hookpoint's shards, by feature and token."""
    found = []
    for path in (run.folder / "latents" / hookpoint.name).glob("*.safetensors"):
        held = load_file(path)
        place = held["locations"].astype(np.int64)
        token = place[:, 0] * held["tokens"].shape[1] + place[:, 1]
        first = int(path.stem.split("_")[0])
        bits = held["activations"].view(np.uint16)
        found.append(np.stack([place[:, 2] + first, token, bits], axis=1))
    rows = np.concatenate(found)
    return rows[np.lexsort((rows[:, 1], rows[:, 0]))]


def test_every_activation_and_token_arrives_bit_for_bit(run):
    counts = tensors_of(run.folder / "log" / "hookpoint_firing_counts.pt")
    for hookpoint in run.record.hookpoints:
        wanted = stored_rows(run, hookpoint)
        columns = run.bench.columns(hookpoint)
        assert (columns.counts() == counts[hookpoint.name]).all()
        assert (np.bincount(wanted[:, 0], minlength=hookpoint.n_features)
                == columns.counts()).all()  # fmt: skip
        got = [columns.slice(feature) for feature in range(hookpoint.n_features)]
        assert (np.concatenate([one.token for one in got]) == wanted[:, 1]).all()
        values = np.concatenate([one.activation for one in got]).astype(np.float16)
        assert (values.view(np.uint16) == wanted[:, 2]).all()
    held = load_file(next(run.folder.rglob("*.safetensors")))
    assert (run.bench.files.tokens.matrix() == held["tokens"]).all()


VERDICTS = """
select v.predicted, i.decile, i.kind, x.first_token, x.kind as context_kind
from verdict v
join scorer m using (scorer_id)
join item i using (item_id)
join example x on x.hookpoint_id = i.hookpoint_id and x.feature = i.feature and x.slot = i.slot
where i.hookpoint_id = ? and i.feature = ? and m.name = ?
order by v.item_id
"""
EXPECTED = {  # files, rows, activating rows whose values the cache does not have
    "one_hook": (32, 3200, 0), "two_hooks": (26, 1820, 132)
}  # fmt: skip


def test_every_window_verdict_and_decile_arrives(run):
    files = rows = differing = 0
    slices = {"one_hook": 10, "two_hooks": 5}[run.record.name]
    for hookpoint in run.record.hookpoints:
        for scorer, ours in (("detection", "detection"), ("fuzz", "fuzzing")):
            for path in (run.folder / "scores" / scorer).glob(f"{hookpoint.name}_latent*.txt"):
                feature = int(path.stem.rpartition("latent")[2])
                asked = json.loads(path.read_text())
                with run.catalogue.reading() as con:
                    found = con.rows(VERDICTS, [hookpoint.hookpoint_id, feature, ours])
                    stored = items.examples(con, hookpoint.hookpoint_id, feature)
                reader = StoredReader(run.bench, hookpoint, feature, stored)
                assert len(found) == len(asked)
                for one, row in zip(found, asked, strict=True):
                    window = reader.window(one["first_token"], len(row["str_tokens"]))
                    assert window.pieces == row["str_tokens"]
                    differing += row["activating"] and window.activations != row["activations"]
                    assert one["predicted"] == bool(row["prediction"])
                    assert (one["kind"] == "activating") == row["activating"]
                    if row["activating"]:
                        assert one["decile"] == 10 * (slices - row["distance"]) // slices
                rows, files = rows + len(asked), files + 1
    assert (files, rows, differing) == EXPECTED[run.record.name]
    address = f"{hookpoint.name}/{feature}"
    said = "\n".join(feature_lines(run.catalogue, run.record.name, address, as_json=False))
    assert ("contexts cut into 5 slices" in said) == (slices == 5)


def test_every_explanation_arrives(run):
    wanted = {path.stem: json.loads(path.read_text())
              for path in (run.folder / "explanations").glob("*.txt")}  # fmt: skip
    with run.catalogue.reading() as con:
        rows = con.rows("select h.name, e.feature, e.text from explanation e "
                        "join hookpoint h using (hookpoint_id)")  # fmt: skip
    found = {f"{row['name']}_latent{row['feature']}": row["text"] for row in rows}
    assert found == wanted


MISSING = {  # features without a score, by reason, at the hookpoints together
    "one_hook": {"too_few_contexts": 3}, "two_hooks": {"too_few_contexts": 7}
}  # fmt: skip


def test_every_feature_without_a_score_has_its_reason(run):
    with run.catalogue.reading() as con:
        found = reports(con, run.record.cache_id)
    counted = Counter()
    for one in found:
        if one["code"] == "partial_run":
            counted[one["explanation"].split("(")[1].split(")")[0]] += one["n"]
    silent = sum(int((run.bench.columns(h).counts() == 0).sum()) for h in run.record.hookpoints)
    scored = len(list((run.folder / "scores" / "fuzz").iterdir()))
    assert counted.pop("dead") == silent
    total = sum(h.n_features for h in run.record.hookpoints)
    rest = total - silent - scored - counted["too_few_contexts"]
    assert counted.pop("not_selected") == rest
    assert counted == MISSING[run.record.name]
