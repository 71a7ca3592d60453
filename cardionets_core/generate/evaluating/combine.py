"""Evaluations of several training seeds in one table: mean, SD and every seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cardionets_core.errors import EvaluationError, UsageError
from cardionets_core.generate.evaluating.findings import beats, difference_row
from cardionets_core.generate.evaluating.methods import SHUFFLED
from cardionets_core.generate.evaluating.output import FORMAT, REPORT_FILE, RESULTS_FILE
from cardionets_core.generate.evaluating.phenotypes import MEAN_OF_DRAWS, ONE_DRAW
from cardionets_core.generate.evaluating.report import SIMULATED
from cardionets_core.generate.evaluating.tables import grid, number
from cardionets_core.generate.evaluating.whole_folder import whole_folder
from cardionets_core.train.run_folder import refuse_used, write_atomically

Results = dict[str, Any]
_RUNS = 2


def combine_evaluations(folders: Sequence[Path], out: Path) -> Path:
    """Write ``report.md``, ``results.json`` and ``seeds.csv`` from several evaluations.

    Args:
        folders: Folders of evaluations of the same kind of generator, one per training seed.
        out: Folder to make; it is there in full or not at all.

    Returns:
        The folder.

    Raises:
        UsageError: If there are fewer than two, or two of the same weights.
        EvaluationError: If one holds no results, or of another generator.
    """
    refuse_used(out)
    if len(folders) < _RUNS:
        raise UsageError(f"{len(folders)} evaluation to combine; name two or more")
    found = [_read(folder) for folder in folders]
    _check_alike(found, folders)
    names = _seeds(found)
    frame = _table(found, names)
    with whole_folder(out) as folder:
        stamp = SIMULATED if any(results["simulated"] for results in found) else ""
        write_atomically(folder / "seeds.csv", frame.assign(stamp=stamp).to_csv(index=False))
        write_atomically(folder / REPORT_FILE, _report(found, names, frame, stamp))
        summary = {"format": FORMAT, "seeds": names, "headline": headline(found)}
        rows = json.loads(frame.to_json(orient="records"))
        write_atomically(
            folder / RESULTS_FILE, json.dumps({**summary, "rows": rows}, indent=2) + "\n"
        )
    return out


def _read(folder: Path) -> Results:
    path = folder / RESULTS_FILE
    try:
        found: Results = json.loads(path.read_text(encoding="utf-8"))
        known = found["format"] == FORMAT and "phenotype_r2" in found
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(
            f"{folder} holds no {RESULTS_FILE} of an evaluation ({type(error).__name__}); name "
            "folders made by `cardionets evaluate-generator --weights RUN`"
        ) from error
    if not known:
        raise EvaluationError(
            f"{path} is of another kind or version; evaluate these weights again with this one"
        )
    return found


def _check_alike(found: Sequence[Results], folders: Sequence[Path]) -> None:
    for results, folder in zip(found, folders, strict=True):
        if results["generator"] != found[0]["generator"]:
            raise EvaluationError(
                f"{folder} is of {results['generator']} and {folders[0]} of "
                f"{found[0]['generator']}; combine evaluations of one generator"
            )
    steps = [tuple(results["weights"][0]["steps"]) for results in found]
    if len(set(steps)) < len(steps):
        raise UsageError("two of the evaluations are of the same weights; name each seed once")


def _seeds(found: Sequence[Results]) -> list[str]:
    """What to call each run: its training seed, numbered where seeds are unknown or come again."""
    names = [f"seed {results['training_seed']}" for results in found]
    if len(set(names)) == len(names):
        return names
    return [f"{name}, run {number + 1}" for number, name in enumerate(names)]


def headline(found: Sequence[Results]) -> str:
    """Whether the generator beats the shuffled control on phenotype R2, with how many seeds."""
    first = found[0]["generator"]
    parts = []
    for source in (MEAN_OF_DRAWS, ONE_DRAW):
        rows = [difference_row(r["differences"], f"r2, {source}", SHUFFLED) for r in found]
        known = [row for row in rows if row is not None]
        if known:
            won = sum(beats(row) for row in known)
            each = ", ".join(f"{row['difference']:+.3f}" for row in known)
            parts.append(f"{won} of {len(known)} seeds with {source} ({each})")
    return f"{first} beats the shuffled control on phenotype R2 in {'; '.join(parts)}."


def _values(results: Results) -> dict[tuple[str, str], float]:
    """What is combined: (method, metric) to the estimate of one run."""
    values = {
        (row["method"], f"R2, {row['from']}"): row["estimate"]
        for row in results["phenotype_r2"]
        if row["structure"] == "all"
    }
    values |= {(row["method"], row["metric"]): row["estimate"] for row in results["pixels"]}
    values |= {
        (row["method"], f"{row['measure']} above real to real"): row["excess"]
        for row in results["distances"]
    }
    return values | {
        (row["method"], f"share nearer to a training cine, {row['measure']}"): row["share"]
        for row in results["memorisation"]
    }


def _table(found: Sequence[Results], names: Sequence[str]) -> pd.DataFrame:
    """A row per metric and method: mean and SD over seeds, and the value of each."""
    runs = [_values(results) for results in found]
    keys = list(dict.fromkeys(key for values in runs for key in values))
    rows = []
    for method, metric in keys:
        each = np.array([_or_nan(values.get((method, metric))) for values in runs])
        known = each[np.isfinite(each)]
        rows.append(
            {
                "metric": metric,
                "method": method,
                "mean": known.mean() if len(known) else np.nan,
                "sd": known.std(ddof=1) if len(known) > 1 else np.nan,
                **dict(zip(names, each, strict=True)),
            }
        )
    return pd.DataFrame(rows).sort_values("metric", kind="stable", ignore_index=True)


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _report(found: Sequence[Results], names: Sequence[str], frame: pd.DataFrame, stamp: str) -> str:
    rows: list[Mapping[str, Any]] = [dict(row) for _, row in frame.iterrows()]
    lines = [
        [row["metric"], row["method"], *(number(row[name]) for name in ("mean", "sd", *names))]
        for row in rows
    ]
    cohorts = {results["cohort"]["content_hash"] for results in found}
    notes = [] if len(cohorts) == 1 else ["The runs were evaluated on different cohorts.\n"]
    first = found[0]["generator"]
    parts = [
        f"**{headline(found)}**\n",
        f"# Evaluation of {first} over {len(found)} training seeds\n",
        *([f"**{stamp}**\n"] if stamp else []),
        *notes,
        *(f"- {name}: {r['headline']}" for name, r in zip(names, found, strict=True)),
        "",
        grid(("metric", "method", "mean", "SD", *names), lines),
    ]
    return "\n".join(parts)
