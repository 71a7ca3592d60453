"""Published ST-MEM weights under the names of this toolkit's ``stmem``.

The published weights are for non-commercial use only: CC BY-NC 4.0. Whatever is trained from them
inherits that.

Source: Na et al., ICLR 2024; names and shapes of the checkpoints of bakqui/ST-MEM at 69ec702.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.errors import WeightsError

# Whatever its width, the reference gives every head 64 features.
_HEAD_DIM = 64
_RATE_HZ = 250

_BLOCK_PARTS = {
    "attn.norm": "attention_norm",
    "attn.fn.to_qkv": "attention.qkv",
    "attn.fn.to_out.0": "attention.project",
    "ff.norm": "mlp_norm",
    "ff.fn.net.0": "mlp.expand",
    "ff.fn.net.3": "mlp.contract",
}
_LAYERS = {
    "to_patch_embedding.1": "patch_embedding.norm_samples",
    "to_patch_embedding.2": "patch_embedding.project",
    "to_patch_embedding.3": "patch_embedding.norm_tokens",
    "norm": "norm",
}
_DECODER_LAYERS = {
    "to_decoder_embedding": "embed",
    "decoder_norm": "norm",
    "decoder_head": "project",
}
_BLOCK = re.compile(r"block(\d+)\.(.+)\.(weight|bias)")
_DECODER_BLOCK = re.compile(r"decoder_blocks\.(\d+)\.(.+)\.(weight|bias)")
_LEAD = re.compile(r"lead_embeddings\.(\d+)")


@dataclass(frozen=True, slots=True, eq=False)
class StMemWeights:
    """A converted checkpoint.

    Attributes:
        encoder: State of ``StMem``.
        decoder: State of the pre-training decoder, empty if the checkpoint holds none.
        config: Options of ``stmem`` that follow from the shapes.
        dropped: Names in the checkpoint that are not used: heads and second copies.
    """

    encoder: dict[str, Tensor]
    decoder: dict[str, Tensor]
    config: dict[str, Any]
    dropped: tuple[str, ...]


def convert_st_mem(
    state: Mapping[str, Tensor], leads: Sequence[str] = CANONICAL_LEADS
) -> dict[str, Tensor]:
    """State of ``StMem`` from an ST-MEM checkpoint; see ``read_st_mem``."""
    return read_st_mem(state, leads).encoder


def read_st_mem(
    state: Mapping[str, Tensor], leads: Sequence[str] = CANONICAL_LEADS
) -> StMemWeights:
    """Convert an encoder-only, a fine-tuned or a full pre-training checkpoint.

    Args:
        state: Tensors under ST-MEM's names, with or without the ``module.`` of data parallelism.
        leads: Leads that its lead embeddings stand for, in order; the file does not say.

    Returns:
        Tensors under this toolkit's names, and what their shapes say about the options.

    Raises:
        WeightsError: If a name is missing or unknown, or the shapes contradict each other.
    """
    names = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    dropped = {name for name in names if name.startswith("head.")}
    if any(name.startswith("encoder.") for name in names):
        dropped |= _second_copies(names)
        rest = {name: tensor for name, tensor in names.items() if name not in dropped}
        encoder = {
            n.removeprefix("encoder."): t for n, t in rest.items() if n.startswith("encoder.")
        }
        decoder = {n: t for n, t in rest.items() if not n.startswith("encoder.")}
    else:
        encoder = {name: tensor for name, tensor in names.items() if name not in dropped}
        decoder = {}
    converted = _convert_encoder(encoder, leads)
    converted_decoder = _convert_decoder(decoder) if decoder else {}
    shapes = {**_encoder_config(converted), **_decoder_config(converted_decoder)}
    config = {**shapes, "leads": tuple(leads)}
    return StMemWeights(converted, converted_decoder, config, tuple(sorted(dropped)))


def _second_copies(names: Mapping[str, Tensor]) -> set[str]:
    """Full checkpoints hold the patch embedding once more outside the encoder: the same module."""
    copies = {name for name in names if name.startswith("to_patch_embedding.")}
    for name in copies:
        original = names.get(f"encoder.{name}")
        if original is None or not torch.equal(original, names[name]):
            raise WeightsError(
                f"{name} differs from encoder.{name}, but ST-MEM has one patch embedding under "
                "both names; the checkpoint was altered, fetch it anew"
            )
    return copies


def _convert_encoder(state: Mapping[str, Tensor], leads: Sequence[str]) -> dict[str, Tensor]:
    """Rename the encoder's tensors; every one has to be known."""
    converted: dict[str, Tensor] = {}
    vectors: dict[int, Tensor] = {}
    for name, tensor in state.items():
        if lead := _LEAD.fullmatch(name):
            vectors[int(lead[1])] = tensor
        elif name == "pos_embedding":
            converted["position_table"] = tensor[0]
        elif name == "sep_embedding":
            converted["separator"] = tensor
        else:
            converted[_renamed(name, _LAYERS, _BLOCK)] = tensor
    if sorted(vectors) != list(range(len(leads))):
        raise WeightsError(
            f"{len(vectors)} lead embeddings found, one each for {', '.join(leads)} is needed; "
            "give a 12-lead ST-MEM checkpoint"
        )
    converted["lead_embedding"] = torch.stack([vectors[index] for index in range(len(leads))])
    return converted


