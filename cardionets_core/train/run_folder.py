"""The run folder: run.json, the metrics log and TensorBoard."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cardionets_core.errors import TrainingError, UsageError

MANIFEST_NAME = "run.json"
METRICS_NAME = "metrics.jsonl"
TENSORBOARD_NAME = "tensorboard"

Row = dict[str, Any]


class RunFolder:
    """Files of one run; everything is written atomically or appended line by line.

    Args:
        path: The folder; it exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, manifest: dict[str, Any]) -> RunFolder:
        """Make the folder of a new run and write its manifest first, so that it can be resumed.

        Raises:
            UsageError: If the folder already holds something.
        """
        if path.exists() and any(path.iterdir()):
            raise UsageError(
                f"{path} is not empty; name another --out, or continue it with --resume {path}"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make {path}: {error.strerror}; name another --out") from error
        run = cls(path)
        run.write_manifest(manifest)
        return run

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open the folder of an earlier run.

        Raises:
            UsageError: If it is not one.
        """
        if not (path / MANIFEST_NAME).is_file():
            raise UsageError(f"{path} is not a run folder: it holds no {MANIFEST_NAME}")
        return cls(path)

    @property
    def manifest(self) -> dict[str, Any]:
        """What run.json says.

        Raises:
            TrainingError: If it is not readable.
        """
        try:
            manifest: dict[str, Any] = json.loads(
                (self.path / MANIFEST_NAME).read_text(encoding="utf-8")
            )
        except (OSError, ValueError) as error:
            raise TrainingError(f"{self.path / MANIFEST_NAME} is not readable: {error}") from error
        return manifest

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Write run.json."""
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        write_atomically(self.path / MANIFEST_NAME, lambda part: part.write_text(text, "utf-8"))

    def update_manifest(self, **entries: Any) -> None:
        """Add or replace entries of run.json."""
        self.write_manifest({**self.manifest, **entries})

    def metrics(self) -> list[Row]:
        """The logged rows; a last line torn by a kill is left out."""
        path = self.path / METRICS_NAME
        if not path.exists():
            return []
        rows: list[Row] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
        return rows

    def cut_metrics(self, step: int) -> None:
        """Drop rows logged after an optimiser step, and rebuild TensorBoard from the rest."""
        kept = [row for row in self.metrics() if row["step"] <= step]
        text = "".join(json.dumps(row) + "\n" for row in kept)
        write_atomically(self.path / METRICS_NAME, lambda part: part.write_text(text, "utf-8"))
        shutil.rmtree(self.path / TENSORBOARD_NAME, ignore_errors=True)
        with MetricsLog(self) as log:
            for row in kept:
                log.to_tensorboard(row)


class MetricsLog:
    """Appends rows to metrics.jsonl and to TensorBoard.

    Args:
        run: The run folder.
    """

    def __init__(self, run: RunFolder) -> None:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - slow to import

        self._file = (run.path / METRICS_NAME).open("a", encoding="utf-8")
        self._board = SummaryWriter(str(run.path / TENSORBOARD_NAME))

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._board.close()

    def write(self, row: Row) -> None:
        """Log a row; it has ``step`` and ``phase`` and numbers."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        self.to_tensorboard(row)

    def to_tensorboard(self, row: Row) -> None:
        """Log a row's numbers under ``phase/name``."""
        for name, value in row.items():
            if name not in ("step", "phase", "epoch") and isinstance(value, int | float):
                self._board.add_scalar(f"{row['phase']}/{name}", value, row["step"])


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Have ``write`` fill a file beside ``path``, then put it in its place.

    Raises:
        TrainingError: If it cannot be written, e.g. on a full disk; an old file is intact.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        write(partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise TrainingError(f"cannot write {path}: {error.strerror}; free some space") from error
