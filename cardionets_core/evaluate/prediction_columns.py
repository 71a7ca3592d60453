"""Columns of a task's predictions: probabilities and decisions, or quantities with their unit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyarrow as pa

from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.weights.header import TaskHeader

Cell = float | bool | str | None

_FIELD_IDS = {(phenotype.name, phenotype.unit): phenotype.field_id for phenotype in PHENOTYPES}


def task_schema(task: TaskHeader) -> list[tuple[str, pa.DataType]]:
    """Name and type of each column of a task, in order.

    ``cm_probability``, ``cm_threshold`` and ``cm_decision`` of a binary task and of each label of a
    multi-label one; ``TASK_CLASS_probability`` and the most likely class as ``TASK_decision`` of a
    multi-class task; ``TASK OUTPUT (unit)`` of a regression, or ``FIELD OUTPUT (unit)`` where that
    is a UK Biobank phenotype.
    """
    if task.target == "regression":
        return [(name, pa.float32()) for name in _quantities(task)]
    # float64: a probability at the threshold has to be so in the table, too.
    if task.target == "multiclass":
        classes = [(f"{task.name}_{name}_probability", pa.float64()) for name in task.outputs]
        return [*classes, (f"{task.name}_decision", pa.string())]
    kinds = (("probability", pa.float64()), ("threshold", pa.float64()), ("decision", pa.bool_()))
    return [(f"{question}_{kind}", type_) for question in _questions(task) for kind, type_ in kinds]


def task_cells(task: TaskHeader, score: Sequence[float]) -> dict[str, Cell]:
    """The columns of one record.

    Args:
        task: What is predicted.
        score: The head's prediction, (outputs,).

    Returns:
        Column to value; a decision is None where the weights hold no threshold.
    """
    if task.target == "regression":
        return dict(zip(_quantities(task), score, strict=True))
    if task.target == "multiclass":
        cells: dict[str, Cell] = {
            f"{task.name}_{name}_probability": value
            for name, value in zip(task.outputs, score, strict=True)
        }
        return {**cells, f"{task.name}_decision": task.outputs[score.index(max(score))]}
    thresholds = task.threshold or (math.nan,) * len(task.outputs)
    cells = {}
    for question, value, threshold in zip(_questions(task), score, thresholds, strict=True):
        known = not math.isnan(threshold)
        cells[f"{question}_probability"] = value
        cells[f"{question}_threshold"] = threshold if known else None
        cells[f"{question}_decision"] = value >= threshold if known else None
    return cells


def _questions(task: TaskHeader) -> tuple[str, ...]:
    return (task.name,) if task.target == "binary" else task.outputs


def _quantities(task: TaskHeader) -> list[str]:
    units = task.units or ("",) * len(task.outputs)
    return [
        _quantity(task.name, output, unit) for output, unit in zip(task.outputs, units, strict=True)
    ]


def _quantity(task: str, output: str, unit: str) -> str:
    source = _FIELD_IDS.get((output, unit), "" if output == task else task)
    return f"{source} {output}{f' ({unit})' if unit else ''}".strip()
