"""What a stage may look at, what it leaves unchanged, and what it refuses."""

from __future__ import annotations

import json
import shutil
import types
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.errors import LeakageError, TrainingError
from cardionets_core.registry import default_registry
from cardionets_core.train.align import AlignmentModel, AlignStage
from cardionets_core.train.checkpoint import load_checkpoint
from cardionets_core.train.ecg_source import EcgSource
from cardionets_core.train.pretrain import PretrainStage
from cardionets_core.train.stages import usable_rows
from cardionets_core.weights.file import load_tensors
from cardionets_core.weights.header import read_header
from cardionets_core.weights.load import load


def part_of(run, role):
    tensors = load_file(run.path / "weights.safetensors")
    return {n.partition(".")[2]: t for n, t in tensors.items() if n.startswith(f"{role}.")}


def test_the_frozen_cmr_encoder_leaves_alignment_bitwise_as_it_came(trained):
    before, after = part_of(trained.cmr, "encoder"), part_of(trained.align, "cmr_encoder")
    assert before.keys() == after.keys()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)


def test_alignment_does_train_the_ecg_encoder(trained):
    before, after = part_of(trained.ecg, "encoder"), part_of(trained.align, "encoder")
    assert any(before[name].tobytes() != after[name].tobytes() for name in before)


def test_cines_are_encoded_once_for_all_epochs_and_runs(trainer, tmp_path, monkeypatch):
    monkeypatch.setenv("CARDIONETS_CACHE", str(tmp_path / "cache"))
    cmr_encoder = default_registry().find("encoder", "vit-cmr").load()
    encoded = []
    forward = cmr_encoder.forward

    def counted(self, x, lead_mask=None):
        encoded.append(len(x))
        return forward(self, x, lead_mask)

    monkeypatch.setattr(cmr_encoder, "forward", counted)
    trainer.train(trainer.align("first"))
    assert sum(encoded) == 40
    trainer.train(trainer.align("second", "train.lr=1e-4"))
    assert sum(encoded) == 40
    trainer.train(trainer.align("other-weights", seed=1))
    assert sum(encoded) == 80


def test_cached_features_are_those_of_these_weights(trainer):
    runs = [trainer.train(trainer.align(f"seed-{seed}", seed=seed)) for seed in (0, 1)]
    first, second = (part_of(run, "aligner")["cmr_mean"] for run in runs)
    assert not np.array_equal(first, second)


class Poisoned:
    """A cohort whose rows outside of ``kept`` have other ECGs."""

    def __init__(self, cohort, kept):
        self._cohort, self._kept = cohort, kept
        self.content_hash = f"{cohort.content_hash}, kept {kept.tolist()}"

    def __len__(self):
        return len(self._cohort)

    def __getattr__(self, name):
        return getattr(self._cohort, name)

    def ecg_mv(self, rows):
        foreign = ~np.isin(rows, self._kept)
        return self._cohort.ecg_mv(rows) * np.where(foreign, 50, 1)[:, None, None]


def test_lead_sds_are_those_of_the_training_rows_alone(cohort_path):
    transform = EcgTransform(EcgTransformConfig(sampling_rate_hz=100, crop_samples=500))
    with open_cohort(cohort_path) as cohort:
        rows = np.arange(len(cohort))
        train = cohort.select(role="pretrain", split="train", with_ecg=True)
        clean = EcgSource(cohort, transform, rows=rows, train_rows=train)
        poisoned = EcgSource(Poisoned(cohort, train), transform, rows=rows, train_rows=train)
        also_seen = Poisoned(cohort, train[1:])
        differs = EcgSource(also_seen, transform, rows=rows, train_rows=train)
    assert clean.transform.hash == poisoned.transform.hash
    assert clean.transform.hash != differs.transform.hash


