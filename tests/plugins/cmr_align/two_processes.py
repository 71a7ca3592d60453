"""One of several processes that align together; started by the test beside it.

Usage: two_processes.py RANK COUNTS FOLDER, COUNTS like 3,5: rows of each process.
"""

import os
import sys
from pathlib import Path

import torch
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from cardionets_cmr_align.aligner import InfoNce, WeightedInfoNce
from cardionets_cmr_align.config import InfoNceConfig, WeightedInfoNceConfig
from cardionets_core.interfaces import Features

ECG_INPUTS, ECG_DIM, CMR_DIM = 7, 6, 10


class AlignmentStep(nn.Module):
    """An ECG encoder, here a linear layer, with an aligner: what is trained together."""

    def __init__(self, name):
        super().__init__()
        torch.manual_seed(0)
        shared = {"projection_dim": 5, "temperature": 0.2, "learnable_temperature": True}
        self.encoder = nn.Linear(ECG_INPUTS, ECG_DIM)
        if name == "infonce":
            self.aligner = InfoNce(InfoNceConfig(**shared), ecg_dim=ECG_DIM, cmr_dim=CMR_DIM)
        else:
            config = WeightedInfoNceConfig(pca_components=4, **shared)
            self.aligner = WeightedInfoNce(config, ecg_dim=ECG_DIM, cmr_dim=CMR_DIM)

    def forward(self, ecg, cmr):
        pooled = self.encoder(ecg)
        return self.aligner.loss(
            self.aligner.embed_ecg(Features(pooled.unsqueeze(1), pooled)),
            self.aligner.embed_cmr(cmr),
            self.aligner.phi(cmr),
        )


def joined_batch(count):
    rng = torch.Generator().manual_seed(1)
    ecg = torch.randn(count, ECG_INPUTS, generator=rng, dtype=torch.float64)
    return ecg, torch.randn(count, CMR_DIM, generator=rng, dtype=torch.float64)


def loss_and_gradients(step, wrapped, ecg, cmr):
    """Loss, log and gradients by parameter name after one backward pass."""
    loss, log = wrapped(ecg, cmr)
    loss.backward()
    gradients = {name: p.grad for name, p in step.named_parameters()}
    numbers = {name: float(value) for name, value in log.items()}
    return {"loss": loss.detach(), "log": numbers, "gradients": gradients}


def fitted_step(name, cmr):
    step = AlignmentStep(name).double()
    step.aligner.fit(cmr)
    return step


def main(rank, counts, folder):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=len(counts)
    )
    ecg, cmr = joined_batch(sum(counts))
    own = slice(sum(counts[:rank]), sum(counts[: rank + 1]))
    found = {}
    for name in ("infonce", "weighted-infonce"):
        step = fitted_step(name, cmr)
        wrapped = DistributedDataParallel(step)
        found[name] = loss_and_gradients(step, wrapped, ecg[own], cmr[own])
    torch.save(found, folder / f"rank{rank}.pt")
    # Neither goes before the other is done.
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), [int(c) for c in sys.argv[2].split(",")], Path(sys.argv[3]))
    # Everything is on disk. torch's threads may abort a process that tears itself down after DDP.
    os._exit(0)
