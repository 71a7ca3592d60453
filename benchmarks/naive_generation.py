"""Generation as one would write it first: float32, one cine at a time, nothing shared.

Every iteration decodes all tokens and picks some, and every step embeds time and condition anew.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from generation_stages import Stages
from torch import Tensor

from cardionets_mar3d.diffusion import Coefficients, Schedule, predict
from cardionets_mar3d.mar import Mar
from cardionets_mar3d.sampling import RecordNoise
from cardionets_mar3d.tokens import iteration_schedule


@torch.no_grad()
def naive_latent(model: Mar, condition: Tensor, guidance: float, stages: Stages) -> Tensor:
    """A latent (1, C, t, h, w) from an embedded condition (1, W), by diffusion in float32."""
    grid, transformer = model.grid, model.transformer
    noise = RecordNoise([0], grid.tokens, grid.token_dim, condition.device)
    orders = noise.orders()
    tokens = condition.new_zeros(1, grid.tokens, grid.token_dim)
    conditions = [condition] if guidance == 1.0 else [condition, transformer.fake_latent]
    given = torch.cat(conditions)
    halves, everywhere = len(given), torch.arange(grid.tokens).expand(len(given), -1)
    for before, after in pairwise(iteration_schedule(grid.tokens, model.config.iterations)):
        places, wanted = orders[:, before:].expand(halves, -1), orders[0, after:before]
        known = tokens[:, orders[0, before:]].expand(halves, -1, -1)
        with stages.of("encoder"):
            encoded = transformer.encode(known, places, given)
        with stages.of("decoder"):
            z = transformer.decode(encoded, places, everywhere)[:, wanted]
        with stages.of("noise"):
            start, added = noise.draw(wanted[None], model.config.sample_steps - 1)
            start, added = start.to(tokens.dtype), added.to(tokens.dtype)
        with stages.of("denoiser"):
            tokens[:, wanted] = _denoised(model, z, start, added, guidance)
    return grid.unpatchify(tokens)


def _denoised(model: Mar, z: Tensor, x: Tensor, added: Tensor, guidance: float) -> Tensor:
    """Tokens (1, n, D) drawn from what the transformer knows of them, (halves, n, Z)."""
    schedule = Schedule.cosine(model.config.train_steps, model.config.sample_steps)
    table, halves, dim = schedule.table().to(x.dtype), len(z), model.grid.token_dim
    for count, index in enumerate(range(len(schedule.timesteps) - 1, -1, -1)):
        both = x.expand(halves, -1, -1).flatten(0, 1)
        time = torch.full((len(both),), schedule.timesteps[index])
        output = model.head.net(both, time, z.flatten(0, 1)).view(halves, -1, 2 * dim)
        mixed = output[-1, :, :dim] + guidance * (output[0, :, :dim] - output[-1, :, :dim])
        output = torch.cat((mixed, output[0, :, dim:]), dim=-1)
        at = Coefficients.at(table, torch.full((x.shape[1],), index))
        found = predict(x[0], output, at)
        x = found.mean[None]
        if index:
            x = x + (0.5 * found.log_variance[None]).exp() * added[count]
    return x
