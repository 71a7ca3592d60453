"""A generator under test, and made-up subjects to try it on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from cardionets_core.testing.cine_models import (
    BATCH,
    SUBJECTS,
    Uses,
    made_up_cines,
    seeded,
    with_uses,
)
from cardionets_core.testing.modules import random_tensor

Build = Callable[..., Any]
SEEDS = (11, 12, 13)
_CONDITION_DIM = 6


class Trial:
    """A generator and made-up subjects to try it on.

    Args:
        build: ``build(condition_dim=)`` makes one.
        uses: Role to what builds a component that it uses, e.g. ``{"autoencoder": build}``.
        conditions: Conditions of ``SUBJECTS`` subjects, (n, C); made up if not given.
    """

    def __init__(
        self, build: Build, uses: Uses | None = None, conditions: Tensor | None = None
    ) -> None:
        self.build, self.uses = build, uses or {}
        if conditions is None:
            conditions = 3 * random_tensor(SUBJECTS, _CONDITION_DIM, seed=2) + 1
        self.conditions = conditions[:SUBJECTS].float()
        self.batch = self.conditions[:BATCH]

    def bare(self, seed: int = 0) -> Any:
        """One that was only built."""
        return seeded(seed, lambda: self.build(condition_dim=self.conditions.shape[1]))

    def unfitted(self, seed: int = 0) -> Any:
        """One that was not fitted."""
        return with_uses(self.bare(seed), self.uses)

    def generator(self, seed: int = 0) -> Any:
        """A fitted one, in evaluation."""
        generator = self.unfitted(seed)
        if hasattr(generator, "fit"):
            views = generator.view(made_up_cines()[: len(self.conditions)]).split(5)
            seeded(seed, lambda: generator.fit(self.conditions, views))
        return generator.eval()

    def target(self, generator: Any) -> Tensor:
        """What the loss needs of the batch's cines."""
        view = generator.view(made_up_cines()[: len(self.batch)])
        target: Tensor = generator.target(view[:, None])
        return target

    def loss(self, generator: Any) -> Callable[[], Any]:
        """What gives the loss of the batch."""
        target = self.target(generator)
        return lambda: generator.loss(target, self.batch)

    def sample(self, generator: Any, **about: Any) -> Tensor:
        """Cines of the batch, whatever torch's global generator stands at."""
        cine: Tensor = generator.sample(self.batch, **{"seed": SEEDS, **about})
        return cine
