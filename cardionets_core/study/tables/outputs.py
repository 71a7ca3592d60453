"""R² of each output of a regression: the 82 phenotypes one by one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.evaluate.statistics import per_output
from cardionets_core.study.config import TaskPlan
from cardionets_core.study.jobs import slug
from cardionets_core.study.scores import TestScores
from cardionets_core.study.tables.results import Results
from cardionets_core.study.tables.table import Table, number

STRUCTURES: Mapping[str, str] = {p.name: p.structure for p in PHENOTYPES}


def output_table(results: Results, plan: TaskPlan) -> Table | None:
    """R² per output, variant and setting; None for tasks of one output or of classes."""
    task = results.tasks[plan.task]
    if task.target != "regression" or len(task.outputs) < 2:
        return None
    units = task.units or ("",) * len(task.outputs)
    rows = []
    for setting in plan.settings:
        for variant, scores in results.of(plan, setting):
            mean, sd = _by_output(results, scores)
            rows += [
                {
                    "task": plan.task,
                    "setting": setting.text,
                    "variant": variant,
                    "label": results.label(variant),
                    "output": output,
                    "unit": unit,
                    "structure": STRUCTURES.get(output, ""),
                    "r2": float(mean[i]),
                    "sd_over_seeds": float(sd[i]),
                }
                for i, (output, unit) in enumerate(zip(task.outputs, units, strict=True))
            ]
    frame = pd.DataFrame(rows)
    if frame.empty:
        return None
    return Table(
        f"outputs-{slug(plan.task)}",
        f"{plan.task}: R² of each output",
        frame,
        _shown(frame),
        ("Means over runs; the SD over seeds is in the CSV",),
    )


def _by_output(results: Results, scores: TestScores) -> tuple[np.ndarray, np.ndarray]:
    """Mean over cells and SD over seeds, (outputs,) each."""
    cells = results.rules.cells(scores)
    of_seeds = []
    for seed in np.unique(scores.seed):
        own = [
            per_output("r2", scores.target[cells == cell], scores.score[cells == cell])
            for cell in np.unique(cells[scores.seed == seed])
        ]
        of_seeds.append(np.mean(own, axis=0))
    sd = np.std(of_seeds, axis=0, ddof=1) if len(of_seeds) > 1 else np.full(len(own[0]), np.nan)
    return np.mean(of_seeds, axis=0), sd


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    """An output a row, a variant a column, at the last setting, which has most labels."""
    last = frame[frame["setting"] == frame["setting"].iloc[-1]]
    wide = last.pivot_table(index="output", columns="label", values="r2", sort=False)
    told = wide.map(number).rename_axis(columns=None).reset_index()
    return told.rename(columns={"output": f"output ({last['setting'].iloc[0]})"})
