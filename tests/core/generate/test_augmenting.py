"""``augment``: who may stand behind synthetic subjects, and what they are drawn as."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from augmenting_parts import registry, run_of

from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.errors import (
    CohortError,
    LeakageError,
    PluginError,
    TrainingError,
    UsageError,
    WeightsError,
)
from cardionets_core.generate.augmenting import AugmentRequest, augment
from cardionets_core.generate.loading import load_generator
from cardionets_core.registry import default_registry

TWICE = AugmentRequest(factor=2, seed=3, batch_size=8)


@pytest.fixture(scope="module")
def cohort_path(tmp_path_factory):
    """Sixteen simulated subjects, twelve of them to pre-train on and two of these to validate."""
    out = tmp_path_factory.mktemp("cohort") / "cohort.h5"
    options = {"subjects": 16, "pretrain_subjects": 12, "seed": 6}
    component = default_registry().find("dataset", "simulated")
    prepare_dataset(PrepareRequest(component=component, out=out, options=options, workers=1))
    return out


@pytest.fixture
def cohort(cohort_path):
    with open_cohort(cohort_path) as opened:
        yield opened


def rows_of(cohort, split):
    return cohort.select(role="pretrain", split=split, with_cine=True)


@pytest.fixture
def honest(cohort):
    """What a generator has seen that was trained on the cohort's training split."""
    val = rows_of(cohort, "val")
    used = np.concatenate([rows_of(cohort, "train"), val])
    return Fingerprints.of(cohort, used, validated=val)


@pytest.fixture
def load():
    def loaded(run):
        return load_generator(run, registry=registry())

    return loaded


def test_training_subjects_are_multiplied_as_often_as_asked(
    cohort_path, cohort, honest, load, tmp_path
):
    train = len(rows_of(cohort, "train"))
    assert 0 < train < 12
    report = augment(load(run_of(tmp_path / "run", honest)), cohort_path, tmp_path / "b.h5", TWICE)
    assert (report.real, report.synthetic) == (16, 2 * train)
    with open_cohort(tmp_path / "b.h5") as bigger:
        mixed = bigger.select(role="pretrain", split="train", with_cine=True, synthetic=None)
        assert len(mixed) == 3 * train
        assert bigger.provenance["synthetic"]["weights"] == "run"
        assert bigger.provenance["synthetic"]["generator"] == "tests:own"


def test_cines_and_phenotypes_are_what_the_generator_draws(cohort_path, honest, load, tmp_path):
    loaded = load(run_of(tmp_path / "run", honest))
    augment(loaded, cohort_path, tmp_path / "b.h5", TWICE)
    with open_cohort(tmp_path / "b.h5") as bigger:
        phenotypes, cines = bigger.phenotypes[16:], bigger.cines([16, 17])
        assert (phenotypes >= 0).all()
        assert (phenotypes <= 50).all()
        assert len(np.unique(phenotypes[:, 0])) == len(phenotypes)
    assert cines.shape == (2, 50, 96, 96)
    # The grey level follows from the first phenotype: a mean of 0.25 + 0.005 of it, from 0 to 1.
    seen = cines.mean(axis=(1, 2, 3)) / 255
    np.testing.assert_allclose(seen, 0.25 + 0.005 * phenotypes[:2, 0], atol=0.02)


def test_a_stored_cine_comes_back_to_within_half_a_grey_level(
    cohort_path, honest, load, tmp_path, monkeypatch
):
    loaded, kept = load(run_of(tmp_path / "run", honest)), []
    restore = loaded.generator.restore

    def remember(view):
        kept.append(restore(view))
        return kept[-1]

    monkeypatch.setattr(loaded.generator, "restore", remember)
    augment(loaded, cohort_path, tmp_path / "b.h5", TWICE)
    with open_cohort(tmp_path / "b.h5") as bigger:
        stored = torch.from_numpy(bigger.cines(range(16, 24))).float() / 127.5 - 1
    assert (stored - kept[0]).abs().max() <= 0.5001 / 127.5


def test_a_larger_factor_begins_with_the_same_subjects(cohort_path, honest, load, tmp_path):
    loaded = load(run_of(tmp_path / "run", honest))
    one = AugmentRequest(factor=1, seed=3, batch_size=5)
    augment(loaded, cohort_path, tmp_path / "one.h5", one)
    augment(loaded, cohort_path, tmp_path / "two.h5", TWICE)
    with open_cohort(tmp_path / "one.h5") as few, open_cohort(tmp_path / "two.h5") as many:
        rows = np.arange(16, len(few))
        np.testing.assert_array_equal(few.cines(rows), many.cines(rows))
        np.testing.assert_array_equal(few.phenotypes, many.phenotypes[: len(few)])
        np.testing.assert_array_equal(few.subject_ids, many.subject_ids[: len(few)])


