"""Aligners: draw ECG embeddings to those of a frozen CMR encoder."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from cardionets_cmr_align.config import InfoNceConfig, WeightedInfoNceConfig
from cardionets_cmr_align.gather import join
from cardionets_cmr_align.loss import (
    at_least_float32,
    cosine_similarity,
    info_nce,
    pair_weights,
    unit_norm,
    weighted_info_nce,
)
from cardionets_cmr_align.pca import centre_and_scale, fit_pca, median_distance
from cardionets_core.errors import TrainingError
from cardionets_core.interfaces import Features, LossAndLog

# torch.quantile refuses more than 16 million values, and a log line needs no more than this.
MAX_SUBJECTS_FOR_QUANTILES = 1024


class InfoNce(nn.Module):
    """Plain InfoNCE: every other subject of the batch is a negative in full.

    What ``fit`` finds lies in buffers whose sizes follow from the options and ``cmr_dim`` alone, so
    a state dict loads into an aligner that was never fitted.

    Args:
        config: Options.
        ecg_dim: Width of the ECG encoder's pooled features.
        cmr_dim: Width P of the CMR encoder's pooled features.
    """

    cmr_mean: Tensor
    cmr_scale: Tensor

    def __init__(self, config: InfoNceConfig, *, ecg_dim: int, cmr_dim: int) -> None:
        super().__init__()
        self.config = config
        self.cmr_dim = cmr_dim
        self.ecg_projection = nn.Linear(ecg_dim, config.projection_dim)
        self.cmr_projection = nn.Linear(cmr_dim, config.projection_dim)
        if config.learnable_temperature:
            start = math.log(config.temperature - config.temperature_floor)
            # One-dimensional, because FSDP refuses scalars.
            self.log_temperature = nn.Parameter(torch.tensor([start]))
        self.register_buffer("cmr_mean", torch.zeros(cmr_dim))
        # Not a number until it is fitted.
        self.register_buffer("cmr_scale", torch.tensor(math.nan))
        self._is_fitted = False

    @property
    def temperature(self) -> float | Tensor:
        """Temperature; the exponential keeps a learnable one above its floor at any step size."""
        if self.config.learnable_temperature:
            return self.config.temperature_floor + self.log_temperature.exp().squeeze()
        return self.config.temperature

    @torch.no_grad()
    def fit(self, cmr_train: Tensor) -> None:
        """Find centre and scale of the training split's CMR features (n, P).

        Every process of a distributed run must be given the same rows.

        Raises:
            TrainingError: If there are fewer than two subjects, or they do not differ.
        """
        mean, scale = centre_and_scale(self._checked(cmr_train))
        # Equal features leave no more than the rounding of their mean.
        if not scale > torch.finfo(torch.float32).eps * mean.abs().max():
            raise TrainingError(
                "the CMR features of all training subjects are equal, so nothing can be aligned; "
                "check the CMR encoder's weights and the cines"
            )
        self.cmr_mean.copy_(mean)
        self.cmr_scale.copy_(scale)

    def _checked(self, cmr_train: Tensor) -> Tensor:
        if cmr_train.ndim != 2 or cmr_train.shape[1] != self.cmr_dim:
            raise TrainingError(
                f"CMR features of shape {tuple(cmr_train.shape)}, but (subjects, {self.cmr_dim}) "
                "is needed; build the aligner with cmr_dim of this CMR encoder"
            )
        if len(cmr_train) < 2:
            raise TrainingError(
                f"{len(cmr_train)} training subject with a CMR, but alignment needs 2 or more; "
                "prepare a larger cohort"
            )
        if not torch.isfinite(cmr_train).all():
            bad = int((~torch.isfinite(cmr_train)).any(dim=1).sum())
            raise TrainingError(
                f"CMR features of {bad} of {len(cmr_train)} training subjects are not finite; "
                "check the CMR encoder's weights and precision"
            )
        return cmr_train

    def _require_fit(self) -> None:
        # Looked at until it is there: every look waits for the device.
        self._is_fitted = self._is_fitted or not bool(torch.isnan(self.cmr_scale))
        if not self._is_fitted:
            raise TrainingError(
                "the aligner was not fitted; call fit(cmr_train) or load trained weights first"
            )

    def phi(self, cmr: Tensor) -> Tensor:
        """CMR features (B, P) to (B, 0): plain InfoNCE measures no distance between hearts."""
        return cmr.new_empty(len(cmr), 0)

    def embed_ecg(self, features: Features) -> Tensor:
        """ECG features to unit-norm embeddings (B, E)."""
        return unit_norm(self.ecg_projection(features.pooled))

    def embed_cmr(self, pooled: Tensor) -> Tensor:
        """CMR features (B, P) to unit-norm embeddings (B, E)."""
        if self.config.standardise_cmr:
            self._require_fit()
            pooled = (pooled - self.cmr_mean) / self.cmr_scale
        return unit_norm(self.cmr_projection(pooled))

    def loss(self, ecg: Tensor, cmr: Tensor, phi: Tensor) -> LossAndLog:
        """Loss over the joined batch of all processes.

        Args:
            ecg: ECG embeddings, (B, E).
            cmr: CMR embeddings of the same subjects, (B, E).
            phi: What ``phi`` gives for the same subjects, (B, K).

        Returns:
            Scalar loss, equal in every process; ``gather`` says what becomes of its gradient. The
            log holds temperature and recall@1 within the joined batch, mean of both directions.

        Raises:
            TrainingError: If a training batch holds one pair, which has no negatives.
        """
        ecg, cmr = join(ecg), join(cmr)
        if self.training and len(ecg) < 2:
            raise TrainingError(
                "a batch of one pair has no negatives; use train.batch_size of 2 or more and drop "
                "a last batch of one"
            )
        loss, log = self._joined_loss(ecg, cmr, phi)
        temperature = self.temperature
        log["temperature"] = (
            temperature.detach() if isinstance(temperature, Tensor) else temperature
        )
        log["recall_at_1"] = batch_recall_at_1(ecg, cmr)
        return LossAndLog(loss, log)

    def _joined_loss(
        self,
        ecg: Tensor,
        cmr: Tensor,
        phi: Tensor,
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        return info_nce(ecg, cmr, self.temperature), {}


class WeightedInfoNce(InfoNce):
    """InfoNCE whose negatives weigh less the more their hearts resemble the subject's own.

    ``fit`` also finds principal components and sigma. Where fewer subjects than components were
    seen, the missing components are zero, which adds nothing to any distance.

    Arguments as of ``InfoNce``.
    """

    config: WeightedInfoNceConfig
    pca_components: Tensor
    sigma: Tensor

    def __init__(self, config: WeightedInfoNceConfig, *, ecg_dim: int, cmr_dim: int) -> None:
        super().__init__(config, ecg_dim=ecg_dim, cmr_dim=cmr_dim)
        width = min(config.pca_components, cmr_dim)
        self.register_buffer("pca_components", torch.zeros(width, cmr_dim))
        self.register_buffer("sigma", torch.tensor(math.nan))

    @torch.no_grad()
    def fit(self, cmr_train: Tensor) -> None:
        """Find centre, scale, principal components and sigma of CMR features (n, P).

        Every process of a distributed run must be given the same rows.

        Raises:
            TrainingError: If there are fewer than two subjects, or they do not differ.
        """
        super().fit(cmr_train)
        pca = fit_pca(cmr_train, len(self.pca_components))
        components = pca.components
        if self.config.whiten:
            components = components * _inverse_sd(pca.variance).unsqueeze(1)
        self.pca_components.zero_()
        self.pca_components[: len(components)] = components
        if self.config.sigma == "median":
            self.sigma.copy_(self._median_sigma((cmr_train.double() - pca.mean) @ components.T))
        else:
            self.sigma.fill_(self.config.sigma)

    @staticmethod
    def _median_sigma(phi_train: Tensor) -> Tensor:
        sigma = median_distance(phi_train)
        if not sigma > 0:
            raise TrainingError(
                "more than half of the training pairs have equal CMR features, so their median "
                "distance is 0; remove duplicates or set aligner.sigma to a number"
            )
        return sigma

    def phi(self, cmr: Tensor) -> Tensor:
        """CMR features (B, P) to principal components (B, K)."""
        self._require_fit()
        with torch.autocast(cmr.device.type, enabled=False):
            return (at_least_float32(cmr) - self.cmr_mean) @ self.pca_components.T

    def _joined_loss(
        self, ecg: Tensor, cmr: Tensor, phi: Tensor
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        self._require_fit()
        weights = pair_weights(join(phi.detach()), self.sigma)
        loss = weighted_info_nce(ecg, cmr, weights, self.temperature)
        return loss, {**weight_quantiles(weights)}


def _inverse_sd(variance: Tensor) -> Tensor:
    """One over the SD of each component; 0 for those that rounding alone gave a variance."""
    noise = variance.max() * len(variance) * torch.finfo(variance.dtype).eps
    return torch.where(variance > noise, variance.rsqrt(), 0.0)


@torch.no_grad()
def weight_quantiles(weights: Tensor) -> dict[str, Tensor]:
    """5 %, 50 % and 95 % quantiles of the off-diagonal weights (B, B); 0 where there are none.

    All near 1 means that the loss is plain InfoNCE, all near 0 that there is nothing to learn from.
    """
    part = weights[:MAX_SUBJECTS_FOR_QUANTILES, :MAX_SUBJECTS_FOR_QUANTILES]
    n = len(part)
    # All but the diagonal as a view: picking by a mask would make every step wait for the device.
    others = part.flatten()[1:].view(n - 1, n + 1)[:, :-1] if n > 1 else part
    levels = torch.linspace(0.05, 0.95, 3, dtype=others.dtype, device=others.device)
    return dict(zip(("w_q05", "w_q50", "w_q95"), others.quantile(levels).unbind(), strict=True))


@torch.no_grad()
def batch_recall_at_1(ecg: Tensor, cmr: Tensor) -> Tensor:
    """Share of subjects whose own pair is the most similar, mean of both directions."""
    similarity = cosine_similarity(ecg, cmr)
    own = torch.arange(len(ecg), device=ecg.device)
    hits = [(similarity.argmax(dim=axis) == own).double().mean() for axis in (0, 1)]
    return torch.stack(hits).mean()
