"""Flags made from option models, for commands whose options a plugin declares."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo
from rich.markup import escape

from cardionets_core.config import Options
from cardionets_core.options import parse_value

# Types that the command line understands by itself; any other value is read as TOML.
_PLAIN = (bool, int, float, str, Path)


class Flag(NamedTuple):
    """One flag of a command.

    Attributes:
        kind: Type that typer reads; None, for not given, is added to it.
        text: Help text.
        switch: True for a plain ``--name`` without ``--no-name``.
        required: True if the command cannot do without.
        parse: What turns the given value into the option's own, if typer cannot.
    """

    kind: Any
    text: str
    switch: bool = False
    required: bool = False
    parse: Callable[[str], Any] | None = None


def flags_of(model: type[Options]) -> dict[str, Flag]:
    """One flag per field of an option model, by field name."""
    return {name: _flag(field) for name, field in model.model_fields.items()}


def _flag(field: FieldInfo) -> Flag:
    kind = _without_none(field.annotation)
    if kind in _PLAIN:
        return Flag(kind, _help(field, ()))
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    if choices and all(isinstance(choice, str) for choice in choices):
        return Flag(str, _help(field, choices))
    return Flag(str, _help(field, choices), parse=parse_value)


def _without_none(annotation: Any) -> Any:
    """The one type beside None of an optional type; anything else as it is."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    others = [part for part in get_args(annotation) if part is not type(None)]
    return others[0] if len(others) == 1 else annotation


def _help(field: FieldInfo, choices: tuple[Any, ...]) -> str:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, Mapping) else {}
    notes = [" | ".join(str(choice) for choice in choices), str(extra.get("unit", ""))]
    if field.is_required():
        notes.append("required")
    elif field.default is not None:
        notes.append(f"default {field.default}")
    told = "; ".join(note for note in notes if note)
    text = field.description or ""
    return f"{text} ({told})" if told else text


def make_command(
    flags: Mapping[str, Flag], run: Callable[[dict[str, Any]], None]
) -> Callable[..., None]:
    """A function with one keyword per flag, for typer to read.

    Args:
        flags: By keyword.
        run: Called with the flags that were given, parsed.
    """

    def command(**given: Any) -> None:
        values = {name: value for name, value in given.items() if value is not None}
        for name, value in values.items():
            parse = flags[name].parse
            values[name] = parse(value) if parse else value
        run(values)

    parameters = [_parameter(name, flag) for name, flag in flags.items()]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _parameter(name: str, flag: Flag) -> inspect.Parameter:
    spellings = (f"--{name.replace('_', '-')}",) if flag.switch else ()
    option = typer.Option(*spellings, help=escape(flag.text))
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=... if flag.required else None,
        annotation=Annotated[flag.kind if flag.required else flag.kind | None, option],
    )
