"""Workers on other machines: a Dask cluster behind the interface of ``concurrent.futures``."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import NamedTuple

from cardionets_core.errors import CardionetsError, UsageError


class Cluster(NamedTuple):
    """An executor, and how many tasks it runs at a time; neither where no scheduler is named."""

    executor: Executor | None = None
    workers: int | None = None


@contextmanager
def executor_at(scheduler: str | None) -> Iterator[Executor | None]:
    """The same as ``cluster_at`` for whoever does not ask how large the cluster is."""
    with cluster_at(scheduler) as cluster:
        yield cluster.executor


@contextmanager
def cluster_at(scheduler: str | None) -> Iterator[Cluster]:
    """Connect to a Dask scheduler for as long as the context lasts.

    Args:
        scheduler: Its address, e.g. ``tcp://10.0.0.5:8786``; None for no cluster.

    Raises:
        UsageError: If Dask is not installed.
        CardionetsError: If nothing answers at the address.
    """
    if scheduler is None:
        yield Cluster()
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            f"--scheduler {scheduler} needs Dask, which is not installed; "
            "run pip install 'cardionets[cluster]'"
        ) from error
    try:
        client = Client(scheduler)
    except (OSError, ValueError) as error:
        raise CardionetsError(
            f"--scheduler {scheduler}: no Dask scheduler answers there ({error}); "
            "start one with `dask scheduler`, and workers that share this file system"
        ) from error
    try:
        # Workers that join later do their part, but are not waited for.
        threads = sum(client.nthreads().values())
        yield Cluster(client.get_executor(), threads or None)
    finally:
        client.close()
