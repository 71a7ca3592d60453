"""Mutations of files, the same for the same seed."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from cardionets_core.errors import EcgError

# Of this process: other work on the machine does not count.
SLOWEST_CPU_S = 2.0
# Positions are drawn near the beginning more often: there the structure is.
_TYPICAL_POSITION = 3000


def mutations(content: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Cut off, overwritten, with pieces removed, inserted, blanked or copied about."""
    rng = np.random.default_rng(seed)
    kinds = (_cut, _overwrite, _remove, _insert, _blank, _copy)
    for _ in range(count):
        made = bytearray(content)
        kinds[rng.integers(len(kinds))](made, rng)
        yield bytes(made)


def _somewhere(made: bytearray, rng: np.random.Generator) -> int:
    far = rng.integers(len(made))
    near = rng.exponential(_TYPICAL_POSITION)
    return int(far if rng.random() < 0.3 else min(near, len(made) - 1))


def _cut(made: bytearray, rng: np.random.Generator) -> None:
    del made[int(rng.integers(len(made))) :]


def _overwrite(made: bytearray, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 20))):
        made[_somewhere(made, rng)] = int(rng.integers(256))


def _remove(made: bytearray, rng: np.random.Generator) -> None:
    at = _somewhere(made, rng)
    del made[at : at + int(rng.integers(1, 64))]


def _insert(made: bytearray, rng: np.random.Generator) -> None:
    at = _somewhere(made, rng)
    made[at:at] = rng.bytes(int(rng.integers(1, 64)))


def _blank(made: bytearray, rng: np.random.Generator) -> None:
    at, length = _somewhere(made, rng), int(rng.integers(1, 64))
    made[at : at + length] = bytes([int(rng.choice([0, 127, 128, 255]))]) * length


def _copy(made: bytearray, rng: np.random.Generator) -> None:
    at, source, length = _somewhere(made, rng), _somewhere(made, rng), int(rng.integers(1, 256))
    made[at : at + length] = made[source : source + length]


def check_reads_or_refuses(read_bytes: Callable[..., Any], content: bytes) -> str:
    """Read it, or get an EcgError of one line, within the time; return the message."""
    start = time.process_time()
    message = ""
    try:
        record = read_bytes(content, "file")
        assert record.signal_mv.shape == (len(record.leads), record.signal_mv.shape[1])
        assert not np.isinf(record.signal_mv).any()
    except EcgError as error:
        message = str(error)
        assert "\n" not in message
        assert message.startswith("file: ")
    assert time.process_time() - start < SLOWEST_CPU_S
    return message


def peak_bytes(read_bytes: Callable[..., Any], content: bytes) -> int:
    """Most memory while a file is refused."""
    tracemalloc.start()
    try:
        with pytest.raises(EcgError):
            read_bytes(content, "file")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
