"""The autoencoder against the published one: shapes and parameter counts, stage by stage."""

import json
import os
import re
from pathlib import Path

import pytest
import torch

from cardionets_mar3d.discriminator import PatchDiscriminator
from cardionets_mar3d.vae import Vae3d
from cardionets_mar3d.vae_config import Vae3dConfig

pytestmark = pytest.mark.parity("vae3d")

OURS = {
    "quant_conv": "to_moments",
    "post_quant_conv": "from_latent",
    r"(\w+)\.mid\.block_1": r"\1.middle.0",
    r"(\w+)\.mid\.attn_1": r"\1.middle.1",
    r"(\w+)\.mid\.block_2": r"\1.middle.2",
    r"encoder\.down\.(\d)\.block\.(\d)": r"encoder.levels.\1.\2",
    r"encoder\.down\.(\d)\.downsample": r"encoder.downsamples.\1",
}


@pytest.fixture(scope="module")
def counted():
    root = os.environ.get("CARDIONETS_REFERENCE")
    if not root:
        pytest.skip("CARDIONETS_REFERENCE is unset: no reference counts to compare with")
    return json.loads((Path(root) / "vae3d" / "parameter_counts.json").read_text())


def our_name(stage, last_level, blocks):
    """The decoder's levels are counted from the other end, its blocks in two halves."""
    up = re.fullmatch(r"decoder\.up\.(\d)\.(?:block_(\d)\.(\d)|upsample)", stage)
    if up is None:
        for theirs, ours in OURS.items():
            stage = re.sub(f"^{theirs}$", ours, stage)
        return stage
    level, half, place = up.groups()
    if half is None:
        return f"decoder.upsamples.{last_level - int(level)}"
    return f"decoder.levels.{last_level - int(level)}.{(int(half) - 1) * blocks + int(place)}"


def build(variant):
    _, frames, side, _ = variant["input"]
    with torch.device("meta"):
        return Vae3d(
            Vae3dConfig(
                frame_step=50 // frames,
                spatial_pool=96 // side,
                channels=variant["ch"],
                multipliers=variant["ch_mult"],
                encoder_blocks=variant["num_res_blocks"],
                decoder_blocks=2 * variant["num_res_blocks"],
                time_halvings=variant["f_t_exponent"],
                latent_channels=variant["z_channels"],
            )
        )


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_every_variant_has_as_many_parameters(counted):
    for variant in counted["variants"]:
        model = build(variant)
        assert parameters(model.encoder) == variant["encoder"]
        assert parameters(model.decoder) == variant["decoder"]
        assert parameters(model.to_moments) == variant["quant_conv"]
        assert parameters(model.from_latent) == variant["post_quant_conv"]
        assert parameters(model) == variant["autoencoder_total"]


def test_the_discriminator_has_as_many_parameters(counted):
    with torch.device("meta"):
        found = parameters(PatchDiscriminator())
    assert all(found == variant["discriminator"] for variant in counted["variants"])


def test_latents_and_cines_have_the_shapes_of_every_variant(counted):
    for variant in counted["variants"]:
        model = build(variant)
        cine = torch.empty(1, *variant["input"], device="meta")
        assert list(model.to_moments(model.encoder(cine)).shape[1:]) == variant["moments_shape"]
        mean = model.encode(cine).mean
        assert list(mean.shape[1:]) == variant["latent_mean_shape"] == list(model.latent_shape)
        assert list(model.decode(mean).shape[1:]) == variant["output_shape"]


def test_every_stage_has_its_shapes_and_parameters(counted):
    variant = counted["variants"][0]
    model = build(variant)
    modules, seen = dict(model.named_modules()), {}
    names = {
        row["stage"]: our_name(row["stage"], len(variant["ch_mult"]) - 1, variant["num_res_blocks"])
        for row in counted["published_size_by_stage"]
    }
    for name in names.values():
        modules[name].register_forward_hook(
            lambda _, given, result, name=name: seen.update(
                {name: (list(given[0].shape[1:]), list(result.shape[1:]))}
            )
        )
    model.decode(model.encode(torch.empty(1, *variant["input"], device="meta")).mean)
    for row in counted["published_size_by_stage"]:
        name = names[row["stage"]]
        assert seen[name] == (row["input"], row["output"]), row["stage"]
        assert parameters(modules[name]) == row["parameters"], row["stage"]