def test_another_seed_draws_other_subjects(cohort_path, honest, load, tmp_path):
    loaded = load(run_of(tmp_path / "run", honest))
    augment(loaded, cohort_path, tmp_path / "one.h5", AugmentRequest(factor=1, seed=3))
    augment(loaded, cohort_path, tmp_path / "two.h5", AugmentRequest(factor=1, seed=4))
    with open_cohort(tmp_path / "one.h5") as one, open_cohort(tmp_path / "two.h5") as two:
        assert not np.isin(one.phenotypes[16:, 0], two.phenotypes[16:, 0]).any()
        assert not np.isin(one.subject_ids[16:], two.subject_ids[16:]).any()


def test_a_generator_that_needs_somebodys_condition_is_refused(cohort_path, honest, load, tmp_path):
    loaded = load(run_of(tmp_path / "run", honest, name="given"))
    with pytest.raises(UsageError, match=r"tests:given, .* such as cpgg") as caught:
        augment(loaded, cohort_path, tmp_path / "b.h5", TWICE)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "b.h5").exists()


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"role": "downstream"}, r"seen 1 of its 4 downstream and test records"),
        ({"role": "pretrain", "split": "val"}, r"trained on 1 of its \d+ validation records"),
    ],
)
def test_a_generator_that_saw_held_out_subjects_is_refused_with_their_number(
    cohort, honest, load, tmp_path, place, told
):
    seen = honest.merge(Fingerprints.of(cohort, cohort.select(**place)[:1]))
    with pytest.raises(LeakageError, match=told):
        augment(load(run_of(tmp_path / "run", seen)), cohort.path, tmp_path / "b.h5", TWICE)
    assert not (tmp_path / "b.h5").exists()


def test_a_generator_of_the_zoo_whose_ranges_are_held_out_here_is_refused(
    cohort_path, cohort, load, tmp_path
):
    everybody = Fingerprints.of(cohort, np.arange(16))
    run = run_of(tmp_path / "run", everybody)
    (run / "fingerprints.npz").unlink()
    (run / "run.json").unlink()
    with pytest.raises(LeakageError, match="seen 4 of its 4 downstream"):
        augment(load(run), cohort_path, tmp_path / "b.h5", TWICE)


def test_weights_that_do_not_name_their_patients_are_told_of(cohort_path, load, tmp_path):
    simulated, patients = (
        run_of(tmp_path / "a", None),
        run_of(tmp_path / "b", None, simulated=False),
    )
    one = AugmentRequest(factor=1)
    assert augment(load(simulated), cohort_path, tmp_path / "a.h5", one).notes == ()
    (note,) = augment(load(patients), cohort_path, tmp_path / "b.h5", one).notes
    assert "could not be checked" in note


def test_what_the_generator_saw_is_stored_and_inherited(cohort_path, honest, load, tmp_path):
    elsewhere = Fingerprints(np.array([5], np.uint64), np.array([6], np.uint64))
    run = run_of(tmp_path / "run", honest.merge(elsewhere))
    augment(load(run), cohort_path, tmp_path / "b.h5", TWICE)
    with open_cohort(tmp_path / "b.h5") as bigger:
        inherited = Fingerprints.of(bigger, [20])
        assert inherited.overlap(bigger, rows_of(bigger, "train")).rows.tolist() == [
            *rows_of(bigger, "train")
        ]
        assert 5 in inherited.signals
        assert not len(inherited.trained_on.overlap(bigger, rows_of(bigger, "val")).rows)


@pytest.mark.parametrize("numbers", [{"factor": 0}, {"batch_size": 0}])
def test_numbers_below_one_are_refused(numbers):
    with pytest.raises(UsageError, match="needed 1 or more"):
        AugmentRequest(**numbers)


def test_a_cohort_without_training_cines_is_refused(honest, load, tmp_path):
    component = default_registry().find("dataset", "simulated")
    options = {"subjects": 4, "pretrain_subjects": 0, "seed": 6}
    out = tmp_path / "c.h5"
    prepare_dataset(PrepareRequest(component=component, out=out, options=options, workers=1))
    with pytest.raises(CohortError, match="no training subject with a cine"):
        augment(load(run_of(tmp_path / "run", Fingerprints.empty())), out, tmp_path / "b.h5")


def test_draws_that_are_not_finite_or_of_another_shape_are_not_stored(
    cohort_path, honest, load, tmp_path, monkeypatch
):
    loaded = load(run_of(tmp_path / "run", honest))
    with monkeypatch.context() as patch:
        patch.setattr(loaded.generator, "restore", lambda v: v.new_full((8, 50, 96, 96), torch.nan))
        with pytest.raises(TrainingError, match="not finite"):
            augment(loaded, cohort_path, tmp_path / "b.h5", TWICE)
    monkeypatch.setattr(loaded.generator, "sample_condition", lambda n, seed: torch.zeros(n, 3))
    with pytest.raises(PluginError, match=r"phenotypes of shape \(8, 3\); needed \(8, 82\)"):
        augment(loaded, cohort_path, tmp_path / "b.h5", TWICE)
    assert not (tmp_path / "b.h5").exists()


def test_weights_without_a_generator_are_refused(load):
    with pytest.raises(WeightsError, match="no generator"):
        load_generator("vit-cmr-tiny-simulated")
