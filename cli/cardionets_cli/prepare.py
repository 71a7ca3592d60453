"""``cardionets prepare NAME``: the flags are the fields of the dataset's option model."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cardionets_cli.console import out
from cardionets_core.registry import Component, default_registry

app = typer.Typer(help="Turn a source of data into a cohort file.", no_args_is_help=True)

# Types that the command line understands by itself; any other is read as TOML.
_PLAIN = (bool, int, float, str, Path)
_COMMON: dict[str, tuple[Any, str]] = {
    "out": (Path, "Cohort file to write; its key goes beside it as OUT.key."),
    "preset": (str, "Preset with numbers for this dataset."),
    "seed": (int, "Seed of the split, and of the dataset if it has one."),
    "workers": (int, "Processes that read; one per core if not given."),
    "scheduler": (str, "Address of a Dask scheduler that reads instead."),
    "overwrite": (bool, "Replace an existing cohort."),
}


def add_commands() -> None:
    """Give every dataset its command; done only when ``prepare`` is called."""
    from cardionets_core.cohort.roles import RoleConfig

    for component in default_registry().components("dataset"):
        model = component.load_config()
        fields = {**RoleConfig.model_fields, **model.model_fields}
        parameters = {
            name: (_flag_type(field.annotation), field.description or "")
            for name, field in fields.items()
        }
        command = _command(component, set(model.model_fields), {**parameters, **_COMMON})
        app.command(component.name, help=component.spec.summary)(command)


def _command(
    component: Component, own: set[str], parameters: dict[str, tuple[Any, str]]
) -> Callable[..., None]:
    """A function whose signature typer can read; None means that a flag was not given."""

    def command(**given: Any) -> None:
        from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset

        values = {name: value for name, value in given.items() if value is not None}
        common = {name: values[name] for name in _COMMON if name in values}
        with _progress() as (show, console):
            report = prepare_dataset(
                PrepareRequest(
                    component=component,
                    options={name: values[name] for name in own if name in values},
                    roles={n: v for n, v in values.items() if n not in own and n not in _COMMON},
                    **common,
                ),
                on_progress=show,
            )
        console.print(str(report))

    signature = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=... if name == "out" else None,
            annotation=Annotated[kind if name == "out" else kind | None, typer.Option(help=text)],
        )
        for name, (kind, text) in parameters.items()
    ]
    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in signature}
    return command


def _flag_type(annotation: Any) -> Any:
    """The type of a flag: the option's own if plain, without its None; else text."""
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    return annotation if annotation in _PLAIN else str
