"""Diffusion schedules, reverse steps and complete generation against vectors of CPGG."""

import pytest
import torch

from cardionets_mar3d.diffusion import Coefficients, Schedule, predict
from cardionets_mar3d.mar import Mar
from cardionets_mar3d.mar_config import CpggConfig

pytestmark = pytest.mark.parity("mar")

LOOSE = {"absolute": 1e-3, "relative": 1e-3}
EXACT = {"absolute": 1e-6, "relative": 1e-7}


@pytest.fixture(scope="module")
def made(mar_set):
    return mar_set.json("config.json")["sampler"]


@pytest.fixture(scope="module")
def vectors(mar_set):
    return mar_set.arrays("sampler.npz")


@pytest.fixture(scope="module")
def schedules(mar_set):
    """Stored schedules by name: the chain of training and a shorter one."""
    found = {}
    for key, values in mar_set.arrays("diffusion_schedule.npz").items():
        name, _, column = key.rpartition(".")
        found.setdefault(name, {})[column] = values
    return found


@pytest.fixture
def model(mar_set, made, published):
    """The briefly trained generator; it is given conditions that are embedded already."""

    def build(dtype, **more):
        state = published.ours(mar_set.state("sampler_state_dict.safetensors"))
        chosen = published.options(
            made["cfg"], sample_steps=int(made["num_sampling_steps"]), **more
        )
        generator = Mar(CpggConfig(sampling_precision="32", **chosen), condition_dim=1)
        missing, unexpected = generator.load_state_dict(state, strict=False)
        assert not unexpected
        assert {name.rpartition(".")[0] for name in missing} <= {
            "scaler", "transformer.class_emb", "",
        }  # fmt: skip
        return generator.to(dtype).eval()

    return build


def schedule_of(name, train_steps):
    return Schedule.cosine(train_steps, int(name.partition("_")[0]))


def test_schedules_match(schedules, close):
    train_steps = len(schedules["1000_train"]["betas"])
    tight = {"absolute": 0.0, "relative": 1e-9}
    for name, stored in schedules.items():
        found = schedule_of(name, train_steps)
        assert found.timesteps == stored["timestep_map"].tolist()
        columns = {
            "betas": found.betas,
            "betas_mp": found.betas,
            "alphas_cumprod": found.kept,
            "alphas_cumprod_prev": found.kept_before,
            "sqrt_recip_alphas_cumprod": found.clean_of_noisy,
            "sqrt_recipm1_alphas_cumprod": found.clean_of_noise,
            "posterior_variance": found.posterior_variance,
            "posterior_log_variance_clipped": found.posterior_log_variance,
            "posterior_mean_coef1": found.posterior_of_clean,
            "posterior_mean_coef2": found.posterior_of_noisy,
        }
        for column, values in stored.items():
            if column != "timestep_map":
                close(columns[column], values, **tight)


def outputs(generator, vectors, dtype):
    """The denoiser's output at every stored step."""
    schedule = Schedule.cosine(generator.config.train_steps, generator.config.sample_steps)
    x, z = vectors["step.x_t"].to(dtype), vectors["step.z"].to(dtype)
    for row, index in enumerate(vectors["step.index"].tolist()):
        time = torch.full((len(x),), schedule.timesteps[index])
        yield row, index, generator.head.net(x, time, z)


# The first step of the chain stretches rounding by some hundred times.
def tolerance(index, steps, dtype):
    if dtype == torch.float64:
        return EXACT
    return {"absolute": 1e-4, "relative": 2e-3 if index == steps - 1 else 1e-4}


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_single_steps_match(model, vectors, close, dtype):
    generator = model(dtype, temperature=0.9)
    steps = generator.config.sample_steps
    sampler = generator.head.sampler(steps, generator.config.temperature, dtype)
    key = "step.sample_temp0.9" + ("_f64" if dtype == torch.float64 else "")
    x = vectors["step.x_t"].to(dtype)
    for row, index, output in outputs(generator, vectors, dtype):
        noise = vectors["step.noise"][row].to(dtype) if index else None
        found = sampler.step_back(x, index, output, noise)
        close(found, vectors[key][row], **tolerance(index, steps, dtype))


