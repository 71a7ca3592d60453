"""From a plan to the stages that end in cines: an autoencoder, a generator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor

from cardionets_core.cohort.guard import Fingerprints, refuse_overlap
from cardionets_core.cohort.reader import Cohort
from cardionets_core.errors import TrainingError
from cardionets_core.train.arrays import cached_array
from cardionets_core.train.autoencode import AutoencoderModel, AutoencoderStage
from cardionets_core.train.building import BuiltStage, Parts, built_stage, ecg_source, frozen_key
from cardionets_core.train.cine_outcome import some_of
from cardionets_core.train.cine_source import CineSource
from cardionets_core.train.cohorts import preparing_progress
from cardionets_core.train.condition_source import ecg_conditions, phenotype_conditions
from cardionets_core.train.ecg_source import EcgSource
from cardionets_core.train.generate_cines import GenerationStage, GeneratorModel
from cardionets_core.train.rows import by_phenotypes, usable_rows, with_phenotypes

Rows = NDArray[np.int64]
_BLOCK = 64


def build_autoencoding(parts: Parts, cohort: Cohort, console: Console) -> BuiltStage:
    """Build an autoencoder and the views of the cines that it is trained on.

    Raises:
        CardionetsError: If the cohort has too few cines, or a component does not fit.
    """
    train_rows, val_rows = usable_rows(parts.plan, cohort)
    test_rows = cohort.select(role="downstream", with_cine=True)
    _refuse_seen(parts, cohort, (train_rows, val_rows), test_rows)
    autoencoder = parts.build("autoencoder")
    for role in list(parts.plan.parts):
        if role != "autoencoder":
            helper = parts.build(role).requires_grad_(False).eval()
            autoencoder.use(**{role: helper})
            # It judged the reconstructions; nothing that is drawn later needs it.
            del parts.modules[role], parts.headers[role]
    looked_at = some_of(test_rows)
    rows = np.concatenate([train_rows, val_rows, looked_at])
    cines = _cines(parts, "autoencoder", autoencoder, cohort, rows, console)
    stage = AutoencoderStage(
        AutoencoderModel(autoencoder), cines, cohort, train_rows=train_rows, val_rows=val_rows
    )
    return built_stage(stage, parts, cohort, None, looked_at)


def build_generation(
    parts: Parts, cohort: Cohort, device: torch.device, console: Console
) -> BuiltStage:
    """Build a generator and everything frozen that it stands on; embed, encode and fit.

    Raises:
        CardionetsError: If the cohort has too few records, or a component does not fit.
    """
    plan = parts.plan
    train_rows, val_rows = usable_rows(plan, cohort)
    phenotypes = by_phenotypes(plan)
    test_rows = cohort.select(role="downstream", with_ecg=not phenotypes, with_cine=True)
    test_rows = with_phenotypes(cohort, test_rows) if phenotypes else test_rows
    _refuse_seen(parts, cohort, (train_rows, val_rows), test_rows)
    used = np.concatenate([train_rows, val_rows])
    looked_at, ecgs = some_of(test_rows), None
    rows = np.concatenate([train_rows, val_rows, looked_at])
    if phenotypes:
        conditions = phenotype_conditions(cohort)
    else:
        ecgs, conditions = _ecg_side(parts, cohort, rows, train_rows, device, console)
    generator = parts.build("generator", condition_dim=int(conditions.shape[1]))
    if "autoencoder" in plan.parts:
        autoencoder = parts.build("autoencoder").requires_grad_(False).eval().to(device)
        generator.use(autoencoder=autoencoder)
    cines = _cines(parts, "generator", generator, cohort, rows, console)
    if hasattr(generator, "fit"):
        # Its own draws, such as initial weights of a part that is fitted, follow from the seed.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            generator.fit(torch.from_numpy(conditions[train_rows]), _Views(cines, train_rows))
    if generator.trained_by_steps:
        targets = _targets(
            parts, generator, cines, cohort, rows=used, device=device, console=console
        )
    else:
        targets = np.empty((len(cohort), 0), np.float16)
    stage = GenerationStage(
        GeneratorModel(generator), cines, targets, conditions, cohort,
        train_rows=train_rows, val_rows=val_rows,
    )  # fmt: skip
    transform = None if ecgs is None else ecgs.transform
    return built_stage(stage, parts, cohort, transform, looked_at)


class _Views:
    """Views of rows in blocks; may be walked several times."""

    def __init__(self, cines: CineSource, rows: Rows) -> None:
        self._cines, self._rows = cines, rows

    def __iter__(self) -> Iterator[Tensor]:
        for first in range(0, len(self._rows), _BLOCK):
            yield self._cines.views(self._rows[first : first + _BLOCK])


def _refuse_seen(parts: Parts, cohort: Cohort, used: tuple[Rows, Rows], test_rows: Rows) -> None:
    """Refuse, before hours of training, to evaluate on subjects that are trained on."""
    seen = parts.seen.merge(Fingerprints.of(cohort, np.concatenate(used)))
    refuse_overlap(seen, cohort, test_rows, purpose="evaluate on")


def _ecg_side(
    parts: Parts,
    cohort: Cohort,
    rows: Rows,
    train_rows: Rows,
    device: torch.device,
    console: Console,
) -> tuple[EcgSource, NDArray[np.float32]]:
    """The frozen ECG encoder's features of some rows."""
    encoder = parts.build("encoder").requires_grad_(False)
    ecgs = ecg_source(parts.plan, cohort, rows, train_rows, console)
    aligner = None
    key: list[Any] = [frozen_key(parts, "encoder", device)]
    if "aligner" in parts.plan.parts:
        aligner = parts.build_saved("aligner").requires_grad_(False)
        key.append(frozen_key(parts, "aligner", device))
    with preparing_progress(console) as bar:
        task = bar.add_task("embedding ECGs", total=len(rows))
        conditions = ecg_conditions(
            cohort, ecgs, encoder, aligner, key, rows=rows, device=device,
            on_block=lambda done: bar.advance(task, done),
        )  # fmt: skip
    return ecgs, conditions


