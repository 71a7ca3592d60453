"""``cardionets compare``: two models' scores of the same records, or one model's."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from cardionets_cli.console import add_row
from cardionets_cli.console import out as console
from cardionets_cli.subgroup_table import subgroup_table, title
from cardionets_core.errors import UsageError

if TYPE_CHECKING:
    from cardionets_core.evaluate.compare import ComparedMetric, ModelComparison
    from cardionets_core.evaluate.metric_rows import MetricRow
    from cardionets_core.evaluate.scores import Scores

_MODELS = 2
_SMALLEST_P = 0.001
# Shown per output of many only in the JSON.
_MOST_OUTPUTS_SHOWN = 12


def compare(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Scores of model A and of model B: CSV with id, label, score; or scores.parquet, "
            "or the folder of a run or study. One file reports that model.",
        ),
    ],
    json_file: Annotated[
        Path | None, typer.Option("--json", help="JSON file to write.", metavar="FILE")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to draw figures into.", metavar="FOLDER")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Scores from here on are cases; the files' own, or 0.5, if not given."),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Only this metric; may be given several times.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="Subgroups by this column, e.g. sex or age_band; may be repeated."),
    ] = None,
    pooled: Annotated[
        bool, typer.Option("--pooled", help="Pool the records of all folds.")
    ] = False,
    target: Annotated[
        Literal["auto", "binary", "regression"], typer.Option(help="What the labels are.")
    ] = "auto",
    task: Annotated[str, typer.Option(help="Task of a scores.parquet.")] = "",
    variant: Annotated[
        list[str] | None,
        typer.Option(help="Variant of a scores.parquet; given twice, of A and of B."),
    ] = None,
    setting: Annotated[
        str, typer.Option(help="Amount of training labels of a study's scores.parquet.")
    ] = "",
    confidence: Annotated[float, typer.Option(help="Of every interval.")] = 0.95,
    resamples: Annotated[int, typer.Option(min=20, help="Of the bootstrap.")] = 10_000,
    permutations: Annotated[int, typer.Option(min=1, help="Of the permutation tests.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of bootstrap and permutations.")] = 0,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="The subjects are simulated: hide no counts.")
    ] = False,
) -> None:
    """Compare two models on the same records, or report one: intervals, tests, figures.

    docs/compare.md describes the CSV, the statistics and every name in the JSON.
    """
    _check_places(files, json_file, out)
    chosen = _variants(variant or [], len(files))
    from cardionets_core.evaluate.compare import CompareOptions, compare_scores
    from cardionets_core.evaluate.score_files import read_scores

    options = CompareOptions(
        threshold=threshold,
        confidence=confidence,
        resamples=resamples,
        permutations=permutations,
        seed=seed,
        pooled=pooled,
        metrics=tuple(metric or ()),
    )
    models = [
        read_scores(
            file, target=target, task=task, variant=name, setting=setting, simulated=simulated
        )
        for file, name in zip(files, chosen, strict=True)
    ]
    found = compare_scores(models[0], models[1] if len(models) > 1 else None, options)
    subgroups = _subgroups(found, tuple(by or ()))
    _print(found)
    if subgroups:
        console.print(subgroup_table(subgroups), "")
    for note in found.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    if json_file is not None:
        from cardionets_core.evaluate.compare_json import comparison_json, write_json

        write_json(json_file, comparison_json(found, subgroups))
        console.print(f"results: {json_file}", markup=False, soft_wrap=True)
    if out is not None:
        from cardionets_core.evaluate.compare_figures import draw_comparison

        drawn = draw_comparison(found, out, subgroups=subgroups)
        names = ", ".join(path.name for path in drawn) or "none for this kind of target"
        console.print(f"figures in {out}: {names}", markup=False, soft_wrap=True)


def _check_places(files: list[Path], json_file: Path | None, out: Path | None) -> None:
    if len(files) > _MODELS:
        raise UsageError(f"{len(files)} files of scores; give those of one model or of two")
    if json_file is not None and json_file.is_dir():
        raise UsageError(f"--json {json_file} is a folder; name a file in it")
    if json_file is not None and not json_file.parent.is_dir():
        raise UsageError(
            f"--json {json_file}: there is no folder {json_file.parent}; make it first"
        )
    if out is not None and out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file; name a folder")


def _variants(given: list[str], models: int) -> list[str]:
    if len(given) > models:
        raise UsageError(
            f"{len(given)} variants for {models} file{'s' * (models > 1)}; give one for each"
        )
    return given + (given or [""]) * (models - len(given))


def _subgroups(found: ModelComparison, by: tuple[str, ...]) -> list[dict[str, Any]]:
    if not by:
        return []
    from cardionets_core.evaluate.compare_figures import label
    from cardionets_core.evaluate.subgroups import subgroup_rows

    metrics = tuple(dict.fromkeys(line.name.split("[")[0] for line in found.metrics))
    models = [model for model in (found.a, found.b) if model is not None]
    return [
        {"variant": label(side, model), **row}
        for side, model in zip("AB", models, strict=False)
        for row in subgroup_rows(
            model, by, metrics=metrics, hide=not model.simulated, options=found.options
        )
    ]


def _print(found: ModelComparison) -> None:
    console.print(_heading(found), markup=False, soft_wrap=True)
    for side, model, source, limit in zip(
        "AB", _models(found), found.threshold_sources, found.thresholds, strict=False
    ):
        text = f"{side}: {model.name}"
        if limit is not None:
            one = limit.min() == limit.max()
            number = f"{limit[0]:.4g}" if one else f"{limit.min():.4g} to {limit.max():.4g}"
            text += f"; threshold {number}, {source}"
        console.print(text, markup=False, soft_wrap=True)
    console.print(_metric_table(found), "")


def _models(found: ModelComparison) -> list[Scores]:
    return [model for model in (found.a, found.b) if model is not None]


def _heading(found: ModelComparison) -> str:
    n = len(found.a.y)
    text = f"{n} records of {found.subjects} subjects"
    if found.a.kind == "binary":
        cases = int((found.a.y[:, 0] == 1).sum())
        text += (
            f", {cases} cases: prevalence {100 * cases / n:.3g} %, "
            "and PPV, NPV and F1 hold at this prevalence"
        )
    return text


def _metric_table(found: ModelComparison) -> Table:
    level = f"{100 * found.options.confidence:g} %"
    table = Table(box=None, pad_edge=False)
    table.add_column("metric")
    table.add_column(f"A ({level} interval)", justify="right")
    two = found.b is not None
    if two:
        table.add_column("B", justify="right")
        table.add_column("A - B", justify="right")
        table.add_column("p", justify="right")
        table.add_column("p (Holm)", justify="right")
    table.add_column("interval; test")
    for line in _shown(found):
        add_row(table, *_cells(line, two=two))
    loss = {row.name: row for row in found.loss}
    cells = [f"mean {found.loss_name}", _value(loss["loss_a"])]
    if two:
        cells += [_value(loss["loss_b"]), "", "", ""]
    add_row(table, *cells, loss["loss_a"].note)
    if two:
        what = f"of the {found.loss_name} per subject; above 0: A's is smaller"
        add_row(table, "Cohen's d_z", "", "", _value(loss["d_z"]), "", "", loss["d_z"].note or what)
    return table


def _shown(found: ModelComparison) -> list[ComparedMetric]:
    """Lines for the screen: those of each output only if they are few."""
    overall = [line for line in found.metrics if "[" not in line.name]
    few = len(found.metrics) - len(overall) <= _MOST_OUTPUTS_SHOWN
    return list(found.metrics) if few else overall


def _cells(line: ComparedMetric, *, two: bool) -> list[str]:
    cells = [title(line.name), _value(line.a)]
    methods = [line.a.method, "" if line.a.defined else line.a.note]
    if two and line.b is not None:
        cells.append(_value(line.b))
        if not line.b.defined and line.b.note != line.a.note:
            methods.append(f"B: {line.b.note}")
        difference = line.difference
        if difference is None:
            cells += ["", "", ""]
        else:
            cells += [_value(difference.row, signed=True), _p(difference.p), _p(difference.p_holm)]
            other = difference.row.method if difference.row.method != line.a.method else ""
            methods += [f"A - B: {other}" * bool(other), difference.test]
    return [*cells, "; ".join(dict.fromkeys(method for method in methods if method))]


def _value(row: MetricRow, *, signed: bool = False) -> str:
    if not row.defined:
        return "-"
    plus = "+" if signed else ""
    text = format(row.estimate, f"{plus}.3f")
    if math.isfinite(row.low):
        text += f" ({row.low:{plus}.3f} to {row.high:{plus}.3f})"
    return text


def _p(p: float) -> str:
    if math.isnan(p):
        return ""
    return "<0.001" if p < _SMALLEST_P else f"{p:.3f}"
