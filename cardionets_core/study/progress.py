"""What a person sees while a study runs: how many runs are done, and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cardionets_core.study.jobs import Job
from cardionets_core.study.running import Ended

# Outside a terminal one line at most this often, so that logs stay readable.
_LINE_EVERY_S = 60.0


class StudyProgress:
    """A progress bar with counts and time left; plain lines outside a terminal.

    Args:
        jobs: All jobs of the study.
        console: Where to write.
    """

    def __init__(self, jobs: Iterable[Job], console: Console) -> None:
        self._left = {job.name: job.cost for job in jobs}
        self._total, self._console = len(self._left), console
        self._done_here, self._started = 0.0, time.perf_counter()
        self._last_line = self._started
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("runs", total=self._total, left="")

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def ended(self, end: Ended) -> None:
        """Count a job; a failed one is named at once."""
        cost = self._left.pop(end.job.name)
        # What an earlier command finished took no time and says nothing about the rest.
        self._done_here += cost if end.seconds else 0.0
        self._bar.update(self._task, advance=1, left=self._time_left())
        if end.status == "failed":
            line = f"failed: {end.job.name}: {end.reason}"
            self._console.print(line, markup=False, soft_wrap=True)
        self._say()

    def _say(self) -> None:
        now = time.perf_counter()
        if self._console.is_terminal or now - self._last_line < _LINE_EVERY_S:
            return
        self._last_line = now
        done = self._total - len(self._left)
        self._console.print(
            f"{done} of {self._total} runs, {(now - self._started) / 60:.0f} min"
            + (f", {text}" if (text := self._time_left()) else "")
        )

    def _time_left(self) -> str:
        if not self._done_here:
            return ""
        passed = time.perf_counter() - self._started
        minutes = passed * sum(self._left.values()) / self._done_here / 60
        return f"about {minutes:.0f} min left" if minutes >= 1 else "less than a minute left"