def _cines(
    parts: Parts, role: str, module: Any, cohort: Cohort, rows: Rows, console: Console
) -> CineSource:
    part = parts.plan.parts[role]
    # A view follows from the shape that is seen, and from nothing else of a component.
    key = [part.component, part.options, list(module.cine_shape)]
    with preparing_progress(console) as bar:
        task = bar.add_task("reading cines", total=len(rows))
        return CineSource(
            cohort, module, key, rows=rows, on_block=lambda done: bar.advance(task, done)
        )


@torch.no_grad()
def _targets(
    parts: Parts,
    generator: Any,
    cines: CineSource,
    cohort: Cohort,
    *,
    rows: Rows,
    device: torch.device,
    console: Console,
) -> NDArray[Any]:
    """What the generator's loss needs of the cines, computed once; half precision."""
    generator.to(device)

    def encode(block: Rows) -> NDArray[np.float16]:
        target = generator.target(cines.views(block).to(device)[:, None])
        found: NDArray[np.float16] = target.float().cpu().numpy().astype(np.float16)
        return found

    first = encode(rows[:1])
    if not np.isfinite(first).all():
        raise TrainingError(
            "the latents of the first cine are not finite in half precision; is this the "
            "autoencoder that belongs to the cohort? Name another with --weights autoencoder=RUN"
        )
    part = parts.plan.parts["generator"]
    frozen = [frozen_key(parts, role, device) for role in ("autoencoder",) if role in parts.headers]
    with preparing_progress(console) as bar:
        task = bar.add_task("encoding cines", total=len(rows))
        return cached_array(
            "targets",
            [cohort.content_hash, part.component, parts.headers["generator"].version, frozen],
            shape=(len(cohort), *first.shape[1:]),
            dtype=np.float16,
            fill=encode,
            rows=rows,
            on_block=lambda done: bar.advance(task, done),
        )
