"""``cardionets``: the entry point; each command's code is imported when it is called."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

from cardionets_cli import (
    augment,
    cohort,
    compare,
    embed,
    evaluate_generator,
    generate,
    inspect,
    plugins,
    predict,
    prepare,
    presets,
    show,
    study,
    train,
    zoo,
)
from cardionets_cli.console import err, fail
from cardionets_core.errors import CardionetsError, UsageError

# What the system says of a path that cannot be used as it was given.
_OF_A_PATH = {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.EROFS}


class _Commands(TyperGroup):
    """The commands; an interruption ends in one line, whichever typer is installed."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            err.print(
                "stopped; `cardionets train --resume RUN` continues a run, and the same `prepare` "
                "or `study` command an unfinished cohort or study"
            )
            raise typer.Exit(130) from None


app = typer.Typer(
    name="cardionets",
    cls=_Commands,
    help="Teach a 12-lead ECG what a cardiac MRI knows.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train.train)
app.command("study")(study.study)
app.command("compare")(compare.compare)
app.command("embed")(embed.embed)
app.command("predict")(predict.predict)
app.command("generate")(generate.generate)
app.command("evaluate-generator")(evaluate_generator.evaluate_generator)
app.command("augment")(augment.augment)
app.command("inspect")(inspect.inspect)
app.command("show")(show.show)
app.add_typer(prepare.app, name="prepare")
app.add_typer(cohort.app, name="cohort")
app.add_typer(plugins.app, name="plugins")
app.add_typer(presets.app, name="presets")
app.add_typer(zoo.app, name="zoo")


def main() -> None:
    """Run the command line; a user's mistake is one line and an exit code, never a traceback.

    ``--debug`` anywhere in the command shows the traceback after all.
    """
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        if arguments[:1] == ["prepare"]:
            prepare.add_commands(arguments[1:])
        app(arguments)
    except CardionetsError as error:
        if debug:
            traceback.print_exc()
        sys.exit(fail(error))
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.errno in _OF_A_PATH:
            sys.exit(fail(_of_a_path(error, arguments)))
        told = escape(f"{type(error).__name__}: {error}")
        err.print(
            f"[bold red]error:[/] this should not have happened: {told}; "
            "run again with --debug and report what it shows",
            markup=True,
            soft_wrap=True,
        )
        sys.exit(1)


def _of_a_path(error: OSError, arguments: Sequence[str]) -> UsageError:
    """What the system says of a path, with as much of it as was given.

    What stands below that may be named after a person.
    """
    found = str(error.filename)
    given = next((a for a in arguments if a and a[0] != "-" and found.startswith(a)), "a path")
    return UsageError(
        f"{given}: {error.strerror}; needed one that you may read or write: check its spelling, "
        "and your rights on it and the folders above"
    )