def test_pca_and_sigma_are_those_of_the_training_rows_alone():
    component = default_registry().find("aligner", "weighted-infonce")
    features = np.random.default_rng(0).standard_normal((20, 6)).astype(np.float32)
    train, val = np.arange(4, 20), np.arange(4)

    def state(cmr_features):
        aligner = component.load()(component.load_config()(), ecg_dim=3, cmr_dim=6)
        model = AlignmentModel(torch.nn.Linear(3, 3), aligner)
        AlignStage(model, None, cmr_features, None, train_rows=train, val_rows=val, seed=0)
        return {name: tensor.clone() for name, tensor in aligner.named_buffers()}

    poisoned = features.copy()
    poisoned[val] = 1e3
    clean, dirty = state(features), state(poisoned)
    assert {"pca_components", "sigma"} <= clean.keys()
    assert all(torch.equal(clean[name], dirty[name]) for name in clean)
    poisoned[train[0]] = 1e3
    assert not torch.equal(state(poisoned)["sigma"], clean["sigma"])


def test_evaluating_on_a_record_that_an_ancestor_has_seen_is_refused(trained, trainer, tmp_path):
    seen = tmp_path / "seen"
    shutil.copytree(trained.ecg.path, seen)
    with open_cohort(trainer.cohort) as cohort:
        planted = cohort.select(role="downstream")[3:4]
        record = cohort.record_ids[planted[0]]
        Fingerprints.of(cohort, planted).save(seen / "fingerprints.npz")
    weights = {"encoder": str(seen), "cmr_encoder": "random"}
    request = trainer.align("leaking", weights=weights)
    with pytest.raises(LeakageError, match=f"on 1 of its 10 records.*record {record}"):
        trainer.train(request)
    assert not (request.out / "checkpoint.pt").exists()  # refused before any training
    assert json.loads((request.out / "run.json").read_text())["status"] == "failed"


def test_a_run_remembers_what_it_and_its_ancestors_were_trained_on(trained, cohort_path):
    with open_cohort(cohort_path) as cohort:
        pretrain, downstream = (cohort.select(role=r) for r in ("pretrain", "downstream"))
        for run in (trained.ecg, trained.cmr, trained.align):
            seen = Fingerprints.load(run.path / "fingerprints.npz")
            assert len(seen.overlap(cohort, pretrain).rows) == len(pretrain)
            assert len(seen.overlap(cohort, downstream).rows) == 0


def test_a_loss_that_is_not_finite_ends_the_run_as_failed(trainer, monkeypatch):
    batch_of = PretrainStage.train_batch

    def poisoned(self, rows, epoch):
        batch = batch_of(self, rows, epoch)
        if 7 in rows and epoch == 1:
            batch.inputs["x"][:] = torch.inf
        return batch

    monkeypatch.setattr(PretrainStage, "train_batch", poisoned)
    with open_cohort(trainer.cohort) as cohort:
        record = str(cohort.record_ids[7])
    request = trainer.ecg("exploding")
    with pytest.raises(TrainingError, match=rf"step [4-7]: loss nan.*{record}"):
        trainer.train(request)
    manifest = json.loads((request.out / "run.json").read_text())
    assert manifest["status"] == "failed"
    assert record in manifest["error"]
    assert sorted(p.name for p in request.out.iterdir()) == [
        "checkpoint.pt", "metrics.jsonl", "run.json", "tensorboard",
    ]  # fmt: skip


