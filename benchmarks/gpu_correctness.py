"""Encoders, pre-training and alignment against the same in float64 on the CPU, at small sizes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from gpu_bench import Bench, Row
from torch import Tensor, nn
from workloads import BF16, FLOAT32, TF32, Precision

from cardionets_cmr_align.aligner import WeightedInfoNce
from cardionets_cmr_align.config import WeightedInfoNceConfig
from cardionets_core.train.align import AlignmentModel
from cardionets_encoders.config import StMemConfig, VitCmrConfig
from cardionets_encoders.stmem import StMem
from cardionets_encoders.vit_cmr import VitCmr

BATCH = 16
STMEM = StMemConfig(
    size="tiny", patch_samples=25, num_samples=250, sampling_rate_hz=100, mask_ratio=0.5
)
VIT_CMR = VitCmrConfig(size="tiny", image_size=32, frames=10, patch=8)
# Largest relative error (Euclidean, over all numbers of a result) of values and of gradients. bf16
# keeps 8 bits and TF32 11, and errors of some hundred products add up.
TOLERANCE = {
    FLOAT32.name: (1e-5, 1e-4),
    TF32.name: (3e-3, 1e-2),
    BF16.name: (2e-2, 6e-2),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A computation to be compared.

    Attributes:
        name: As printed.
        module: In float32 on the CPU.
        inputs: Its arguments; numbers are given in its own type.
        scalar: What is differentiated, of what the module returns.
        values: What is compared besides.
    """

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    scalar: Callable[[Any], Tensor]
    values: Callable[[Any], Tensor]


def cases() -> Iterator[Case]:
    """Every computation, from fixed seeds."""
    torch.manual_seed(0)
    ecg = torch.randn(BATCH, 12, STMEM.num_samples)
    cine = torch.rand(BATCH, VIT_CMR.frames, VIT_CMR.image_size, VIT_CMR.image_size) * 2 - 1
    mask = torch.rand(BATCH, 12) > 0.3
    mask[:, 0] = True
    stmem, vit = StMem(STMEM), VitCmr(VIT_CMR)
    yield _encoder_case("stmem", stmem, {"x": ecg})
    yield _encoder_case("stmem, leads missing", stmem, {"x": ecg, "lead_mask": mask})
    yield _encoder_case("vit-cmr", vit, {"x": cine})
    for name, encoder, x in (("stmem", stmem, ecg), ("vit-cmr", vit, cine)):
        model = copy.deepcopy(encoder).pretext()
        yield _loss_case(
            f"{name} masked pre-training",
            model,
            {"x": x, "noise": torch.rand(model.noise_shape(x))},
        )
    aligner = WeightedInfoNce(WeightedInfoNceConfig(), ecg_dim=STMEM.width, cmr_dim=VIT_CMR.width)
    cmr = torch.randn(BATCH, VIT_CMR.width)
    aligner.fit(cmr)
    yield _loss_case("alignment", AlignmentModel(stmem, aligner), {"x": ecg, "cmr": cmr})


def _encoder_case(name: str, encoder: StMem | VitCmr, inputs: dict[str, Tensor]) -> Case:
    direction = torch.randn(BATCH, encoder.pooled_dim).double()

    def scalar(features: Any) -> Tensor:
        return (features.pooled.double() * direction.to(features.pooled.device)).sum()

    def values(features: Any) -> Tensor:
        return torch.cat((features.pooled.flatten(), features.tokens.flatten()))

    return Case(name, encoder, inputs, scalar, values)


def _loss_case(name: str, module: nn.Module, inputs: dict[str, Tensor]) -> Case:
    return Case(name, module, inputs, lambda result: result.loss, lambda result: result.loss)


def evaluate(
    case: Case, precision: Precision | None, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Values and gradients in float64 on the CPU; without a precision, computed in it as well."""
    module = copy.deepcopy(case.module).to(device)
    inputs = {name: tensor.to(device) for name, tensor in case.inputs.items()}
    if precision is None:
        module.double()
        inputs = {n: t.double() if t.is_floating_point() else t for n, t in inputs.items()}
        result = module(**inputs)
    else:
        precision.set_tf32()
        with precision.context(device):
            result = module(**inputs)
    torch.autograd.backward(case.scalar(result))
    gradients = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
    return _exact(case.values(result).flatten()), _exact(torch.cat(gradients))


def _exact(tensor: Tensor) -> Tensor:
    return tensor.detach().double().cpu()


def relative_error(got: Tensor, expected: Tensor) -> float:
    """Length of the difference over the length of what is expected."""
    return float((got - expected).norm() / expected.norm())


def rows(bench: Bench) -> Iterator[Row]:
    """One row per computation and precision."""
    precisions = (FLOAT32, TF32, BF16) if bench.cuda else (FLOAT32, BF16)
    for case in cases():
        values, gradients = evaluate(case, None, torch.device("cpu"))
        for precision in precisions:
            got_values, got_gradients = evaluate(case, precision, bench.device)
            value_error = relative_error(got_values, values)
            gradient_error = relative_error(got_gradients, gradients)
            for_values, for_gradients = TOLERANCE[precision.name]
            yield {
                "computation": case.name,
                "precision": precision.name,
                "value_error": value_error,
                "value_tolerance": for_values,
                "gradient_error": gradient_error,
                "gradient_tolerance": for_gradients,
                "passed": value_error <= for_values and gradient_error <= for_gradients,
            }
