"""A dry run: what would be read, how long it takes and how big it is, with nothing left behind."""

from __future__ import annotations

import pytest
from made_up_source import MADE_UP, MadeUp

from cardionets_core.cohort.making import Source
from cardionets_core.cohort.opening import stored_record_ids
from cardionets_core.cohort.rehearsing import rehearse
from cardionets_core.cohort.writer import prepare
from cardionets_core.errors import SourceError
from cardionets_core.interfaces import SelectionStep


def read_numbers(log):
    return [int(line) for line in log.read_text().split()]


def test_a_sample_of_32_records_is_spread_evenly_over_the_listing(tmp_path):
    log = tmp_path / "log"
    told = rehearse(MadeUp(records=640, log=log), tmp_path / "c.h5")
    assert told.listing.records == 640
    assert told.sample.read == 32
    # The first of them is read twice, once without being timed.
    first, *numbers = read_numbers(log)
    assert first == numbers[0]
    assert [number // 20 for number in numbers] == list(range(32))
    assert len({number % 20 for number in numbers}) > 10


@pytest.mark.parametrize("records", [1, 31, 32, 33, 50, 63, 1000])
def test_no_record_is_taken_twice_into_the_sample(tmp_path, records):
    told = rehearse(MadeUp(records=records), tmp_path / "c.h5", sample_records=8)
    assert told.sample.read == min(records, 8)


def test_a_small_source_is_read_as_a_whole(tmp_path):
    log = tmp_path / "log"
    told = rehearse(MadeUp(records=5, log=log), tmp_path / "c.h5")
    assert told.sample.read == 5
    assert read_numbers(log)[1:] == [0, 1, 2, 3, 4]


def test_nothing_is_left_behind(tmp_path):
    rehearse(MadeUp(), tmp_path / "new" / "c.h5")
    assert list(tmp_path.iterdir()) == []


def test_the_estimated_size_is_that_of_the_cohort(tmp_path):
    dataset = MadeUp(records=60)
    told = rehearse(dataset, tmp_path / "c.h5", sample_records=30)
    prepare(dataset, tmp_path / "c.h5", seed=3, provenance=MADE_UP)
    assert told.size_bytes() == pytest.approx((tmp_path / "c.h5").stat().st_size, rel=0.15)


def test_the_estimated_time_grows_with_records_and_shrinks_with_workers(tmp_path):
    told = rehearse(MadeUp(records=100, pause_s=0.02), tmp_path / "c.h5", sample_records=5)
    assert told.seconds(1) >= 100 * 0.02
    assert told.seconds(4) == pytest.approx(told.seconds(1) / 4)


def test_failures_are_counted_by_reason_without_ids_and_paths(tmp_path):
    told = rehearse(MadeUp(broken=(1, 2), crashing=(3,)), tmp_path / "c.h5")
    by_error = {reason.split(" ")[0]: count for reason, count in told.sample.failed.items()}
    assert by_error == {"EcgError:": 2, "KeyError": 1}
    assert told.sample.holds["with an ECG"] == 9
    assert not any("person" in reason or "/data" in reason for reason in told.sample.failed)


def test_a_source_of_nothing_is_told_as_such(tmp_path):
    told = rehearse(MadeUp(records=0), tmp_path / "c.h5")
    assert (told.listing.records, told.sample, told.size_bytes(), told.seconds(1)) == (
        0,
        None,
        0,
        0.0,
    )


def test_the_roles_that_a_source_asks_for_are_counted(tmp_path):
    told = rehearse(MadeUp(roles={0: "pretrain", 1: "pretrain"}), tmp_path / "c.h5")
    assert told.listing.roles == {"pretrain": 2, "role drawn": 10}


def test_the_steps_of_the_listing_are_told_where_the_source_knows_them(tmp_path):
    class Selected(MadeUp):
        def selection(self):
            return (SelectionStep("listed", 12),)

    assert rehearse(MadeUp(), tmp_path / "c.h5").selection == ()
    assert rehearse(Selected(), tmp_path / "c.h5").selection[0].label == "listed"


def test_a_source_that_cannot_be_listed_is_an_error(tmp_path):
    class Unlisted(MadeUp):
        def subjects(self):
            raise SourceError("no table; name it with --table")
            yield

    with pytest.raises(SourceError, match="no table"):
        rehearse(Unlisted(), tmp_path / "c.h5")


def test_only_what_an_existing_cohort_lacks_is_counted_and_read_when_extending(tmp_path):
    from cardionets_core.cohort.ids import key_path, read_key

    out, log = tmp_path / "c.h5", tmp_path / "log"
    prepare(MadeUp(records=8), out, seed=3, provenance=MADE_UP)
    later = MadeUp(records=12, log=log)
    source = Source(later, read_key(key_path(out)), 3, stored_record_ids(out))
    told = rehearse(later, out, source=source)
    assert told.listing.records == 4
    assert set(read_numbers(log)) == {8, 9, 10, 11}
