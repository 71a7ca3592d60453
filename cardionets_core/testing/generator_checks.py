"""The promises of a generator: ``cardionets_core.interfaces.Generator``."""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

import torch
from torch import Tensor

from cardionets_core.interfaces import Condition, Generator
from cardionets_core.testing.cine_models import (
    BATCH,
    require_falling,
    require_loss,
    require_range,
    require_reached,
    require_refusal,
    require_views,
    seeded,
    with_uses,
)
from cardionets_core.testing.generator_trial import SEEDS, Build, Trial
from cardionets_core.testing.modules import (
    require_finite,
    require_module,
    require_state_round_trip,
)
from cardionets_core.testing.requirement import require

_NONSENSE: tuple[dict[str, Any], ...] = (
    {"steps": 0},
    {"guidance": float("nan")},
    {"seed": SEEDS[:2]},
)
# Of [-1, 1]; an iterative sampler carries the rounding of its matrix products along.
_TOLERANCE = 1e-3


def check_keeps_the_contract(build: Build, **about: Any) -> None:
    """It is a module with everything the contract names."""
    generator = Trial(build, **about).unfitted()
    require_module(generator, Generator)
    require(
        generator.condition in get_args(Condition),
        f"condition is {generator.condition!r}; needed one of {', '.join(get_args(Condition))}",
    )
    require(
        isinstance(generator.cine_shape, tuple) and len(generator.cine_shape) == 3,
        f"cine_shape is {generator.cine_shape!r}; needed (T, H, W)",
    )
    require(
        generator.trained_by_steps or hasattr(generator, "fit"),
        "neither steps nor fit() train it; set trained_by_steps or add fit()",
    )


def check_views_have_their_shapes(build: Build, **about: Any) -> None:
    """``view`` gives what it draws, and ``restore`` a canonical cine of that."""
    require_views(Trial(build, **about).unfitted())


def check_what_it_uses_is_not_its_own(build: Build, **about: Any) -> None:
    """Components that it uses are frozen, stay in evaluation, and are not saved with it."""
    trial = Trial(build, **about)
    generator, lent = trial.bare(), {r: seeded(0, make) for r, make in trial.uses.items()}
    if not lent:
        return
    alone = set(generator.state_dict())
    generator.use(**lent)
    registered = set(generator.state_dict()) - alone
    require(
        not registered,
        f"use() adds {len(registered)} tensors to its state, such as {min(registered, default='')};"
        " hold the module in a plain object, so that it is not registered",
    )
    generator.train()
    for role, module in lent.items():
        require(
            not module.training and not any(p.requires_grad for p in module.parameters()),
            f"{role} is in training after use() and train(); freeze it: eval() and "
            "requires_grad_(False)",
        )


def check_target_can_be_cached(build: Build, **about: Any) -> None:
    """Where steps train it, ``target`` gives a finite row per cine, without graph."""
    trial = Trial(build, **about)
    generator = trial.generator()
    if not generator.trained_by_steps:
        return
    target = trial.target(generator)
    require(len(target) == BATCH, f"target is {tuple(target.shape)}; needed {BATCH} rows")
    require(not target.requires_grad, "target has a graph; it is cached: compute it in no_grad()")
    require_finite("target in half precision", target.half())
    require(
        torch.equal(target, trial.target(generator)),
        "target() of the same cines differs the second time; draw in loss()",
    )


def check_loss_is_a_scalar_with_numbers_to_log(build: Build, **about: Any) -> None:
    """Where steps train it, the loss is finite with a graph, and its log holds numbers."""
    trial = Trial(build, **about)
    generator = trial.generator().train()
    if generator.trained_by_steps:
        require_loss(seeded(0, trial.loss(generator)))


def check_loss_draws_from_the_global_generator(build: Build, **about: Any) -> None:
    """At the same state of torch's global generator, the loss is the same."""
    trial = Trial(build, **about)
    generator = trial.generator().train()
    if not generator.trained_by_steps:
        return
    first, second = (seeded(3, trial.loss(generator)).loss for _ in range(2))
    require(
        torch.equal(first, second),
        "two losses at the same seed differ; everything random has to come from torch's global "
        "generator",
    )


def check_gradients_reach_all_parameters(build: Build, **about: Any) -> None:
    """Where steps train it, every parameter that is to be trained takes part in the loss."""
    trial = Trial(build, **about)
    generator = trial.generator().train()
    if generator.trained_by_steps:
        loss = trial.loss(generator)
        require_reached(generator, lambda: loss().loss)


def check_learns_a_batch(build: Build, **about: Any) -> None:
    """Where steps train it, a few on one batch bring its loss down."""
    trial = Trial(build, **about)
    generator = trial.generator().train()
    if generator.trained_by_steps:
        loss = trial.loss(generator)
        require_falling(generator, lambda: loss().loss)


def check_cines_have_their_shape_and_range(build: Build, **about: Any) -> None:
    """``sample`` gives (B, 1, T, H, W) in [-1, 1], without graph."""
    trial = Trial(build, **about)
    generator = trial.generator()
    cine, needed = trial.sample(generator), (BATCH, 1, *generator.cine_shape)
    require(tuple(cine.shape) == needed, f"sample gives {tuple(cine.shape)}; needed {needed}")
    require_range("what sample() gives", cine)
    require(not cine.requires_grad, "what sample() gives has a graph; sample in no_grad()")


