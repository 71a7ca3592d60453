"""Workers on other machines: a Dask cluster behind the interface of ``concurrent.futures``."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from cardionets_core.errors import CardionetsError, UsageError


@contextmanager
def executor_at(scheduler: str | None) -> Iterator[Executor | None]:
    """Connect to a Dask scheduler for as long as the context lasts.

    Args:
        scheduler: Its address, e.g. ``tcp://10.0.0.5:8786``; None for no cluster.

    Yields:
        An executor, or None where no scheduler is named.

    Raises:
        UsageError: If Dask is not installed.
        CardionetsError: If nothing answers at the address.
    """
    if scheduler is None:
        yield None
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
        yield client.get_executor()
    finally:
        client.close()
