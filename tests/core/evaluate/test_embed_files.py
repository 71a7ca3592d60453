"""Embedding files, folders and cohorts into a table."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import cardionets_core as cn
from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.errors import CardionetsError, EcgError, UsageError, WeightsError
from cardionets_core.evaluate import embed_files, prepared_ecgs
from cardionets_core.evaluate.embed_files import embed_paths
from cardionets_core.registry import default_registry

DECLARED = {"units": "mV", "sampling_rate_hz": 500.0}
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


class Header:
    simulated = True


@pytest.fixture
def encoder():
    """A narrow encoder with a transform and a header, as ``cn.load`` gives one."""
    torch.manual_seed(0)
    small = {"width": 8, "depth": 1, "heads": 1, "head_dim": 8}
    built = cn.build(
        "encoder",
        "stmem",
        size="tiny",
        patch_samples=50,
        num_samples=500,
        sampling_rate_hz=100,
        **small,
    ).eval()
    config = EcgTransformConfig(sampling_rate_hz=100, crop_samples=500)
    built.transform, built.header = EcgTransform(config, np.full(12, 0.2)), Header()
    return built


def write_ecg(path: Path, seed: int, leads=LEADS) -> Path:
    """A made-up ECG as CSV: a sine per lead with noise, in mV."""
    generator = np.random.default_rng(seed)
    seconds = np.arange(5000) / 500
    waves = np.sin(2 * np.pi * generator.uniform(1, 2, len(leads))[:, None] * seconds)
    noisy = 0.5 * waves + generator.normal(0, 0.05, waves.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, noisy.T, delimiter=",", header=",".join(leads), comments="", fmt="%.5f")
    return path


def table(path):
    return {name: column.to_pylist() for name, column in zip(
        pq.read_schema(path).names, pq.read_table(path).columns, strict=True)}  # fmt: skip


def embed(encoder, paths, out, **options):
    counts = embed_paths(encoder, paths, out, weights="made-up", **{**DECLARED, **options})
    return counts, table(out)


def test_embeddings_are_those_of_one_record_at_a_time(encoder, tmp_path):
    files = [write_ecg(tmp_path / f"{name}.csv", seed) for seed, name in enumerate("abc")]
    counts, rows = embed(encoder, [tmp_path], tmp_path / "e.parquet")
    assert counts == (3, 0)
    assert rows["record"] == ["a.csv", "b.csv", "c.csv"]
    for file, embedding in zip(files, rows["embedding"], strict=True):
        alone = cn.embed(encoder, cn.read_ecg(file, **DECLARED))
        assert embedding == pytest.approx(alone.tolist(), rel=1e-4, abs=1e-6)
    assert len({tuple(embedding) for embedding in rows["embedding"]}) == 3
    assert set(rows["weights"]) == {"made-up"}
    assert set(rows["transform"]) == {encoder.transform.hash}
    assert all(rows["simulated_weights"])


def test_a_missing_lead_is_masked_as_when_embedded_alone(encoder, tmp_path):
    write_ecg(tmp_path / "a.csv", 0)
    partial = write_ecg(tmp_path / "b.csv", 1, LEADS[:11])
    _, rows = embed(encoder, [tmp_path], tmp_path / "e.parquet")
    alone = cn.embed(encoder, cn.read_ecg(partial, **DECLARED))
    assert rows["embedding"][1] == pytest.approx(alone.tolist(), rel=1e-4, abs=1e-6)


def test_a_corrupt_file_is_a_row_with_its_reason(encoder, tmp_path):
    write_ecg(tmp_path / "good.csv", 0)
    (tmp_path / "bad.csv").write_text("I,II\n0.1,not a number\n")
    (tmp_path / "empty.csv").write_bytes(b"")
    counts, rows = embed(encoder, [tmp_path], tmp_path / "e.parquet")
    assert counts == (1, 2)
    by_name = dict(
        zip(rows["record"], zip(rows["reason"], rows["embedding"], strict=True), strict=True)
    )
    assert by_name["good.csv"][0] == ""
    for name in ("bad.csv", "empty.csv"):
        reason, embedding = by_name[name]
        assert reason
        assert embedding is None
    assert rows["usable"][rows["record"].index("bad.csv")] is False


def test_a_reader_that_fails_in_any_way_spoils_its_own_row_alone(encoder, tmp_path, monkeypatch):
    for seed, name in enumerate("ab"):
        write_ecg(tmp_path / f"{name}.csv", seed)
    read = prepared_ecgs.read_ecg

    def breaking(path, **declared):
        if path.name == "a.csv":
            raise ZeroDivisionError("a field of zero")
        return read(path, **declared)

    monkeypatch.setattr(prepared_ecgs, "read_ecg", breaking)
    counts, rows = embed(encoder, [tmp_path], tmp_path / "e.parquet")
    assert counts == (1, 1)
    assert rows["reason"] == ["ZeroDivisionError: a field of zero", ""]


def test_files_of_one_name_in_two_folders_are_told_apart(encoder, tmp_path):
    for seed, folder in enumerate(("ward", "clinic")):
        write_ecg(tmp_path / "ecgs" / folder / "1.csv", seed)
    _, rows = embed(encoder, [tmp_path / "ecgs"], tmp_path / "e.parquet")
    assert sorted(rows["record"]) == ["clinic/1.csv", "ward/1.csv"]


def test_a_folder_without_ecgs_is_one_line_and_writes_nothing(encoder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no ECG file of a known format"):
        embed(encoder, [tmp_path / "empty"], tmp_path / "e.parquet")
    with pytest.raises(EcgError, match="no such file or folder"):
        embed(encoder, [tmp_path / "none"], tmp_path / "e.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_the_number_of_workers_does_not_change_the_table(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared_ecgs, "_RECORDS_PER_BATCH", 2)
    for seed in range(5):
        write_ecg(tmp_path / "ecgs" / f"{seed}.csv", seed)
    (tmp_path / "ecgs" / "bad.csv").write_text("nothing")
    tables = [
        embed(encoder, [tmp_path / "ecgs"], tmp_path / f"{workers}.parquet", workers=workers)
        for workers in (1, 2)
    ]
    assert tables[0] == tables[1]


def test_a_table_that_cannot_be_finished_leaves_the_old_one(encoder, tmp_path, monkeypatch):
    write_ecg(tmp_path / "a.csv", 0)
    out = tmp_path / "e.parquet"
    embed(encoder, [tmp_path / "a.csv"], out)
    before = out.read_bytes()

    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embed_files, "embed_prepared", broken)
    with pytest.raises(CardionetsError, match="the disk is full"):
        embed(encoder, [tmp_path / "a.csv"], out)
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "e.parquet"]
    with pytest.raises(CardionetsError, match="cannot be written"):
        embed(encoder, [tmp_path / "a.csv"], tmp_path / "none" / "e.parquet")


def test_a_cohort_is_embedded_by_its_pseudonymous_ids(encoder, tmp_path):
    component = default_registry().find("dataset", "simulated")
    out = tmp_path / "cohort.h5"
    request = PrepareRequest(
        component=component, out=out, options={"subjects": 3, "seed": 8}, workers=1
    )
    prepare_dataset(request)
    counts, rows = embed(encoder, [out], tmp_path / "e.parquet")
    assert counts == (3, 0)
    with cn.open_cohort(out) as cohort:
        assert rows["record"] == cohort.record_ids.tolist()
        for row, embedding in enumerate(rows["embedding"]):
            alone = cn.embed(encoder, cohort[row].ecg)
            assert embedding == pytest.approx(alone.tolist(), rel=1e-3, abs=1e-5)


def test_an_encoder_without_a_transform_is_refused(encoder, tmp_path):
    encoder.transform = None
    with pytest.raises(WeightsError, match="carries no ECG transform"):
        embed(encoder, [write_ecg(tmp_path / "a.csv", 0)], tmp_path / "e.parquet")


def test_real_records_are_embedded_and_a_torn_one_is_a_row(encoder, tmp_path):
    root = os.environ.get("CARDIONETS_SAMPLE_DATA")
    if not root or not [*Path(root).rglob("*.hea")]:
        pytest.skip("CARDIONETS_SAMPLE_DATA names no folder with WFDB records")
    headers = sorted(Path(root).rglob("*.hea"))[:3]
    for header in headers:
        for file in header.parent.glob(f"{header.stem}.*"):
            shutil.copy(file, tmp_path)
    torn = next(f for f in tmp_path.glob(f"{headers[0].stem}.*") if f.suffix != ".hea")
    torn.write_bytes(torn.read_bytes()[:200])
    counts, rows = embed(
        encoder, [tmp_path], tmp_path / "e.parquet", units=None, sampling_rate_hz=None
    )
    assert counts == (len(headers) - 1, 1)
    assert rows["reason"][rows["record"].index(headers[0].name)]
    for header in headers[1:]:
        embedding = rows["embedding"][rows["record"].index(header.name)]
        alone = cn.embed(encoder, cn.read_ecg(header))
        assert embedding == pytest.approx(alone.tolist(), rel=1e-3, abs=1e-5)