def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not(trainer):
    runs = [
        trainer.train(replace(trainer.ecg("run", seed=seed), out=trainer.folder / name / "run"))
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    first, again, other = ((run.path / "weights.safetensors").read_bytes() for run in runs)
    assert first == again
    assert first != other


def test_the_transform_is_inherited_along_the_lineage(trained):
    headers = [
        read_header(run.path / "weights.safetensors") for run in (trained.ecg, trained.align)
    ]
    assert headers[0].transform_hash == headers[1].transform_hash
    assert [step.stage for step in headers[1].lineage] == [
        "ecg-pretraining", "cmr-pretraining", "alignment",
    ]  # fmt: skip


def test_a_finished_run_can_be_loaded_by_its_folder(trained):
    encoder = load(trained.align.path)
    assert encoder.modality == "ecg"
    assert encoder.transform is not None
    assert load(trained.align.path, "cmr_encoder").modality == "cmr"


def without(cohort_path, out, column):
    """A copy of the cohort in which nobody has an ECG, or a cine."""
    shutil.copy(cohort_path, out)
    with h5py.File(out, "r+") as file:
        file[column][...] = False
    return out


def test_a_cohort_without_cines_cannot_be_aligned(trainer, tmp_path):
    cohort = without(trainer.cohort, tmp_path / "ecg-only.h5", "cine/present")
    weights = {"encoder": "train", "cmr_encoder": "train"}
    request = trainer.align("no-cines", cohort=cohort, weights=weights)
    with pytest.raises(TrainingError, match="0 usable records with ECG and cine"):
        trainer.train(request)
    assert not (request.out / "needs").exists()  # nothing is trained in vain


def test_a_cohort_without_usable_ecgs_cannot_be_trained_on(trainer, tmp_path):
    cohort = without(trainer.cohort, tmp_path / "cine-only.h5", "ecg/present")
    with pytest.raises(TrainingError, match="0 usable records with ECG"):
        trainer.train(trainer.ecg("no-ecgs", cohort=cohort))


def test_ecgs_are_filtered_once_for_all_epochs_and_runs(trainer, tmp_path, monkeypatch):
    monkeypatch.setenv("CARDIONETS_CACHE", str(tmp_path / "cache"))
    filtered = []
    prepare = EcgTransform.prepare

    def counted(self, signal_mv):
        filtered.append(len(signal_mv))
        return prepare(self, signal_mv)

    monkeypatch.setattr(EcgTransform, "prepare", counted)
    trainer.train(trainer.ecg("first"))
    assert sum(filtered) == 30
    trainer.train(trainer.ecg("other-crops-and-seed", "data.eval_crops=2", seed=1))
    assert sum(filtered) == 30
    trainer.train(trainer.ecg("other-filter", "data.high_pass_hz=0.5"))
    assert sum(filtered) == 60


def test_run_json_tells_how_the_run_came_about(trained):
    told = trained.align.manifest
    assert {"command", "plan", "versions", "seed", "data_hash", "machine", "lineage"} <= set(told)
    assert {"device", "threads", "precision", "processes", "compile"} <= set(told["machine"])
    assert {"python", "cardionets", "torch", "numpy"} <= set(told["versions"])
    assert {*told["plan"]["parts"]} == {"encoder", "cmr_encoder", "aligner"}
    assert told["data"]["content_hash"] == told["data_hash"]
    assert [step["stage"] for step in told["lineage"]] == [
        "ecg-pretraining", "cmr-pretraining", "alignment",
    ]  # fmt: skip
    assert all(step["licence"] == "MIT" for step in told["lineage"])


def test_pca_and_sigma_come_back_with_the_checkpoint(trained):
    tensors = load_tensors(trained.align.path / "weights.safetensors", "aligner")
    kept = load_checkpoint(trained.align.path)
    for name in ("pca_components", "cmr_mean", "sigma"):
        assert torch.isfinite(tensors[name]).all()
        assert tensors[name].abs().sum() > 0
        assert torch.equal(tensors[name], kept.model[f"aligner.{name}"])


def test_without_validation_subjects_some_are_lent_whole():
    rows = np.arange(40)
    people = np.array([f"{7 * (row // 4) % 10:02d}" for row in rows])
    cohort = types.SimpleNamespace(
        subject_ids=people,
        select=lambda *, split, **_: rows if split == "train" else rows[:0],
    )
    train, val = usable_rows(types.SimpleNamespace(stage="ecg-pretraining", parts={}), cohort)
    assert sorted([*train, *val]) == rows.tolist()
    assert len(val) == 4
    assert not set(people[train]) & set(people[val])


def test_tensorboard_holds_the_numbers_of_the_metrics_log(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(trained.align.path / "tensorboard"))
    board.Reload()
    logged = [row for row in trained.align.metrics() if row["phase"] == "val"]
    shown = board.Scalars("val/loss")
    assert [event.step for event in shown] == [row["step"] for row in logged]
    assert [event.value for event in shown] == pytest.approx([row["loss"] for row in logged])
    assert {"train/lr", "val/w_q50", "val/recall_at_1"} <= set(board.Tags()["scalars"])
