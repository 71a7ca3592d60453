"""The presets hold the numbers of the method's table, stage by stage."""

from __future__ import annotations

import pytest

from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.options import Given, component_options, stage_options
from cardionets_core.registry import default_registry
from cardionets_core.train.config import TrainConfig
from cardionets_core.train.protocol import ProtocolConfig

RELEASED_TRANSFORM = {
    "sampling_rate_hz": 250, "crop_samples": 2250, "eval_crops": 3, "high_pass_hz": 0.67,
    "low_pass_hz": 40.0, "butterworth_order": 5, "standardise": "crop-zscore",
    "filter_order": "crop-then-filter", "resampling": "fourier",
}  # fmt: skip
TRANSFORM = {
    "paper": RELEASED_TRANSFORM,
    "released-code": {**RELEASED_TRANSFORM, "assumed_source_rate_hz": 500,
                      "eval_crop_rule": "released-code"},
    "recommended": {**RELEASED_TRANSFORM, "resampling": "polyphase", "standardise": "lead-sd",
                    "filter_order": "filter-then-crop"},
    "tiny": {**RELEASED_TRANSFORM, "resampling": "polyphase", "standardise": "lead-sd",
             "filter_order": "filter-then-crop", "sampling_rate_hz": 100, "crop_samples": 500},
}  # fmt: skip
STMEM_BASE = {
    "width": 768, "depth": 12, "heads": 12, "head_dim": 64, "patch_samples": 75,
    "patches_per_lead": 30, "mask_ratio": 0.75, "decoder_width": 256, "decoder_depth": 4,
    "normalise_targets": True,
}  # fmt: skip
VIT_BASE = {
    "width": 768, "depth": 12, "heads": 12, "patch": 16, "view_size": 96, "view_frames": 50,
    "pooling": "cls", "mask_ratio": 0.75, "normalise_targets": False,
}  # fmt: skip
MODELS = {
    ("stmem", "paper"): STMEM_BASE,
    ("stmem", "released-code"): STMEM_BASE,
    ("stmem", "recommended"): STMEM_BASE,
    ("stmem", "tiny"): {"width": 64, "depth": 2, "heads": 2, "patch_samples": 50,
                        "patches_per_lead": 10, "mask_ratio": 0.5},
    ("vit-cmr", "paper"): VIT_BASE,
    ("vit-cmr", "released-code"): {**VIT_BASE, "pooling": "cls-before-norm"},
    ("vit-cmr", "recommended"): VIT_BASE,
    ("vit-cmr", "tiny"): {"width": 64, "depth": 2, "patch": 8, "view_size": 48, "view_frames": 10,
                          "frame_start": 2, "frame_step": 5, "pooling": "flatten",
                          "mask_ratio": 0.75},
    ("weighted-infonce", "paper"): {"temperature": 0.05, "sigma": 0.5, "projection_dim": 256,
                                    "pca_components": 128, "whiten": False,
                                    "learnable_temperature": False, "standardise_cmr": False},
    ("weighted-infonce", "released-code"): {"temperature": 0.05, "sigma": 0.5,
                                            "projection_dim": 256, "pca_components": 128,
                                            "learnable_temperature": False,
                                            "standardise_cmr": False},
    ("weighted-infonce", "recommended"): {"temperature": 0.07, "temperature_floor": 0.01,
                                          "learnable_temperature": True, "sigma": "median",
                                          "projection_dim": 256},
    ("weighted-infonce", "tiny"): {"temperature": 0.1, "learnable_temperature": False,
                                   "sigma": "median", "projection_dim": 64,
                                   "pca_components": 128},
}  # fmt: skip
TRAINING = {
    # ST-MEM's own pre-training; the paper itself starts from published weights.
    ("stmem", "paper"): {"lr": 1.5e-4, "lr_per_256": True, "betas": (0.9, 0.95)},
    ("stmem", "recommended"): {"batch_size": 1024, "epochs": 400, "warmup_epochs": 40,
                               "weight_decay": 0.05, "lr": 1.5e-4, "lr_per_256": True},
    ("stmem", "tiny"): {"batch_size": 64, "epochs": 60, "peak_lr": 2e-3},
    ("vit-cmr", "paper"): {"batch_size": 32, "epochs": 400, "warmup_epochs": 40, "peak_lr": 1e-4},
    ("vit-cmr", "released-code"): {"batch_size": 128, "peak_lr": 5e-4, "weight_decay": 0.05,
                                   "weight_decay_exempt": "none", "betas": (0.9, 0.95)},
    ("vit-cmr", "recommended"): {"batch_size": 32, "epochs": 400, "warmup_epochs": 40,
                                 "peak_lr": 1e-4, "weight_decay": 0.05,
                                 "weight_decay_exempt": "bias-and-norm"},
    ("vit-cmr", "tiny"): {"batch_size": 64, "epochs": 20, "peak_lr": 2e-3},
    ("weighted-infonce", "paper"): {"batch_size": 256, "epochs": 400, "warmup_epochs": 40,
                                    "peak_lr": 1e-3},
    ("weighted-infonce", "released-code"): {"epochs": 100, "warmup_epochs": 20, "peak_lr": 1e-3,
                                            "weight_decay": 0.05, "weight_decay_exempt": "none",
                                            "betas": (0.9, 0.999), "precision": "16",
                                            "clip_norm": None},
    ("weighted-infonce", "recommended"): {"epochs": 100, "warmup_epochs": 10, "peak_lr": 3e-4,
                                          "weight_decay": 0.05,
                                          "weight_decay_exempt": "bias-and-norm"},
    ("weighted-infonce", "tiny"): {"batch_size": 128, "epochs": 28, "peak_lr": 1e-3,
                                   "precision": "32"},
}  # fmt: skip
VAE_BASE = {
    "latent_shape": (16, 25, 12, 12), "cine_shape": (50, 96, 96), "channels": 128,
    "kl_weight": 1e-6, "perceptual_weight": 0.1, "adversarial_weight": 0.05,
    "adversarial_start_step": 10_001,
}  # fmt: skip
MAR_BASE = {
    "width": 768, "depth": 12, "decoder_depth": 12, "denoiser_width": 1024, "denoiser_depth": 3,
    "patch_frames": 5, "patch_size": 2, "mask_ratio_min": 0.7, "iterations": 16,
    "train_steps": 1000, "sample_steps": 100, "sampler": "diffusion", "label_drop": 0.1,
    "guidance": 3.0, "diffusion_batch_mul": 4,
}  # fmt: skip
MODELS |= {
    ("vae3d", "paper"): {**VAE_BASE, "perceptual": "lpips", "latent_scaling": "none"},
    ("vae3d", "released-code"): {**VAE_BASE, "perceptual": "lpips", "latent_scaling": "none"},
    ("vae3d", "recommended"): {**VAE_BASE, "perceptual": "cmr-encoder",
                               "latent_scaling": "unit-sd"},
    ("vae3d", "tiny"): {"latent_shape": (16, 5, 6, 6), "cine_shape": (10, 48, 48),
                        "frame_start": 2, "frame_step": 5, "latent_scaling": "unit-sd"},
    ("mar", "paper"): {**MAR_BASE, "condition": "ecg", "buffer_tokens": 1},
    ("mar", "released-code"): {**MAR_BASE, "condition": "ecg-projected", "buffer_tokens": 64,
                               "mask_ratio": "truncated-normal"},
    ("mar", "recommended"): {**MAR_BASE, "condition": "ecg", "buffer_tokens": 1},
    # Decision 0011: the plan's MLP of 128 cannot pass the 320 numbers of a token.
    ("mar", "tiny"): {"width": 96, "depth": 3, "decoder_depth": 3, "iterations": 8,
                      "mask_ratio": "uniform", "mask_ratio_min": 0.1,
                      "denoiser_width": 512, "denoiser_depth": 2, "sampler": "flow",
                      "flow_steps": 10},
}  # fmt: skip
TRAINING |= {
    ("vae3d", "paper"): {"epochs": 400, "peak_lr": 8e-4, "schedule": "constant"},
    ("vae3d", "released-code"): {"peak_lr": 8e-4, "batch_size": 10, "epochs": 100,
                                 "schedule": "constant", "clip_norm": 3.0},
    ("mar", "paper"): {"epochs": 400, "peak_lr": 8e-4, "schedule": "constant"},
    ("mar", "released-code"): {"peak_lr": 8e-4, "weight_decay": 0.01, "warmup_epochs": 100,
                               "schedule": "constant", "clip_norm": 3.0, "ema_decay": 0.9999},
    ("mar", "recommended"): {"ema_half_life": 0.05, "schedule": "cosine"},
}  # fmt: skip
HEADS = ("linear", "mlp", "attention")
DOWNSTREAM_TRAINING = {
    "paper": {"batch_size": 16, "epochs": 100, "lr": 5e-5, "warmup_epochs": 10},
    "released-code": {"batch_size": 32, "warmup_epochs": 5, "weight_decay": 0.0, "patience": 10},
    "recommended": {"batch_size": 32, "patience": 10},
    "tiny": {"batch_size": 32, "epochs": 24, "precision": "32"},
}
INNER_SPLIT = {"select_on": "inner", "average": "probabilities", "threshold": "inner", "folds": 5}
PROTOCOL = {
    "paper": {**INNER_SPLIT, "head_start": "random", "subjects": "all"},
    "released-code": {"select_on": "reported", "average": "logits", "threshold": 0.5,
                      "head_start": "random", "subjects": "all", "folds": 5},
    "recommended": {**INNER_SPLIT, "subjects": "downstream", "lr_candidates": ()},
    "tiny": {**INNER_SPLIT, "subjects": "downstream", "lr_candidates": (1e-3, 2e-4),
             "lr_candidates_random": (2e-3, 7e-4)},
}  # fmt: skip
KINDS = {"stmem": "encoder", "vit-cmr": "encoder", "weighted-infonce": "aligner",
         "vae3d": "autoencoder", "mar": "generator", **dict.fromkeys(HEADS, "head")}  # fmt: skip


