"""Predict from files or a cohort into a table; a bad file is a row with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pyarrow as pa

from cardionets_core.evaluate.predicting import Predictor
from cardionets_core.evaluate.prepared_ecgs import EcgReader, refuse_overwriting
from cardionets_core.evaluate.table_files import whole_table


def predict_paths(
    predictor: Predictor,
    paths: Iterable[Path],
    out: Path,
    *,
    workers: int = 1,
    executor: Executor | None = None,
    on_batch: Callable[[int], None] = lambda _: None,
    **declared: Any,
) -> tuple[int, int]:
    """Predict from ECG files, folders of them, and cohorts.

    The table has a row per record: which it is, its quality, the predictions and where they come
    from; see ``Predictor.schema``. It is written batch by batch.

    Args:
        predictor: From ``load_predictor``.
        paths: Files, folders and cohorts.
        out: CSV or Parquet file to write; it is there in full or not at all.
        workers: Processes that read files.
        executor: ``concurrent.futures``-shaped, instead of own processes.
        on_batch: Told how many records were read.
        declared: Units, rate and leads for formats that do not say.

    Returns:
        Number of records predicted, and of those that could not be, whose rows say why.

    Raises:
        UsageError: If there is no ECG file at all, or ``out`` is one of them.
        EcgError: If there is nothing at a path.
        CardionetsError: If the table cannot be written.
    """
    chosen = list(paths)
    refuse_overwriting(chosen, out)
    reader = EcgReader(predictor.transform, declared, heart_rate=True)
    schema = predictor.schema
    predicted, failed = 0, 0
    with whole_table(out, schema) as write:
        for batch in reader.batches(chosen, workers=workers, executor=executor):
            rows = predictor.rows(batch)
            write(pa.Table.from_pylist(rows, schema=schema))
            bad = sum(bool(row["reason"]) for row in rows)
            predicted, failed = predicted + len(rows) - bad, failed + bad
            on_batch(len(rows))
    return predicted, failed
