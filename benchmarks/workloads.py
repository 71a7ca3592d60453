"""What is timed: the encoders under their presets, and one pass of each kind over random input."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import flops
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import cardionets_cmr_align
import cardionets_encoders
from cardionets_cmr_align.aligner import WeightedInfoNce
from cardionets_cmr_align.config import WeightedInfoNceConfig
from cardionets_core.train.align import AlignmentModel
from cardionets_encoders.config import StMemConfig, VitCmrConfig
from cardionets_encoders.stmem import StMem
from cardionets_encoders.vit_cmr import VitCmr

EncoderName = Literal["stmem", "vit-cmr"]
Task = Literal["inference", "training", "masked pre-training", "alignment step"]
TASKS: tuple[Task, ...] = ("inference", "training", "masked pre-training", "alignment step")
# Subjects whose made-up CMR features an aligner is fitted on.
FITTED_SUBJECTS = 256


@dataclass(frozen=True, slots=True)
class Precision:
    """How numbers are held and multiplied.

    Attributes:
        name: As printed.
        product: Type that matrix products are made in.
        autocast: Products in it by autocast, parameters in float32.
        parameters: Type of the parameters; another than float32 serves inference alone.
        tf32: Let CUDA round the factors of float32 products to 10 bits.
    """

    name: str
    product: torch.dtype
    autocast: bool = False
    parameters: torch.dtype = torch.float32
    tf32: bool = False

    def context(self, device: torch.device) -> AbstractContextManager[Any]:
        """Autocast for a forward pass, or nothing."""
        return torch.autocast(device.type, self.product) if self.autocast else nullcontext()

    def set_tf32(self) -> None:
        """Switch TF32 on or off for this process."""
        torch.set_float32_matmul_precision("high" if self.tf32 else "highest")


FLOAT32 = Precision("float32", torch.float32)
TF32 = Precision("TF32", torch.float32, tf32=True)
BF16 = Precision("bf16 autocast", torch.bfloat16, autocast=True)
BF16_WEIGHTS = Precision("bf16 weights", torch.bfloat16, parameters=torch.bfloat16)


@dataclass(frozen=True, slots=True)
class Workload:
    """One pass over one batch.

    Attributes:
        samples: Samples in the batch.
        flops: Operations of the pass over the batch.
        work: Runs it.
    """

    samples: int
    flops: float
    work: Callable[[], None]


def preset(package: Any, preset_name: str, component: str) -> dict[str, Any]:
    """Options of a component under a preset, read from the plugin's own file."""
    path = Path(package.__file__).parent / "presets" / f"{preset_name}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))[component]
    return {name: value for name, value in table.items() if not isinstance(value, dict)}


def stmem_config(size: str) -> StMemConfig:
    """Options of the ECG encoder: ``tiny`` is the preset, other sizes those of ``recommended``."""
    return StMemConfig(**_encoder_options("stmem", size))


def vit_cmr_config(size: str) -> VitCmrConfig:
    """Options of the cine encoder, likewise."""
    return VitCmrConfig(**_encoder_options("vit-cmr", size))


def encoder_config(name: EncoderName, size: str) -> StMemConfig | VitCmrConfig:
    """Options of either."""
    return stmem_config(size) if name == "stmem" else vit_cmr_config(size)


def _encoder_options(name: EncoderName, size: str) -> dict[str, Any]:
    chosen = "tiny" if size == "tiny" else "recommended"
    return {**preset(cardionets_encoders, chosen, name), "size": size}


def build_encoder(config: StMemConfig | VitCmrConfig) -> StMem | VitCmr:
    """An encoder with random weights, the same each time."""
    torch.manual_seed(0)
    return StMem(config) if isinstance(config, StMemConfig) else VitCmr(config)


def build_aligner(size: str, ecg_dim: int, cmr_dim: int) -> WeightedInfoNce:
    """A weighted InfoNCE aligner, fitted on random features."""
    name = "tiny" if size == "tiny" else "recommended"
    config = WeightedInfoNceConfig(**preset(cardionets_cmr_align, name, "weighted-infonce"))
    aligner = WeightedInfoNce(config, ecg_dim=ecg_dim, cmr_dim=cmr_dim)
    aligner.fit(torch.randn(FITTED_SUBJECTS, cmr_dim))
    return aligner