def component(name):
    return default_registry().find(KINDS[name], name)


def differing(options, table):
    return {n: (getattr(options, n), v) for n, v in table.items() if getattr(options, n) != v}


@pytest.mark.parametrize(("name", "preset"), MODELS)
def test_models_are_those_of_the_method(name, preset):
    options = component_options(component(name), KINDS[name], Given(preset))
    assert not differing(options, MODELS[name, preset])


@pytest.mark.parametrize(("name", "preset"), TRAINING)
def test_training_is_that_of_the_method(name, preset):
    options = stage_options(TrainConfig, component(name), "train", Given(preset))
    assert options.peak_lr == pytest.approx(TRAINING[name, preset].get("peak_lr", options.peak_lr))
    table = {n: v for n, v in TRAINING[name, preset].items() if n != "peak_lr"}
    assert not differing(options, {"schedule": "cosine", **table})


@pytest.mark.parametrize("preset", DOWNSTREAM_TRAINING)
@pytest.mark.parametrize("name", HEADS)
def test_a_downstream_task_is_learnt_as_the_method_says(name, preset):
    training = stage_options(TrainConfig, component(name), "train", Given(preset))
    assert not differing(training, {"schedule": "cosine", **DOWNSTREAM_TRAINING[preset]})
    assert training.patience is not None
    protocol = stage_options(ProtocolConfig, component(name), "protocol", Given(preset))
    assert not differing(protocol, PROTOCOL[preset])


@pytest.mark.parametrize("preset", ["recommended", "tiny"])
def test_only_the_linear_head_begins_from_a_closed_form_solution(preset):
    def start(name):
        return stage_options(ProtocolConfig, component(name), "protocol", Given(preset)).head_start

    assert {name: start(name) for name in HEADS} == {
        "linear": "closed-form", "mlp": "random", "attention": "random"
    }  # fmt: skip


def test_the_hidden_layers_are_those_of_the_released_code():
    for preset in ("paper", "released-code", "recommended"):
        assert component_options(component("mlp"), "head", Given(preset)).widths == (256, 128)


@pytest.mark.parametrize("preset", TRANSFORM)
@pytest.mark.parametrize("name", ["stmem", "weighted-infonce", "mar", *HEADS])
def test_encoder_aligner_and_heads_have_the_transform_of_the_method(name, preset):
    options = stage_options(EcgTransformConfig, component(name), "data", Given(preset))
    assert not differing(options, TRANSFORM[preset])
    other = stage_options(EcgTransformConfig, component("stmem"), "data", Given(preset))
    assert options == other
