"""What the shipped autoencoder keeps of a heart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline

import cardionets_core as cn
from cardionets_simulated.cine import chamber_areas_cm2, simulate_cine
from cardionets_simulated.cine_time import TEN_FRAMES
from cardionets_simulated.subject import SubjectBatch

# A seed that no weights were trained on; the first subjects teach the reader, the rest are read.
SEED, READER, READ = 1234, 240, 60


@pytest.fixture(scope="module")
def hearts():
    """End-diastolic views, true LV areas in cm2 and LV EDV in mL of simulated subjects."""
    batch = SubjectBatch(SEED, range(READER + READ), "demo")
    subjects = [batch.latents.subject(i) for i in range(len(batch.latents.heart.lv_edv_ml))]
    cines = np.stack([simulate_cine(SEED, i, s, TEN_FRAMES) for i, s in enumerate(subjects)])
    pixels = torch.from_numpy(cines).float() / 127.5 - 1
    views = torch.nn.functional.avg_pool2d(pixels, 2)
    areas = [chamber_areas_cm2(SEED, i, s, TEN_FRAMES)["lv"][0] for i, s in enumerate(subjects)]
    return views, np.array(areas), batch.latents.heart.lv_edv_ml


def test_reconstructions_keep_lv_area_against_lv_volume(hearts):
    views, areas_cm2, edv_ml = hearts
    autoencoder = cn.load("vae3d-tiny-simulated")
    assert views.shape[1:] == autoencoder.cine_shape
    # A reader of LV area, taught on true cines, that knows nothing of the autoencoder.
    reader = make_pipeline(PCA(100, random_state=0), RidgeCV(np.logspace(0, 4, 9)))
    reader.fit(views[:READER, 0].flatten(1).numpy(), areas_cm2[:READER])
    with torch.no_grad():
        latents = autoencoder.encode(views[READER:, None]).mean
        seen = autoencoder.decode(latents)[:, 0, 0].flatten(1).numpy()
    read_cm2 = reader.predict(seen)
    assert np.corrcoef(read_cm2, edv_ml[READER:])[0, 1] > 0.9
    assert np.corrcoef(read_cm2, areas_cm2[READER:])[0, 1] > 0.9
