"""Read scores of any model: a CSV from anywhere, or the ``scores.parquet`` of a run or study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.score_csv import Target, read_csv_scores
from cardionets_core.evaluate.score_parquet import SCORES_FILE, read_parquet_scores
from cardionets_core.evaluate.scores import Scores, refuse_duplicates


def read_scores(
    path: Path,
    *,
    target: Target = "auto",
    task: str = "",
    variant: str = "",
    setting: str = "",
    simulated: bool = False,
) -> Scores:
    """Read the scores of one model.

    Args:
        path: A CSV with columns ``id``, ``label`` and ``score`` (or ``score_CLASS`` for each class)
            and optional ``fold``, ``seed``, ``subject``, ``threshold`` and any others; a
            ``scores.parquet``; or the folder of a run or study that holds one.
        target: What the labels of a CSV are; ``auto`` tells from the labels.
        task: Of a parquet with several tasks.
        variant: Of a parquet with several variants.
        setting: Of a parquet with several numbers of training labels; empty for all labels.
        simulated: Whether the subjects are known to be; a run or study says so itself.

    Raises:
        EvaluationError: If it cannot be read or does not hold what is needed.
    """
    file = path / SCORES_FILE if path.is_dir() else path
    if not file.is_file():
        found = f"no {SCORES_FILE} in this folder" if path.is_dir() else "no such file"
        raise EvaluationError(
            f"{path}: {found}; name a CSV, or the folder of a finished run or study"
        )
    if file.suffix.lower() == ".parquet":
        if target != "auto":
            raise EvaluationError(
                f"{path}: --target says what the labels of a CSV are and means nothing for a "
                f"{SCORES_FILE}; leave it out"
            )
        scores = read_parquet_scores(file, task=task, variant=variant, setting=setting)
    elif task or variant or setting:
        raise EvaluationError(
            f"{path}: --task, --variant and --setting choose rows of a {SCORES_FILE} and mean "
            "nothing for a CSV; leave them out"
        )
    else:
        scores = read_csv_scores(file, target=target)
    refuse_duplicates(scores)
    return replace(scores, simulated=scores.simulated or simulated)
