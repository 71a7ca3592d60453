"""LPIPS with VGG16: how far apart two pictures are to a network trained on photographs.

Source: Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric".
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, relu

from cardionets_core.errors import ConfigError

# Number of each convolution in torchvision's ``vgg16().features``, and its channels; blocks are
# halved in between, and compared at their ends.
_BLOCKS: tuple[tuple[tuple[int, int], ...], ...] = (
    ((0, 64), (2, 64)),
    ((5, 128), (7, 128)),
    ((10, 256), (12, 256), (14, 256)),
    ((17, 512), (19, 512), (21, 512)),
    ((24, 512), (26, 512), (28, 512)),
)
_REMEDY = (
    "set autoencoder.perceptual_weights to a safetensors file made of torchvision's VGG16 and the "
    "LPIPS weights as the documentation of vae3d says, or autoencoder.perceptual to cmr-encoder "
    "or none"
)


class Lpips:
    """LPIPS of cines, frame by frame, grey in all three colours.

    The weights come from one local safetensors file that holds, under their own names, the
    convolutions of torchvision's VGG16 (``features.0.weight``, ``features.0.bias``, ...) and the
    linear weights of LPIPS 0.1 (``lin0.model.1.weight`` to ``lin4.model.1.weight``, each
    (1, C, 1, 1)). Both are published as state dicts; putting them into one file is::

        import torch
        from safetensors.torch import save_file

        vgg = torch.load("vgg16-397923af.pth", weights_only=True)  # torchvision
        linear = torch.load("vgg.pth", weights_only=True)  # lpips, weights/v0.1
        features = {name: t for name, t in vgg.items() if name.startswith("features.")}
        save_file({**features, **linear}, "lpips-vgg16.safetensors")

    Args:
        file: That file.

    Raises:
        ConfigError: If it is missing, no safetensors file, or lacks a tensor.
    """

    def __init__(self, file: str | Path | None) -> None:
        tensors = _read(file)
        self._weights = {name: _of_shape(tensors, name, shape) for name, shape in _shapes().items()}

    def __call__(self, cine: Tensor, reconstruction: Tensor) -> Tensor:
        """Mean distance of the frames of two cines (B, 1, T, H, W) in [-1, 1]."""
        self._weights = {name: tensor.to(cine.device) for name, tensor in self._weights.items()}
        with torch.no_grad():
            wanted = self._features(cine)
        found = self._features(reconstruction)
        each = [
            conv2d((a - b).square(), self._weights[_linear(place)]).mean()
            for place, (a, b) in enumerate(zip(wanted, found, strict=True))
        ]
        return torch.stack(each).sum()

    def _features(self, cine: Tensor) -> list[Tensor]:
        """Activations at the end of each block, at length 1 over the channels."""
        x = _as_photographs(cine)
        features = []
        for place, block in enumerate(_BLOCKS):
            x = max_pool2d(x, 2) if place else x
            for number, _ in block:
                weight, bias = _convolution(number)
                x = relu(conv2d(x, self._weights[weight], self._weights[bias], padding=1))
            # vector_norm has a gradient where all channels are 0.
            length = torch.linalg.vector_norm(x.float(), dim=1, keepdim=True)
            features.append(x.float() / (length + 1e-10))
        return features


def _as_photographs(cine: Tensor) -> Tensor:
    """Frames of (B, 1, T, H, W) in [-1, 1] as (B T, 3, H, W), standardised as photographs are."""
    frames = cine.transpose(1, 2).flatten(0, 1)
    shift = frames.new_tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)
    scale = frames.new_tensor([0.458, 0.448, 0.450]).view(3, 1, 1)
    return (frames - shift) / scale


def _convolution(number: int) -> tuple[str, str]:
    return f"features.{number}.weight", f"features.{number}.bias"


def _linear(place: int) -> str:
    return f"lin{place}.model.1.weight"


def _shapes() -> dict[str, tuple[int, ...]]:
    """Every tensor that is needed."""
    shapes: dict[str, tuple[int, ...]] = {}
    before = 3
    for place, block in enumerate(_BLOCKS):
        for number, channels in block:
            weight, bias = _convolution(number)
            shapes[weight], shapes[bias] = (channels, before, 3, 3), (channels,)
            before = channels
        shapes[_linear(place)] = (1, before, 1, 1)
    return shapes


def _read(file: str | Path | None) -> dict[str, Tensor]:
    if file is None:
        raise ConfigError(f"perceptual=lpips needs weights, and none are named; {_REMEDY}")
    try:
        return load_file(file)
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror or error}; {_REMEDY}") from error
    except SafetensorError as error:
        raise ConfigError(f"{file} is no safetensors file ({error}); {_REMEDY}") from error


def _of_shape(tensors: dict[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    if name not in tensors:
        raise ConfigError(f"the LPIPS weights lack {name}; {_REMEDY}")
    found = tuple(tensors[name].shape)
    if found != shape:
        raise ConfigError(
            f"{name} of the LPIPS weights is {found}, but {shape} is needed; {_REMEDY}"
        )
    return tensors[name].float()