def random_input(config: StMemConfig | VitCmrConfig, batch: int, device: torch.device) -> Tensor:
    """Standard normal ECGs, or uniform views of cines."""
    if isinstance(config, StMemConfig):
        return torch.randn(batch, len(config.leads), config.num_samples, device=device)
    side = config.view_size
    return torch.rand(batch, config.view_frames, side, side, device=device) * 2 - 1


def make_workload(
    name: EncoderName,
    size: str,
    task: Task,
    *,
    batch: int,
    precision: Precision,
    device: torch.device,
    compiled: bool = False,
) -> Workload:
    """Build the model and its input, and say what one pass costs."""
    precision.set_tf32()
    config = encoder_config(name, size)
    encoder = build_encoder(config)
    x = random_input(config, batch, device).to(precision.parameters)
    module, run = _MAKERS[task](encoder, size, x, precision)
    if compiled:
        module.compile()
    return Workload(batch, batch * flops_per_sample(name, size, task, batch), run)


def flops_per_sample(name: EncoderName, size: str, task: Task, batch: int) -> float:
    """Operations of one sample, by formula."""
    if name == "stmem":
        ecg = stmem_config(size)
        encoder, pretext = flops.stmem(ecg), flops.stmem_pretext(ecg)
    else:
        cmr = vit_cmr_config(size)
        encoder, pretext = flops.vit_cmr(cmr), flops.vit_cmr_pretext(cmr)
    if task == "inference":
        return encoder.forward
    if task == "training":
        return encoder.training
    if task == "masked pre-training":
        return pretext.training
    return _alignment_flops(encoder, size, batch)


def _alignment_flops(encoder: flops.Flops, size: str, batch: int) -> float:
    ecg_dim, cmr_dim = stmem_config(size).width, cmr_feature_width(size)
    aligner = build_aligner(size, ecg_dim, cmr_dim)
    return flops.alignment(
        encoder,
        batch=batch,
        ecg_dim=ecg_dim,
        cmr_dim=cmr_dim,
        shared=aligner.config.projection_dim,
        components=len(aligner.pca_components),
    )


def cmr_feature_width(size: str) -> int:
    """Width of the feature of the CMR encoder that goes with an ECG encoder of this size."""
    with torch.device("meta"):
        return build_encoder(vit_cmr_config(size)).pooled_dim


def counted_flops(name: EncoderName, size: str, task: Task, batch: int) -> float:
    """Operations of one sample as torch counts them while the pass runs."""
    config = encoder_config(name, size)
    # Tensors without content cost nothing; an aligner needs some, for the numbers of its log.
    device = torch.device("cpu" if task == "alignment step" else "meta")
    with device:
        encoder = build_encoder(config)
    _, run = _MAKERS[task](encoder, size, random_input(config, batch, device), FLOAT32)
    # Fused attention computes again in its backward pass what the formulas count once.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops() / batch)


Run = tuple[nn.Module, Callable[[], None]]


def _inference(encoder: Any, size: str, x: Tensor, precision: Precision) -> Run:
    encoder.to(x.device, precision.parameters).eval()

    @torch.no_grad()
    def run() -> None:
        with precision.context(x.device):
            encoder(x)

    return encoder, run


def _training(encoder: Any, size: str, x: Tensor, precision: Precision) -> Run:
    encoder.to(x.device)
    direction = torch.randn(len(x), encoder.pooled_dim, device=x.device)

    def run() -> None:
        with precision.context(x.device):
            pooled = encoder(x).pooled
        torch.autograd.backward((pooled.float() * direction).sum())
        encoder.zero_grad()

    return encoder, run


def _pretraining(encoder: Any, size: str, x: Tensor, precision: Precision) -> Run:
    model = encoder.pretext().to(x.device)

    def run() -> None:
        with precision.context(x.device):
            loss = model(x).loss
        torch.autograd.backward(loss)
        model.zero_grad()

    return model, run


def _alignment(encoder: Any, size: str, x: Tensor, precision: Precision) -> Run:
    """A whole step: forward with loss and log, backward, AdamW."""
    cmr_dim = cmr_feature_width(size)
    aligner = build_aligner(size, encoder.pooled_dim, cmr_dim)
    model = AlignmentModel(encoder, aligner).to(x.device)
    cmr = torch.randn(len(x), cmr_dim, device=x.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)

    def run() -> None:
        with precision.context(x.device):
            loss = model(x, cmr).loss
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()

    return model, run


_MAKERS: dict[Task, Callable[[Any, str, Tensor, Precision], Run]] = {
    "inference": _inference,
    "training": _training,
    "masked pre-training": _pretraining,
    "alignment step": _alignment,
}
