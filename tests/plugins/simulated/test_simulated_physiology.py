import numpy as np
import pytest

from cardionets_simulated.subject import SubjectBatch

# Means in `enriched`: LV EDV, EF, mass, RV EDV, RV EF, LA, RA, QRS, axis, septum, Ell.
GROUP_MEANS = {
    "none": (140, 60, 85, 150, 56, 67, 79, 92, 43, 6.7, -18.6),
    "dcm": (210, 37, 112, 171, 45, 89, 94, 115, 39, 6.9, -12.2),
    "hcm": (129, 64, 128, 148, 56, 88, 83, 100, 33, 17.3, -15.4),
    "rcm": (138, 56, 97, 150, 52, 112, 132, 95, 38, 7.5, -13.6),
    "ph": (126, 56, 87, 175, 41, 70, 112, 100, 89, 7.1, -17.4),
    "infarct": (171, 48, 102, 155, 52, 82, 91, 101, 37, 6.9, -14.6),
}
SEPTUM = np.array([2, 3, 8, 9, 14]) - 1


@pytest.mark.parametrize("group", GROUP_MEANS)
def test_group_means_are_those_of_the_design(enriched, group):
    latents, ecg = enriched.latents, enriched.ecg_parameters
    disease, heart = latents.disease, latents.heart
    chosen = disease.any == 0 if group == "none" else getattr(disease, group) > 0
    columns = (
        heart.lv_edv_ml,
        heart.lv_ef_percent,
        heart.lv_mass_g,
        heart.rv_edv_ml,
        heart.rv_ef_percent,
        heart.la_max_ml,
        heart.ra_max_ml,
        ecg.qrs_ms,
        ecg.axis_degrees,
        heart.wall_mm[SEPTUM].mean(axis=0),
        heart.ell_percent,
    )
    found = [column[chosen].mean() for column in columns]
    np.testing.assert_allclose(found, GROUP_MEANS[group], rtol=0.10)


def test_left_ventricles_of_men_and_women_are_those_of_uk_biobank(ukb):
    male = ukb.latents.body.male > 0
    edv, ef, mass = (ukb.phenotypes[:, column] for column in (0, 3, 5))
    for sex, means in ((male, (161, 58, 103)), (~male, (125, 61, 73))):
        found = [column[sex].mean() for column in (edv, ef, mass)]
        np.testing.assert_allclose(found, means, rtol=0.03)
    for sex, sds in ((male, (26, 5, 16)), (~male, (20, 5, 11))):
        found = [column[sex].std() for column in (edv, ef, mass)]
        np.testing.assert_allclose(found, sds, rtol=0.15)


def test_latents_correlate_as_designed(ukb):
    body, heart = ukb.latents.body, ukb.latents.heart
    pairs = [
        (heart.lv_edv_ml, heart.lv_mass_g, 0.77),
        (heart.lv_edv_ml, heart.rv_edv_ml, 0.88),
        (body.bsa_m2, heart.lv_edv_ml, 0.58),
        (heart.lv_ef_percent, heart.ell_percent, -0.72),
        (heart.lv_ef_percent, heart.rv_ef_percent, 0.49),
        (heart.la_max_ml, heart.lv_edv_ml, 0.46),
        (body.age_years, heart.la_ef_percent, -0.35),
        (heart.heart_rate_bpm, heart.lv_edv_ml, -0.19),
    ]
    for one, other, expected in pairs:
        # 20,000 subjects: a correlation's standard error is at most 0.007.
        assert np.corrcoef(one, other)[0, 1] == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize(
    ("preset", "percent"),
    [
        ("ukb", (5.2, 0.7, 0.2, 0.2)),
        ("demo", (11.0, 6.3, 6.0, 4.0)),
        ("enriched", (13.5, 11.2, 15.1, 7.0)),
    ],
)
def test_prevalences_are_those_of_the_preset(preset, percent):
    n = 30_000
    disease = SubjectBatch(103, range(n), preset).latents.disease
    found = [
        100 * column.mean()
        for column in (disease.cad, disease.heart_failure, disease.cm, disease.ph > 0)
    ]
    for value, expected in zip(found, percent, strict=True):
        standard_error = 100 * np.sqrt(expected / 100 * (1 - expected / 100) / n)
        # The design's figures are rounded to 0.1 and were counted on a sample too.
        assert value == pytest.approx(expected, abs=4 * standard_error + 0.1)


def test_regional_function_has_mean_one(enriched):
    np.testing.assert_allclose(enriched.latents.heart.function.mean(axis=0), 1.0, rtol=1e-12)


def test_both_ventricles_eject_about_the_same(ukb):
    heart = ukb.latents.heart
    ratio = np.log(heart.rv_stroke_volume_ml / heart.lv_stroke_volume_ml)
    assert ratio.mean() == pytest.approx(0.0, abs=0.002)
    assert ratio.std() == pytest.approx(0.05, rel=0.05)


def test_a_subject_has_at_most_one_cardiomyopathy(enriched):
    d = enriched.latents.disease
    assert ((d.dcm > 0).astype(int) + (d.hcm > 0) + (d.rcm > 0)).max() == 1
    assert not np.any((d.ph > 0) & (d.cm > 0))
    assert not np.any((d.hfr > 0) & (d.hfp > 0))


def test_left_and_right_bundle_branch_block_exclude_each_other(enriched):
    heart = enriched.latents.heart
    assert not np.any((heart.lbbb > 0) & (heart.rbbb > 0))
    assert heart.lbbb.any()
    assert heart.rbbb.any()
