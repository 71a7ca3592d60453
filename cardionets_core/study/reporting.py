"""Tables, figures and the report of a study, from its scores and run folders alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from cardionets_core.registry import Registry
from cardionets_core.spec import TaskSpec, VariantSpec
from cardionets_core.study.config import StudyConfig, TaskPlan
from cardionets_core.study.figures.drawing import draw_figures
from cardionets_core.study.report import report_text
from cardionets_core.study.running import Ended
from cardionets_core.study.scores import StudyScores
from cardionets_core.study.tables.comparisons import comparison_tables, delong_table
from cardionets_core.study.tables.controls import control_table
from cardionets_core.study.tables.outputs import output_table
from cardionets_core.study.tables.performance import extract, main_table
from cardionets_core.study.tables.protocols import on_reported
from cardionets_core.study.tables.provenance import (
    all_simulated,
    any_simulated,
    manifests,
    protocols,
    run_table,
    subjects_overlap,
)
from cardionets_core.study.tables.results import Results
from cardionets_core.study.tables.subgroups import subgroups
from cardionets_core.study.tables.table import Stamp, Table
from cardionets_core.train.run_folder import write_atomically
from cardionets_core.train.scores import SCORES_FILE

REPORT_FILE, TABLES, FIGURES = "report.md", "tables", "figures"


def write_report(
    config: StudyConfig,
    ended: list[Ended],
    folder: Path,
    *,
    tasks: Mapping[str, TaskSpec],
    registry: Registry,
    command: str,
    console: Console,
) -> Path:
    """Write the tables, the figures and report.md that puts them together.

    Args:
        config: The study.
        ended: How each job ended.
        folder: Folder of the study, with ``scores.parquet`` in it.
        tasks: Its tasks, by the name in the config.
        registry: The plugins.
        command: The command line, without local paths.
        console: Where to say how far it is.

    Raises:
        CardionetsError: If a run's files cannot be read, or nothing can be written.
    """
    found = manifests(ended, folder)
    fits = protocols(ended, found)
    stamp = Stamp(
        simulated=any_simulated(found),
        overlap=subjects_overlap(found),
        trial=config.smoke,
        reported=any(on_reported(of_task) for of_task in fits.values()),
    )
    results = Results(
        config=config,
        scores=StudyScores(folder / SCORES_FILE, tasks),
        tasks=tasks,
        variants=_in_order((*config.variants, *config.controls), registry),
        stamp=stamp,
        nobody=all_simulated(found),
        protocols=fits,
    )
    (folder / TABLES).mkdir(exist_ok=True)
    (folder / FIGURES).mkdir(exist_ok=True)
    tables: dict[str, list[Table]] = {}
    drawn: dict[str, list[tuple[str, str]]] = {}
    for plan in config.tasks:
        console.print(f"tables and figures of {plan.task}", markup=False)
        tables[plan.task] = task_tables(results, plan)
        for table in tables[plan.task]:
            table.save(folder / TABLES, stamp)
        drawn[plan.task] = draw_figures(results, plan, tables[plan.task], folder / FIGURES)
    runs = run_table(ended, found)
    runs.save(folder / TABLES, stamp)
    text = report_text(results, tables, drawn, runs, ended, command)
    write_atomically(folder / REPORT_FILE, text)
    return folder / REPORT_FILE


def _in_order(names: Sequence[str], registry: Registry) -> dict[str, VariantSpec]:
    """Variants as their plugins list them, whatever task names them first."""
    listed = [provided.spec for provided in registry.variants()]
    specs = {name: registry.variant(name).spec for name in names}
    return dict(sorted(specs.items(), key=lambda item: listed.index(item[1])))


def task_tables(results: Results, plan: TaskPlan) -> list[Table]:
    """Every table of a task that it has numbers for."""
    main = main_table(results, plan)
    found = [
        main,
        *comparison_tables(results, plan),
        delong_table(results, plan),
        extract(results, plan, main, by="labels"),
        extract(results, plan, main, by="ratio"),
        control_table(results, plan),
        output_table(results, plan),
        subgroups(results, plan),
    ]
    return [table for table in found if table is not None and not table.frame.empty]
