from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest
from made_up_source import MADE_UP, MadeUp
from pydantic import ValidationError

from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.roles import RoleConfig
from cardionets_core.cohort.splits import Asked, assign, draw, subject_folds
from cardionets_core.cohort.writer import prepare
from cardionets_core.errors import UsageError


def prepared(dataset, out, **options):
    prepare(dataset, out, **{"seed": 3, "provenance": MADE_UP, **options})
    return open_cohort(out)


def test_no_subject_is_in_two_roles_splits_or_folds(tmp_path):
    with prepared(MadeUp(records=40), tmp_path / "c.h5") as cohort:
        sides = set(zip(cohort.subject_ids, cohort.roles, cohort.splits, cohort.folds, strict=True))
    assert len(sides) == 20


def test_shares_are_those_asked_for():
    config = RoleConfig(pretrain_fraction=0.7, pretrain_val_fraction=0.1, folds=4)
    places = [assign(draw(f"s{i}", 0), config) for i in range(4000)]
    shares = Counter((p.role, p.split) for p in places)
    expected = {
        ("pretrain", "train"): 0.63,
        ("pretrain", "val"): 0.07,
        ("downstream", "train"): 0.18,
        ("downstream", "val"): 0.06,
        ("downstream", "test"): 0.06,
    }
    assert set(shares) == set(expected)
    for side, share in expected.items():
        assert shares[side] / 4000 == pytest.approx(share, abs=0.02)
    assert {p.fold for p in places if p.role == "downstream"} == {0, 1, 2, 3}
    assert {p.fold for p in places if p.role == "pretrain"} == {-1}


def test_splits_follow_from_seed_and_subject_alone():
    config = RoleConfig()
    assert assign(draw("a", 1), config) == assign(draw("a", 1), config)
    assert draw("a", 1) != draw("a", 2)
    assert draw("a", 1) != draw("b", 1)
    # Pinned: another value would move the subjects of every cohort prepared so far.
    assert draw("a", 1) == pytest.approx((0.2318785729, 0.5259454709, 0.7983078380), abs=1e-9)


def test_shares_that_leave_nobody_to_train_on_are_refused():
    with pytest.raises(ValidationError, match=r"leave no downstream subject to train on"):
        RoleConfig(val_fraction=0.5, test_fraction=0.5)


def test_a_role_that_the_source_asks_for_wins(tmp_path):
    roles = {i: "pretrain" if i < 6 else "downstream" for i in range(12)}
    with prepared(MadeUp(roles=roles), tmp_path / "c.h5") as cohort:
        assert cohort.roles.tolist() == ["pretrain"] * 6 + ["downstream"] * 6


def test_a_person_asked_into_two_roles_stays_in_the_first(tmp_path):
    with prepared(MadeUp(roles={0: "pretrain", 1: "downstream"}), tmp_path / "c.h5") as cohort:
        assert cohort.roles[0] == "pretrain"
        assert len(cohort) == 11
        assert "asks for role downstream" in cohort.quarantine[0].reason


def test_identical_signals_of_two_people_share_a_split_and_are_flagged(tmp_path):
    # Records 20 to 39 repeat the ECGs of records 0 to 19, under other people.
    dataset = MadeUp(records=40, same_signal_as={i: i - 20 for i in range(20, 40)})
    with prepared(dataset, tmp_path / "c.h5") as cohort:
        assert len(cohort) == 40
        assert cohort.splits[20:].tolist() == cohort.splits[:20].tolist()
        assert cohort.roles[20:].tolist() == cohort.roles[:20].tolist()
        assert len(set(cohort.splits)) > 1
        assert all("duplicate-signal" in cohort.quality_flags(row) for row in range(40))


