"""Read one model's test scores from the ``scores.parquet`` of a run or study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.scores import ScoreKind, Scores

SCORES_FILE = "scores.parquet"
_ALL = "all"
# Files beside the scores, and the entry that tells whether subjects are simulated.
_TOLD_IN = (("run.json", "data"), ("study.json", "cohort"))
_NEEDED = ("record_id", "subject_id", "task", "variant", "fold", "seed", "split", "target", "score")


def read_parquet_scores(
    path: Path, *, task: str = "", variant: str = "", setting: str = ""
) -> Scores:
    """Read the test records of one task, variant and setting.

    Args:
        path: The file.
        task: Which; may be empty if there is one.
        variant: Which; may be empty if there is one.
        setting: With how many training labels, as in the column of that name; empty for all.

    Raises:
        EvaluationError: If the file is none of ours, or the choice is not a single one.
    """
    frame = _read(path)
    frame = frame[frame["split"] == "test"]
    if frame.empty:
        raise EvaluationError(f"{path}: no records of the test split; score a test fold first")
    notes: list[str] = []
    for column, wanted in (("task", task), ("variant", variant)):
        frame = _only(frame, column, wanted, path)
    if "setting" in frame:
        if not setting and frame["setting"].nunique() > 1 and (frame["setting"] == _ALL).any():
            setting = _ALL
            notes.append(f"{path.name}: models trained with all labels; --setting names others")
        frame = _only(frame, "setting", setting, path)
    name = f"{frame['task'].iloc[0]}, {frame['variant'].iloc[0] or 'own'}"
    if _has_simulated_weights(path):
        notes.append(f"{name}: weights trained on simulated data")
    return scores_of_rows(frame, name, notes=tuple(notes), simulated=_is_simulated(path))


def scores_of_rows(
    frame: pd.DataFrame, name: str, *, notes: tuple[str, ...] = (), simulated: bool = False
) -> Scores:
    """Rows of such a table, of one task, variant and setting, as scores of one model.

    Args:
        frame: The rows.
        name: What to call the model.
        notes: For the scores.
        simulated: Whether the subjects are.

    Raises:
        EvaluationError: If the task has several labels.
    """
    y, score = _stacked(frame["target"]), _stacked(frame["score"])
    kind = _kind(y, score, name)
    return Scores(
        name=name,
        kind=kind,
        outputs=_outputs(kind, y.shape[1], score.shape[1]),
        ids=frame["record_id"].to_numpy(dtype=np.str_),
        y=y,
        score=score,
        columns=_columns(frame),
        threshold=_threshold(frame, kind),
        notes=notes,
        simulated=simulated,
    )


def _outputs(kind: ScoreKind, targets: int, scores: int) -> tuple[str, ...]:
    """Names of the outputs, which such a table does not hold."""
    if kind == "multiclass":
        return tuple(f"class {index}" for index in range(scores))
    if targets == len(PHENOTYPES):
        return tuple(phenotype.name for phenotype in PHENOTYPES)
    return tuple(f"output {index}" for index in range(targets))


def _read(path: Path) -> pd.DataFrame:
    try:
        frame = pq.read_table(path).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise EvaluationError(f"{path}: no readable parquet file; make it again") from error
    missing = [name for name in _NEEDED if name not in frame]
    if missing:
        raise EvaluationError(
            f"{path}: no column {', '.join(missing)}; needed a {SCORES_FILE} of `cardionets train "
            "--head` or `study`, or a CSV with id, label, score"
        )
    return frame


def _only(frame: pd.DataFrame, column: str, wanted: str, path: Path) -> pd.DataFrame:
    found = sorted(frame[column].unique())
    if not wanted and len(found) == 1:
        return frame
    if wanted not in found:
        what = f"no {column} {wanted!r}" if wanted else f"{len(found)} {column}s"
        raise EvaluationError(
            f"{path}: {what}; choose one with --{column}: {', '.join(map(str, found))}"
        )
    return frame[frame[column] == wanted]


def _is_simulated(path: Path) -> bool:
    """What the run or study beside the file says of its subjects.

    Not of its weights: those of real people may descend from simulated ones.
    """
    for name, group in _TOLD_IN:
        file = path.with_name(name)
        if not file.is_file():
            continue
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            return bool(told[group]["simulated"])
        except (ValueError, KeyError, TypeError):
            return False
    return False


def _has_simulated_weights(path: Path) -> bool:
    """Whether the run beside the file descends from simulated subjects."""
    try:
        told = json.loads(path.with_name("run.json").read_text(encoding="utf-8"))
        return any(step["simulated"] for step in told["lineage"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _stacked(values: pd.Series[Any]) -> NDArray[np.float64]:
    return np.stack([np.asarray(value, dtype=np.float64) for value in values])


def _kind(y: NDArray[np.float64], score: NDArray[np.float64], name: str) -> ScoreKind:
    if y.shape[1] == 1 and score.shape[1] > 1:
        return "multiclass"
    zero_or_one = bool(np.isin(y[~np.isnan(y)], (0, 1)).all())
    if zero_or_one and y.shape[1] > 1:
        raise EvaluationError(
            f"{name}: a task of {y.shape[1]} labels; compare takes one label, so write that "
            "label's scores into a CSV with id, label, score"
        )
    return "binary" if zero_or_one else "regression"


def _columns(frame: pd.DataFrame) -> pd.DataFrame:
    others = frame.drop(columns=["record_id", "target", "score", "threshold"], errors="ignore")
    others = others.rename(columns={"subject_id": "subject"}).reset_index(drop=True)
    return others.astype(str)


def _threshold(frame: pd.DataFrame, kind: ScoreKind) -> NDArray[np.float64] | None:
    if kind != "binary" or "threshold" not in frame:
        return None
    found = _stacked(frame["threshold"])
    return found[:, 0] if found.shape[1] == 1 and np.isfinite(found).all() else None
