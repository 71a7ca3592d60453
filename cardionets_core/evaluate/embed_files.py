"""Embed files or a cohort into a table; a bad file is a row with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cardionets_core.errors import EcgError
from cardionets_core.evaluate.embedding import embed_prepared, transform_of
from cardionets_core.evaluate.prepared_ecgs import EcgReader, PreparedEcg, refuse_overwriting
from cardionets_core.evaluate.table_files import whole_table


def embed_paths(
    encoder: Any,
    paths: Iterable[Path],
    out: Path,
    *,
    weights: str,
    workers: int = 1,
    executor: Executor | None = None,
    on_batch: Callable[[int], None] = lambda _: None,
    **declared: Any,
) -> tuple[int, int]:
    """Embed ECG files, folders of them, and cohorts.

    The table has a row per record: ``record``, ``usable``, ``quality_flags``, ``reason``,
    ``embedding`` (P float32 or null), ``weights``, ``transform`` and ``simulated_weights``.

    Args:
        encoder: A loaded ECG encoder.
        paths: Files, folders and cohorts.
        out: Parquet file to write; it is there in full or not at all.
        weights: What to call the weights in the table.
        workers: Processes that read files.
        executor: ``concurrent.futures``-shaped, instead of own processes.
        on_batch: Told how many records were embedded.
        declared: Units, rate and leads for formats that do not say.

    Returns:
        Number of records embedded, and of those that could not be.

    Raises:
        UsageError: If there is no ECG file at all, or ``out`` is one of them.
        EcgError: If not one of the files can be embedded.
        CardionetsError: If the table cannot be written.
    """
    chosen = list(paths)
    refuse_overwriting(chosen, out)
    reader = EcgReader(transform_of(encoder), declared)
    schema = _schema(encoder.pooled_dim)
    embedded, failed = 0, 0
    first_bad: PreparedEcg | None = None
    with whole_table(out, schema) as write:
        for batch in reader.batches(chosen, workers=workers, executor=executor):
            write(_table(encoder, batch, weights, schema))
            bad = [ecg for ecg in batch if ecg.prepared is None]
            first_bad = first_bad or next(iter(bad), None)
            embedded, failed = embedded + len(batch) - len(bad), failed + len(bad)
            on_batch(len(batch))
        if embedded == 0 and first_bad is not None:
            raise _nothing_embedded(failed, first_bad)
    return embedded, failed


def _nothing_embedded(failed: int, first: PreparedEcg) -> EcgError:
    if failed == 1:
        return EcgError(f"{first.record} cannot be embedded: {first.reason}")
    return EcgError(
        f"not one of {failed} files can be embedded; the first, {first.record}: {first.reason}"
    )


def _schema(width: int) -> pa.Schema:
    return pa.schema(
        [
            ("record", pa.string()),
            ("usable", pa.bool_()),
            ("quality_flags", pa.string()),
            ("reason", pa.string()),
            ("embedding", pa.list_(pa.float32(), width)),
            ("weights", pa.string()),
            ("transform", pa.string()),
            ("simulated_weights", pa.bool_()),
        ]
    )


def _table(encoder: Any, batch: list[PreparedEcg], weights: str, schema: pa.Schema) -> pa.Table:
    good = [ecg for ecg in batch if ecg.prepared is not None and ecg.lead_mask is not None]
    embeddings: list[Any] = []
    if good:
        embeddings = list(
            embed_prepared(
                encoder,
                np.stack([ecg.prepared for ecg in good]),  # type: ignore[misc]
                np.stack([ecg.lead_mask for ecg in good]),  # type: ignore[misc]
            )
        )
    found = iter(embeddings)
    columns = {
        "record": [ecg.record for ecg in batch],
        "usable": [ecg.usable for ecg in batch],
        "quality_flags": [ecg.flags for ecg in batch],
        "reason": [ecg.reason for ecg in batch],
        "embedding": [None if ecg.prepared is None else next(found) for ecg in batch],
        "weights": [weights] * len(batch),
        "transform": [transform_of(encoder).hash] * len(batch),
        "simulated_weights": [bool(encoder.header.simulated)] * len(batch),
    }
    return pa.table(columns, schema=schema)