def _convert_decoder(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the pre-training decoder's tensors; every one has to be known."""
    converted: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name == "mask_embedding":
            converted["mask_token"] = tensor.flatten()
        elif name == "decoder_pos_embed":
            converted["position_table"] = tensor[0]
        else:
            converted[_renamed(name, _DECODER_LAYERS, _DECODER_BLOCK)] = tensor
    return converted


def _renamed(name: str, layers: Mapping[str, str], block: re.Pattern[str]) -> str:
    """Our name of a layer's or block's weight or bias."""
    if found := block.fullmatch(name):
        index, part, kind = found.groups()
        if part in _BLOCK_PARTS:
            return f"blocks.{index}.{_BLOCK_PARTS[part]}.{kind}"
    layer, _, kind = name.rpartition(".")
    if layer in layers:
        return f"{layers[layer]}.{kind}"
    raise WeightsError(f"tensor {name!r} is none of ST-MEM's; give an ST-MEM ViT checkpoint")


def _encoder_config(encoder: Mapping[str, Tensor]) -> dict[str, Any]:
    """Options that follow from the encoder's shapes."""
    patches = _shape(encoder, "position_table")[0] - 2
    width, patch = _shape(encoder, "patch_embedding.project.weight")
    heads, head_dim = _heads(encoder, width)
    return {
        "width": width,
        "depth": _depth(encoder),
        "heads": heads,
        "head_dim": head_dim,
        "mlp_ratio": _shape(encoder, "blocks.0.mlp.expand.weight")[0] / width,
        "patch_samples": patch,
        "num_samples": patches * patch,
        "sampling_rate_hz": _RATE_HZ,
    }


def _decoder_config(decoder: Mapping[str, Tensor]) -> dict[str, Any]:
    """Options that follow from the decoder's shapes, none without one."""
    if not decoder:
        return {}
    width = _shape(decoder, "embed.weight")[0]
    heads, head_dim = _heads(decoder, width)
    return {
        "decoder_width": width,
        "decoder_depth": _depth(decoder),
        "decoder_heads": heads,
        "decoder_head_dim": head_dim,
    }


def _heads(part: Mapping[str, Tensor], width: int) -> tuple[int, int]:
    """Heads and their width; without an output projection there is one, as wide as a token."""
    inner = _shape(part, "blocks.0.attention.qkv.weight")[0] // 3
    single = "blocks.0.attention.project.weight" not in part
    if inner % _HEAD_DIM or (single and not inner == width == _HEAD_DIM):
        raise WeightsError(
            f"attention is {inner} wide on tokens of {width}, but ST-MEM's heads are {_HEAD_DIM} "
            "wide each; give an ST-MEM ViT checkpoint"
        )
    return inner // _HEAD_DIM, _HEAD_DIM


def _depth(part: Mapping[str, Tensor]) -> int:
    """Number of blocks; that none is missing in between shows when the state is loaded."""
    return 1 + max(int(name.split(".")[1]) for name in part if name.startswith("blocks."))


def _shape(part: Mapping[str, Tensor], name: str) -> torch.Size:
    """Shape of a tensor that every ST-MEM checkpoint has."""
    if name not in part:
        raise WeightsError(f"no tensor for {name!r}; give a complete ST-MEM ViT checkpoint")
    return part[name].shape
