"""LPIPS from a local file of weights."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from cardionets_core.errors import ConfigError
from cardionets_mar3d.lpips import Lpips
from cardionets_mar3d.vae import Vae3d
from cardionets_mar3d.vae_config import Vae3dConfig

ENDS = (3, 8, 15, 22, 29)  # ReLU at the end of each block of VGG16
SHAPE = (2, 1, 3, 16, 16)


@pytest.fixture(scope="module")
def vgg():
    torch.manual_seed(0)
    return make_layers(cfgs["D"], batch_norm=False)


@pytest.fixture(scope="module")
def tensors(vgg):
    rng = torch.Generator().manual_seed(1)
    linear = {
        f"lin{place}.model.1.weight": torch.rand(1, channels, 1, 1, generator=rng)
        for place, channels in enumerate((64, 128, 256, 512, 512))
    }
    return {**{f"features.{name}": one for name, one in vgg.state_dict().items()}, **linear}


@pytest.fixture(scope="module")
def weights(tensors, tmp_path_factory):
    file = tmp_path_factory.mktemp("lpips") / "weights.safetensors"
    save_file(tensors, file)
    return file


@pytest.fixture(scope="module")
def lpips(weights):
    return Lpips(weights)


def draw(seed):
    return torch.rand(*SHAPE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@torch.no_grad()
def by_torchvision(vgg, tensors, cine, other):
    """The definition, frame by frame, through torchvision's own layers."""
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
    distances = []
    for frame, other_frame in zip(cine.flatten(0, 2), other.flatten(0, 2), strict=True):
        x, y = ((one.expand(1, 3, -1, -1) - shift) / scale for one in (frame, other_frame))
        total = 0.0
        for number, layer in enumerate(vgg[:30]):
            x, y = layer(x), layer(y)
            if number in ENDS:
                weight = tensors[f"lin{ENDS.index(number)}.model.1.weight"]
                unit_x, unit_y = (nn.functional.normalize(one, dim=1) for one in (x, y))
                total += (weight * (unit_x - unit_y) ** 2).sum(dim=1).mean().item()
        distances.append(total)
    return sum(distances) / len(distances)


def test_it_is_the_definition_through_torchvisions_layers(lpips, vgg, tensors):
    found = lpips(draw(0), draw(1)).item()
    assert found == pytest.approx(by_torchvision(vgg, tensors, draw(0), draw(1)), rel=1e-4)


def test_equal_cines_have_no_distance_and_a_finite_gradient(lpips):
    found = draw(0).requires_grad_()
    distance = lpips(draw(0), found)
    distance.backward()
    assert distance == 0
    assert torch.isfinite(found.grad).all()


def test_the_autoencoder_reads_the_named_file(weights):
    options = {"size": "tiny", "frame_step": 25, "spatial_pool": 2, "channels": 8, "groups": 2}
    model = Vae3d(Vae3dConfig(**options, perceptual="lpips", perceptual_weights=str(weights)))
    log = model.loss(torch.zeros(1, 1, 2, 48, 48)).log
    assert log["perceptual"] > 0
    assert not [name for name in model.state_dict() if "features" in name]


def test_no_file_is_named():
    with pytest.raises(ConfigError, match=r"none are named; set autoencoder\.perceptual_weights"):
        Lpips(None)


def test_the_file_is_missing(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read .*no\.safetensors.*perceptual_weights"):
        Lpips(tmp_path / "no.safetensors")


def test_the_file_is_something_else(tmp_path):
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"no weights at all")
    with pytest.raises(ConfigError, match="is no safetensors file"):
        Lpips(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, r"lack features\.0\.weight"),
        (
            {"features.0.weight": torch.zeros(64, 1, 3, 3)},
            r"is \(64, 1, 3, 3\), but \(64, 3, 3, 3\)",
        ),
    ],
)
def test_a_tensor_is_missing_or_of_another_shape(tmp_path, change, message):
    file = tmp_path / "x.safetensors"
    save_file({"other": torch.zeros(1), **change}, file)
    with pytest.raises(ConfigError, match=message):
        Lpips(file)
