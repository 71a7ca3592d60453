"""What a person sees while a stage trains."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

# Outside a terminal one line at most this often, so that logs stay readable.
_LINE_EVERY_S = 20.0


class Progress:
    """A rich progress bar with samples per second and time left; plain lines outside a terminal.

    Args:
        label: What is being trained.
        epochs: Epochs in all.
        samples_per_epoch: Training samples of an epoch.
        console: Where to write.
    """

    def __init__(self, label: str, epochs: int, samples_per_epoch: int, console: Console) -> None:
        self.console, self.epochs, self.samples_per_epoch = console, epochs, samples_per_epoch
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.0f} samples/s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task(
            label, total=epochs * samples_per_epoch, rate=0.0, losses=""
        )
        self._label, self._samples = label, 0
        self._started = self._last_line = time.perf_counter()

    def __enter__(self) -> Progress:
        self._bar.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def resumed(self, epoch: int) -> None:
        """Say from where the run continues."""
        self._bar.update(self._task, completed=epoch * self.samples_per_epoch)
        self.console.print(f"resumed after {epoch} of {self.epochs} epochs")

    def step_done(self, samples: int) -> None:
        """Count trained samples."""
        self._samples += samples
        self._bar.update(self._task, advance=samples, rate=self._rate())

    def epoch_done(self, epoch: int, train_loss: float, val_loss: float) -> None:
        """Show the losses of an epoch."""
        losses = f"loss {train_loss:.4f} val {val_loss:.4f}"
        self._bar.update(self._task, losses=losses)
        now = time.perf_counter()
        last = epoch + 1 == self.epochs
        if not self.console.is_terminal and (last or now - self._last_line > _LINE_EVERY_S):
            self._last_line = now
            self.console.print(
                f"{self._label}: epoch {epoch + 1}/{self.epochs}, {losses}, "
                f"{self._rate():.0f} samples/s"
            )

    def _rate(self) -> float:
        return self._samples / max(time.perf_counter() - self._started, 1e-9)
