import numpy as np
import pytest

from cardionets_simulated.cine import ALL_FRAMES, chamber_areas_cm2
from cardionets_simulated.cine_time import TEN_FRAMES, Cycle, frame_phases, make_cycle
from cardionets_simulated.subject import SubjectBatch

N = 150


@pytest.fixture(scope="module")
def areas():
    """Areas in cm2 of every chamber of some `demo` subjects: name to (subjects, 50)."""
    batch = SubjectBatch(109, range(N), "demo")
    each = [chamber_areas_cm2(109, i, batch.latents.subject(i)) for i in range(N)]
    return batch, {name: np.array([one[name] for one in each]) for name in each[0]}


def correlation(one, other):
    return np.corrcoef(one, other)[0, 1]


def test_chamber_areas_follow_volumes(areas):
    batch, area = areas
    heart = batch.latents.heart
    lv_esv_ml = heart.lv_edv_ml - heart.lv_stroke_volume_ml
    assert correlation(area["lv"].max(axis=1), heart.lv_edv_ml) > 0.97
    assert correlation(area["lv"].min(axis=1), lv_esv_ml) > 0.97
    assert correlation(area["rv"].max(axis=1), heart.rv_edv_ml) > 0.97
    assert correlation(area["la"].max(axis=1), heart.la_max_ml) > 0.97
    assert correlation(area["ra"].max(axis=1), heart.ra_max_ml) > 0.97


def test_left_ventricular_area_follows_volume_through_the_beat(areas):
    batch, area = areas
    phase = frame_phases(ALL_FRAMES)
    for position in range(0, N, 5):
        one = batch.latents.subject(position)
        contraction = make_cycle(one.body, one.heart, one.normals).contraction(phase)
        volume_ml = one.heart.lv_edv_ml - one.heart.lv_stroke_volume_ml * contraction
        assert correlation(area["lv"][position], volume_ml) > 0.98


def test_area_change_follows_ejection_fraction(areas):
    batch, area = areas
    heart = batch.latents.heart
    for name, ef in (("lv", heart.lv_ef_percent), ("rv", heart.rv_ef_percent)):
        change = 1 - area[name].min(axis=1) / area[name].max(axis=1)
        assert correlation(change, ef) > 0.98


@pytest.mark.parametrize(
    ("name", "mean", "sd"), [("lv", 38, 6), ("rv", 25, 4), ("la", 22, 4), ("ra", 20, 3)]
)
def test_largest_areas_are_those_of_the_design(areas, name, mean, sd):
    largest = areas[1][name].max(axis=1)
    # Rounding of the design's figure, and three standard errors.
    tolerance = 0.5 + 3 * sd / np.sqrt(N)
    assert largest.mean() == pytest.approx(mean, abs=tolerance)
    assert largest.std() == pytest.approx(sd, rel=0.3)


def test_a_cine_uses_the_range_of_uint8_without_clipping(areas):
    batch, _ = areas
    for position in range(10):
        cine = batch.cine(position, TEN_FRAMES)
        assert cine.shape == (10, 96, 96)
        assert cine.dtype == np.uint8
        assert np.percentile(cine, 99) > 120
        assert np.mean(cine == 255) < 0.05


def test_the_heart_moves_and_the_chest_wall_does_not(areas):
    batch, _ = areas
    motion = np.mean(
        [batch.cine(position).astype(float).std(axis=0) for position in range(8)], axis=0
    )
    assert motion[30:75, 25:70].mean() > 2 * motion[:10, 80:].mean()


def test_contraction_starts_at_zero_peaks_at_end_systole_and_fills_twice():
    cycle = Cycle(systolic_fraction=0.35, early_filling=0.68)
    phase = np.linspace(0, 1, 1001)
    contraction = cycle.contraction(phase)
    assert contraction[0] == pytest.approx(0, abs=1e-9)
    assert contraction[350] == pytest.approx(1, abs=1e-6)
    assert contraction.argmax() == 350
    filling = -np.diff(contraction)[350:]
    early, kick = filling[:250].max(), filling[400:].max()
    diastasis = filling[250:400].min()
    assert early > kick > 10 * diastasis


def test_a_thick_septum_is_seen_in_hypertrophy(enriched):
    d = enriched.latents.disease
    one = enriched.latents
    healthy, thick = (np.flatnonzero(chosen)[:20] for chosen in (d.any == 0, d.hcm > 0.6))
    assert one.heart.wall_mm[8, thick].mean() > 2 * one.heart.wall_mm[8, healthy].mean()
    dark = [
        np.mean([enriched.cine(int(p), (0,))[0, 20:60, 30:70] < 110 for p in group])
        for group in (healthy, thick)
    ]
    assert dark[1] > 1.15 * dark[0]


def test_pulmonary_hypertension_enlarges_the_right_heart_in_the_picture(enriched):
    d = enriched.latents.disease
    ratio = []
    for chosen in (d.any == 0, d.ph > 0.6):
        found = [
            chamber_areas_cm2(102, int(p), enriched.latents.subject(int(p)), (0,))
            for p in np.flatnonzero(chosen)[:20]
        ]
        ratio.append(np.mean([area["rv"][0] / area["lv"][0] for area in found]))
    assert ratio[1] > 1.2 * ratio[0]


@pytest.mark.slow
def test_areas_follow_volumes_in_a_thousand_subjects():
    batch = SubjectBatch(110, range(1000), "enriched")
    each = [chamber_areas_cm2(110, i, batch.latents.subject(i), (0, 1)) for i in range(1000)]
    found = [one["lv"].max() for one in each]
    assert correlation(found, batch.latents.heart.lv_edv_ml) > 0.97
