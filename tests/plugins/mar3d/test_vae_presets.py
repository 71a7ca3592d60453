"""The autoencoder's numbers in the four presets."""

import pytest

from cardionets_core.options import Given, component_options, stage_options
from cardionets_core.registry import default_registry
from cardionets_core.train.config import TrainConfig

RELEASED = {
    "channels": 128, "multipliers": (1, 2, 4, 4), "encoder_blocks": 2, "decoder_blocks": 4,
    "latent_shape": (16, 25, 12, 12), "perceptual": "lpips", "perceptual_weight": 0.1,
    "kl_weight": 1e-6, "outlier_weight": 1.0, "adversarial_weight": 0.05,
    "adversarial_start_step": 10_001, "latent_scaling": "none", "normalise_sampled": True,
    "discriminator_lr_scale": 0.1, "linear_path": False,
}  # fmt: skip
MODEL = {
    "paper": RELEASED,
    "released-code": RELEASED,
    "recommended": {**RELEASED, "perceptual": "cmr-encoder", "latent_scaling": "unit-sd",
                    "normalise_sampled": False},
    "tiny": {"cine_shape": (10, 48, 48), "latent_shape": (16, 5, 6, 6), "frame_start": 2,
             "adversarial_weight": 0.0, "latent_scaling": "unit-sd", "kl_weight": 1e-6},
}  # fmt: skip
LOOP = {
    "batch_size": 10, "lr": 8e-4, "weight_decay": 0.01, "betas": (0.9, 0.95), "clip_norm": 3.0,
    "warmup_epochs": 0, "schedule": "constant", "weight_decay_exempt": "none", "epochs": 100,
}  # fmt: skip
TRAINING = {
    "paper": {**LOOP, "epochs": 400},
    "released-code": LOOP,
    "recommended": {**LOOP, "warmup_epochs": 1, "schedule": "cosine",
                    "weight_decay_exempt": "bias-and-norm"},
    "tiny": {"batch_size": 32, "precision": "bf16", "schedule": "cosine", "lr": 2e-3},
}  # fmt: skip


@pytest.fixture(scope="module")
def spec():
    return default_registry().find("autoencoder", "vae3d")


def found(options, table):
    return {name: getattr(options, name) for name in table}


@pytest.mark.parametrize("preset", MODEL)
def test_the_model_is_that_of_the_method(spec, preset):
    options = component_options(spec, "autoencoder", Given(preset))
    assert found(options, MODEL[preset]) == MODEL[preset]


@pytest.mark.parametrize("preset", TRAINING)
def test_the_training_is_that_of_the_method(spec, preset):
    options = stage_options(TrainConfig, spec, "train", Given(preset))
    assert found(options, TRAINING[preset]) == TRAINING[preset]
