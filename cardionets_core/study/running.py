"""Carry out the jobs of a study: as many at once as there are workers, each after its needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass
from typing import Literal, Protocol

from cardionets_core.study.jobs import Job, by_urgency
from cardionets_core.study.workers import JobResult
from cardionets_core.train.request import TrainRequest

_ATTEMPTS = 2


class Pool(Protocol):
    """What carries out runs; ``cardionets_core.study.workers.Workers`` is one."""

    count: int

    def submit(self, request: TrainRequest) -> Future[JobResult]:
        """Have a run carried out."""
        ...

    def renew(self) -> None:
        """Make good that a process died."""
        ...


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended.

    Attributes:
        job: The job.
        status: ``left out`` if what it needs failed.
        reason: Why it did not finish.
        seconds: How long it took.
    """

    job: Job
    status: Literal["finished", "failed", "left out"]
    reason: str = ""
    seconds: float = 0.0


def carry_out(
    jobs: Iterable[Job], pool: Pool, *, on_end: Callable[[Ended], None] = lambda _: None
) -> list[Ended]:
    """Run every job after what it needs; a failed one stops its dependants alone.

    Args:
        jobs: The jobs, needs before what needs them.
        pool: What carries out runs.
        on_end: Told of each job that ends.

    Returns:
        How each job ended.
    """
    work = _Work(by_urgency(list(jobs)), pool, on_end)
    while work.start_ready():
        work.settle_done()
    return list(work.ended.values())


class _Work:
    """Jobs that wait, run and have ended."""

    def __init__(self, jobs: list[Job], pool: Pool, on_end: Callable[[Ended], None]) -> None:
        self.waiting = {job.name: job for job in jobs}
        self.running: dict[Future[JobResult], Job] = {}
        self.ended: dict[str, Ended] = {}
        self._pool, self._on_end = pool, on_end
        self._attempts: dict[str, int] = {}

    def start_ready(self) -> bool:
        """Start what can be started; False if nothing runs any more."""
        for job in list(self.waiting.values()):
            if len(self.running) >= self._pool.count:
                break
            if all(self._finished(need) for need in job.needs):
                self._start(job)
        return bool(self.running)

    def settle_done(self) -> None:
        """Wait until a job ends."""
        done, _ = wait(self.running, return_when=FIRST_COMPLETED)
        broken = [future for future in done if isinstance(future.exception(), BrokenExecutor)]
        for future in done - set(broken):
            job, result = self.running.pop(future), future.result()
            status: Literal["finished", "failed"] = "failed" if result.reason else "finished"
            self._end(Ended(job, status, result.reason, result.seconds))
        if broken:
            self._mend()

    def _mend(self) -> None:
        """A process that died, mostly for want of memory, takes all the running jobs with it."""
        lost = list(self.running.values())
        self.running.clear()
        self._pool.renew()
        for job in lost:
            if self._attempts[job.name] < _ATTEMPTS:
                self.waiting = {job.name: job, **self.waiting}
            else:
                reason = (
                    f"its process, or one beside it, died {_ATTEMPTS} times, mostly for want of "
                    "memory; give --workers 1"
                )
                self._end(Ended(job, "failed", reason))

    def _start(self, job: Job) -> None:
        del self.waiting[job.name]
        self._attempts[job.name] = self._attempts.get(job.name, 0) + 1
        self.running[self._pool.submit(job.request)] = job

    def _finished(self, name: str) -> bool:
        return name in self.ended and self.ended[name].status == "finished"

    def _end(self, ended: Ended) -> None:
        self.ended[ended.job.name] = ended
        self._on_end(ended)
        if ended.status != "finished":
            for job in _dependants(ended.job.name, self.waiting):
                if self.waiting.pop(job.name, None) is not None:
                    self._end(Ended(job, "left out", f"it needs {ended.job.name}"))


def _dependants(name: str, jobs: Mapping[str, Job]) -> list[Job]:
    return [job for job in jobs.values() if name in job.needs]
