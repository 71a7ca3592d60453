"""Which samples make which batch: functions of (seed, epoch) alone, the same in any process."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Generator, Iterable
from queue import Queue
from threading import Thread
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")
Made = TypeVar("Made")

# Keys of the counter-based generators, so that no two uses share a stream.
_ORDER_STREAM, _NOISE_STREAM = 1, 2
_PREFETCHED = 3


def epoch_order(rows: NDArray[np.int64], *, seed: int, epoch: int) -> NDArray[np.int64]:
    """The rows in the order of one epoch, (n,)."""
    generator = np.random.Generator(np.random.Philox(key=[seed, _ORDER_STREAM], counter=epoch))
    return generator.permutation(rows)


def seed_of(seed: int, *names: object) -> int:
    """A seed for torch that follows from a run's seed and what it is for, and from nothing else."""
    text = "/".join(str(name) for name in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def train_batches(
    rows: NDArray[np.int64], batch_size: int, *, world_size: int, whole_only: bool
) -> list[NDArray[np.int64]]:
    """Cut rows into batches that every process can take an equal share of.

    Args:
        rows: Rows in their order, (n,).
        batch_size: Samples per batch over all processes, a multiple of ``world_size``.
        world_size: Number of processes.
        whole_only: Leave an incomplete last batch out, unless it is the only one.

    Returns:
        Batches; the last may be smaller, and is cut to a multiple of ``world_size``.
    """
    batches = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    if whole_only and len(batches) > 1 and len(batches[-1]) < batch_size:
        batches.pop()
    batches[-1] = batches[-1][: len(batches[-1]) // world_size * world_size]
    return [batch for batch in batches if len(batch)]


def even_batches(rows: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
    """Cut rows into batches of nearly one size, none above ``batch_size`` and none left out.

    A small last batch would be an easier task than the others under a contrastive loss.
    """
    return np.array_split(rows, math.ceil(len(rows) / batch_size))


def mask_noise(
    rows: NDArray[np.int64], shape: tuple[int, ...], *, seed: int, epoch: int
) -> NDArray[np.float32]:
    """Uniform noise in [0, 1) for the masking of each sample, (B, *shape).

    A sample's noise depends on (seed, epoch, row), not on the batch it is in.
    """
    noise = np.empty((len(rows), *shape), dtype=np.float32)
    for i, row in enumerate(rows):
        bits = np.random.Philox(key=[seed, _NOISE_STREAM], counter=[0, 0, epoch, int(row)])
        np.random.Generator(bits).random(out=noise[i], dtype=np.float32)
    return noise


def prefetched(make: Callable[[Item], Made], items: Iterable[Item]) -> Generator[Made, None, None]:
    """``make(item)`` for each item in order, a few ahead in a thread.

    An exception in ``make`` is raised where its result would have come.
    """
    queue: Queue[tuple[Made | None, BaseException | None] | None] = Queue(maxsize=_PREFETCHED)
    stopped = False

    def work() -> None:
        try:
            for item in items:
                if stopped:
                    return
                queue.put((make(item), None))
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, not swallowed
            queue.put((None, error))
        queue.put(None)

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        while (entry := queue.get()) is not None:
            made, error = entry
            if error is not None:
                raise error
            yield made  # type: ignore[misc]  # None only beside an error
    finally:
        stopped = True
        while thread.is_alive():
            _drain(queue)
            thread.join(timeout=0.05)


def _drain(queue: Queue[tuple[Made | None, BaseException | None] | None]) -> None:
    """Make room, so that a worker blocked on a full queue sees that it is to stop."""
    while not queue.empty():
        queue.get()
