"""Joining the batches of all processes.

With R processes, each computes the loss L of the joined batch. ``join`` sums the gradients that
the R copies of L send to a process's rows, R dL/dz, and DDP or FSDP averages parameter gradients
over the R processes. Together: (1/R) sum over processes of R dL/dz dz/dp = dL/dp, the gradient of
one process on the joined batch. A parameter used after joining, like the temperature, gets dL/dp
in every process, and their average is dL/dp again.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist


def is_distributed() -> bool:
    """Whether there is another process to join with."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def join(rows: Tensor) -> Tensor:
    """Rows (b, ...) of all processes, in order of rank, with gradients: (sum of b, ...).

    Processes may hold different numbers of rows. One process gets its rows back.
    """
    return _Join.apply(rows) if is_distributed() else rows


class _Join(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        counts = _counts(rows)
        rank = dist.get_rank()
        ctx.own = slice(sum(counts[:rank]), sum(counts[: rank + 1]))
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        gathered = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(gathered, padded)
        return torch.cat([part[:n] for part, n in zip(gathered, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total[ctx.own]


def _counts(rows: Tensor) -> list[int]:
    """Number of rows in each process; the last batch of an epoch may be uneven."""
    own = torch.tensor([len(rows)], device=rows.device)
    counts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(counts, own)
    return [int(count) for count in counts]