@torch.no_grad()
def test_what_a_step_is_drawn_from_matches(model, vectors, close):
    generator = model(torch.float32)
    steps = generator.config.sample_steps
    table = Schedule.cosine(generator.config.train_steps, steps).table().float()
    x = vectors["step.x_t"]
    for row, index, output in outputs(generator, vectors, torch.float32):
        found = predict(x, output, Coefficients.at(table, torch.full((len(x),), index)))
        allowed = tolerance(index, steps, torch.float32)
        close(found.mean, vectors["step.mean"][row], **allowed)
        close(found.log_variance, vectors["step.log_variance"][row], **allowed)
        close(found.clean, vectors["step.pred_xstart"][row], **allowed)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", ["plain", "temp", "cfg3", "cfg2_temp"])
def test_complete_chains_match(model, made, vectors, close, name, dtype):
    run = next(run for run in made["runs"] if run["name"] == f"loop.{name}")
    generator = model(dtype, temperature=run["temperature"])
    sampler = generator.head.sampler(generator.config.sample_steps, run["temperature"], dtype)
    z = vectors["loop.z_conditional"]
    if run["cfg"] != 1.0:
        z = torch.cat((z, vectors["loop.z_unconditional"]))
    seen = []
    found = sampler.trajectory(
        z.to(dtype),
        start=vectors["loop.init_noise"].to(dtype),
        noise=vectors["loop.step_noise"].to(dtype),
        guidance=run["cfg"],
        seen=seen,
    )
    if dtype == torch.float64:
        close(found, vectors[f"loop.{name}.sample_f64"], **EXACT)
    else:
        close(found, vectors[f"loop.{name}.sample"], **LOOSE)
        close(torch.stack(seen), vectors[f"loop.{name}.trajectory"], **LOOSE)


class RecordedNoise:
    """Orders and noise as stored, by token."""

    def __init__(self, vectors):
        self.vectors, self.drawn = vectors, []

    def orders(self):
        return self.vectors["ar.orders"]

    def draw(self, places, steps):
        self.drawn.append(places)
        start, added = (self.vectors[f"ar.{kind}_noise_per_token"] for kind in ("init", "step"))
        index = places.unsqueeze(-1).expand(-1, -1, start.shape[-1])
        return start.gather(1, index), added[:steps].gather(2, index.expand(steps, -1, -1, -1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", ["plain", "cfg_constant", "cfg_linear_temp", "unconditional"])
def test_complete_generation_matches(model, made, vectors, close, name, dtype):
    run = next(run for run in made["runs"] if run["name"] == f"ar.{name}")
    generator = model(
        dtype,
        temperature=run["temperature"],
        iterations=run["num_iter"],
        guidance_schedule=run["cfg_schedule"],
    )
    embedded = vectors["ar.cond"].to(dtype)
    if run["unconditional"]:
        embedded = generator.transformer.fake_latent.expand(len(embedded), -1)
    noise = RecordedNoise(vectors)
    found = generator.generate(embedded, noise, guidance=run["cfg"])
    for iteration, places in enumerate(noise.drawn):
        step = vectors[f"ar.{name}.predicted_at_step"].gather(1, places)
        assert torch.equal(step, torch.full_like(step, iteration))
    if dtype == torch.float64:
        close(found, vectors[f"ar.{name}.latent_f64"], **EXACT)
    else:
        close(found, vectors[f"ar.{name}.latent"], **LOOSE)


@torch.no_grad()
def test_bf16_stays_near_float32_along_a_chain(model, vectors):
    """Without float32 in the steps that stretch, this error is several times as large."""
    generator = model(torch.float32)
    settings = {
        "start": vectors["loop.init_noise"],
        "noise": vectors["loop.step_noise"],
        "guidance": 1.0,
    }
    z = vectors["loop.z_conditional"]
    draw = {
        dtype: generator.head.sampler(generator.config.sample_steps, 1.0, dtype).draw(z, **settings)
        for dtype in (torch.float32, torch.bfloat16)
    }
    error = (draw[torch.bfloat16] - draw[torch.float32]).square().mean().sqrt()
    assert error < 0.03 * draw[torch.float32].square().mean().sqrt()
