"""Several processes that train one model: who goes first, and how all learn that one failed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar, cast

import torch
from lightning_fabric import Fabric

from cardionets_core.errors import CardionetsError

Made = TypeVar("Made")


def decided_by_first(fabric: Fabric, decide: Callable[[], Made]) -> Made:
    """What the first process decides, in every process; only the first one reads and writes.

    Args:
        fabric: The processes.
        decide: Run in the first process; what it returns must pickle.

    Raises:
        Exception: In the first process, what ``decide`` raised.
        SystemExit: Then in the others, in silence: the first one says what was wrong.
    """
    made, error = _attempt(decide) if fabric.is_global_zero else (None, None)
    made, exit_code = fabric.broadcast((made, None if error is None else _exit_code(error)))
    _leave(error, exit_code)
    return cast("Made", made)


def first_goes_first(fabric: Fabric, make: Callable[[], Made]) -> Made:
    """Have every process make its own, the first one alone before the others.

    What the first one leaves in a cache, the others find there.

    Raises:
        Exception: In the first process, what ``make`` raised.
        SystemExit: Then in the others.
    """
    made, error = _attempt(make) if fabric.is_global_zero else (None, None)
    _leave(error, fabric.broadcast(None if error is None else _exit_code(error)))
    return cast("Made", made) if fabric.is_global_zero else make()


def fail_together(fabric: Fabric, error: CardionetsError) -> None:
    """End every process for a reason that all of them know; the first one says it.

    Raises:
        CardionetsError: In the first process.
        SystemExit: In the others.
    """
    _leave(error if fabric.is_global_zero else None, error.exit_code)


def told_by_any(fabric: Fabric, finding: tuple[int, str] | None) -> tuple[int, str] | None:
    """The lowest of what the processes found, in all of them, or None if none found anything.

    Args:
        fabric: The processes; every one of them must ask.
        finding: A number to order by, such as a step, and a text.
    """
    if fabric.world_size == 1:
        return finding
    findings: list[tuple[int, str] | None] = [None] * fabric.world_size
    torch.distributed.all_gather_object(findings, finding)
    return min((found for found in findings if found is not None), default=None)


def _attempt(make: Callable[[], Made]) -> tuple[Made | None, Exception | None]:
    try:
        return make(), None
    except Exception as error:  # noqa: BLE001 - raised again when the others know
        return None, error


def _exit_code(error: Exception) -> int:
    return error.exit_code if isinstance(error, CardionetsError) else 1


def _leave(error: Exception | None, exit_code: int | None) -> None:
    if error is not None:
        raise error
    if exit_code is not None:
        sys.exit(exit_code)
