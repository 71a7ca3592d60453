"""Embed files or a cohort into a table; a bad file is a row with its reason."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cardionets_core.cohort.reader import open_cohort
from cardionets_core.ecg.quality import assess
from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.errors import CardionetsError, EcgError, UsageError
from cardionets_core.evaluate.embedding import embed_prepared, transform_of
from cardionets_core.files import temporary_beside
from cardionets_core.reading import find_ecgs, read_ecg
from cardionets_core.weights.atomic import disk_errors

_RECORDS_PER_BATCH = 64
_BATCHES_PER_WORKER = 2

# A file and what to call it.
_File = tuple[Path, str]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedEcg:
    """One ECG ready to be embedded, or why it is not.

    Attributes:
        record: File as found below the path that was named, or the cohort's record id.
        prepared: Output of the transform's ``prepare``, (12, n), or None.
        lead_mask: Which leads are there, (12,), or None.
        flags: Quality flags.
        usable: Whether the ECG passed the quality checks.
        reason: Why it could not be used, or an empty text.
    """

    record: str
    prepared: NDArray[np.float32] | None
    lead_mask: NDArray[np.bool_] | None
    flags: str
    usable: bool
    reason: str = ""


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
        UsageError: If there is no ECG file at all.
        EcgError: If not one of the files can be embedded.
        CardionetsError: If the table cannot be written.
    """
    batches = _prepared_batches(
        transform_of(encoder), list(paths), workers=workers, executor=executor, declared=declared
    )
    schema = _schema(encoder.pooled_dim)
    embedded = 0
    failed: list[PreparedEcg] = []
    temporary = temporary_beside(out)
    try:
        with disk_errors(out), pq.ParquetWriter(temporary, schema) as writer:
            for batch in batches:
                writer.write_table(_table(encoder, batch, weights, schema))
                bad = [ecg for ecg in batch if ecg.prepared is None]
                embedded, failed = embedded + len(batch) - len(bad), failed + bad
                on_batch(len(batch))
        if embedded == 0:
            raise _nothing_embedded(failed)
        with disk_errors(out):
            temporary.replace(out)
    finally:
        with disk_errors(out):
            temporary.unlink(missing_ok=True)
    return embedded, len(failed)


def _nothing_embedded(failed: list[PreparedEcg]) -> CardionetsError:
    if not failed:
        return UsageError("no ECG file of a known format is there; name files or their folder")
    first = failed[0]
    if len(failed) == 1:
        return EcgError(f"{first.record} cannot be embedded: {first.reason}")
    return EcgError(
        f"not one of {len(failed)} files can be embedded; the first, {first.record}: {first.reason}"
    )


def _prepared_batches(
    transform: EcgTransform,
    paths: list[Path],
    *,
    workers: int,
    executor: Executor | None,
    declared: dict[str, Any],
) -> Iterator[list[PreparedEcg]]:
    cohorts = [path for path in paths if path.suffix == ".h5"]
    files = [
        (file, _shown(file, path))
        for path in paths
        if path not in cohorts
        for file in find_ecgs(path)
    ]
    for path in cohorts:
        yield from _of_cohort(transform, path)
    prepare = partial(_prepare_files, transform, declared)
    blocks = [files[i : i + _RECORDS_PER_BATCH] for i in range(0, len(files), _RECORDS_PER_BATCH)]
    if executor is not None:
        yield from _in_order(executor, prepare, blocks, workers)
    elif workers > 1 and len(blocks) > 1:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            yield from _in_order(pool, prepare, blocks, workers)
    else:
        yield from map(prepare, blocks)


def _in_order(
    executor: Executor,
    prepare: Callable[[list[_File]], list[PreparedEcg]],
    blocks: list[list[_File]],
    workers: int,
) -> Iterator[list[PreparedEcg]]:
    """Results in the order of the blocks, never more under way than the workers need."""
    pending: deque[Future[list[PreparedEcg]]] = deque()
    for block in blocks:
        pending.append(executor.submit(prepare, block))
        if len(pending) >= _BATCHES_PER_WORKER * workers:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _shown(file: Path, named: Path) -> str:
    """What to call a file in the table: names alone may come twice in a folder of folders."""
    return file.relative_to(named).as_posix() if named.is_dir() else file.name


def _prepare_files(
    transform: EcgTransform, declared: dict[str, Any], files: list[_File]
) -> list[PreparedEcg]:
    return [_prepare_file(transform, declared, *file) for file in files]


def _prepare_file(
    transform: EcgTransform, declared: dict[str, Any], file: Path, shown: str
) -> PreparedEcg:
    try:
        record = read_ecg(file, **declared)
        verdict = assess(record)
        prepared, lead_mask = transform.prepare_record(record)
    except CardionetsError as error:
        return _unusable(shown, str(error))
    except Exception as error:  # noqa: BLE001 - a reader may fail in any way on a broken file
        return _unusable(shown, f"{type(error).__name__}: {error}")
    flags = "; ".join(str(flag) for flag in verdict.flags)
    return PreparedEcg(shown, prepared, lead_mask, flags, verdict.usable)


def _unusable(shown: str, reason: str) -> PreparedEcg:
    return PreparedEcg(shown, None, None, "", usable=False, reason=reason)


def _of_cohort(transform: EcgTransform, path: Path) -> Iterator[list[PreparedEcg]]:
    with open_cohort(path) as cohort:
        rows = cohort.select(with_ecg=True, quality="any")
        for first in range(0, len(rows), _RECORDS_PER_BATCH):
            block = rows[first : first + _RECORDS_PER_BATCH]
            prepared = transform.prepare(cohort.ecg_mv(block))
            yield [
                PreparedEcg(
                    str(cohort.record_ids[row]),
                    prepared[i],
                    cohort.lead_mask[row],
                    cohort.quality_details(int(row)),
                    bool(cohort.usable[row]),
                )
                for i, row in enumerate(block)
            ]


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
