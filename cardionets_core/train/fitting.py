"""Fit a stage: once, or at several learning rates of which the inner split keeps the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lightning_fabric import Fabric
from rich.console import Console
from torch import Tensor

from cardionets_core.train.building import BuiltStage
from cardionets_core.train.checkpoint import CHECKPOINT_NAME
from cardionets_core.train.config import TrainConfig
from cardionets_core.train.generate_cines import GenerationStage
from cardionets_core.train.loop import FitResult, Loop
from cardionets_core.train.plan import Plan, replace_options
from cardionets_core.train.progress import Progress
from cardionets_core.train.run_folder import RunFolder

RATES_FOLDER = "rates"


@dataclass(frozen=True, slots=True)
class Fitted:
    """How a stage was fitted; its module holds the best weights.

    Attributes:
        result: How the best fit ended.
        log: Folder with that fit's metrics.
        lr: Its highest learning rate.
        tried: Validation loss of every learning rate that was tried.
    """

    result: FitResult
    log: RunFolder
    lr: float
    tried: dict[float, float]

    def sweep(self) -> None:
        """Delete the checkpoints of learning rates: a finished run is not continued."""
        if len(self.tried) > 1:
            for folder in self.log.path.parent.iterdir():
                (folder / CHECKPOINT_NAME).unlink(missing_ok=True)


def fit_stage(
    built: BuiltStage, plan: Plan, run: RunFolder, fabric: Fabric, console: Console, *, resume: bool
) -> Fitted:
    """Train a stage to its best epoch.

    Args:
        built: The stage.
        plan: Its plan.
        run: Its run folder; each learning rate of several has a folder of its own below it.
        fabric: Devices and processes.
        console: Where progress is shown.
        resume: Continue where a stopped run was.

    Raises:
        TrainingError: On a loss that is not finite, or a checkpoint that cannot be used.
    """
    if isinstance(built.stage, GenerationStage) and not built.stage.generator.trained_by_steps:
        return Fitted(FitResult(0, -1, 0.0, 0.0, 0.0), run, plan.train.lr, {})
    rates = _rates(plan)
    if len(rates) == 1:
        train = replace_options(plan.train, lr=rates[0])
        result = _fit(built, plan, train, run, fabric, console, resume=resume)
        return Fitted(result, run, rates[0], {rates[0]: result.best_loss})
    start = _copy(built)
    best: Fitted | None = None
    kept: dict[str, Any] = {}
    tried: dict[float, float] = {}
    for lr in rates:
        folder = run.path / RATES_FOLDER / str(lr)
        folder.mkdir(parents=True, exist_ok=True)
        built.stage.module.load_state_dict(start)
        train = replace_options(plan.train, lr=lr)
        log = RunFolder(folder)
        result = _fit(built, plan, train, log, fabric, console, resume=resume)
        tried[lr] = result.best_loss
        if best is None or result.best_loss < best.result.best_loss:
            best, kept = Fitted(result, log, lr, tried), _copy(built)
    built.stage.module.load_state_dict(kept)
    assert best is not None  # noqa: S101 - there are two rates at least
    return best


def _rates(plan: Plan) -> tuple[float, ...]:
    if plan.protocol is None:
        return (plan.train.lr,)
    at_random = plan.parts["encoder"].source == "random"
    protocol = plan.protocol
    found = protocol.lr_candidates_random if at_random else protocol.lr_candidates
    return found or (plan.train.lr,)


def _fit(
    built: BuiltStage,
    plan: Plan,
    train: TrainConfig,
    log: RunFolder,
    fabric: Fabric,
    console: Console,
    *,
    resume: bool,
) -> FitResult:
    samples = len(built.stage.train_rows)
    with Progress(plan.stage, train.epochs, samples, console) as progress:
        loop = Loop(fabric, built.stage, train, log, seed=plan.seed, progress=progress)
        return loop.fit(resume=resume)


def _copy(built: BuiltStage) -> dict[str, Tensor]:
    state = built.stage.module.state_dict()
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
