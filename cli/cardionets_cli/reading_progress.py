"""How far ``prepare`` is: a bar for people, now and then a line for the log of a batch job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from rich.console import Console

_LINE_EVERY_S = 30.0
Show = Callable[[int, int | None], None]


@dataclass
class Pace:
    """Records per second, and how long the rest will take.

    What an interrupted run had read already is done at once, so that counting starts with the
    first block that is told of.

    Attributes:
        clock: Seconds from anywhere.
    """

    clock: Callable[[], float] = time.monotonic
    _first: tuple[float, int] | None = field(default=None, init=False)

    def told(self, done: int, total: int | None) -> str:
        """The pace in words; empty until there is one."""
        now = self.clock()
        if self._first is None:
            self._first = (now, done)
        started, before = self._first
        if now <= started or done <= before:
            return ""
        rate = (done - before) / (now - started)
        words = f"{rate:.3g} records/s" if rate < 100 else f"{rate:,.0f} records/s"
        if total is None or total < done:
            return words
        return f"{words}, {timedelta(seconds=round((total - done) / rate))} left"


@contextmanager
def reading_progress(
    console: Console, clock: Callable[[], float] = time.monotonic
) -> Iterator[Show]:
    """Show how far reading is for as long as the context lasts.

    Args:
        console: Where to. On a terminal a bar; elsewhere a line every half a minute, and so
            nothing for what is done sooner.
        clock: Seconds from anywhere.
    """
    if not console.is_terminal:
        yield _lines(console, clock)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    pace = Pace(clock)
    told = TextColumn("{task.fields[pace]}")
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), told)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading", total=None, pace="")
        yield lambda done, total: bar.update(
            task, completed=done, total=total, pace=pace.told(done, total)
        )


def _lines(console: Console, clock: Callable[[], float]) -> Show:
    pace, last = Pace(clock), clock()

    def show(done: int, total: int | None) -> None:
        nonlocal last
        told = pace.told(done, total)
        if clock() - last < _LINE_EVERY_S:
            return
        last = clock()
        of_all = "" if not total else f" of {total:,} records ({100 * done // total} %)"
        console.print(f"read {done:,}{of_all}{', ' if told else ''}{told}", soft_wrap=True)

    return show
