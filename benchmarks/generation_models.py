"""The generator and its autoencoder under their presets, with random weights."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch.utils.flop_counter import FlopCounterMode
from workloads import preset

import cardionets_mar3d
from cardionets_mar3d.mar import Mar
from cardionets_mar3d.mar_config import MarConfig
from cardionets_mar3d.vae import Vae3d
from cardionets_mar3d.vae_config import Vae3dConfig

# What an untrained denoiser says is 0, from which a chain of steps explodes.
OUTPUT_SD = 0.02


def mar_options(size: str) -> dict[str, Any]:
    """Options of the generator: ``tiny`` is the preset, other sizes those of ``paper``."""
    chosen = "tiny" if size == "tiny" else "paper"
    return {**preset(cardionets_mar3d, chosen, "mar"), "size": size}


def build_mar(size: str, sampler: str, slots: int, device: torch.device, **more: Any) -> Mar:
    """A generator with random weights, the same each time."""
    torch.manual_seed(0)
    options = {**mar_options(size), "sampler": sampler, "buffer_tokens": slots, **more}
    model = Mar(MarConfig(**options), condition_dim=64)
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.add_(OUTPUT_SD * torch.randn_like(parameter))
    return model.to(device).eval()


def vae_config(size: str) -> Vae3dConfig:
    """Options of the autoencoder, likewise, with nothing that it would need another model for."""
    chosen = "tiny" if size == "tiny" else "recommended"
    options = {**preset(cardionets_mar3d, chosen, "vae3d"), "size": size}
    return Vae3dConfig(**{**options, "perceptual": "none"})


def build_vae(size: str, device: torch.device) -> Vae3d:
    """An autoencoder with random weights, the same each time."""
    torch.manual_seed(0)
    return Vae3d(vae_config(size)).to(device).eval()


def vae_flops(size: str, task: Literal["decoding", "training"]) -> float:
    """Operations of one sample as torch counts them: a latent decoded, or a step of training."""
    with torch.device("meta"):
        vae = Vae3d(vae_config(size))
        latent = torch.empty(1, *vae.latent_shape)
        cine = torch.empty(1, 1, *vae.cine_shape)
    with FlopCounterMode(display=False) as counter:
        if task == "training":
            torch.autograd.backward(vae.train().loss(cine).loss)
        else:
            with torch.no_grad():
                vae.eval().decode(latent)
    return float(counter.get_total_flops())
