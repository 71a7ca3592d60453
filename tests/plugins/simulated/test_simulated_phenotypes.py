import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cardionets_simulated.phenotypes import FIELD_IDS
from cardionets_simulated.subject import SubjectBatch


def test_fields_are_in_uk_biobank_order(reference_table):
    assert list(FIELD_IDS) == reference_table["field_id"]


def test_means_are_those_of_the_reference_table(ukb, reference_table):
    distance = np.abs(ukb.phenotypes.mean(axis=0) - reference_table["mean"]) / reference_table["sd"]
    assert distance.mean() < 0.4
    assert distance.max() < 1.0


@pytest.mark.parametrize(
    ("structure", "low", "high"),
    [
        ("LV", 0.7, 1.2),
        ("RV", 0.7, 1.2),
        ("LA", 0.7, 1.2),
        ("RA", 0.7, 1.2),
        ("Ascending aorta", 0.7, 1.2),
        ("Descending aorta", 0.7, 1.2),
        ("LV wall thickness", 0.7, 1.2),
        ("LV circumferential strain", 0.5, 0.8),
        ("LV radial strain", 0.5, 0.8),
        ("LV longitudinal strain", 0.5, 0.8),
    ],
)
def test_spread_resembles_the_reference_table(ukb, reference_table, structure, low, high):
    chosen = reference_table["structure"] == structure
    ratio = ukb.phenotypes.std(axis=0) / reference_table["sd"]
    assert low < ratio[chosen].mean() < high


def test_volumes_obey_their_identities(enriched):
    p = enriched.phenotypes
    for first in (0, 6, 10, 14):
        largest, smallest, stroke, ef = p[:, first : first + 4].T
        np.testing.assert_array_equal(stroke, largest - smallest)
        np.testing.assert_array_equal(ef, 100.0 * stroke / largest)
        assert (stroke > 0).all()
    assert p.shape == (len(enriched), 82)
    assert np.isfinite(p).all()


def test_aortic_distensibility_links_both_areas(ukb):
    p, pulse = ukb.phenotypes, ukb.latents.heart.pulse_pressure_mmhg
    for first in (18, 21):
        largest, smallest, distensibility = p[:, first : first + 3].T
        strain = (largest - smallest) / smallest
        np.testing.assert_allclose(strain, 1e-3 * distensibility * pulse, rtol=1e-9)


def test_strain_noise_widens_segments_and_leaves_the_rest_alone():
    narrow, wide = (
        SubjectBatch(104, range(4000), strain_noise_scale=scale).phenotypes for scale in (1.0, 2.8)
    )
    np.testing.assert_array_equal(narrow[:, :41], wide[:, :41])
    for columns, sds in (((41, 57), (3.0, 4.9)), ((58, 74), (8.4, 13.7)), ((75, 81), (2.4, 4.8))):
        found = [p[:, slice(*columns)].std(axis=0).mean() for p in (narrow, wide)]
        np.testing.assert_allclose(found, sds, rtol=0.12)


def group_columns(group):
    fields = [getattr(group, field.name) for field in dataclasses.fields(group)]
    return [row for field in fields for row in np.atleast_2d(field)]


def feature_sets(batch):
    body, heart, disease = batch.latents.body, batch.latents.heart, batch.latents.disease
    ecg = batch.ecg_parameters
    volumes = [
        np.log(v)
        for v in (
            heart.lv_edv_ml,
            heart.lv_edv_ml - heart.lv_stroke_volume_ml,
            heart.lv_mass_g,
            heart.rv_edv_ml,
            heart.rv_edv_ml - heart.rv_stroke_volume_ml,
            heart.la_max_ml,
            heart.la_max_ml * (1 - heart.la_ef_percent / 100),
            heart.ra_max_ml,
            heart.ra_max_ml * (1 - heart.ra_ef_percent / 100),
        )
    ]
    rhythm = [heart.af, heart.lbbb, heart.rbbb, disease.ischaemia]
    scar = [disease.infarct * artery for artery in (disease.lad, disease.lcx, disease.rca)]
    amplitudes = [
        np.log(ecg.voltage),
        np.log(ecg.t_mv),
        np.log(ecg.p_left_mv + 1e-3),
        np.log(ecg.p_right_mv + 1e-3),
        np.log(ecg.rr_modulation),
    ]
    cut = np.array([14, 9, 3, 16, 12, 6]) - 1
    global_function = [
        heart.lv_ef_percent,
        heart.rv_ef_percent,
        heart.la_ef_percent,
        heart.ra_ef_percent,
        heart.ell_percent,
        heart.err_percent,
        heart.early_filling,
    ]
    visible = [body.bmi, heart.descending_area_mm2, *heart.wall_mm[cut], *heart.function[cut]]
    return {
        "sex, age, BMI": [body.male, body.age_years, body.bmi],
        "ECG parameters": [*group_columns(ecg), *rhythm, *scar, *amplitudes],
        "seen in 4 chambers": [*volumes, *global_function, *visible],
        "all latents": [*volumes, *group_columns(body), *group_columns(heart)],
    }


def mean_r2(features, targets, n_train):
    x = np.stack(features, axis=1)
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 6)))
    model.fit(x[:n_train], targets[:n_train])
    residual = targets[n_train:] - model.predict(x[n_train:])
    return np.mean(1 - residual.var(axis=0) / targets[n_train:].var(axis=0))


@pytest.mark.parametrize(
    ("preset", "scale", "ceilings"),
    [
        ("ukb", 1.0, (0.22, 0.41, 0.69, 0.79)),
        ("ukb", 2.0, (0.19, 0.33, 0.56, 0.63)),
        ("ukb", 2.8, (0.18, 0.30, 0.51, 0.56)),
        ("demo", 1.0, (0.17, 0.50, 0.74, 0.83)),
    ],
)
def test_phenotypes_can_be_explained_as_far_as_designed(preset, scale, ceilings):
    batch = SubjectBatch(105, range(9000), preset, strain_noise_scale=scale)
    found = [mean_r2(columns, batch.phenotypes, 7000) for columns in feature_sets(batch).values()]
    np.testing.assert_allclose(found, ceilings, atol=0.03)
