"""Autoencoder and generator: against float64 on the CPU at small sizes, and how fast they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from generation_flops import generation, training
from generation_models import build_mar, build_vae, vae_flops
from gpu_bench import Bench, Row
from gpu_correctness import TOLERANCE, Case, evaluate, relative_error
from gpu_throughput import measured
from torch import Tensor, nn
from workloads import BF16, FLOAT32, TF32, Precision, Workload

from cardionets_mar3d.mar import Mar, MarNoise
from cardionets_mar3d.sampling import RecordNoise

CPU = torch.device("cpu")
SAMPLERS = ("diffusion", "flow")
# Largest relative error of latents that are drawn: errors of all steps and iterations add up.
SAMPLING_TOLERANCE = {FLOAT32.name: 1e-3, TF32.name: 3e-2, BF16.name: 1e-1}
HIDDEN_PART = 0.87


class LossOf(nn.Module):
    """A generator's loss with everything that is random given."""

    def __init__(self, model: Mar, hidden: int) -> None:
        super().__init__()
        self.model, self.hidden = model, hidden

    def forward(self, target: Tensor, condition: Tensor, **drawn: Tensor) -> Any:
        """Loss of targets (B, 2C, t, h, w) given conditions (B, C)."""
        noise = MarNoise(hidden=self.hidden, **drawn)
        return self.model.loss(target, condition, noise=noise)


def loss_inputs(model: Mar, batch: int) -> tuple[int, dict[str, Tensor]]:
    """Hidden tokens, and made-up arguments of ``LossOf``."""
    drawn = model.draw_noise(batch, CPU)
    hidden = round(HIDDEN_PART * model.grid.tokens)
    names = ("latent", "orders", "drop", "time", "token")
    inputs = {name: getattr(drawn, name) for name in names}
    inputs["target"] = torch.randn(batch, 2 * model.config.latent_channels, *drawn.latent.shape[2:])
    inputs["condition"] = torch.randn(batch, model.scaler.width)
    return hidden, inputs


class Decoded(nn.Module):
    """An autoencoder's cine of a latent and moments of a cine."""

    def __init__(self, vae: nn.Module) -> None:
        super().__init__()
        self.vae: Any = vae

    def forward(self, cine: Tensor, latent: Tensor) -> Tensor:
        """All numbers in a row."""
        moments = self.vae.encode(cine)
        return torch.cat([part.flatten() for part in (*moments, self.vae.decode(latent))])


def loss_cases() -> Iterator[Case]:
    """Every computation that is differentiated, from fixed seeds."""
    vae = build_vae("tiny", CPU)
    cine = torch.rand(2, 1, *vae.cine_shape) * 2 - 1
    inputs = {"cine": cine, "latent": torch.randn(2, *vae.latent_shape)}
    # Where its output is not clamped, so that every number has a gradient.
    vae.train()
    yield Case("vae3d", Decoded(vae), inputs, lambda row: row.square().mean(), lambda row: row)
    for sampler in SAMPLERS:
        model = build_mar("tiny", sampler, 1, CPU)
        hidden, inputs = loss_inputs(model, 8)
        module = LossOf(model, hidden)
        yield Case(f"mar loss, {sampler}", module, inputs, _loss, _loss)


def _loss(result: Any) -> Tensor:
    return result.loss


def correctness(bench: Bench) -> Iterator[Row]:
    """One row per computation and precision."""
    precisions = (FLOAT32, TF32, BF16) if bench.cuda else (FLOAT32, BF16)
    for case in loss_cases():
        values, gradients = evaluate(case, None, CPU)
        for precision in precisions:
            got_values, got_gradients = evaluate(case, precision, bench.device)
            errors = relative_error(got_values, values), relative_error(got_gradients, gradients)
            yield _judged(case.name, precision, errors, TOLERANCE[precision.name])
    for sampler in SAMPLERS:
        expected = _drawn(build_mar("tiny", sampler, 1, CPU, **FEW).double())
        for precision in precisions:
            precision.set_tf32()
            asked = "bf16" if precision is BF16 else "32"
            model = build_mar("tiny", sampler, 1, bench.device, **FEW, sampling_precision=asked)
            error = relative_error(_drawn(model), expected)
            tolerance = (SAMPLING_TOLERANCE[precision.name], None)
            yield _judged(f"mar sampling, {sampler}", precision, (error, None), tolerance)


# Steps in which random weights do not yet explode.
FEW = {"sample_steps": 10, "flow_steps": 4, "guidance": 2.0}


@torch.no_grad()
def _drawn(model: Mar) -> Tensor:
    """Latents of a few conditions, in float64 on the CPU."""
    device, grid = model.latent_scale.device, model.grid
    rng = torch.Generator().manual_seed(1)
    condition = torch.randn(3, model.config.width, generator=rng).to(model.latent_scale)
    noise = RecordNoise(range(3), grid.tokens, grid.token_dim, device)
    return model.generate(condition, noise, guidance=model.config.guidance).double().cpu()


