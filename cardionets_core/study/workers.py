"""The processes that train: one run at a time each. Imports nothing heavy, see ``_begin``."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from cardionets_core.errors import CardionetsError
from cardionets_core.train.request import TrainRequest

LOG_NAME = "console.log"
_STOP_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a run ended.

    Attributes:
        reason: Why it failed, in one line; empty if it is finished.
        seconds: How long it took here; 0 if it was finished before.
    """

    reason: str = ""
    seconds: float = 0.0


class Workers:
    """Processes of one machine, each with its share of the threads.

    Args:
        count: How many.
        threads: Threads of each.
    """

    def __init__(self, count: int, threads: int) -> None:
        self.count, self._threads = count, threads
        self._pool: Executor = self._new_pool()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, request: TrainRequest) -> Future[JobResult]:
        """Have a run carried out; what fails in it is its result."""
        return self._pool.submit(run_job, request)

    def renew(self) -> None:
        """New processes, after one of them died and took the pool with it."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._new_pool()

    def _new_pool(self) -> Executor:
        # Spawned: a fork would copy the threads of torch and HDF5 in the middle of their work.
        return ProcessPoolExecutor(
            self.count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(self._threads,),
        )

    def _stop(self) -> None:
        """End the runs as Ctrl-C does, so that each says that it was interrupted."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        children = multiprocessing.active_children()
        for child in children:
            if child.pid is not None:
                os.kill(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_WITHIN_S
        for child in children:
            child.join(max(0.0, deadline - time.monotonic()))
            if child.is_alive():
                child.kill()


def run_job(request: TrainRequest) -> JobResult:
    """Begin, continue or skip a run, with its lines in its own folder."""
    started = time.perf_counter()
    with _interruptible(), _told_in(request.out) as file:
        try:
            trained = _train(request, file)
        except CardionetsError as error:
            return JobResult(str(error), time.perf_counter() - started)
        except Exception as error:  # noqa: BLE001 - one run's bug must not end the others
            traceback.print_exc(file=file)
            return JobResult(f"{type(error).__name__}: {error}", time.perf_counter() - started)
    return JobResult(seconds=time.perf_counter() - started if trained else 0.0)


def _train(request: TrainRequest, file: TextIO) -> bool:
    """False if there was nothing left to do."""
    from rich.console import Console  # noqa: PLC0415

    from cardionets_core.files import sweep_temporaries  # noqa: PLC0415
    from cardionets_core.train.execute import resume_training, train_stage  # noqa: PLC0415

    console = Console(file=file, width=120, force_terminal=False)
    status = run_status(request.out)
    if status == "finished":
        return False
    if status is None:
        sweep_temporaries(request.out)
        train_stage(request, console=console)
    else:
        resume_training(request.out, console=console)
    return True


def run_status(folder: Path) -> str | None:
    """What a run's manifest says of it, or None if it has not begun."""
    from cardionets_core.train.run_folder import MANIFEST_NAME, RunFolder  # noqa: PLC0415

    if not (folder / MANIFEST_NAME).is_file():
        return None
    return str(RunFolder(folder).manifest["status"])


@contextmanager
def _told_in(folder: Path) -> Iterator[TextIO]:
    """Everything that is printed, in a file of the run's folder once there is one."""
    beside = folder.with_name(f"{folder.name}.log")
    beside.parent.mkdir(parents=True, exist_ok=True)
    with beside.open("a", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        yield file
    if folder.is_dir():
        with beside.open("rb") as new, (folder / LOG_NAME).open("ab") as log:
            shutil.copyfileobj(new, log)
        beside.unlink()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let signals stop a run; between runs a worker waits to be sent home."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _begin(threads: int) -> None:
    """Make a fresh process a worker, before numpy and torch are imported in it."""
    # Read by the libraries when they are imported; what the user has set stays.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    # Ctrl-C reaches the whole group; who has no run has nothing to interrupt.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed study leaves no worker behind that would write on into its folder."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
