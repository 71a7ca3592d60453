"""Running the blocks of ``prepare`` on workers, never more at once than is needed."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from typing import NamedTuple

from cardionets_core.cohort.shards import Block, read_and_write
from cardionets_core.errors import CohortError, PluginError
from cardionets_core.interfaces import Dataset

_BLOCKS_PER_WORKER = 2


class Pool(NamedTuple):
    """What blocks run on: an executor, or this process if None; and how many run at a time."""

    executor: Executor | None
    workers: int


@contextmanager
def workers_or(executor: Executor | None, workers: int) -> Iterator[Executor | None]:
    """The caller's executor, or own processes, or None for this process alone.

    Own processes are spawned: forking a process in which torch or HDF5 run threads can hang.
    """
    if executor is not None or workers <= 1:
        yield executor
        return
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_end_with_the_parent
    ) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _end_with_the_parent() -> None:
    """Let a worker end when whoever started it was killed; else it would wait for work for ever.

    Nothing is lost: blocks are put in place whole.
    """
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="end with the parent", daemon=True).start()


def run_blocks(dataset: Dataset, blocks: Iterable[Block], pool: Pool) -> Iterator[int]:
    """Read and write blocks, here or on an executor.

    Args:
        dataset: The source.
        blocks: What to read; taken one by one, as workers become free.
        pool: What they run on.

    Yields:
        Number of records of each finished block, in the order of finishing.

    Raises:
        PluginError: If the dataset cannot be sent to workers.
        CohortError: If a worker or the cluster is lost, or a block cannot be written.
    """
    if pool.executor is None:
        for block in blocks:
            yield read_and_write(dataset, block)
        return
    _require_picklable(dataset)
    pending: set[Future[int]] = set()
    try:
        for block in blocks:
            pending.add(pool.executor.submit(read_and_write, dataset, block))
            if len(pending) >= _BLOCKS_PER_WORKER * max(pool.workers, 1):
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        for future in pending:
            yield future.result()
    except Exception as error:
        if not _is_of_lost_workers(error):
            raise
        raise CohortError(
            "a worker process died while reading, perhaps for want of memory, or the cluster went "
            "away, or a script calls this outside of: if __name__ == '__main__'; finished blocks "
            "are kept: run the same again to resume, with fewer workers"
        ) from error


def _is_of_lost_workers(error: Exception) -> bool:
    """Whether it is the executor that failed, and not what it ran; Dask has its own errors."""
    ours = isinstance(error, BrokenExecutor | CancelledError)
    return ours or type(error).__module__.partition(".")[0] == "distributed"


def _require_picklable(dataset: Dataset) -> None:
    try:
        pickle.dumps(dataset)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise PluginError(
            f"dataset {type(dataset).__name__} cannot be sent to worker processes ({error}); "
            f"use one worker, or keep open files and locks out of its attributes"
        ) from error
