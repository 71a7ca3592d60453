"""A comparison as flat JSON; every name is documented in ``docs/compare.md``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cardionets_core.evaluate.compare import ComparedMetric, ModelComparison
from cardionets_core.evaluate.compare_pair import TESTED, Difference
from cardionets_core.evaluate.metric_rows import MetricRow
from cardionets_core.files import write_whole
from cardionets_core.weights.atomic import disk_errors

FORMAT_VERSION = 1
# Why the other test of an AUC was not made.
_NOT_USED = {
    "delong_p": "DeLong's test stands for it",
    "permutation_p_auc": "DeLong needs two classes, and one record per subject",
}


def comparison_json(
    found: ModelComparison, subgroups: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """Flat names to numbers; what is undefined is None, with its reason under ``reasons``.

    Args:
        found: The comparison.
        subgroups: Rows of the subgroup tables.
    """
    flat = _Flat()
    for line in found.metrics:
        flat.add_metric(line)
    for row in found.loss:
        flat.add_row(row.name, row, interval=False)
    return {
        **_about(found),
        **flat.values,
        "methods": flat.methods,
        "reasons": flat.reasons,
        "notes": list(found.notes),
        "subgroups": [{k: _plain(v) for k, v in row.items()} for row in subgroups],
    }


class _Flat:
    """Collects numbers by their flat names."""

    def __init__(self) -> None:
        self.values: dict[str, float | None] = {}
        self.reasons: dict[str, str] = {}
        self.methods: dict[str, str] = {}

    def add_metric(self, line: ComparedMetric) -> None:
        name = json_name(line.name)
        self.add_row(f"{name}_a", line.a)
        if line.b is not None:
            self.add_row(f"{name}_b", line.b)
        if line.difference is not None:
            self.add_row(f"{name}_difference", line.difference.row)
            if line.name in TESTED:
                self._add_tests(name, line.difference)

    def add_row(self, key: str, row: MetricRow, *, interval: bool = True) -> None:
        self.values[key] = _number(row.estimate)
        if interval:
            self.values |= {f"{key}_low": _number(row.low), f"{key}_high": _number(row.high)}
        if row.method:
            self.methods[key] = row.method
        if not row.defined:
            self.reasons[key] = row.note

    def _add_tests(self, name: str, difference: Difference) -> None:
        """Every test that this metric may have, so that its name is always there."""
        used = {"DeLong": "delong_p", "permutation": f"permutation_p_{name}"}.get(difference.test)
        keys = ["delong_p"] * (name == "auc") + [f"permutation_p_{name}"]
        for key in keys:
            known = key == used
            self.values[key] = _number(difference.p) if known else None
            self.values[f"{key}_holm"] = _number(difference.p_holm) if known else None
            if not known:
                self.reasons[key] = _NOT_USED.get(used or "", "the difference has no variance")
        if name == "auc":
            self.values["delong_z"] = _number(difference.z)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write it, in full or not at all.

    Raises:
        WeightsError: If it cannot be written; an old file is unchanged.
    """
    text = json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    with disk_errors(path):
        write_whole(path, text.encode())


def json_name(metric: str) -> str:
    """A metric's name as a key: ``auc[dcm]`` becomes ``auc_dcm``."""
    return re.sub(r"[^0-9A-Za-z]+", "_", metric).strip("_").lower()


def _about(found: ModelComparison) -> dict[str, Any]:
    a, how = found.a, found.options
    cases = int((a.y[:, 0] == 1).sum()) if a.kind == "binary" else None
    about: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "kind": a.kind,
        "name_a": a.name,
        "name_b": None if found.b is None else found.b.name,
        "n": len(a.y),
        "subjects": found.subjects,
        "cases": cases,
        "prevalence": None if cases is None else cases / len(a.y),
        "folds": found.folds,
        "pooled": how.pooled,
        "confidence": how.confidence,
        "resamples": how.resamples,
        "permutations": how.permutations,
        "seed": how.seed,
        "simulated": a.simulated,
        "loss": found.loss_name,
    }
    sides = zip("ab", found.thresholds, found.threshold_sources, strict=False)
    for side, threshold, source in sides:
        about[f"threshold_{side}"] = _single(threshold)
        about[f"threshold_{side}_source"] = source
    return about


def _single(threshold: NDArray[np.float64] | None) -> float | None:
    """The threshold, if it is one for all records."""
    if threshold is None or len(np.unique(threshold)) > 1:
        return None
    return float(threshold[0])


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """A cell of a table as JSON has it."""
    return _number(value) if isinstance(value, float) else value
