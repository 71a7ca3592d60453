"""Reference vectors of the generator, tolerances, and a stand-in for the autoencoder."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import adaptive_avg_pool3d, interpolate

from cardionets_core.interfaces import Moments
from cardionets_mar3d.mar import Mar
from cardionets_mar3d.mar_config import MarConfig


class ReferenceSet:
    """One folder of stored vectors: its configuration, arrays and weights."""

    def __init__(self, folder):
        self.folder = folder

    def json(self, name):
        return json.loads((self.folder / name).read_text())

    def arrays(self, name):
        with np.load(self.folder / name) as stored:
            return {key: torch.from_numpy(stored[key]) for key in stored.files}

    def state(self, name):
        from safetensors.torch import load_file

        return load_file(self.folder / name)


@pytest.fixture(scope="session")
def mar_set():
    root = os.environ.get("CARDIONETS_REFERENCE")
    if not root:
        pytest.skip("CARDIONETS_REFERENCE is unset: no reference vectors to compare with")
    return ReferenceSet(Path(root) / "mar")


# Layers of the published class that none of its computations reads.
UNREAD = ("rep_embedder.", "decoder_pred.")


class Published:
    """What the published implementation calls our options and parameters."""

    @staticmethod
    def our_name(name):
        head = "diffloss."
        return "head." + name.removeprefix(head) if name.startswith(head) else f"transformer.{name}"

    def ours(self, state):
        return {self.our_name(key): one for key, one in state.items() if not key.startswith(UNREAD)}

    @staticmethod
    def options(made, **more):
        stride, (patch_frames, patch_size, _) = made["vae_stride"], made["patch_size"]
        return {
            "latent_channels": made.get("vae_embed_dim"),
            "latent_frames": made["img_size"][0] // stride[0],
            "latent_size": made["img_size"][1] // stride[1],
            "patch_frames": patch_frames, "patch_size": patch_size,
            "width": made["encoder_embed_dim"], "depth": made["encoder_depth"],
            "heads": made["encoder_num_heads"], "decoder_width": made["decoder_embed_dim"],
            "decoder_depth": made["decoder_depth"], "decoder_heads": made["decoder_num_heads"],
            "mlp_ratio": made["mlp_ratio"], "buffer_tokens": made["buffer_size"],
            "denoiser_width": made["diffloss_w"], "denoiser_depth": made["diffloss_d"], **more,
        }  # fmt: skip


@pytest.fixture(scope="session")
def published():
    return Published()


@pytest.fixture(scope="session")
def close():
    """Element by element within ``absolute + relative * |expected|``; the defaults are float64's.

    Vectors stored as float32 are rounded, which ``relative`` has to allow for.
    """

    def check(got, expected, absolute=1e-8, relative=1e-7):
        if expected.dtype == torch.float32:
            relative = max(relative, 1e-6)
        assert got.shape == expected.shape
        torch.testing.assert_close(
            got.detach().double(), expected.double(), atol=absolute, rtol=relative
        )

    return check


class PooledCine(torch.nn.Module):
    """An autoencoder that averages pixels; each channel of its latent holds the same numbers."""

    def __init__(self, latent_shape, scale=1.0):
        super().__init__()
        self.latent_shape, self.cine_shape = latent_shape, (10, 24, 24)
        self.register_buffer("latent_scale", torch.tensor(scale))

    def view(self, cine):
        return cine

    def restore(self, view):
        return view

    def encode(self, cine):
        channels, *size = self.latent_shape
        mean = adaptive_avg_pool3d(cine, size).expand(-1, channels, -1, -1, -1)
        return Moments(mean, torch.full_like(mean, -6.0))

    def decode(self, z):
        return interpolate(z.mean(dim=1, keepdim=True), self.cine_shape).clamp(-1, 1)


@pytest.fixture
def pooled_cine():
    return PooledCine


SMALL = {
    "width": 16, "depth": 2, "heads": 2, "decoder_width": 16, "decoder_depth": 2,
    "decoder_heads": 2, "denoiser_width": 24, "denoiser_depth": 2, "latent_channels": 2,
    "latent_frames": 4, "latent_size": 4, "patch_frames": 2, "patch_size": 2, "iterations": 4,
    "sample_steps": 5, "flow_steps": 3,
}  # fmt: skip


@pytest.fixture
def small_mar():
    """A small generator with its autoencoder, fitted to conditions, its denoiser not zero."""

    def build(*, kind=Mar, options=MarConfig, condition_dim=6, **given):
        torch.manual_seed(3)
        model = kind(options(**{**SMALL, **given}), condition_dim=condition_dim)
        with torch.no_grad():
            for parameter in model.head.parameters():
                parameter.add_(0.02 * torch.randn(parameter.shape))
        model.use(autoencoder=PooledCine(model.config.latent_shape))
        model.fit(torch.randn(20, condition_dim), [])
        return model.eval()

    return build
