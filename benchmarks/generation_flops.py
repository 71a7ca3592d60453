"""Floating-point operations of generation, counted from its options; rules as in ``flops``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from flops import block

from cardionets_mar3d.mar_config import MarConfig
from cardionets_mar3d.tokens import TokenGrid, iteration_schedule


@dataclass(frozen=True, slots=True)
class StageFlops:
    """Operations of one cine by stage.

    Attributes:
        encoder: Of the masked transformer, over all iterations.
        decoder: Likewise.
        denoiser: Over all tokens and steps.
    """

    encoder: float
    decoder: float
    denoiser: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.encoder + self.decoder + self.denoiser


def grid_of(config: MarConfig) -> TokenGrid:
    """How its latents are cut."""
    return TokenGrid(config.latent_shape, config.patch_frames, config.patch_size)


def encoder(config: MarConfig, known: int) -> float:
    """One pass of the encoder over ``known`` tokens and the condition's slots."""
    embed = 2.0 * known * grid_of(config).token_dim * config.width
    tokens = config.buffer_tokens + known
    return embed + config.depth * _block(config, tokens, config.width)


def decoder(config: MarConfig, known: int, wanted: int) -> float:
    """One pass of the decoder, whose last block answers for ``wanted`` tokens alone."""
    width = config.decoder_width
    embed = 2.0 * (config.buffer_tokens + known) * config.width * width
    tokens = config.buffer_tokens + grid_of(config).tokens
    hidden = round(width * config.mlp_ratio)
    keys_and_values = 2.0 * tokens * width * 2 * width
    answered = 2.0 * wanted * width * (2 * width + 2 * hidden) + 4.0 * wanted * tokens * width
    last = keys_and_values + answered
    return embed + (config.decoder_depth - 1) * _block(config, tokens, width) + last


def _block(config: MarConfig, tokens: int, width: int) -> float:
    return block(tokens, width, width, round(width * config.mlp_ratio))


def denoiser_steps(config: MarConfig) -> int:
    """How often the denoiser looks at a token."""
    if config.sampler == "diffusion":
        return config.sample_steps
    return config.flow_steps * (2 if config.flow_integrator == "heun" else 1)


def denoiser(config: MarConfig, *, guided: bool, shared: bool) -> float:
    """One token through all steps of the denoiser.

    Args:
        config: Options.
        guided: With a second half without condition.
        shared: Compute once what the steps, or the halves, have in common.
    """
    width, dim, halves = config.denoiser_width, grid_of(config).token_dim, 2 if guided else 1
    outputs = 2 * dim if config.sampler == "diffusion" else dim
    given = halves * 2.0 * config.decoder_width * width
    token = 2.0 * dim * width
    blocks = halves * 2.0 * width**2 * (5 * config.denoiser_depth + 2)
    final = 2.0 * width * (outputs + (halves - 1) * dim)
    steps = denoiser_steps(config)
    if shared:
        return given + steps * (token + blocks + final)
    time = halves * 2.0 * width * (256 + width)
    return steps * (given + time + halves * token + blocks + halves * 2.0 * width * outputs)


def generation(config: MarConfig, *, guided: bool, shared: bool = True) -> StageFlops:
    """All iterations of one cine; arguments as of ``denoiser``."""
    tokens, halves = grid_of(config).tokens, 2 if guided else 1
    hidden = iteration_schedule(tokens, config.iterations)
    drawn = [
        (tokens - before, before - after) for before, after in pairwise(hidden) if before > after
    ]
    return StageFlops(
        encoder=halves * sum(encoder(config, known) for known, _ in drawn),
        decoder=halves
        * sum(decoder(config, known, wanted if shared else tokens) for known, wanted in drawn),
        denoiser=tokens * denoiser(config, guided=guided, shared=shared),
    )


def time_embeddings(config: MarConfig) -> float:
    """What sampling embeds ahead, once for a whole batch."""
    steps = config.sample_steps if config.sampler == "diffusion" else config.flow_steps + 1
    return steps * 2.0 * config.denoiser_width * (256 + config.denoiser_width)


def training(config: MarConfig, hidden: int) -> float:
    """Forward and backward of one sample of the training loss with ``hidden`` tokens hidden.

    The tokens themselves need no gradient, where they enter transformer and denoiser.
    """
    known, dim = grid_of(config).tokens - hidden, grid_of(config).token_dim
    width, draws = config.denoiser_width, config.diffusion_batch_mul
    outputs = 2 * dim if config.sampler == "diffusion" else dim
    transformer = encoder(config, known) + decoder(config, known, hidden)
    inputs = 2.0 * known * dim * config.width
    per_draw = 2.0 * width * (
        dim + 256 + width + config.decoder_width + (5 * config.denoiser_depth + 2) * width + outputs
    )  # fmt: skip
    denoising = draws * hidden * per_draw
    inputs += draws * hidden * 2.0 * width * (dim + 256)
    return 3 * (transformer + denoising) - inputs