def test_an_identical_signal_that_would_tie_two_splits_is_left_out(tmp_path):
    with prepared(MadeUp(records=40), tmp_path / "plain.h5") as plain:
        sides = list(zip(plain.roles, plain.splits, plain.folds, strict=True))
    # A person's second record repeats the ECG of somebody who is on another side.
    second = next(i for i in range(3, 40, 2) if sides[i] != sides[0])
    with prepared(MadeUp(records=40, same_signal_as={second: 0}), tmp_path / "c.h5") as cohort:
        assert len(cohort) == 39
        assert "stored under another person" in cohort.quarantine[0].reason
        signals = cohort.fingerprints().tolist()
        by_signal = {s: set() for s in signals}
        for s, side in zip(signals, zip(cohort.roles, cohort.splits, strict=True), strict=True):
            by_signal[s].add(side)
        assert all(len(found) == 1 for found in by_signal.values())


def test_folds_are_even_overall_and_within_strata_and_whole_by_subject():
    subjects = [f"s{i // 2}" for i in range(206)]
    strata = [int(i // 2 % 10 == 0) for i in range(206)]
    folds = subject_folds(subjects, 5, seed=1, strata=strata)
    by_subject = {}
    for subject, fold in zip(subjects, folds, strict=True):
        assert by_subject.setdefault(subject, fold) == fold
    sizes = Counter(by_subject.values())
    assert max(sizes.values()) - min(sizes.values()) <= 1
    cases = Counter(f for s, f in by_subject.items() if int(s[1:]) % 10 == 0)
    assert max(cases.values()) - min(cases.values()) <= 1
    np.testing.assert_array_equal(folds, subject_folds(subjects, 5, seed=1, strata=strata))
    assert (folds != subject_folds(subjects, 5, seed=2, strata=strata)).any()


def test_folds_do_not_depend_on_the_order_of_records():
    subjects = np.array([f"s{i}" for i in range(50)])
    order = np.random.default_rng(0).permutation(50)
    np.testing.assert_array_equal(
        subject_folds(subjects[order], 5, seed=1), subject_folds(subjects, 5, seed=1)[order]
    )


def test_impossible_folds_are_refused():
    with pytest.raises(UsageError, match=r"3 subjects into 5 folds"):
        subject_folds(["a", "b", "c"], 5, seed=0)
    with pytest.raises(UsageError, match=r"found 1 strata for 3 records"):
        subject_folds(["a", "b", "c"], 2, seed=0, strata=[1])


def test_a_split_that_the_source_asks_for_wins_over_the_draw():
    config, seen = RoleConfig(), Counter()
    for n in range(300):
        draws = draw(f"s{n}", 0)
        drawn = assign(draws, config)
        assert assign(draws, config, Asked(split="test"))[:2] == ("downstream", "test")
        for split in ("train", "val"):
            there = assign(draws, config, Asked(split=split))
            assert there == (drawn.role, split, drawn.fold)
            seen[there.role] += 1
    assert min(seen["pretrain"], seen["downstream"]) > 100


@dataclass
class Published(MadeUp):
    """Six records of three persons each; the source publishes a split, in one case two."""

    asked: tuple[str | None, ...] = ("train", "train", "test", "test", "val", "train")

    def subjects(self):
        for place, ref in enumerate(super().subjects()):
            yield replace(ref, subject_key=f"p{place // 2}", split=self.asked[place])


def test_published_splits_are_kept_and_nobody_is_in_two(tmp_path):
    prepare(Published(records=6), tmp_path / "c.h5", seed=1, provenance=MADE_UP)
    with open_cohort(tmp_path / "c.h5") as cohort:
        assert cohort.splits.tolist() == ["train", "train", "test", "test", "val"]
        assert set(cohort.roles[2:4]) == {"downstream"}
        assert [entry.reason for entry in cohort.quarantine] == [
            "the source asks for split train, but this person, or another with the identical ECG, "
            "is already val"
        ]


def test_a_source_cannot_ask_for_a_test_split_to_pretrain_on(tmp_path):
    class Wrong(Published):
        def subjects(self):
            yield from (replace(ref, role="pretrain") for ref in super().subjects())

    prepare(Wrong(records=6), tmp_path / "c.h5", seed=1, provenance=MADE_UP)
    with open_cohort(tmp_path / "c.h5") as cohort:
        assert len(cohort) == 3
        assert "split test in the role pretrain" in cohort.quarantine[0].reason