def check_equal_seeds_give_equal_cines(build: Build, **about: Any) -> None:
    """Cines follow from condition and seed bit for bit."""
    trial = Trial(build, **about)
    generator = trial.generator()
    for seed in (SEEDS, 5):
        # Another state of the global generator each time.
        first, second = (seeded(s, partial(trial.sample, generator, seed=seed)) for s in (0, 1))
        require(
            torch.equal(first, second),
            f"two samples with seed={seed} differ; draw from a generator of your own",
        )


def check_other_seeds_give_other_cines(build: Build, **about: Any) -> None:
    """Another seed gives another cine, unless it says ``deterministic = True``."""
    trial = Trial(build, **about)
    generator = trial.generator()
    fixed = getattr(generator, "deterministic", False)
    first = trial.sample(generator)
    for seed in ([one + 100 for one in SEEDS], 5):
        same = torch.equal(first, trial.sample(generator, seed=seed))
        require(
            same == fixed,
            f"with seed={seed} the cines are {'the same' if same else 'others'}; "
            + ("deterministic is True" if fixed else "use the seed, or set deterministic = True"),
        )


def check_records_do_not_mix(build: Build, **about: Any) -> None:
    """A record's cine does not depend on the others of its batch."""
    trial = Trial(build, **about)
    generator = trial.generator()
    together = trial.sample(generator)[1:2]
    alone = generator.sample(trial.batch[1:2], seed=SEEDS[1:2])
    difference = (together - alone).abs().max().item()
    require(
        difference < _TOLERANCE,
        f"a record's cine differs by {difference:.3g} in a batch and alone; draw each record's "
        "numbers from its own seed, and compute nothing across the batch",
    )


def check_refuses_what_makes_no_sense(build: Build, **about: Any) -> None:
    """No step, a guidance that is no number, and too few seeds are refused with our errors."""
    trial = Trial(build, **about)
    generator = trial.generator()
    for wrong in _NONSENSE:
        told = ", ".join(f"{name}={value}" for name, value in wrong.items())
        require_refusal(
            f"sample({told}) of {BATCH} conditions", partial(trial.sample, generator, **wrong)
        )


def check_refuses_another_width(build: Build, **about: Any) -> None:
    """Conditions of another width are refused with an error of ours."""
    trial = Trial(build, **about)
    generator = trial.generator()
    narrow = trial.batch[:, 1:]
    require_refusal(
        "sample() of conditions that are too narrow", lambda: generator.sample(narrow, seed=0)
    )


def check_refuses_to_draw_before_fit(build: Build, **about: Any) -> None:
    """One that has ``fit`` refuses to draw before, with an error of ours."""
    trial = Trial(build, **about)
    generator = trial.unfitted().eval()
    if hasattr(generator, "fit"):
        require_refusal("sample() before fit()", lambda: trial.sample(generator))


def check_fit_is_deterministic(build: Build, **about: Any) -> None:
    """Built and fitted again at the same seed, it draws the same."""
    trial = Trial(build, **about)
    require(
        torch.equal(trial.sample(trial.generator()), trial.sample(trial.generator())),
        "built and fitted again at the same seed, it draws other cines; everything random in "
        "fit() has to come from torch's global generator",
    )


def check_state_round_trip(build: Build, **about: Any) -> None:
    """What ``state_dict`` holds, after ``fit`` too, is all there is to it."""
    trial = Trial(build, **about)
    fresh = trial.bare(seed=1)

    def outputs(module: Any) -> list[Tensor]:
        # Filled first and given what it uses then, as when weights are loaded.
        module = with_uses(module, trial.uses) if module is fresh else module
        return [trial.sample(module.eval())]

    require_state_round_trip(trial.generator(), fresh, outputs)


def check_refuses_another_latent_scale(build: Build, **about: Any) -> None:
    """One trained on an autoencoder's latents refuses another autoencoder, by its scale."""
    trial = Trial(build, **about)
    if "autoencoder" not in trial.uses:
        return
    generator = trial.generator()
    other = seeded(0, trial.uses["autoencoder"]).eval()
    other.fit_scale(3.0)
    require_refusal(
        "use() of an autoencoder with another latent_scale",
        lambda: generator.use(autoencoder=other),
    )


def check_draws_its_own_conditions_by_seed(build: Build, **about: Any) -> None:
    """One that has ``sample_condition`` draws (n, C) finite conditions that follow from a seed."""
    trial = Trial(build, **about)
    generator = trial.generator()
    if not hasattr(generator, "sample_condition"):
        return
    first, again, other = (generator.sample_condition(BATCH, seed=seed) for seed in (0, 0, 1))
    needed = tuple(trial.batch.shape)
    require(
        tuple(first.shape) == needed,
        f"sample_condition gives {tuple(first.shape)}; needed {needed}",
    )
    require_finite("what sample_condition() gives", first)
    require(torch.equal(first, again), "sample_condition() at the same seed gives others")
    require(not torch.equal(first, other), "sample_condition() at another seed gives the same")
