"""The autoencoder ``vae3d``: a cine to a small latent and back."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, layer_norm

from cardionets_core.cmr.views import CineView
from cardionets_core.errors import ConfigError, TrainingError
from cardionets_core.interfaces import LossAndLog, Moments
from cardionets_mar3d.adversary import Adversary
from cardionets_mar3d.linear_path import LinearPath, start_near_linear
from cardionets_mar3d.lpips import Lpips
from cardionets_mar3d.perceptual import Distance, TokenDistance
from cardionets_mar3d.vae_coder import Decoder, Encoder
from cardionets_mar3d.vae_config import Vae3dConfig
from cardionets_mar3d.vae_losses import kl_divergence, outlier_penalty


class Vae3d(nn.Module):
    """3D convolutional variational autoencoder.

    Latents outside are the raw ones divided by ``latent_scale``. With ``normalise_sampled`` the
    decoder brings every latent to mean 0 and SD 1 over all its entries (LayerNorm without
    parameters), be it sampled in training, encoded or generated, so that it always sees one
    distribution; the published code does so in training only. The KL divergence is of the raw
    posterior.

    Attributes:
        cine_shape: (T, H, W) of the cine that it works on.
        latent_shape: (C, t, h, w) of a latent.
        latent_scale: SD of the raw latents over the training cines, 1 until it is known.
    """

    latent_scale: Tensor

    def __init__(self, config: Vae3dConfig) -> None:
        super().__init__()
        self.config = config
        self.cine_shape, self.latent_shape = config.cine_shape, config.latent_shape
        self._seen = CineView(config.frame_start, config.frame_step, config.spatial_pool)
        moments = 2 * config.latent_channels
        self.encoder, self.to_moments = Encoder(config), nn.Conv3d(moments, moments, 1)
        self.from_latent = nn.Conv3d(config.latent_channels, config.latent_channels, 1)
        self.decoder = Decoder(config)
        self.linear_path = LinearPath(config) if config.linear_path else None
        if config.linear_path:
            start_near_linear(self, self.to_moments)
        adversarial = config.adversarial_weight, config.adversarial_start_step
        self.adversary = Adversary(*adversarial) if config.adversarial_weight > 0 else None
        self.register_buffer("latent_scale", torch.ones(()))
        self._distance: Distance | None = None

    def use(self, *, cmr_encoder: Any = None) -> None:
        """Take the CMR encoder whose tokens compare cines, under that option; it is frozen."""
        if cmr_encoder is not None and self.config.perceptual == "cmr-encoder":
            self._distance = TokenDistance(cmr_encoder, self._seen)

    def lr_scales(self) -> dict[str, float]:
        """Factors of the learning rate by parameter name: the discriminator's own."""
        scale = self.config.discriminator_lr_scale
        return {name: scale for name, _ in self.named_parameters() if name.startswith("adversary.")}

    def view(self, cine: Tensor) -> Tensor:
        """What it works on of canonical cines (B, 50, 96, 96) in [-1, 1]: (B, T, H, W)."""
        return self._seen.view(cine)

    def restore(self, view: Tensor) -> Tensor:
        """Views (B, T, H, W) as canonical cines (B, 50, 96, 96), interpolated where smaller."""
        return self._seen.restore(view)

    def encode(self, cine: Tensor) -> Moments:
        """Cine (B, 1, T, H, W) in [-1, 1] to moments of unit-SD latents, in float32."""
        mean, log_variance = self._raw_moments(cine)
        return Moments(mean / self.latent_scale, log_variance - 2.0 * self.latent_scale.log())

    def decode(self, z: Tensor) -> Tensor:
        """Unit-SD latents (B, C, t, h, w) to a cine (B, 1, T, H, W) in [-1, 1].

        It is clamped in evaluation mode only, so that it has a gradient everywhere in training.
        """
        latent = self._as_decoded(z * self.latent_scale)
        cine = self._last_layer(self._features(latent), latent)
        return cine if self.training else cine.clamp(-1.0, 1.0)

    def fit_scale(self, latent_sd: float) -> None:
        """Take the SD of the raw latents over the training cines, unless it works without.

        Raises:
            TrainingError: If it is 0 or not finite.
        """
        if not (math.isfinite(latent_sd) and latent_sd > 0):
            raise TrainingError(
                f"the latents of the training cines have SD {latent_sd}, but a number above 0 is "
                "needed; lower autoencoder.kl_weight or train.lr"
            )
        if self.config.latent_scaling == "unit-sd":
            self.latent_scale.fill_(latent_sd)

    def loss(self, cine: Tensor) -> LossAndLog:
        """Training loss of cines (B, 1, T, H, W); draws from torch's global generator.

        In evaluation mode it is that of the reconstruction and the KL divergence alone.

        Raises:
            ConfigError: If what compares cines is missing.
        """
        moments = self._raw_moments(cine)
        noise = torch.randn_like(moments.mean)
        latent = self._as_decoded(moments.mean + noise * (0.5 * moments.log_variance).exp())
        features = self._features(latent)
        reconstruction = self._last_layer(features, latent)
        log: dict[str, Tensor] = {}
        compare = partial(self._compare, cine, log)
        if self.adversary is not None and self.training:
            last_grad = partial(self.decoder.last_weight_grad, features)
            terms = self.adversary(cine, reconstruction, compare, last_grad)
            loss = terms.reconstruction + terms.discriminator
            log.update(terms.log)
        else:
            loss = compare(reconstruction)
        divergence = kl_divergence(moments)
        log["kl"] = divergence.detach()
        return LossAndLog(loss + self.config.kl_weight * divergence, log)

    def _compare(self, cine: Tensor, log: dict[str, Tensor], reconstruction: Tensor) -> Tensor:
        """Loss of a reconstruction against its cine; its parts are logged."""
        parts = {"l1": (1.0, l1_loss(reconstruction, cine))}
        if self.config.outlier_weight > 0:
            parts["outlier"] = (self.config.outlier_weight, outlier_penalty(reconstruction))
        if self.config.perceptual != "none" and self.config.perceptual_weight > 0:
            distance = self._perceptual_distance()(cine, reconstruction)
            parts["perceptual"] = (self.config.perceptual_weight, distance)
        log.update({name: part.detach() for name, (_, part) in parts.items()})
        return torch.stack([weight * part for weight, part in parts.values()]).sum()

    def _raw_moments(self, cine: Tensor) -> Moments:
        """Moments as the networks give them, in float32, the log-variance within bounds."""
        centred = cine if self.linear_path is None else cine - self.linear_path.mean_cine
        mean, log_variance = self.to_moments(self.encoder(centred)).float().chunk(2, dim=1)
        if self.linear_path is not None:
            mean = mean + self.linear_path.encode(centred)
        return Moments(mean, log_variance.clamp(-30.0, 20.0))

    def _as_decoded(self, raw: Tensor) -> Tensor:
        """A raw latent as the decoder is given it."""
        return layer_norm(raw, raw.shape[1:]) if self.config.normalise_sampled else raw

    def _features(self, latent: Tensor) -> Tensor:
        """What enters the decoder's last convolution."""
        hidden = self.from_latent(latent)
        if self.linear_path is not None:
            hidden = hidden + self.linear_path.positions
        return self.decoder.features(hidden)

    def _last_layer(self, features: Tensor, latent: Tensor) -> Tensor:
        """Features, and the latent by the linear path, to a cine (B, 1, T, H, W) in float32."""
        cine = self.decoder.project(features).float()
        return cine if self.linear_path is None else cine + self.linear_path.decode(latent)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _perceptual_distance(self) -> Distance:
        """What compares cines besides their pixels; a file is read when it is first needed."""
        if self._distance is None and self.config.perceptual == "lpips":
            self._distance = Lpips(self.config.perceptual_weights)
        if self._distance is None:
            raise ConfigError(
                "perceptual=cmr-encoder compares cines by a CMR encoder, and none was given; name "
                "one with --weights cmr_encoder=RUN, or set autoencoder.perceptual to none"
            )
        return self._distance