def _judged(
    name: str,
    precision: Precision,
    errors: tuple[float, float | None],
    tolerance: tuple[float, float | None],
) -> Row:
    return {
        "computation": name,
        "precision": precision.name,
        "value_error": errors[0],
        "value_tolerance": tolerance[0],
        "gradient_error": errors[1],
        "gradient_tolerance": tolerance[1],
        "passed": all(
            error is None or limit is None or error <= limit
            for error, limit in zip(errors, tolerance, strict=True)
        ),
    }


@dataclass(frozen=True, slots=True)
class Timed:
    """One pass to be timed.

    Attributes:
        what: As printed.
        size: Of the model.
        batch: Samples a pass.
        make: Builds the pass.
        compiled: With ``torch.compile``.
    """

    what: str
    size: str
    batch: int
    make: Callable[[Timed, Precision, torch.device], Workload]
    compiled: bool = False


def _vae_training(case: Timed, precision: Precision, device: torch.device) -> Workload:
    vae = build_vae(case.size, device).train()
    cine = torch.rand(case.batch, 1, *vae.cine_shape, device=device) * 2 - 1

    def run() -> None:
        with precision.context(device):
            loss = vae.loss(cine).loss
        torch.autograd.backward(loss)
        vae.zero_grad()

    return Workload(case.batch, case.batch * vae_flops(case.size, "training"), run)


def _vae_decoding(case: Timed, precision: Precision, device: torch.device) -> Workload:
    vae = build_vae(case.size, device)
    latent = torch.randn(case.batch, *vae.latent_shape, device=device)

    @torch.no_grad()
    def run() -> None:
        with precision.context(device):
            vae.decode(latent)

    return Workload(case.batch, case.batch * vae_flops(case.size, "decoding"), run)


def _mar_training(sampler: str) -> Callable[[Timed, Precision, torch.device], Workload]:
    def make(case: Timed, precision: Precision, device: torch.device) -> Workload:
        model = build_mar(case.size, sampler, 1, device).train()
        hidden, inputs = loss_inputs(model, case.batch)
        inputs = {name: one.to(device) for name, one in inputs.items()}
        module = LossOf(model, hidden)
        if case.compiled:
            module.compile()

        def run() -> None:
            with precision.context(device):
                loss = module(**inputs).loss
            torch.autograd.backward(loss)
            module.zero_grad()

        return Workload(case.batch, case.batch * training(model.config, hidden), run)

    return make


def _mar_sampling(
    sampler: str, guidance: float
) -> Callable[[Timed, Precision, torch.device], Workload]:
    def make(case: Timed, precision: Precision, device: torch.device) -> Workload:
        asked = "bf16" if precision is BF16 else "32"
        model = build_mar(case.size, sampler, 1, device, sampling_precision=asked)
        condition = torch.randn(case.batch, model.config.width, device=device)
        tokens, token_dim = model.grid.tokens, model.grid.token_dim

        def run() -> None:
            noise = RecordNoise(range(case.batch), tokens, token_dim, device)
            model.generate(condition, noise, guidance=guidance)

        flops = generation(model.config, guided=guidance != 1.0).total
        return Workload(case.batch, case.batch * flops, run)

    return make


def _timed_cases(*, full: bool) -> Iterator[Timed]:
    size, many = ("base", 64) if full else ("tiny", 2)
    yield Timed("vae3d training", size, 4 if full else 1, _vae_training)
    yield Timed("vae3d decoding", size, 8 if full else 1, _vae_decoding)
    for sampler in SAMPLERS:
        yield Timed(f"mar training, {sampler}", size, many, _mar_training(sampler))
        for guidance in (1.0, 3.0):
            what = f"mar sampling, {sampler}, guidance {guidance:g}"
            yield Timed(what, size, many, _mar_sampling(sampler, guidance))
    if full:
        # Compiling takes longer than measuring, so only what a long run consists of is compiled.
        yield Timed("mar training, diffusion", size, many, _mar_training("diffusion"), True)


def speed(bench: Bench) -> Iterator[Row]:
    """Every pass in float32 and bf16."""
    full = bench.cuda and not bench.quick
    for case in _timed_cases(full=full):
        for precision in (BF16,) if case.compiled else (FLOAT32, BF16):
            if bench.time_left():
                yield _timed(bench, case, precision)


def _timed(bench: Bench, case: Timed, precision: Precision) -> Row:
    bench.forget()
    precision.set_tf32()
    row: Row = {
        "what": f"{case.what}, {case.size}",
        "batch": case.batch,
        "precision": precision.name,
        "compiled": case.compiled,
        "samples_per_s": None,
        "tflops": None,
        "mfu": None,
        "of_product": None,
        "peak_memory_gib": None,
        "problem": "",
    }
    return row | measured(bench, precision, lambda: case.make(case, precision, bench.device))
