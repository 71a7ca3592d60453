"""What draws plausible phenotypes: a VAE, and a mixture of normals over its latents."""

from __future__ import annotations

import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from cardionets_core.cmr.phenotypes import FIELD_IDS
from cardionets_core.errors import TrainingError, UsageError
from cardionets_mar3d.mar_config import CpggConfig
from cardionets_mar3d.phenotype_axes import AXES, from_axes, plausible, to_axes
from cardionets_mar3d.phenotype_vae import PhenotypeVae, trained_vae

# Draws farther from the mean than any living person are redrawn; in SDs of the training subjects.
_FARTHEST_SD = 6.0
_ROUNDS = 50
_ROUNDING = 1e-5
# Added to the variances of the mixture, in units of the VAE's own prior: no component may shrink
# onto a few subjects.
_LEAST_VARIANCE = 1e-3
# Fewer subjects a component than this many per latent dimension would tell about single ones.
_SUBJECTS_PER_DIMENSION = 4


class PhenotypePrior(nn.Module):
    """Distribution of the 82 phenotypes of the training subjects.

    It works on ``phenotype_axes``, in which every value is possible, so that stroke volumes,
    ejection fractions, cardiac output and distensibility always fit the volumes and areas they
    follow from. Latents are drawn from a mixture of normals fitted to those of the training
    subjects: diseases make the latents of a VAE fall into groups, which its own prior, one normal,
    fills the gaps of. No single subject is kept.

    Sources: Kingma and Welling 2014; Rybkin et al. 2021 (learned noise); Ghosh et al. 2020 (density
    of the latents fitted afterwards).

    Args:
        config: Options.
    """

    mean: Tensor
    sd: Tensor
    weights: Tensor
    centres: Tensor
    spreads: Tensor

    def __init__(self, config: CpggConfig) -> None:
        super().__init__()
        self.config = config
        latent, components = config.prior_latent, config.prior_components
        self.vae = PhenotypeVae(AXES, latent, config.prior_width).requires_grad_(False)
        self.register_buffer("mean", torch.zeros(AXES, dtype=torch.float64))
        self.register_buffer("sd", torch.zeros(AXES, dtype=torch.float64))
        # All 0 until it is fitted.
        self.register_buffer("weights", torch.zeros(components))
        self.register_buffer("centres", torch.zeros(components, latent))
        self.register_buffer("spreads", torch.zeros(components, latent, latent))

    @torch.no_grad()
    def fit(self, phenotypes: Tensor) -> None:
        """Learn the distribution of training phenotypes (n, 82), drawing from torch's generator.

        Rows that no living heart could have, such as an end-systolic volume above the
        end-diastolic one, are left out.

        Raises:
            TrainingError: If too few are left.
        """
        rows = phenotypes.double().cpu()
        rows = rows[plausible(rows)]
        if len(rows) < 2:
            raise TrainingError(
                f"{len(rows)} of {len(phenotypes)} training subjects have plausible phenotypes, "
                "but 2 or more are needed; check the units of the phenotypes"
            )
        axes = to_axes(rows)
        sd, mean = torch.std_mean(axes, dim=0)
        # What never differs is drawn as it is: the rounding of single precision is no spread.
        sd = torch.where(sd > _ROUNDING * (1 + mean.abs()), sd, 0.0)
        self.mean.copy_(mean)
        self.sd.copy_(sd)
        x = torch.where(sd > 0, (axes - mean) / sd, 0.0).float()
        config = self.config
        vae = trained_vae(
            x, latent=config.prior_latent, width=config.prior_width, steps=config.prior_steps,
            lr=config.prior_lr,
        )  # fmt: skip
        self.vae.load_state_dict(vae.state_dict())
        self._fit_mixture(vae.encode(x).draw())

    def _fit_mixture(self, latents: Tensor) -> None:
        """Fit the mixture to latents (n, k); components that the subjects are too few for stay."""
        most = len(latents) // (_SUBJECTS_PER_DIMENSION * latents.shape[1])
        components = max(1, min(len(self.weights), most))
        mixture = GaussianMixture(
            components, reg_covar=_LEAST_VARIANCE, random_state=int(torch.randint(2**31, ()))
        ).fit(latents.double().numpy())
        self.weights.zero_()
        self.weights[:components] = torch.from_numpy(mixture.weights_)
        self.centres[:components] = torch.from_numpy(mixture.means_)
        covariances = torch.from_numpy(mixture.covariances_)
        self.spreads[:components] = torch.linalg.cholesky(covariances)

    @torch.no_grad()
    def sample(self, n: int, *, seed: int) -> Tensor:
        """Draw phenotypes (n, 82) in field order and units, float32.

        Raises:
            TrainingError: If it was neither fitted nor filled, or draws nothing plausible.
            UsageError: If n is below 1.
        """
        if n < 1:
            raise UsageError(f"{n} phenotype vectors asked for, but 1 or more can be drawn")
        if not bool(self.weights.any()):
            raise TrainingError(
                "the phenotype VAE was not fitted; train cpgg or load trained weights first"
            )
        generator = torch.Generator().manual_seed(seed)
        drawn: list[Tensor] = []
        for _ in range(_ROUNDS):
            drawn.append(self._plausible_draws(n, generator))
            if sum(map(len, drawn)) >= n:
                return torch.cat(drawn)[:n].float()
        raise TrainingError(
            f"of {_ROUNDS * n} phenotype vectors drawn, {sum(map(len, drawn))} were plausible; "
            "train cpgg on more subjects"
        )

    def _plausible_draws(self, n: int, generator: torch.Generator) -> Tensor:
        """What is plausible of n draws, (m, 82) float64."""
        device, latent = self.mean.device, self.centres.shape[1]
        numbers = torch.randn(n, latent + AXES, generator=generator).to(device)
        component = torch.multinomial(self.weights.cpu(), n, replacement=True, generator=generator)
        centre, spread = self.centres[component], self.spreads[component]
        z = centre + (spread @ numbers[:, :latent, None]).squeeze(2)
        noise = numbers[:, latent:] * (0.5 * self.vae.noise_log_variance).exp()
        x = self.vae.decode(z) + noise
        phenotypes = from_axes(x.double() * self.sd + self.mean)
        near = (x.abs() <= _FARTHEST_SD).all(dim=1)
        found: Tensor = phenotypes[near & plausible(phenotypes.float())]
        return found


def require_all_phenotypes(width: int) -> None:
    """Refuse a condition that is not the 82 phenotypes.

    Raises:
        UsageError: If it is not.
    """
    if width != len(FIELD_IDS):
        raise UsageError(
            f"condition_dim={width}, but cpgg is conditioned on the {len(FIELD_IDS)} phenotypes; "
            "use mar for another condition"
        )
