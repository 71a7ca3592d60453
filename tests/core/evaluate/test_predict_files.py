"""Predicting from files, folders and cohorts into a table, and from one record."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import cardionets_core as cn
from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.errors import CardionetsError, EcgError, PluginError, UsageError, WeightsError
from cardionets_core.evaluate import prepared_ecgs
from cardionets_core.evaluate.predict_files import predict_paths
from cardionets_core.evaluate.predicting import NOT_FINITE, SIMULATED_WARNING
from cardionets_core.plugins import Discovery, Plugin
from cardionets_core.registry import Registry, default_registry
from cardionets_core.spec import ZooEntry
from cardionets_core.testing.made_up import made_up_ecg
from cardionets_core.weights.atomic import sha256_of
from cardionets_core.weights.file import save_weights, tensors_of
from cardionets_core.weights.header import PartHeader, TaskHeader, WeightsHeader
from cardionets_core.weights.lineage import LineageStep, extend

DECLARED = {"units": "mV", "sampling_rate_hz": 500.0}
SMALL = {"size": "tiny", "patch_samples": 50, "num_samples": 500, "sampling_rate_hz": 100,
         "width": 8, "depth": 1, "heads": 1, "head_dim": 8}  # fmt: skip
CM = TaskHeader(name="cm", target="binary", outputs=("cm",), threshold=(0.5,))
EF = TaskHeader(name="phenotypes", target="regression", outputs=("LV ejection fraction",),
                units=("%",))  # fmt: skip
SUBTYPE = TaskHeader(name="cm-subtype", target="multiclass", outputs=("dcm", "hcm", "rcm"))
EF_COLUMN = "24103 LV ejection fraction (%)"


def built(kind, name, context, **options):
    """A component with random weights, and its header."""
    component = default_registry().find(kind, name)
    module = cn.build(kind, name, **options, **context)
    return module, PartHeader.of(component, component.load_config()(**options), **context)


@pytest.fixture
def make_weights(tmp_path):
    """Write weights with a head per task; ``encoder_of`` gives a task an encoder of its own."""

    def make(*tasks, simulated=True, encoder_of=()):
        torch.manual_seed(0)
        encoder, header = built("encoder", "stmem", {}, **SMALL)
        parts, made = {"encoder": header}, {"encoder": encoder}
        for role in encoder_of:
            made[role], parts[role] = built("encoder", "stmem", {}, **SMALL)
        told = {}
        for task in tasks:
            role = f"head_{task.name.replace('-', '_')}"
            context = {
                "embed_dim": encoder.embed_dim,
                "pooled_dim": encoder.pooled_dim,
                "outputs": len(task.outputs),
                "target": task.target,
            }
            made[role], parts[role] = built("head", "linear", context)
            told[role] = task
        transform = EcgTransform(
            EcgTransformConfig(sampling_rate_hz=100, crop_samples=500), np.full(12, 0.2)
        )
        step = LineageStep(
            command="cardionets train", stage="downstream", simulated=simulated, licence="MIT"
        )
        header = WeightsHeader.of(
            parts, extend([], step), transform=transform.to_state(), tasks=told
        )
        path = tmp_path / "weights.safetensors"
        save_weights(path, tensors_of(made), header)
        return path

    return make


@pytest.fixture
def predictor(make_weights):
    return cn.load_predictor(make_weights(CM, SUBTYPE, EF))


def write_ecg(path, seed=0, leads=None):
    """A made-up ECG as CSV, in mV at 500 Hz."""
    record = made_up_ecg(seed=seed, heart_rate_bpm=60 + 10 * seed)
    rows = [record.leads.index(lead) for lead in leads or record.leads]
    path.parent.mkdir(parents=True, exist_ok=True)
    header = ",".join(record.leads[row] for row in rows)
    np.savetxt(path, record.signal_mv[rows].T, delimiter=",", header=header, comments="",
               fmt="%.4f")  # fmt: skip
    return path


def predicted(predictor, paths, out, **options):
    counts = predict_paths(predictor, paths, out, **{**DECLARED, **options})
    # Without this, pandas takes an empty text for a missing number.
    return counts, pd.read_csv(out, keep_default_na=False, na_values={EF_COLUMN: ""})


def test_a_row_holds_what_one_record_alone_gives(predictor, tmp_path):
    files = [write_ecg(tmp_path / "ecgs" / f"{seed}.csv", seed) for seed in range(3)]
    counts, rows = predicted(predictor, [tmp_path / "ecgs"], tmp_path / "r.csv")
    assert counts == (3, 0)
    assert list(rows["record"]) == ["0.csv", "1.csv", "2.csv"]
    for file, (_, row) in zip(files, rows.iterrows(), strict=True):
        alone = cn.predict(predictor, cn.read_ecg(file, **DECLARED))
        assert list(alone) == [name for name in rows if name not in ("record", "reason")]
        for name, value in alone.items():
            if isinstance(value, float):
                assert row[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
            else:
                assert row[name] == value, name
    assert rows["cm_probability"].nunique() == 3
    assert rows["heart_rate_bpm"].tolist() == pytest.approx([60, 70, 80], rel=0.02)


def test_every_row_says_where_it_comes_from_and_that_the_data_were_simulated(predictor, tmp_path):
    write_ecg(tmp_path / "good.csv")
    (tmp_path / "bad.csv").write_text("I,II\n0.1,not a number\n")
    _, rows = predicted(
        predictor, [tmp_path / "good.csv", tmp_path / "bad.csv"], tmp_path / "r.csv"
    )
    weights = tmp_path / "weights.safetensors"
    assert set(rows["weights"]) == {str(weights)}
    assert set(rows["weights_sha256"]) == {sha256_of(weights)}
    assert set(rows["weights_licence"]) == {"MIT"}
    assert set(rows["transform"]) == {predictor.transform.hash}
    assert set(rows["cardionets_version"]) == {"0.1.0"}
    assert set(rows["simulated_weights"].astype(str)) == {"True"}
    assert set(rows["warning"]) == {SIMULATED_WARNING}


def test_weights_of_real_data_carry_no_such_warning(make_weights, tmp_path):
    predictor = cn.load_predictor(make_weights(CM, simulated=False))
    write_ecg(tmp_path / "good.csv")
    _, rows = predicted(predictor, [tmp_path / "good.csv"], tmp_path / "r.csv")
    assert rows["warning"].tolist() == [""]
    assert rows["simulated_weights"].tolist() == [False]


def test_a_bad_file_is_a_row_with_its_reason_and_no_prediction(predictor, tmp_path):
    write_ecg(tmp_path / "ecgs" / "good.csv")
    (tmp_path / "ecgs" / "bad.csv").write_text("I,II\n0.1,not a number\n")
    (tmp_path / "ecgs" / "empty.csv").write_bytes(b"")
    counts, rows = predicted(predictor, [tmp_path / "ecgs"], tmp_path / "r.csv")
    assert counts == (1, 2)
    rows = rows.set_index("record")
    assert rows.loc["good.csv", "reason"] == ""
    for name in ("bad.csv", "empty.csv"):
        assert rows.loc[name, "reason"]
        assert rows.loc[name, "usable"] == np.False_
        assert rows.loc[name, "cm_probability"] == rows.loc[name, "cm_decision"] == ""
        assert math.isnan(rows.loc[name, EF_COLUMN])


def test_a_folder_of_bad_files_alone_still_becomes_a_table(predictor, tmp_path):
    (tmp_path / "bad.csv").write_text("nothing")
    counts, rows = predicted(predictor, [tmp_path / "bad.csv"], tmp_path / "r.csv")
    assert counts == (0, 1)
    assert rows["reason"].item()


def test_numbers_that_are_none_are_a_reason_and_no_prediction(predictor, tmp_path):
    write_ecg(tmp_path / "a.csv")
    with torch.no_grad():
        predictor.heads[0].module.linear.bias.fill_(math.nan)
    counts, rows = predicted(predictor, [tmp_path / "a.csv"], tmp_path / "r.csv")
    assert counts == (0, 1)
    assert rows["reason"].tolist() == [NOT_FINITE]
    with pytest.raises(EcgError, match="not finite"):
        cn.predict(predictor, made_up_ecg())


def test_parquet_and_csv_hold_the_same(predictor, tmp_path):
    write_ecg(tmp_path / "a.csv")
    (tmp_path / "bad.csv").write_text("nothing")
    files = [tmp_path / "a.csv", tmp_path / "bad.csv"]
    predict_paths(predictor, files, tmp_path / "r.csv", **DECLARED)
    predict_paths(predictor, files, tmp_path / "r.parquet", **DECLARED)
    csv = pd.read_csv(tmp_path / "r.csv")
    parquet = pd.read_parquet(tmp_path / "r.parquet")
    assert list(csv) == list(parquet)
    for name in ("cm_probability", "cm_threshold"):
        assert csv[name][0] == parquet[name][0]
    assert csv[EF_COLUMN][0] == pytest.approx(parquet[EF_COLUMN][0])
    assert csv.isna()["cm_probability"].tolist() == [False, True]


def test_a_probability_at_the_threshold_is_a_case_in_the_table_too(make_weights, tmp_path):
    write_ecg(tmp_path / "a.csv")
    first = cn.load_predictor(make_weights(CM))
    score = cn.predict(first, cn.read_ecg(tmp_path / "a.csv", **DECLARED))["cm_probability"]
    task = CM.model_copy(update={"threshold": (score,)})
    _, rows = predicted(
        cn.load_predictor(make_weights(task)), [tmp_path / "a.csv"], tmp_path / "r.csv"
    )
    assert rows["cm_decision"].item()
    assert rows["cm_probability"].item() == rows["cm_threshold"].item()


def test_each_head_reads_its_own_encoder(make_weights):
    both = CM.model_copy(update={"encoder": "encoder_cm"})
    record = made_up_ecg()
    shared = cn.load_predictor(make_weights(CM, EF, encoder_of=("encoder_cm",)))
    apart = cn.load_predictor(make_weights(both, EF, encoder_of=("encoder_cm",)))
    assert list(shared.encoders) == ["encoder"]
    assert list(apart.encoders) == ["encoder_cm", "encoder"]
    one, other = cn.predict(shared, record), cn.predict(apart, record)
    assert one[EF_COLUMN] == pytest.approx(other[EF_COLUMN], rel=1e-5)
    assert one["cm_probability"] != pytest.approx(other["cm_probability"], rel=1e-3)


def test_logits_are_averaged_where_the_weights_ask_for_it(make_weights):
    record = made_up_ecg()
    scores = []
    for average in ("probabilities", "logits"):
        path = make_weights(CM.model_copy(update={"average": average}))
        predictor = cn.load_predictor(path)
        with torch.no_grad():
            predictor.heads[0].module.linear.weight.mul_(100)
        scores.append(cn.predict(predictor, record)["cm_probability"])
        prepared, _ = predictor.transform.prepare_record(record)
        crops = torch.from_numpy(predictor.transform.eval_crops(prepared[None])[0])
        with torch.no_grad():
            raw = predictor.heads[0].module(predictor.encoders["encoder"](crops))
        wanted = raw.sigmoid().mean() if average == "probabilities" else raw.mean().sigmoid()
        assert scores[-1] == pytest.approx(float(wanted), rel=1e-4)
    assert scores[0] != scores[1]


def test_a_missing_lead_is_masked_as_when_predicted_alone(predictor, tmp_path):
    write_ecg(tmp_path / "ecgs" / "a.csv")
    leads = made_up_ecg().leads[:11]
    partial = write_ecg(tmp_path / "ecgs" / "b.csv", 1, leads)
    _, rows = predicted(predictor, [tmp_path / "ecgs"], tmp_path / "r.csv")
    alone = cn.predict(predictor, cn.read_ecg(partial, **DECLARED))
    assert rows["cm_probability"][1] == pytest.approx(alone["cm_probability"], rel=1e-4)
    assert "missing-lead V6" in rows["quality_flags"][1]


def test_a_cohort_is_predicted_by_its_pseudonymous_ids(predictor, tmp_path):
    component = default_registry().find("dataset", "simulated")
    out = tmp_path / "cohort.h5"
    options = {"subjects": 3, "seed": 8}
    prepare_dataset(PrepareRequest(component=component, out=out, options=options, workers=1))
    counts, rows = predicted(predictor, [out], tmp_path / "r.csv")
    assert counts == (3, 0)
    with cn.open_cohort(out) as cohort:
        assert rows["record"].tolist() == cohort.record_ids.tolist()
        for row, score in enumerate(rows["cm_probability"]):
            alone = cn.predict(predictor, cohort[row].ecg)
            assert score == pytest.approx(alone["cm_probability"], rel=1e-3, abs=1e-5)
            assert rows["heart_rate_bpm"][row] == pytest.approx(alone["heart_rate_bpm"], rel=1e-3)


def test_workers_and_executors_do_not_change_the_table(predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared_ecgs, "_RECORDS_PER_BATCH", 2)
    for seed in range(5):
        write_ecg(tmp_path / "ecgs" / f"{seed}.csv", seed)
    (tmp_path / "ecgs" / "bad.csv").write_text("nothing")
    batches = []
    _, alone = predicted(
        predictor, [tmp_path / "ecgs"], tmp_path / "1.csv", on_batch=batches.append
    )
    assert batches == [2, 2, 2]
    _, two = predicted(predictor, [tmp_path / "ecgs"], tmp_path / "2.csv", workers=2)
    with ThreadPoolExecutor(2) as executor:
        _, lent = predicted(predictor, [tmp_path / "ecgs"], tmp_path / "3.csv", executor=executor)
    pd.testing.assert_frame_equal(alone, two)
    pd.testing.assert_frame_equal(alone, lent)


def test_files_of_one_name_in_two_places_are_told_apart(predictor, tmp_path):
    files = [write_ecg(tmp_path / ward / "1.csv", seed) for seed, ward in enumerate("ab")]
    _, rows = predicted(predictor, files, tmp_path / "r.csv")
    assert rows["record"].tolist() == [file.as_posix() for file in files]


def test_a_table_that_cannot_be_finished_leaves_the_old_one(predictor, tmp_path, monkeypatch):
    write_ecg(tmp_path / "a.csv")
    out = tmp_path / "r.csv"
    predicted(predictor, [tmp_path / "a.csv"], out)
    before, there = out.read_bytes(), sorted(path.name for path in tmp_path.iterdir())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(predictor, "rows", full)
    with pytest.raises(CardionetsError, match="the disk is full"):
        predict_paths(predictor, [tmp_path / "a.csv"], out, **DECLARED)
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == there


def test_nothing_to_read_is_one_line_and_writes_nothing(predictor, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no ECG file of a known format"):
        predict_paths(predictor, [tmp_path / "empty"], tmp_path / "r.csv")
    with pytest.raises(EcgError, match="no such file or folder"):
        predict_paths(predictor, [tmp_path / "none"], tmp_path / "r.csv")
    assert not (tmp_path / "r.csv").exists()


def test_weights_without_a_head_are_refused(make_weights):
    with pytest.raises(WeightsError, match="no head for a task found, only encoder; train one"):
        cn.load_predictor(make_weights())


def test_a_task_on_cmr_is_refused(tmp_path):
    torch.manual_seed(0)
    small = {"frames": 6, "image_pixels": 32, "width": 16, "depth": 1, "heads": 1}
    component = default_registry().find("encoder", "vit-cmr")
    known = component.load_config().model_fields
    options = {name: value for name, value in small.items() if name in known}
    encoder, part = built("encoder", "vit-cmr", {}, **options)
    context = {"embed_dim": encoder.embed_dim, "pooled_dim": encoder.pooled_dim,
               "outputs": 1, "target": "binary"}  # fmt: skip
    head, head_part = built("head", "linear", context)
    step = LineageStep(command="train", stage="downstream", simulated=True, licence="MIT")
    header = WeightsHeader.of(
        {"encoder": part, "head": head_part}, extend([], step), tasks={"head": CM}
    )
    path = tmp_path / "cmr.safetensors"
    save_weights(path, tensors_of({"encoder": encoder, "head": head}), header)
    with pytest.raises(WeightsError, match="its encoder reads CMR, and predict reads ECGs"):
        cn.load_predictor(path)


def test_a_task_that_does_not_fit_its_head_is_refused(make_weights):
    wrong = CM.model_copy(update={"threshold": (0.5, 0.6)})
    with pytest.raises(WeightsError, match=r"1 outputs, its head has 1 and thresholds .* \[2\]"):
        cn.load_predictor(make_weights(wrong))


def test_two_heads_of_one_column_are_refused(make_weights):
    labels = TaskHeader(name="both", target="multilabel", outputs=("cm", "hf"))
    with pytest.raises(WeightsError, match="two columns 'cm_"):
        cn.load_predictor(make_weights(CM, labels))


def registry_with(*entries):
    """The installed plugins but the zoo, and a zoo with these entries."""
    hook = "cardionets_zoo_entries"
    others = (
        replace(
            plugin,
            declarations={k: told for k, told in plugin.declarations.items() if k != hook},
        )
        for plugin in default_registry().discovery.loaded
    )
    mine = Plugin("mine", "mine", "1", {hook: entries})
    return Registry(Discovery((*others, mine), ()))


def test_without_a_name_the_entry_that_serves_by_default_is_taken(make_weights):
    path = make_weights(CM)
    entry = ZooEntry(
        name="heads", kind="encoder", summary="made up", sources=(str(path),),
        sha256=sha256_of(path), size_bytes=path.stat().st_size, licence="MIT",
        transform_hash=None, card="", default_for="predict",
    )  # fmt: skip
    other = replace(entry, name="other", default_for=None)
    predictor = cn.load_predictor(registry=registry_with(entry, other))
    assert predictor.provenance["weights"] == "heads"
    with pytest.raises(PluginError, match=r"found none; name the weights with --weights"):
        cn.load_predictor(registry=registry_with(other))
    with pytest.raises(PluginError, match="found mine:heads, mine:more"):
        cn.load_predictor(registry=registry_with(entry, replace(entry, name="more")))


def test_memory_holds_one_batch_at_a_time(predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared_ecgs, "_RECORDS_PER_BATCH", 1)
    for seed in range(3):
        write_ecg(tmp_path / "ecgs" / f"{seed}.csv", seed)
    order = []
    read = prepared_ecgs.read_ecg
    monkeypatch.setattr(
        prepared_ecgs, "read_ecg", lambda path, **d: order.append("read") or read(path, **d)
    )
    predict_paths(
        predictor, [tmp_path / "ecgs"], tmp_path / "r.csv",
        on_batch=lambda _: order.append("done"), **DECLARED,
    )  # fmt: skip
    assert order == ["read", "done"] * 3
