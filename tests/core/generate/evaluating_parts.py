"""A generator for tests of evaluation, loaded as trained weights would be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.cmr.views import CineView
from cardionets_core.generate.evaluating.conditions import conditions_of
from cardionets_core.generate.loading import LoadedGenerator
from cardionets_core.registry import default_registry
from cardionets_core.weights.fetch import resolve
from cardionets_core.weights.file import save_weights, tensors_of
from cardionets_core.weights.header import PartHeader, TaskHeader, WeightsHeader, read_header
from cardionets_core.weights.lineage import LineageStep, extend
from cardionets_core.weights.load import load_part, transform_of

COMPONENTS = 6


class LinearCines(nn.Module):
    """Normal about a linear guess from the condition, in a few principal components of cines.

    ``deaf`` leaves the condition out: it draws anybody's cine.
    """

    trained_by_steps = False

    def __init__(self, *, deaf=False, condition="ecg", spatial_pool=2):
        super().__init__()
        self._view = CineView(2, 5, spatial_pool)
        self.cine_shape, self.deaf, self.condition = self._view.shape, deaf, condition

    def view(self, cine):
        return self._view.view(cine)

    def restore(self, view):
        return self._view.restore(view)

    def target(self, cine):
        raise NotImplementedError

    def loss(self, target, condition, *, noise=None):
        raise NotImplementedError

    def fit(self, condition, views):
        cines = torch.cat(list(views)).flatten(1)
        self.mean = cines.mean(dim=0)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            _, _, axes = torch.svd_lowrank(cines - self.mean, q=COMPONENTS, niter=4)
        scores = (cines - self.mean) @ axes
        self.centre, self.spread = condition.mean(dim=0), condition.std(dim=0) + 1e-6
        known = (condition - self.centre) / self.spread
        penalty = len(known) * torch.eye(known.shape[1])
        self.slopes = torch.linalg.solve(known.T @ known + penalty, known.T @ scores)
        if self.deaf:
            self.slopes = torch.zeros_like(self.slopes)
        self.left, self.axes = (scores - known @ self.slopes).std(dim=0), axes.T

    def sample(self, condition, *, seed, steps=None, guidance=None):
        guess = ((condition - self.centre) / self.spread) @ self.slopes
        for row, one in enumerate(seed):
            noise = torch.randn(len(self.left), generator=torch.Generator().manual_seed(one))
            guess[row] += self.left * noise
        cine = (self.mean + guess @ self.axes).clamp(-1, 1)
        return cine.unflatten(1, (1, *self.cine_shape))


def as_weights(generator, folder: Path, *, preset="tiny", ranges=(), seed=1):
    """The generator beside the shipped ECG encoder, as if it came from a file of its own."""
    path = resolve("cardionets-tiny-simulated")
    header, by_ecg = read_header(path), generator.condition == "ecg"
    own = default_registry().find("generator", "mean-cine")
    part = PartHeader.of(own, own.load_config()(frame_start=2, frame_step=5, spatial_pool=2))
    parts = {"generator": part.model_copy(update={"component": "made-up:linear"})}
    step = LineageStep(
        command="test", stage="generation", preset=preset, seed=seed, simulated=True,
        simulated_ranges=ranges, licence="MIT",
    )  # fmt: skip
    written = folder / f"linear-{generator.condition}-{generator.deaf}-{seed}.safetensors"
    written.write_bytes(written.name.encode())
    return LoadedGenerator(
        name=f"runs/linear-{seed}",
        path=written,
        generator=generator.eval(),
        encoder=load_part(path, "encoder").eval() if by_ecg else None,
        aligner=None,
        transform=transform_of(header) if by_ecg else None,
        header=WeightsHeader.of(
            parts | ({"encoder": header.parts["encoder"]} if by_ecg else {}),
            extend([header.lineage], step),
            transform=header.transform,
        ),
        device=torch.device("cpu"),
    )


def fitted(cohort, folder: Path, *, deaf=False, condition="ecg", **header):
    """Weights of a generator that was fitted on the cohort's training rows."""
    loaded = as_weights(LinearCines(deaf=deaf, condition=condition), folder, **header)
    rows = cohort.select(role="pretrain", split="train", with_ecg=True, with_cine=True)
    known = torch.from_numpy(np.array(conditions_of(loaded, cohort, rows)[rows]))
    cines = torch.from_numpy(cohort.cines(rows)).float() / 127.5 - 1
    loaded.generator.fit(known, [loaded.generator.view(cines)])
    return loaded


def head_file(folder, *, base="vit-cmr-tiny-simulated", outputs=None):
    """Weights of an untrained head for phenotypes whose outputs come in reverse order."""
    path, registry = resolve(base), default_registry()
    part, linear = read_header(path).parts["encoder"], registry.find("head", "linear")
    encoder = load_part(path, "encoder")
    outputs = outputs or tuple(phenotype.name for phenotype in reversed(PHENOTYPES))
    arguments = {
        "embed_dim": encoder.embed_dim, "pooled_dim": encoder.pooled_dim,
        "outputs": len(outputs), "target": "regression",
    }  # fmt: skip
    config = linear.load_config()()
    head = linear.load()(config, **arguments)
    header = WeightsHeader.of(
        {"encoder": part, "head": PartHeader.of(linear, config, **arguments)},
        read_header(path).lineage,
        transform=read_header(path).transform,
        tasks={"head": TaskHeader(name="phenotypes", target="regression", outputs=outputs)},
    )
    written = folder / "head.safetensors"
    save_weights(written, tensors_of({"encoder": encoder, "head": head}), header)
    return written, head.eval()
