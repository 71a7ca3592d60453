"""Cines from ECG files, folders and cohorts: a file for one ECG, else a folder with an index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from cardionets_core.errors import EcgError, UsageError
from cardionets_core.evaluate.cine_files import write_cine
from cardionets_core.evaluate.predicting import SIMULATED_WARNING
from cardionets_core.evaluate.prepared_ecgs import EcgReader
from cardionets_core.evaluate.table_files import whole_table
from cardionets_core.generate.drawing import (
    Drawn,
    DrawRequest,
    about_drawn,
    draw,
    interpolation_of,
)
from cardionets_core.generate.loading import LoadedGenerator
from cardionets_core.generate.output import check_output, is_folder, whole_folder
from cardionets_core.weights.atomic import sha256_of

COMMAND = "generate"
INDEX_FILE = "index.csv"

_INDEX = pa.schema(
    [
        ("record", pa.string()),
        ("sample", pa.int32()),
        ("seed", pa.int64()),
        ("file", pa.string()),
        ("usable", pa.bool_()),
        ("quality_flags", pa.string()),
        ("heart_rate_bpm", pa.float32()),
        ("reason", pa.string()),
        ("weights", pa.string()),
        ("weights_sha256", pa.string()),
        ("weights_licence", pa.string()),
        ("transform", pa.string()),
        ("cardionets_version", pa.string()),
        ("steps", pa.int32()),
        ("guidance", pa.float32()),
        ("synthetic", pa.bool_()),
        ("simulated_weights", pa.bool_()),
        ("interpolated", pa.string()),
        ("warning", pa.string()),
    ]
)


def generate_paths(
    loaded: LoadedGenerator,
    paths: Iterable[Path],
    out: Path,
    request: DrawRequest | None = None,
    *,
    suffix: str | None = None,
    workers: int = 1,
    executor: Executor | None = None,
    on_batch: Callable[[int], None] = lambda _: None,
    **declared: Any,
) -> tuple[int, int]:
    """Draw cines from ECG files, folders of them, and cohorts.

    One ECG becomes the file ``out``. Several become a folder ``out`` of files with neutral names
    and ``index.csv``, which has a row per cine and says which record it was drawn from and with
    which seed; a record that cannot be used is a row with its reason.

    Args:
        loaded: A generator on ECGs.
        paths: Files, folders and cohorts.
        out: Cine file, or folder; there in full or not at all.
        request: What is to be drawn; None for one cine each.
        suffix: Format of the files of a folder, e.g. ``.nii.gz``; None for GIF.
        workers: Processes that read files.
        executor: ``concurrent.futures``-shaped, instead of own processes.
        on_batch: Told how many cines were drawn.
        declared: Units, rate and leads for formats that do not say.

    Returns:
        Number of cines drawn, and of records or cines that could not be.

    Raises:
        UsageError: If there is no ECG, or the generator or ``out`` cannot serve.
        EcgError: If there is nothing at a path, or the one ECG cannot be used.
        CardionetsError: If something cannot be written.
    """
    chosen, request = list(paths), request or DrawRequest()
    ending = check_output(chosen, out, samples=request.samples, suffix=suffix)
    if loaded.transform is None:
        raise UsageError(
            f"{loaded.name} draws from {loaded.condition}, and not from an ECG; name weights of a "
            "generator that was trained with --encoder"
        )
    seen = loaded.transform.config
    reader = EcgReader(
        loaded.transform,
        declared,
        heart_rate=True,
        shortest_s=seen.crop_samples / seen.sampling_rate_hz,
    )
    batches = reader.batches(chosen, workers=workers, executor=executor)
    drawn = _told(draw(loaded, batches, request), on_batch)
    if is_folder(out):
        return _write_folder(loaded, request, drawn, out, ending)
    return _write_one(loaded, request, drawn, out)


def _told(batches: Iterable[Sequence[Drawn]], on_batch: Callable[[int], None]) -> Iterator[Drawn]:
    for batch in batches:
        yield from batch
        on_batch(len(batch))


def _write_one(
    loaded: LoadedGenerator, request: DrawRequest, drawn: Iterable[Drawn], out: Path
) -> tuple[int, int]:
    for one in drawn:
        if one.cine is None:
            raise EcgError(f"{one.ecg.record}: no cine can be drawn from it: {one.reason}")
        write_cine(out, one.cine, about_drawn(loaded, request, one))
    return 1, 0


def _write_folder(
    loaded: LoadedGenerator,
    request: DrawRequest,
    drawn: Iterable[Drawn],
    out: Path,
    ending: str,
) -> tuple[int, int]:
    rows: list[tuple[tuple[int, int], dict[str, Any]]] = []
    with whole_folder(out) as folder:
        for one in drawn:
            name = ""
            if one.cine is not None:
                name = f"cine_{one.record:05d}_{one.sample:02d}{ending}"
                write_cine(folder / name, one.cine, about_drawn(loaded, request, one))
            rows.append(((one.record, one.sample), _row(one, name)))
        everywhere = _provenance(loaded, request)
        rows.sort(key=lambda row: row[0])
        with whole_table(folder / INDEX_FILE, _INDEX) as write:
            table = [row | everywhere for _, row in rows]
            write(pa.Table.from_pylist(table, schema=_INDEX))
    count = sum(bool(row["file"]) for _, row in rows)
    return count, len(rows) - count


def _row(drawn: Drawn, name: str) -> dict[str, Any]:
    return {
        "record": drawn.ecg.record,
        "sample": drawn.sample or None,
        "seed": drawn.seed,
        "file": name,
        "usable": drawn.ecg.usable,
        "quality_flags": drawn.ecg.flags,
        "heart_rate_bpm": drawn.ecg.heart_rate_bpm,
        "reason": drawn.reason,
    }


def _provenance(loaded: LoadedGenerator, request: DrawRequest) -> dict[str, Any]:
    header = loaded.header
    return {
        "weights": loaded.name,
        "weights_sha256": sha256_of(loaded.path),
        "weights_licence": header.licence,
        "transform": header.transform_hash or "",
        "cardionets_version": version("cardionets"),
        "steps": request.steps,
        "guidance": request.guidance,
        "synthetic": True,
        "simulated_weights": header.simulated,
        "interpolated": interpolation_of(loaded),
        "warning": SIMULATED_WARNING if header.simulated else "",
    }
