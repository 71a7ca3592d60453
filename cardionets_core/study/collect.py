"""One table of scores from those of all runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cardionets_core.errors import EvaluationError
from cardionets_core.study.jobs import Job
from cardionets_core.train.scores import SCHEMA, SCORES_FILE
from cardionets_core.weights.atomic import atomic_file

# What a run was asked for; the labels that it really had differ by a few between seeds.
SETTING = pa.field("setting", pa.string())


def collect_scores(jobs: Iterable[Job], folder: Path) -> int:
    """Join the scores of finished fits into ``scores.parquet``, a row group each.

    Args:
        jobs: Finished jobs; stages of lineages have no scores and are passed over.
        folder: Folder of the study.

    Returns:
        Rows written.

    Raises:
        EvaluationError: If a run's scores are missing or not readable.
        WeightsError: If the file cannot be written; an old one is intact.
    """
    schema = SCHEMA.append(SETTING)
    rows = 0
    with (
        atomic_file(folder / SCORES_FILE) as file,
        pq.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for job in jobs:
            if job.fit is None:
                continue
            table = _scores_of(folder / job.name / SCORES_FILE)
            setting = pa.array([job.fit.setting.key] * len(table), pa.string())
            writer.write_table(table.append_column(SETTING, setting))
            rows += len(table)
    return rows


def _scores_of(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, schema=SCHEMA)
    except (OSError, pa.ArrowException) as error:
        raise EvaluationError(
            f"{path} is not readable ({error}); remove its folder and give the same command again"
        ) from error
