"""The files of an evaluation's folder."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.cohort.reader import Cohort
from cardionets_core.evaluate.table_files import whole_table
from cardionets_core.generate.evaluating.figures import (
    draw_components,
    draw_map,
    draw_nearest,
    draw_r2,
    draw_r2_by_structure,
)
from cardionets_core.generate.evaluating.measuring import Measured
from cardionets_core.generate.evaluating.report import Facts, headline, report_text
from cardionets_core.generate.evaluating.request import EvaluationRequest
from cardionets_core.generate.evaluating.rows import EvaluationRows
from cardionets_core.generate.evaluating.scoring import Scored, record_table
from cardionets_core.generate.evaluating.space import neighbour_map
from cardionets_core.generate.evaluating.tables import frames_of
from cardionets_core.train.run_folder import write_atomically
from cardionets_core.weights.header import WeightsHeader

REPORT_FILE, RESULTS_FILE, FORMAT = "report.md", "results.json", 1


def write_folder(
    folder: Path,
    facts: Facts,
    measured: Measured,
    scored: Scored,
    times: Mapping[str, Any],
    pictures: Sequence[str],
    *,
    cohort: Cohort,
    rows: EvaluationRows,
    request: EvaluationRequest,
    weights: Sequence[WeightsHeader],
) -> None:
    """Write the report, the numbers, tables, figures and what was found of each record.

    Args:
        folder: Where to; it has a folder ``figures`` with ``pictures`` in it.
        facts: What the report says beside the numbers.
        measured: What was measured on each record.
        scored: The rows of the tables.
        times: From ``timing.stage_times``.
        pictures: Files of cines that were drawn.
        cohort: The cohort.
        rows: Its rows by use.
        request: What was asked.
        weights: Headers of the generators, the one that is evaluated first.

    Raises:
        CardionetsError: If a file cannot be written.
    """
    (folder / "tables").mkdir()
    for name, frame in frames_of(scored, facts.stamp).items():
        write_atomically(folder / "tables" / f"{name}.csv", frame.to_csv(index=False))
    ids = cohort.record_ids[rows.test]
    _write_parquet(folder / "records.parquet", record_table(measured, ids, rows.subjects))
    _write_parquet(folder / "predicted.parquet", _predicted(measured, cohort, rows))
    figures = draw_figures(folder / "figures", measured, scored, facts, request.seed)
    results = _results(facts, scored, times, cohort, request, weights)
    write_atomically(
        folder / RESULTS_FILE, json.dumps(_plain(results), indent=2, allow_nan=False) + "\n"
    )
    text = report_text(facts, scored, times, [*figures, *pictures])
    write_atomically(folder / REPORT_FILE, text)


def draw_figures(
    folder: Path, measured: Measured, scored: Scored, facts: Facts, seed: int
) -> list[str]:
    """Draw every figure of numbers and return the names of the files."""
    simulated = facts.simulated
    draw_r2(scored.r2, folder / "r2", simulated=simulated)
    draw_r2_by_structure(scored.r2, folder / "r2-by-structure", simulated=simulated)
    scores = {name: measured.space.scores(found) for name, found in measured.features.items()}
    draw_components(scores, measured.space.explained, folder / "components", simulated=simulated)
    places = neighbour_map(measured.space, measured.features, seed)
    draw_map(places, folder / "tsne", simulated=simulated)
    draw_nearest(measured.nearest, folder / "nearest", simulated=simulated)
    return [f"{name}.png" for name in ("r2", "r2-by-structure", "components", "tsne", "nearest")]


def _results(
    facts: Facts,
    scored: Scored,
    times: Mapping[str, Any],
    cohort: Cohort,
    request: EvaluationRequest,
    weights: Sequence[WeightsHeader],
) -> dict[str, Any]:
    last = weights[0].lineage[-1] if weights[0].lineage else None
    return {
        "format": FORMAT,
        "headline": headline(scored, facts.first),
        "generator": facts.first,
        "simulated": facts.simulated,
        "command": facts.command,
        "version": version("cardionets"),
        "weights": [
            {"licence": header.licence, "steps": [step.step_id for step in header.lineage]}
            for header in weights
        ],
        "training_seed": None if last is None else last.seed,
        "preset": None if last is None else last.preset,
        "cohort": {"content_hash": cohort.content_hash, "dataset": cohort.provenance["dataset"]},
        "subjects": facts.people,
        "records": facts.records,
        "training_records": facts.training,
        "training_records_seen": facts.seen,
        "cine_shape": facts.shape,
        "cmr_encoder": facts.encoder,
        "options": {
            name: getattr(request, name)
            for name in ("draws", "steps", "guidance", "resamples", "halvings", "seed", "split")
        },
        "methods": {
            method.name: {"summary": method.summary, "random": method.name in facts.random}
            for method in facts.methods
        },
        "notes": [*facts.reading, *facts.notes],
        "pixels": scored.pixels,
        "phenotype_r2": scored.r2,
        "differences": scored.differences,
        "distances": scored.distances,
        "memorisation": scored.closeness,
        "times": times,
    }


def _plain(value: Any) -> Any:
    """JSON-able data: numpy's numbers as Python's, and None where there is no number."""
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _predicted(measured: Measured, cohort: Cohort, rows: EvaluationRows) -> pd.DataFrame:
    """A row per record, method and source: phenotypes in field order; ``truth`` among methods."""
    truth = cohort.phenotypes[rows.test]
    names = [str(phenotype.field_id) for phenotype in PHENOTYPES]
    parts = []
    every: dict[tuple[str, str], Any] = {("truth", ""): truth, **measured.predicted}
    for (method, source), values in every.items():
        frame = pd.DataFrame(values.astype(np.float32), columns=names)
        frame.insert(0, "from", source)
        frame.insert(0, "method", method)
        frame.insert(0, "record_id", cohort.record_ids[rows.test])
        frame.insert(0, "subject_id", rows.subjects)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def _write_parquet(path: Path, frame: pd.DataFrame) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with whole_table(path, table.schema) as write:
        write(table)
