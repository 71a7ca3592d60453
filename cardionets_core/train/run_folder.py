"""The run folder: run.json, the metrics log and TensorBoard."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, TextIO

from cardionets_core.errors import TrainingError, UsageError
from cardionets_core.files import sweep_temporaries, write_whole

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
        refuse_used(path)
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
        write_atomically(self.path / MANIFEST_NAME, text)

    def update_manifest(self, **entries: Any) -> None:
        """Add or replace entries of run.json; None removes one."""
        entries = {**self.manifest, **entries}
        self.write_manifest({name: e for name, e in entries.items() if e is not None})

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
        """Drop rows logged after an optimiser step, and rebuild TensorBoard from the rest.

        What a kill left half-written is swept away.
        """
        sweep_temporaries(self.path)
        kept = [row for row in self.metrics() if row["step"] <= step]
        text = "".join(json.dumps(row) + "\n" for row in kept)
        write_atomically(self.path / METRICS_NAME, text)
        shutil.rmtree(self.path / TENSORBOARD_NAME, ignore_errors=True)
        with MetricsLog(self) as log:
            for row in kept:
                log.to_tensorboard(row)


class MetricsLog:
    """Appends rows to metrics.jsonl and to TensorBoard; both are opened at the first row.

    Args:
        run: The run folder.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._file: TextIO | None = None
        self._board: Any = None

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        if self._board is not None:
            self._board.close()

    def write(self, *rows: Row) -> None:
        """Log rows, each with ``step`` and ``phase`` and numbers.

        Raises:
            TrainingError: If it cannot be written, e.g. on a full disk.
        """
        path = self._run.path / METRICS_NAME
        try:
            if self._file is None:
                self._file = path.open("a", encoding="utf-8")
            self._file.write("".join(json.dumps(row) + "\n" for row in rows))
            self._file.flush()
            # On the disk before the checkpoint that counts on it.
            os.fsync(self._file.fileno())
            for row in rows:
                self.to_tensorboard(row)
        except OSError as error:
            raise TrainingError(
                f"cannot write {path}: {error.strerror}; free some space and use "
                f"--resume {self._run.path}"
            ) from error

    def to_tensorboard(self, row: Row) -> None:
        """Log a row's numbers under ``phase/name``."""
        if self._board is None:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - slow to import

            self._board = SummaryWriter(str(self._run.path / TENSORBOARD_NAME))
        for name, value in row.items():
            if name not in ("step", "phase", "epoch") and isinstance(value, int | float):
                self._board.add_scalar(f"{row['phase']}/{name}", value, row["step"])


def refuse_used(path: Path) -> None:
    """Refuse a folder for a new run that holds something already.

    Raises:
        UsageError: If it does, or is no folder.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file, not a folder; name another --out")
    if path.is_dir() and any(path.iterdir()):
        remedy = "name another --out"
        if (path / MANIFEST_NAME).is_file():
            remedy += f", or continue that run with --resume {path}"
        raise UsageError(f"{path} is not empty; {remedy}")


def write_atomically(path: Path, text: str) -> None:
    """Write a text file of a run whole, or not at all.

    Raises:
        TrainingError: If it cannot be written, e.g. on a full disk; an old file is intact.
    """
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise TrainingError(f"cannot write {path}: {error.strerror}; free some space") from error
