"""What an augmented cohort holds, and what it refuses to be."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from made_up_source import MADE_UP, REAL, MadeUp
from made_up_synthetic import SEEN, STEP, Draw, arrays_of, augmented, source

from cardionets_core.cohort import augmented_plan, layout
from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.cohort.ids import key_path
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.splits import Assignment
from cardionets_core.cohort.targets import find_task, task_targets
from cardionets_core.cohort.writer import prepare
from cardionets_core.errors import CohortError, LeakageError, UsageError
from cardionets_core.registry import default_registry


@pytest.fixture(scope="module")
def bigger_path(cohort_path, tmp_path_factory):
    """Twelve made-up records and five synthetic ones."""
    out = tmp_path_factory.mktemp("augmented") / "bigger.h5"
    augmented(cohort_path, out)
    return out


@pytest.fixture
def bigger(bigger_path):
    with open_cohort(bigger_path) as opened:
        yield opened


def as_version_1(path, tmp_path):
    """A copy as the first layout had it."""
    old = tmp_path / "old.h5"
    shutil.copy(path, old)
    with h5py.File(old, "r+") as file:
        del file["subject/synthetic"]
        file.attrs["layout_version"] = 1
    return old


def test_real_records_are_copied_exactly(cohort_path, bigger_path):
    before, after = arrays_of(cohort_path), arrays_of(bigger_path, slice(0, 12))
    assert before.keys() == after.keys() - {"synthetic/signals", "synthetic/subjects",
                                            "synthetic/simulated"}  # fmt: skip
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values, err_msg=name)
    with h5py.File(cohort_path) as one, h5py.File(bigger_path) as other:
        for name in before:
            assert one[name].dtype == other[name].dtype
            assert one[name].compression == other[name].compression
            assert {**one[name].attrs}.keys() == {**other[name].attrs}.keys()
        assert list(one["quality/flags"].attrs["names"]) == [*other["quality/flags"].attrs["names"]]
        kept = ("dataset", "plugin", "config", "simulated", "seed", "roles", "key_check")
        for name in kept:
            assert one["provenance"].attrs[name] == other["provenance"].attrs[name], name


def test_an_empty_column_of_the_source_is_copied_too(tmp_path):
    class Silent(MadeUp):
        def read(self, ref):
            told = {"ward": "", "dose_mg": float("nan")}
            return dataclasses.replace(super().read(ref), attributes=told)

    prepare(Silent(records=4), tmp_path / "c.h5", seed=3, provenance=MADE_UP)
    augmented(tmp_path / "c.h5", tmp_path / "bigger.h5")
    with open_cohort(tmp_path / "bigger.h5") as cohort:
        assert cohort.attribute_names == ("dose_mg", "ward")
        assert cohort.attribute("ward").tolist() == [""] * 9


def test_the_mark_of_a_shared_signal_is_copied_too(tmp_path):
    dataset = MadeUp(same_signal_as={4: 0}, roles=dict.fromkeys(range(12), "pretrain"))
    prepare(dataset, tmp_path / "c.h5", seed=3, provenance=MADE_UP)
    augmented(tmp_path / "c.h5", tmp_path / "bigger.h5")
    with open_cohort(tmp_path / "c.h5") as one, open_cohort(tmp_path / "bigger.h5") as other:
        assert (one.quality_bits != 0).any()
        np.testing.assert_array_equal(other.quality_bits[: len(one)], one.quality_bits)


def test_synthetic_records_have_a_cine_and_phenotypes_of_the_draw_and_nothing_else(bigger):
    phenotypes, cines = Draw()(range(5))
    np.testing.assert_array_equal(bigger.synthetic, [False] * 12 + [True] * 5)
    np.testing.assert_array_equal(bigger.phenotypes[12:], phenotypes)
    np.testing.assert_array_equal(bigger.cines(range(12, 17)), cines)
    assert not bigger.has_ecg[12:].any()
    assert bigger.origins[13] == f"synthetic/{'a1' * 8}/1"
    subject = bigger[14]
    assert subject.synthetic
    assert not bigger[0].synthetic
    assert (subject.ecg, subject.sex, subject.age_years) == (None, None, None)
    assert (subject.diagnoses, subject.attributes) == ((), {})


def test_synthetic_records_are_in_the_training_split_alone(bigger):
    assert set(bigger.roles[12:]) == {"pretrain"}
    assert set(bigger.splits[12:]) == {"train"}
    assert set(bigger.folds[12:].tolist()) == {-1}


def test_ids_of_synthetic_subjects_are_nobodys(bigger, cohort_path, tmp_path):
    assert len(set(bigger.record_ids)) == 17
    assert len(set(bigger.subject_ids[12:])) == 5
    assert not set(bigger.subject_ids[12:]) & set(bigger.subject_ids[:12])
    taken = tmp_path / "taken.h5"
    shutil.copy(cohort_path, taken)
    with h5py.File(taken, "r+") as file:
        file["subject/subject_id"][0] = bigger.subject_ids[12].encode()
        file["subject/record_id"][0] = bigger.record_ids[13].encode()
    augmented(taken, tmp_path / "bigger.h5")
    with open_cohort(tmp_path / "bigger.h5") as other:
        assert len(set(other.record_ids)) == 17
        assert not set(other.subject_ids[12:]) & set(other.subject_ids[:12])


def test_rows_are_real_unless_synthetic_ones_are_asked_for(bigger):
    real = bigger.select(role="pretrain", split="train", with_cine=True)
    assert (real < 12).all()
    drawn = bigger.select(role="pretrain", split="train", with_cine=True, synthetic=True)
    assert drawn.tolist() == [12, 13, 14, 15, 16]
    both = bigger.select(role="pretrain", split="train", with_cine=True, synthetic=None)
    assert both.tolist() == [*real, *drawn]


@pytest.mark.parametrize(
    "conditions", [{"split": "val"}, {"split": "test"}, {"role": "downstream"}, {"with_ecg": True}]
)
def test_no_synthetic_row_is_selected_to_validate_or_test_on(bigger, conditions):
    assert len(bigger.select(**conditions, synthetic=True)) == 0


@pytest.mark.parametrize(
    "place",
    [("pretrain", "val", -1), ("pretrain", "test", -1), ("downstream", "train", 0),
     ("pretrain", "train", 2)],
)  # fmt: skip
def test_the_writer_refuses_a_synthetic_record_outside_of_training(
    cohort_path, tmp_path, monkeypatch, place
):
    monkeypatch.setattr(augmented_plan, "SYNTHETIC_PLACE", Assignment(*place))
    with pytest.raises(LeakageError, match="synthetic records stand outside the training split"):
        augmented(cohort_path, tmp_path / "bigger.h5")
    assert not (tmp_path / "bigger.h5").exists()


@pytest.mark.parametrize(
    ("column", "value"),
    [("subject/split", 1), ("subject/role", 1), ("subject/fold", 0), ("ecg/present", True)],
)
def test_the_reader_refuses_an_altered_file(bigger_path, tmp_path, column, value):
    altered = tmp_path / "altered.h5"
    shutil.copy(bigger_path, altered)
    with h5py.File(altered, "r+") as file:
        file[column][15] = value
    with open_cohort(altered) as cohort, pytest.raises(LeakageError, match="1 synthetic records"):
        cohort.select(split="val")


def test_a_version_1_file_opens_and_has_no_synthetic_records(cohort_path, cohort, tmp_path):
    with open_cohort(as_version_1(cohort_path, tmp_path)) as old:
        assert old.synthetic.tolist() == [False] * 12
        np.testing.assert_array_equal(old.select(with_cine=True), cohort.select(with_cine=True))
        assert not old[0].synthetic


def test_a_version_1_file_is_augmented_and_extended_like_any_other(
    cohort_path, bigger_path, tmp_path
):
    old = as_version_1(cohort_path, tmp_path)
    augmented(old, tmp_path / "bigger.h5")
    assert (arrays_of(tmp_path / "bigger.h5")["subject/synthetic"]).sum() == 5
    with open_cohort(tmp_path / "bigger.h5") as new, open_cohort(bigger_path) as other:
        assert new.content_hash == other.content_hash
    shutil.copy(key_path(cohort_path), key_path(old))
    more = MadeUp(records=14)
    prepare(more, old, seed=3, provenance=MADE_UP, existing="extend")
    with h5py.File(old) as file:
        assert file.attrs["layout_version"] == layout.LAYOUT_VERSION
        assert not file["subject/synthetic"][:].any()
        assert len(file["subject/synthetic"]) == 14


def test_the_provenance_tells_what_was_drawn_and_from_whom(cohort, bigger):
    told = bigger.provenance["synthetic"]
    assert told["records"] == 5
    assert told["weights_sha256"] == "a1" * 32
    assert (told["seed"], told["steps"], told["guidance"], told["factor"]) == (0, None, 2.5, 2)
    assert (told["licence"], told["generator"]) == ("CC-BY-NC-4.0", "tests:made-up")
    assert told["lineage"] == [STEP]
    assert bigger.provenance["extends"] == cohort.provenance["run_id"]
    assert bigger.provenance["history"][-1]["run_id"] == cohort.provenance["run_id"]
    assert "synthetic" not in cohort.provenance


def test_the_docs_name_what_an_augmented_cohort_holds(bigger, tmp_path, cohort_path):
    page = (Path(__file__).parents[3] / "docs" / "cohort-layout.md").read_text(encoding="utf-8")
    seen = Fingerprints.of(bigger, [0, 2], validated=[2])
    augmented(cohort_path, tmp_path / "bigger.h5", seen=seen)
    datasets = [name for name in arrays_of(tmp_path / "bigger.h5") if name.startswith("synthetic/")]
    assert len(datasets) == 6
    named = (*datasets, "subject/synthetic", *bigger.provenance["synthetic"])
    assert [name for name in named if f"`{name}`" not in page] == []


def test_training_on_synthetic_rows_means_having_seen_what_the_generator_saw(bigger):
    real, drawn = Fingerprints.of(bigger, [0, 1]), Fingerprints.of(bigger, [0, 1, 13])
    assert not np.isin(SEEN.signals, real.signals).any()
    assert np.isin(SEEN.signals, drawn.signals).all()
    assert np.isin(SEEN.subjects, drawn.subjects).all()
    assert np.isin(real.signals, drawn.signals).all()


def test_no_target_comes_from_a_synthetic_record(bigger):
    registry = default_registry()
    for name in ("cm", "phenotypes"):
        targets = task_targets(registry.task(name).spec, bigger)
        assert np.isnan(targets.values[12:]).all(), name
        assert targets.known[:12].any(), name
    assert not find_task("site", registry=registry, cohort=bigger).known[12:].any()


def test_two_runs_give_equal_arrays_whatever_the_batch(cohort_path, bigger_path, tmp_path):
    report = augmented(cohort_path, tmp_path / "again.h5", block_records=3)
    one, two = arrays_of(bigger_path), arrays_of(tmp_path / "again.h5")
    for name, values in one.items():
        assert values.tobytes() == two[name].tobytes() or values.dtype == object, name
        np.testing.assert_array_equal(values, two[name])
    with open_cohort(bigger_path) as cohort:
        assert report.content_hash == cohort.content_hash


def test_an_interrupted_run_is_taken_up_and_gives_the_same(cohort_path, bigger_path, tmp_path):
    out, told = tmp_path / "bigger.h5", []
    with pytest.raises(KeyboardInterrupt):
        augmented(cohort_path, out, draw=Draw(stop_at=4))
    assert not out.exists()
    draw = Draw()
    report = augmented(cohort_path, out, draw=draw, progress=lambda *numbers: told.append(numbers))
    assert draw.drawn == [4]
    assert (report.real, report.synthetic, report.resumed) == (12, 5, 4)
    assert told[-1] == (5, 5)
    for name, values in arrays_of(bigger_path).items():
        np.testing.assert_array_equal(arrays_of(out)[name], values, err_msg=name)
    assert [path.name for path in tmp_path.iterdir()] == ["bigger.h5"]


def test_an_interrupted_run_is_not_taken_up_with_other_options(cohort_path, tmp_path):
    out = tmp_path / "bigger.h5"
    with pytest.raises(KeyboardInterrupt):
        augmented(cohort_path, out, draw=Draw(stop_at=4))
    with pytest.raises(CohortError, match=r"begun with other options \(guidance 2.5, now 1.0\)"):
        augmented(cohort_path, out, source=source(guidance=1.0))


def test_a_failure_at_the_first_draw_leaves_nothing(cohort_path, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        augmented(cohort_path, tmp_path / "bigger.h5", draw=Draw(stop_at=0))
    assert list(tmp_path.iterdir()) == []


def test_augmented_cohorts_are_not_augmented_or_extended_again(bigger_path, tmp_path):
    with pytest.raises(UsageError, match="holds 5 synthetic subjects already"):
        augmented(bigger_path, tmp_path / "more.h5")
    with pytest.raises(UsageError, match="extend the cohort that it was made from"):
        prepare(MadeUp(), bigger_path, seed=3, provenance=MADE_UP, existing="extend")


def test_a_file_that_is_there_is_not_replaced(cohort_path, tmp_path):
    out = tmp_path / "bigger.h5"
    out.write_text("mine")
    with pytest.raises(CohortError, match="exists; choose another name"):
        augmented(cohort_path, out)
    assert out.read_text() == "mine"
    with pytest.raises(CohortError, match="there is no folder"):
        augmented(cohort_path, tmp_path / "nowhere" / "bigger.h5")


def test_a_cohort_of_real_people_may_be_augmented(tmp_path):
    prepare(MadeUp(), tmp_path / "c.h5", seed=3, provenance=REAL)
    augmented(tmp_path / "c.h5", tmp_path / "bigger.h5")
    with open_cohort(tmp_path / "bigger.h5") as cohort:
        assert not cohort.simulated
        assert json.dumps(cohort.provenance["synthetic"])
