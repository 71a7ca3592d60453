"""Which ECGs are listed, in which split, and how the flow diagram counts them."""

from __future__ import annotations

import itertools

import pytest
from pydantic import ValidationError

from cardionets_core.errors import ConfigError, SourceError
from cardionets_core.interfaces import SelectionStep
from cardionets_mimic.config import MimicConfig
from cardionets_mimic.dataset import MimicEcg

ANNA, BERT, CARL = 10000032, 10000117, 10000248


@pytest.fixture
def people(tree, mimic):
    """Anna with three ECGs, the middle one first by time and unlinked; Bert with two; Carl."""
    counts = mimic.made_up_counts(samples=50)
    tree.add(ANNA, 1001, counts, time="2180-07-23 08:44:00")
    tree.add(ANNA, 1002, counts, time="2180-05-01 23:59:59", label={"all_diag_all": "[]"})
    tree.add(ANNA, 1003, counts, time="2181-01-01 00:00:00", label={"strat_fold": ""})
    tree.add(BERT, 1004, counts, time="", label={"strat_fold": 19})
    tree.add(BERT, 1005, counts, time="2150-01-01 00:00:00", label={"strat_fold": 19})
    tree.add(CARL, 1006, counts, label={"strat_fold": 18})
    return tree


def listed(dataset):
    return [int(ref.record_key) for ref in dataset.subjects()]


def test_everything_is_listed_in_the_order_of_the_record_list(people, opened):
    dataset = opened()
    assert listed(dataset) == listed(dataset) == [1001, 1002, 1003, 1004, 1005, 1006]
    assert [int(ref.subject_key) for ref in dataset.subjects()] == [ANNA] * 3 + [BERT] * 2 + [CARL]
    assert dataset.selection() == (SelectionStep("ECGs in the record list", 6, 3),)
    assert {ref.split for ref in dataset.subjects()} == {None}


@pytest.mark.parametrize(
    ("which", "linked_only", "found"),
    [
        ("first", False, [1002, 1005, 1006]),
        ("last", False, [1003, 1005, 1006]),
        # Of what is linked: Anna's earliest ECG is not.
        ("first", True, [1001, 1005, 1006]),
    ],
)
def test_one_ecg_per_person_is_the_first_or_last_by_time(people, opened, which, linked_only, found):
    # An ECG without a time is taken only where there is no other.
    assert listed(opened(records_per_subject=which, linked_only=linked_only)) == found


def test_the_drawn_ecg_depends_on_the_seed_alone(people, opened, mimic):
    draws = {seed: listed(opened(records_per_subject="random", seed=seed)) for seed in range(12)}
    assert all(len(found) == 3 for found in draws.values())
    assert len(set(map(tuple, draws.values()))) > 3
    people.add(10000999, 1007, mimic.made_up_counts(samples=50))
    people.records.reverse()
    for seed, found in draws.items():
        again = listed(opened(records_per_subject="random", seed=seed))
        assert sorted(again) == [*found, 1007]


def test_the_flow_counts_what_every_option_leaves_out(people, opened):
    people.labels = [row for row in people.labels if row["study_id"] != 1003]
    dataset = opened(linked_only=True, records_per_subject="last", splits="strat-fold")
    assert listed(dataset) == [1001, 1005, 1006]
    assert dataset.selection() == (
        SelectionStep("ECGs in the record list", 6, 3),
        SelectionStep("ECGs with a row in the labels", 5, 3, {"not in the labels": 1}),
        SelectionStep("ECGs linked to a stay with diagnoses", 4, 3, {"no code in all_diag_all": 1}),
        SelectionStep("ECGs of people with a published fold", 4, 3, {"no strat_fold": 0}),
        SelectionStep("One ECG per person (last)", 3, 3, {"further ECGs of the same person": 1}),
    )


def test_published_folds_become_splits_of_whole_people(people, opened):
    splits = {int(r.record_key): r.split for r in opened(splits="strat-fold").subjects()}
    # 1003 has no fold of its own and goes with Anna.
    assert splits == {
        1001: "train", 1002: "train", 1003: "train", 1004: "test", 1005: "test", 1006: "val",
    }  # fmt: skip


def test_people_without_a_published_fold_are_left_out(people, opened):
    people.labels[-1]["strat_fold"] = 20
    assert listed(opened(splits="strat-fold")) == [1001, 1002, 1003, 1004, 1005]


def test_all_records_of_a_person_in_two_folds_are_refused(people, opened):
    people.labels[1]["strat_fold"] = 3
    dataset = opened(splits="strat-fold")
    refused = {int(r.record_key) for r in dataset.subjects() if r.location.problem}
    assert refused == {1001, 1002, 1003}
    with pytest.raises(SourceError, match="more than one strat_fold"):
        dataset.read(next(iter(dataset.subjects())))
    assert not any(ref.location.problem for ref in opened().subjects())


def test_compressed_tables_are_read_as_well(people, opened):
    plain = list(opened().subjects())
    for path in people.root.glob("*.csv"):
        path.unlink()
    assert list(opened(packed=True).subjects()) == plain


def test_an_unnamed_first_column_of_the_labels_changes_nothing(people, opened):
    with_index = list(opened().subjects())
    labels = people.write(unnamed=False)
    plain = MimicEcg(MimicConfig(source=people.root, labels=labels))
    assert list(plain.subjects()) == with_index


def test_machine_measurements_may_be_missing_or_elsewhere(people, opened, tmp_path):
    opened()
    table = people.root / "machine_measurements.csv"
    away = table.rename(tmp_path / "measured.csv")

    def measured(**options):
        dataset = MimicEcg(MimicConfig(source=people.root, **options))
        ref = next(iter(dataset.subjects()))
        return dataset.read(ref).attributes

    assert measured() == {}
    assert measured(measurements=away)["machine_rr_interval_ms"] == 800
    with pytest.raises(ConfigError, match="no such file"):
        measured(measurements=table)


def test_options_that_need_labels_are_refused_without(tmp_path):
    for options in ({"linked_only": True}, {"splits": "strat-fold"}):
        with pytest.raises(ValidationError, match="needs labels"):
            MimicConfig(source=tmp_path, **options)


def test_a_folder_or_table_that_is_not_there_or_not_it_is_told_in_one_line(
    people, opened, tmp_path
):
    with pytest.raises(ConfigError, match="no record_list"):
        list(opened(source=tmp_path).subjects())
    with pytest.raises(ConfigError, match=r"labels .*no such file"):
        list(opened(labels=tmp_path / "none").subjects())
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="no column 'study_id'"):
        list(opened(labels=tmp_path / "other.csv").subjects())


def test_labels_of_another_release_are_refused(people, opened):
    for row in people.labels:
        row["study_id"] += 50_000
    with pytest.raises(SourceError, match="not one of its studies is in the record list"):
        list(opened().subjects())


def test_a_missing_column_is_named(people, opened, mimic):
    dataset = opened(diagnoses="ed_diag_ed", splits="strat-fold")
    labels = dataset.config.labels
    for gone, told in (("ed_diag_ed", "ed_diag_ed"), ("strat_fold", "strat_fold")):
        whole = labels.read_text()
        labels.write_text(whole.replace(gone, "other", 1))
        with pytest.raises(SourceError, match=f"no column '{told}'"):
            list(MimicEcg(dataset.config).subjects())
        labels.write_text(whole)


def test_two_listings_at_the_same_time_do_not_disturb_each_other(people, opened):
    dataset = opened()
    for one, other in itertools.zip_longest(dataset.subjects(), dataset.subjects()):
        assert one == other
