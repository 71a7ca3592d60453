"""Every run that people's data went into is found, and told what it did with them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.cohort.ids import key_path
from cardionets_core.cohort.preparing import build_dataset
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.revealing import reveal
from cardionets_core.cohort.withdrawing import find_withdrawn, rewrite_without
from cardionets_core.registry import default_registry
from cardionets_core.train.arrays import drop_arrays
from cardionets_core.train.runs_that_saw import runs_that_saw
from cardionets_core.weights.cache import default_cache_dir


@pytest.fixture(scope="module")
def keys(cohort_path):
    """The source's own id of each row of the simulated cohort."""
    with open_cohort(cohort_path) as cohort:
        options = cohort.provenance["config"]
        ids = cohort.subject_ids.tolist()
    dataset = build_dataset(default_registry().find("dataset", "simulated"), None, options)
    named = {e.subject_id: e.subject for e in reveal(dataset, key_path(cohort_path), cohort_path)}
    return [named[subject_id] for subject_id in ids]


@pytest.fixture(scope="module")
def rows(cohort_path):
    """One row each that was trained on, that validated, and that was held out."""
    with open_cohort(cohort_path) as cohort:
        places = {s: cohort.select(role="pretrain", split=s) for s in ("train", "val")}
        held_out = cohort.select(role="downstream")
    return {"trained": places["train"][0], "validated": places["val"][0], "held": held_out[0]}


def people(cohort_path, keys, row):
    return find_withdrawn(cohort_path, [keys[row]])


def run_folder(path, fingerprints=None, **manifest):
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps({"stage": "pretrain", **manifest}))
    if fingerprints is not None:
        fingerprints.save(path / "fingerprints.npz")
    return path


def uses(folder, found):
    return {str(e.path.relative_to(folder)): e.use for e in runs_that_saw([folder], found)}


@pytest.fixture(scope="module")
def seen_by_a_run(cohort_path, rows):
    with open_cohort(cohort_path) as cohort:
        used = np.array([rows["trained"], rows["validated"]])
        return Fingerprints.of(cohort, used, validated=used[1:])


def test_real_runs_are_told_as_what_they_did(trained, cohort_path, keys, rows):
    runs = trained.ecg.path.parent
    told = uses(runs, people(cohort_path, keys, rows["trained"]))
    assert told == dict.fromkeys(("align", "cmr", "ecg"), "trained on")
    told = uses(runs, people(cohort_path, keys, rows["validated"]))
    assert set(told) == {"align", "cmr", "ecg"}
    assert set(told.values()) <= {"validated on", "trained on"}
    told = uses(runs, people(cohort_path, keys, rows["held"]))
    assert told == dict.fromkeys(("align", "cmr", "ecg"), "perhaps evaluated on")


def test_fingerprints_tell_training_from_validation_at_any_depth(
    tmp_path, cohort_path, keys, rows, seen_by_a_run
):
    run = "study/fits/a/needs/encoder"
    run_folder(tmp_path / run, seen_by_a_run)
    for who, use in (("trained", "trained on"), ("validated", "validated on"), ("held", None)):
        told = uses(tmp_path, people(cohort_path, keys, rows[who]))
        assert told == ({run: use} if use else {})


def test_a_run_is_found_by_the_signal_where_the_key_was_another(
    tmp_path, cohort_path, keys, rows, seen_by_a_run
):
    elsewhere = replace(seen_by_a_run, subjects=np.array([], np.uint64), simulated=(), trained=None)
    run_folder(tmp_path / "run", elsewhere)
    assert uses(tmp_path, people(cohort_path, keys, rows["trained"])) == {"run": "trained on"}


def test_a_run_is_found_when_the_cohort_no_longer_holds_them(
    tmp_path, cohort_path, keys, rows, seen_by_a_run
):
    for source in (cohort_path, key_path(cohort_path)):
        shutil.copy(source, tmp_path)
    path = tmp_path / cohort_path.name
    rewrite_without(people(path, keys, rows["trained"]))
    with open_cohort(path) as rewritten:
        new = {"data_hash": rewritten.content_hash, "plan": {"cohort": str(path)}}
    run_folder(tmp_path / "trained-anew", Fingerprints.empty(), **new)
    only_ids = replace(seen_by_a_run, signals=np.array([], np.uint64), simulated=())
    run_folder(tmp_path / "run", replace(only_ids, trained=None))
    assert uses(tmp_path, people(path, keys, rows["trained"])) == {"run": "trained on"}


def test_unfinished_and_damaged_runs_are_not_passed_over(tmp_path, cohort_path, keys, rows):
    found = people(cohort_path, keys, rows["trained"])
    run_folder(tmp_path / "unfinished", data_hash=found.content_hash, status="interrupted")
    run_folder(tmp_path / "other-data", data_hash="ab", status="interrupted")
    earlier = {"data_hash": "ef", "plan": {"cohort": str(cohort_path)}}
    run_folder(tmp_path / "earlier-state", **earlier, status="running")
    run_folder(tmp_path / "tested", Fingerprints.empty(), **earlier, status="finished")
    run_folder(tmp_path / "half-copied", data_hash="ab", status="finished")
    damaged = run_folder(tmp_path / "damaged", status="finished")
    (damaged / "fingerprints.npz").write_bytes(b"no fingerprints")
    torn = run_folder(tmp_path / "torn")
    (torn / "run.json").write_text("{")
    assert uses(tmp_path, found) == {
        "unfinished": "unfinished on this cohort",
        "earlier-state": "unfinished on this cohort",
        "tested": "perhaps evaluated on",
        "half-copied": "cannot tell",
        "damaged": "cannot tell",
        "torn": "cannot tell",
    }


def test_tables_with_their_ids_are_found(tmp_path, cohort_path, keys, rows):
    found = people(cohort_path, keys, rows["held"])
    subject, record = (next(iter(x)).decode() for x in (found.subject_ids, found.record_ids))
    run = run_folder(tmp_path / "run", Fingerprints.empty(), status="finished")
    pq.write_table(pa.table({"subject_id": ["x", subject]}), run / "scores.parquet")
    pq.write_table(pa.table({"record": [record]}), tmp_path / "predicted.parquet")
    (tmp_path / "drawn").mkdir()
    (tmp_path / "drawn" / "index.csv").write_text(f"record,sample\n{record},1\n")
    pq.write_table(pa.table({"record_id": ["x"], "note": [record]}), tmp_path / "other.parquet")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1")
    (tmp_path / "empty.csv").write_bytes(b"")
    assert uses(tmp_path, found) == {
        "run": "evaluated on",
        "predicted.parquet": "evaluated on",
        "drawn/index.csv": "evaluated on",
    }


def test_every_cached_array_goes_and_weights_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("CARDIONETS_CACHE", str(tmp_path))
    assert drop_arrays() == 0
    for name in ("arrays/ecg-ab.npy", "arrays/.ecg-cd.npy.1-2.tmp", "weights/ef.safetensors"):
        path = default_cache_dir() / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    assert drop_arrays() == 2
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["ef.safetensors"]
