"""Generation from phenotypes: ``mar`` on 82 numbers, with a prior that draws them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from cardionets_mar3d.mar import Mar
from cardionets_mar3d.mar_config import CpggConfig
from cardionets_mar3d.phenotype_prior import PhenotypePrior, require_all_phenotypes


class Cpgg(Mar):
    """Masked autoregressive generation conditioned on phenotypes, and what draws phenotypes.

    Args:
        config: Options.
        condition_dim: Width of the condition: 82 phenotypes, in field order and units.
    """

    def __init__(self, config: CpggConfig, *, condition_dim: int) -> None:
        require_all_phenotypes(condition_dim)
        super().__init__(config, condition_dim=condition_dim)
        # Fitted once; no step trains it.
        self.prior = PhenotypePrior(config)

    @torch.no_grad()
    def fit(self, condition: Tensor, views: Iterable[Tensor]) -> None:
        """Standardise the training phenotypes (n, 82), and train the prior on them.

        Draws from torch's global generator; the views are not looked at.

        Raises:
            TrainingError: If there are too few, or they are not finite or not plausible.
            WeightsError: If they have another width.
        """
        super().fit(condition, views)
        self.prior.fit(condition)

    def sample_condition(self, n: int, *, seed: int) -> Tensor:
        """Draw phenotypes (n, 82) in field order and units that a living heart could have.

        Raises:
            TrainingError: If it was neither fitted nor filled.
            UsageError: If n is below 1.
        """
        return self.prior.sample(n, seed=seed)
