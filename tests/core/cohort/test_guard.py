from __future__ import annotations

import numpy as np
import pytest
from made_up_source import MADE_UP, MadeUp, made_up_ecg

from cardionets_core.cohort.guard import Fingerprints, SimulatedRange, refuse_overlap
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.signal import ecg_fingerprint
from cardionets_core.cohort.writer import prepare
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.ecg.resampling import canonicalise
from cardionets_core.errors import CohortError, LeakageError


def test_rows_of_other_people_pass(cohort):
    lineage = Fingerprints.of(cohort, [0, 1])
    assert len(refuse_overlap(lineage, cohort, [2, 3], purpose="evaluate on").rows) == 0
    assert (
        len(refuse_overlap(Fingerprints.empty(), cohort, range(12), purpose="train on").rows) == 0
    )


def test_the_same_record_is_refused_with_counts_id_and_remedy(cohort):
    lineage = Fingerprints.of(cohort, [0, 1])
    with pytest.raises(LeakageError) as caught:
        refuse_overlap(lineage, cohort, [1, 2], purpose="evaluate on")
    message = str(caught.value)
    assert message.startswith(f"cannot evaluate on {cohort.path}")
    assert "1 of its 2 records (1 with the identical ECG, 1 of the same person, 1 of" in message
    assert f"record {cohort.record_ids[1]} first" in message
    assert "use rows with another role or split" in message


def test_another_record_of_the_same_person_is_refused(cohort):
    lineage = Fingerprints.of(cohort, [0])
    found = lineage.overlap(cohort, [1, 2])
    assert found.rows.tolist() == [1]
    assert (found.by_signal, found.by_subject) == (0, 1)


def test_an_identical_signal_in_another_cohort_under_another_key_is_refused(tmp_path, cohort):
    class Renamed(MadeUp):
        def subjects(self):
            for ref in super().subjects():
                yield type(ref)(f"other-{ref.location}", f"other-{ref.location}", ref.location)

    prepare(Renamed(same_signal_as={3: 0}), tmp_path / "c.h5", seed=3, provenance=MADE_UP)
    with open_cohort(tmp_path / "c.h5") as other:
        found = Fingerprints.of(cohort, [0]).overlap(other, range(12))
    assert found.rows.tolist() == [0, 3]
    assert (found.by_signal, found.by_subject, found.by_simulation) == (2, 0, 0)


def test_allowed_overlap_is_told_and_not_refused(cohort):
    lineage = Fingerprints.of(cohort)
    found = refuse_overlap(lineage, cohort, [5, 3], purpose="evaluate on", allow=True)
    assert found.rows.tolist() == [5, 3]


def test_lineages_merge_and_survive_saving(tmp_path, cohort):
    one, two = Fingerprints.of(cohort, [0, 1]), Fingerprints.of(cohort, [2, 3, 8])
    both = one.merge(two, Fingerprints.empty())
    both.save(tmp_path / "seen.npz")
    loaded = Fingerprints.load(tmp_path / "seen.npz")
    assert loaded.simulated == both.simulated == (SimulatedRange(5, 0, 2), SimulatedRange(5, 4, 5))
    np.testing.assert_array_equal(loaded.signals, both.signals)
    np.testing.assert_array_equal(loaded.subjects, both.subjects)
    assert loaded.overlap(cohort).rows.tolist() == [0, 1, 2, 3, 8, 9]
    assert [p.name for p in tmp_path.iterdir()] == ["seen.npz"]


def test_public_fingerprints_name_simulated_subjects_only_and_still_guard_them(tmp_path, cohort):
    public = Fingerprints.of(cohort, [4]).to_public()
    assert len(public.signals) == len(public.subjects) == 0
    assert public.overlap(cohort).rows.tolist() == [4, 5]
    assert public.overlap(cohort).by_simulation == 2


@pytest.mark.parametrize("content", [b"", b"PK no zip", None])
def test_lost_or_broken_fingerprints_are_an_error_and_not_an_open_door(tmp_path, content):
    path = tmp_path / "seen.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CohortError, match=r"does not hold the fingerprints of a run"):
        Fingerprints.load(path)


def test_a_pickle_is_not_executed(tmp_path):
    path = tmp_path / "seen.npz"
    np.savez(path, signals=np.array([object()]), subjects=np.zeros(0), simulated=np.zeros((0, 3)))
    with pytest.raises(CohortError):
        Fingerprints.load(path)


def test_fingerprint_is_of_the_signal_and_not_of_how_it_is_stored():
    record = made_up_ecg(1)
    whole = ecg_fingerprint(canonicalise(record).signal_mv)
    without_step = EcgRecord(record.signal_mv, record.leads, 500.0)
    eight = [0, 1, 6, 7, 8, 9, 10, 11]
    limb_leads_derived = EcgRecord(
        record.signal_mv[eight], tuple(record.leads[lead] for lead in eight), 500.0
    )
    reordered = EcgRecord(record.signal_mv[::-1], record.leads[::-1], 500.0)
    for same in (without_step, limb_leads_derived, reordered):
        assert ecg_fingerprint(canonicalise(same).signal_mv) == whole
    changed = record.signal_mv.copy()
    changed[7, 1234] += 0.005
    assert ecg_fingerprint(changed) != whole
    assert ecg_fingerprint(made_up_ecg(2).signal_mv) != whole


def test_single_lead_ecgs_do_not_all_look_alike():
    def only(seed, lead):
        record = made_up_ecg(seed)
        return EcgRecord(record.signal_mv[[lead]], (record.leads[lead],), 500.0)

    found = {ecg_fingerprint(canonicalise(only(s, 3)).signal_mv) for s in range(4)}
    assert len(found) == 4
