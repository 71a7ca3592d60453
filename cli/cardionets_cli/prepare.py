"""``cardionets prepare NAME``: the flags are the fields of the dataset's option model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich.markup import escape

from cardionets_cli.cluster import Cluster, cluster_at
from cardionets_cli.cohort import tell_withdrawn
from cardionets_cli.console import err, out
from cardionets_cli.reading_progress import reading_progress
from cardionets_cli.rehearsal import print_rehearsal
from cardionets_cli.reveal import print_revealed
from cardionets_core.errors import PluginError, UsageError
from cardionets_core.registry import Component, default_registry

if TYPE_CHECKING:
    from cardionets_cli.flags import Flag
    from cardionets_core.cohort.preparing import PrepareRequest
    from cardionets_core.cohort.writer import PrepareReport

app = typer.Typer(
    help="Turn a source of data into a cohort file. `cardionets prepare NAME --help` lists the "
    "options of a dataset.",
    no_args_is_help=True,
)
_SHARED = {"seed"}
_LARGEST_SEED = 2**63 - 1
_EXISTING: tuple[Literal["overwrite", "extend"], ...] = ("overwrite", "extend")


def add_commands(arguments: Sequence[str]) -> None:
    """Give the dataset that is asked for its command, or list all if none is.

    Called only when ``prepare`` is, because option models have to be imported for it.

    Args:
        arguments: What stands behind ``prepare``.

    Raises:
        UnknownNameError: If there is no such dataset; plugins that did not load are named.
        NameClashError: If several plugins bring one of that name.
        PluginError: If its option model cannot be imported, or takes a name of ours.
        UsageError: If a value is empty.
    """
    _refuse_empty(arguments)
    registry = default_registry()
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    if asked is not None:
        component = registry.find("dataset", asked)
        app.command(asked, help=escape(component.spec.summary))(_command(component))
        return
    datasets = registry.components("dataset")
    times = Counter(component.name for component in datasets)
    for component in datasets:
        name = component.name if times[component.name] == 1 else component.qualified_name
        app.command(name, help=escape(component.spec.summary))(_command_of_listing)


def _refuse_empty(arguments: Sequence[str]) -> None:
    """An empty path would be the working folder."""
    behind = zip(arguments, [*arguments[1:], None], strict=True)
    empty = [
        flag for flag, value in behind if flag[:2] == "--" and (value == "" or flag[-1] == "=")
    ]
    if empty:
        flag = empty[0].rstrip("=")
        raise UsageError(f"{flag}: an empty value; needed one: is a variable of the shell unset?")


def _command_of_listing() -> None:
    """Stands in a listing; a dataset that is named gets its real command."""


def _common_flags() -> dict[str, Flag]:
    from cardionets_cli.flags import Flag

    return {
        "out": Flag(
            Path, "Cohort file to write; OUT.key and OUT.report.html go beside it.", required=True
        ),
        "preset": Flag(str, "Preset with numbers for this dataset."),
        "config": Flag(Path, "TOML file with tables [dataset] and [roles]."),
        "seed": Flag(
            int, "Seed of roles and splits, and of the dataset if it has one (default 0)."
        ),
        "workers": Flag(int, "Processes that read; one per core if not given."),
        "scheduler": Flag(str, "Address of a Dask scheduler whose workers read instead."),
        "overwrite": Flag(bool, "Replace an existing cohort.", switch=True),
        "extend": Flag(bool, "Add the records that an existing cohort lacks.", switch=True),
        "reveal": Flag(
            Path, "Key of the ids: print which ids of the source they are, as CSV, and stop."
        ),
        "dry_run": Flag(
            bool,
            "Say what would be read, how long it would take and how big it would be, and stop.",
            switch=True,
        ),
    }


def _command(component: Component) -> Callable[..., None]:
    from cardionets_cli.flags import flags_of, make_command
    from cardionets_core.cohort.roles import RoleConfig

    own = flags_of(component.load_config())
    roles, common = flags_of(RoleConfig), _common_flags()
    if taken := sorted(own.keys() & (common.keys() - _SHARED | roles.keys())):
        raise PluginError(
            f"dataset {component.name!r} of plugin {component.plugin} has options that `prepare` "
            f"itself has: {', '.join(taken)}; its author has to rename them"
        )

    def run(values: dict[str, Any]) -> None:
        _run(component, values, own=own.keys(), roles=roles.keys())

    return make_command({**own, **roles, **common}, run)


def _run(component: Component, values: Mapping[str, Any], *, own: Any, roles: Any) -> None:
    if values.get("overwrite") and values.get("extend"):
        raise UsageError("--overwrite replaces a cohort and --extend keeps it; give one of the two")
    if not 0 <= values.get("seed", 0) <= _LARGEST_SEED:
        raise UsageError(f"--seed {values['seed']}: needed a whole number from 0 to 2**63 - 1")
    if values.get("workers", 1) < 1:
        raise UsageError(f"--workers {values['workers']}: needed 1 or more, or leave it out")
    request = _request(component, values, own, roles)
    if values.get("reveal"):
        print_revealed(request, values["reveal"])
        return
    with cluster_at(values.get("scheduler")) as cluster:
        if values.get("dry_run"):
            _rehearse(request, cluster)
        else:
            _prepare(request, cluster)


def _rehearse(request: PrepareRequest, cluster: Cluster) -> None:
    from cardionets_core.cohort.preparing import rehearse_dataset, workers_of

    workers = workers_of(request, cluster.workers)
    print_rehearsal(request.component.name, rehearse_dataset(request), workers)


def _prepare(request: PrepareRequest, cluster: Cluster) -> None:
    from cardionets_core.cohort.preparing import prepare_dataset
    from cardionets_core.cohort.reporting.writing import report_paths

    with reading_progress(err) as show:
        report = prepare_dataset(
            request,
            executor=cluster.executor,
            executor_workers=cluster.workers,
            on_progress=show,
            with_report=True,
        )
    _print_report(report)
    out.print(f"report: {report_paths(report.path).html}", soft_wrap=True, markup=False)
    if report.withdrawn:
        tell_withdrawn(report)


def _request(component: Component, values: Mapping[str, Any], own: Any, roles: Any) -> Any:
    """Gather what was given; options of the dataset over the file, the file over the preset."""
    from cardionets_core.cohort.preparing import PrepareRequest
    from cardionets_core.options import given

    flags = {f"dataset.{name}": values[name] for name in own if name in values}
    if values.get("scheduler"):
        # Workers elsewhere have a working folder of their own.
        flags = {n: v.absolute() if isinstance(v, Path) else v for n, v in flags.items()}
    flags |= {f"roles.{name}": values[name] for name in roles if name in values}
    user = given(values.get("preset", ""), config_file=values.get("config"), flags=flags)
    user.refuse_unknown({"dataset", "roles"})
    return PrepareRequest(
        component=component,
        out=values["out"],
        options=user.options("dataset"),
        roles=user.options("roles"),
        preset=values.get("preset"),
        seed=values.get("seed", 0),
        workers=values.get("workers"),
        existing=next((how for how in _EXISTING if values.get(how)), "refuse"),
    )


def _print_report(report: PrepareReport) -> None:
    left_out = sum(report.quarantined.values())
    out.print(
        f"{report.path}: {report.records} records of {report.subjects} persons, "
        f"{report.seconds:.1f} s",
        soft_wrap=True,
        markup=False,
    )
    if report.resumed:
        out.print(f"{report.resumed} of them were there from an interrupted run")
    if left_out:
        out.print(f"{left_out} records were left out:")
    for reason, count in Counter(report.quarantined).most_common():
        out.print(f"  {count}: {reason}", soft_wrap=True, markup=False)
