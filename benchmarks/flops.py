"""Floating-point operations of the models, counted from their options.

Matrix products count, two operations a multiply-add; norms, softmax, GELU, additions and the
optimiser do not. A linear layer from a to b features over n tokens is ``2 n a b``. Attention over N
tokens of ``inner`` features (all heads together) adds ``4 N^2 inner``. A backward pass costs twice
the forward one: a product for the weights and one for the input, less the latter where nothing
before the layer is trained, which is so where a cine's patches are embedded. What a kernel computes
a second time in its backward pass is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from cardionets_encoders.config import StMemConfig, VitCmrConfig, kept_patches


@dataclass(frozen=True, slots=True)
class Flops:
    """Operations for one sample.

    Attributes:
        forward: All of the forward pass.
        untrained_input: The part of it whose input needs no gradient.
    """

    forward: float
    untrained_input: float = 0.0

    @property
    def training(self) -> float:
        """Forward and backward."""
        return 3 * self.forward - self.untrained_input


def block(tokens: int, width: int, inner: int, hidden: int) -> float:
    """One transformer block: query, key, value, attention, projection and MLP."""
    linear = 2.0 * tokens * width * (4 * inner + 2 * hidden)
    return linear + 4.0 * tokens**2 * inner


def stmem(config: StMemConfig) -> Flops:
    """The ECG encoder on a record of full length with all leads."""
    return _stmem_encoder(config, config.patches_per_lead)


def _stmem_encoder(config: StMemConfig, patches: int) -> Flops:
    leads, hidden = len(config.leads), round(config.width * config.mlp_ratio)
    embedding = 2.0 * leads * patches * config.patch_samples * config.width
    tokens, inner = leads * (patches + 2), config.heads * config.head_dim
    return Flops(embedding + config.depth * block(tokens, config.width, inner, hidden))


def stmem_pretext(config: StMemConfig) -> Flops:
    """Masked pre-training of it; the decoder runs on each lead by itself."""
    patches, leads = config.patches_per_lead, len(config.leads)
    kept = kept_patches(patches, config.mask_ratio)
    encoder, width = _stmem_encoder(config, kept), config.decoder_width
    embed = 2.0 * (kept + 2) * config.width * width
    inner = config.decoder_heads * config.decoder_head_dim
    blocks = config.decoder_depth * block(
        patches + 2, width, inner, round(width * config.mlp_ratio)
    )
    project = 2.0 * patches * width * config.patch_samples
    return Flops(encoder.forward + leads * (embed + blocks + project))


def vit_cmr(config: VitCmrConfig) -> Flops:
    """The cine encoder."""
    return _vit_encoder(config, config.patches_per_side**2)


def _vit_encoder(config: VitCmrConfig, patches: int) -> Flops:
    width = config.width
    embedding = 2.0 * patches * config.patch**2 * config.view_frames * width
    blocks = config.depth * block(patches + 1, width, width, int(width * config.mlp_ratio))
    return Flops(embedding + blocks, embedding)


def vit_cmr_pretext(config: VitCmrConfig) -> Flops:
    """Masked pre-training of it."""
    patches = config.patches_per_side**2
    kept = kept_patches(patches, config.mask_ratio)
    encoder, width = _vit_encoder(config, kept), config.decoder_width
    embed = 2.0 * (kept + 1) * config.width * width
    blocks = config.decoder_depth * block(patches + 1, width, width, int(width * config.mlp_ratio))
    project = 2.0 * patches * width * config.patch**2 * config.view_frames
    return Flops(encoder.forward + embed + blocks + project, encoder.untrained_input)


def alignment(
    encoder: Flops, *, batch: int, ecg_dim: int, cmr_dim: int, shared: int, components: int
) -> float:
    """One sample of an alignment step with cached CMR features: both sides and the loss.

    Args:
        encoder: Of the ECG encoder.
        batch: Samples in the batch; similarity and distances grow with it.
        ecg_dim: Width of the pooled ECG feature.
        cmr_dim: Width of the cached CMR feature.
        shared: Width of the shared embedding.
        components: Principal components of the CMR features.
    """
    ecg_side = 3 * 2.0 * ecg_dim * shared
    cmr_side = 2 * 2.0 * cmr_dim * shared + 2.0 * cmr_dim * components
    # The similarity for the loss and its log, and once back to either side.
    return encoder.training + ecg_side + cmr_side + 4 * 2.0 * batch * shared
