import numpy as np
import pytest

from cardionets_simulated.subject import SubjectBatch


@pytest.fixture(scope="module")
def all_diagnoses():
    batch = SubjectBatch(106, range(20_000), "enriched")
    return batch, [batch.diagnoses(position) for position in range(len(batch))]


def test_codes_are_those_of_the_diseases(all_diagnoses):
    batch, diagnoses = all_diagnoses
    disease = batch.latents.disease
    prefixes = [{d.icd10[:3] for d in of_one} for of_one in diagnoses]
    truth = {
        ("I20", "I21", "I25"): disease.cad > 0,
        ("I42",): disease.cm > 0,
        ("I27",): disease.ph > 0,
        ("I50",): disease.heart_failure > 0,
    }
    for codes, has in truth.items():
        np.testing.assert_array_equal([bool(found & set(codes)) for found in prefixes], has)


def test_cardiomyopathy_codes_tell_the_subtype(all_diagnoses):
    batch, diagnoses = all_diagnoses
    disease = batch.latents.disease
    for codes, severity in (
        ({"I42.0"}, disease.dcm),
        ({"I42.1", "I42.2"}, disease.hcm),
        ({"I42.5"}, disease.rcm),
    ):
        found = [bool({d.icd10 for d in of_one} & codes) for of_one in diagnoses]
        np.testing.assert_array_equal(found, severity > 0)


def test_one_code_in_a_hundred_is_first_dated_after_the_visit(all_diagnoses):
    _, diagnoses = all_diagnoses
    days = np.array([d.days_from_visit for of_one in diagnoses for d in of_one])
    assert len(days) > 5000
    # Binomial with n > 5,000: four standard errors are below 0.006.
    assert np.mean(days > 0) == pytest.approx(0.01, abs=0.006)
    assert not np.any(days == 0)


def test_the_share_of_late_dates_can_be_chosen():
    for share, expected in ((0.0, 0.0), (1.0, 1.0)):
        batch = SubjectBatch(106, range(300), "enriched", late_fraction=share)
        days = [d.days_from_visit for i in range(300) for d in batch.diagnoses(i)]
        assert np.mean(np.array(days) > 0) == expected


def test_a_share_above_one_is_refused():
    batch = SubjectBatch(106, range(1), late_fraction=1.5)
    with pytest.raises(ValueError, match=r"late_fraction 1\.5 is not a share"):
        batch.diagnoses(0)
