"""Huffman codes of SCP-ECG: the standard's own table, or tables in section 2.

A code is a prefix, and may be followed by the bits of a signed number. Codes are written bit by
bit, highest bit of a byte first; section 2 stores a prefix with its first bit lowest.

Source: EN 1064, clause 5.5 and annex C.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cardionets_core.errors import EcgError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DEFAULT_TABLE = 19999
_COUNT = struct.Struct("<H")
_STRUCTURE = struct.Struct("<BBBhI")
_LONGEST_PREFIX_BITS = 16
_LONGEST_NUMBER_BITS = 16
_WINDOW_BITS = _LONGEST_PREFIX_BITS + _LONGEST_NUMBER_BITS
# Behind the end of any stream.
_ENDLESS = 1 << 30
_NOT_READ = "export it without them, or as DICOM or aECG"


class Code(NamedTuple):
    """A prefix of some bits, with its first bit highest, and what it stands for.

    It is followed by ``number_bits`` bits of a signed number, to which ``base`` is added.
    """

    prefix_bits: int
    prefix: int
    number_bits: int
    base: int


def _default_codes() -> tuple[Code, ...]:
    """0 is ``0``, n is n ones and ``00``, -n is n ones and ``01``; larger ones stand in full."""
    small = [Code(1, 0, 0, 0)]
    for value in range(1, 9):
        ones = ((1 << value) - 1) << 2
        small += [Code(value + 2, ones, 0, value), Code(value + 2, ones | 1, 0, -value)]
    return (*small, Code(10, 0b1111111110, 8, 0), Code(10, 0b1111111111, 16, 0))


DEFAULT_CODES = _default_codes()


def codes_of(section: bytes) -> tuple[Code, ...]:
    """The codes of section 2; none if the samples are not coded.

    Args:
        section: Its data, without header.

    Raises:
        EcgError: If it is damaged, or has several tables to switch between.
    """
    tables = _unpack(_COUNT, section, 0)[0]
    if tables == _DEFAULT_TABLE:
        return DEFAULT_CODES
    if tables == 0:
        return ()
    count = _unpack(_COUNT, section, _COUNT.size)[0]
    if tables > 1 or not count:
        raise EcgError(
            f"{tables} Huffman tables, {count} codes in the first; needed one with codes; "
            f"{_NOT_READ}"
        )
    at = 2 * _COUNT.size
    fields = [_unpack(_STRUCTURE, section, at + _STRUCTURE.size * row) for row in range(count)]
    return tuple(_code(*row) for row in fields)


def decode(data: bytes, samples: int, codes: tuple[Code, ...]) -> NDArray[np.int64]:
    """Decode the first numbers of a stream of codes.

    All bit positions are looked up at once; then the positions are followed from the first.

    Args:
        data: The stream.
        samples: How many numbers.
        codes: The table.

    Returns:
        Numbers, (samples,).

    Raises:
        EcgError: If the stream ends before, or holds bits that are no code.
    """
    table = _table(codes)
    windows = _windows(data)
    rows = table.row_of[windows >> _LONGEST_NUMBER_BITS]
    end = 8 * len(data)
    after = np.arange(end) + table.entire_bits[rows]
    lost = end + 1
    after[after > end] = lost
    positions = _follow([*after.tolist(), lost, lost], samples)
    if positions is None:
        raise EcgError(
            f"a lead's coded samples end before {samples} of them, or are no code; is the file "
            "damaged?"
        )
    return _values(table, rows[positions], windows, positions)


class _Table(NamedTuple):
    """Codes as columns, and the row of the code that any 16 bits begin with.

    The last row stands for bits that are no code: it is longer than any stream.
    """

    prefix_bits: NDArray[np.int64]
    number_bits: NDArray[np.int64]
    base: NDArray[np.int64]
    entire_bits: NDArray[np.int64]
    row_of: NDArray[np.int64]


@lru_cache(maxsize=2)
def _table(codes: tuple[Code, ...]) -> _Table:
    row_of = np.full(1 << _LONGEST_PREFIX_BITS, len(codes))
    for row, code in enumerate(codes):
        spare = _LONGEST_PREFIX_BITS - code.prefix_bits
        block = row_of[code.prefix << spare : (code.prefix + 1) << spare]
        if (block != len(codes)).any():
            raise EcgError("a Huffman code begins with another one; is section 2 damaged?")
        block[:] = row
    prefix_bits, _, number_bits, base = np.array([*codes, (0, 0, 0, 0)]).T
    entire_bits = prefix_bits + number_bits
    entire_bits[-1] = _ENDLESS
    return _Table(prefix_bits, number_bits, base, entire_bits, row_of)


def _values(
    table: _Table,
    rows: NDArray[np.int64],
    windows: NDArray[np.int64],
    positions: NDArray[np.intp],
) -> NDArray[np.int64]:
    """What the codes at some positions stand for, (samples,)."""
    bits = table.number_bits[rows]
    behind = np.minimum(positions + table.prefix_bits[rows], len(windows) - 1)
    number = windows[behind] >> (_WINDOW_BITS - bits)
    is_negative = (number >> np.maximum(bits - 1, 0)) & (bits > 0)
    return np.where(bits > 0, number - (is_negative << bits), 0) + table.base[rows]


def _windows(data: bytes) -> NDArray[np.int64]:
    """The 32 bits from every bit position on, zeros behind the end, (8 * bytes,)."""
    padded = np.frombuffer(data + bytes(5), dtype=np.uint8).astype(np.int64)
    five = np.zeros(len(data), dtype=np.int64)
    for ahead in range(5):
        five = (five << 8) | padded[ahead : len(data) + ahead]
    shifts = np.arange(8, 0, -1)
    windows: NDArray[np.int64] = ((five[:, None] >> shifts) & 0xFFFFFFFF).reshape(-1)
    return windows


def _follow(after: list[int], steps: int) -> NDArray[np.intp] | None:
    """Positions from 0 on, each followed by the one after it; None if they get lost."""
    position, positions = 0, []
    for _ in range(steps):
        positions.append(position)
        position = after[position]
    return None if position == len(after) - 1 else np.array(positions, dtype=np.intp)


def _code(prefix_bits: int, entire_bits: int, mode: int, base: int, base_code: int) -> Code:
    """One code structure as stored."""
    number_bits = entire_bits - prefix_bits
    if not (1 <= prefix_bits <= _LONGEST_PREFIX_BITS and 0 <= number_bits <= _LONGEST_NUMBER_BITS):
        raise EcgError(
            f"a Huffman code of {prefix_bits} bits in {entire_bits}; needed 1 to "
            f"{_LONGEST_PREFIX_BITS} and up to {_LONGEST_NUMBER_BITS} more; {_NOT_READ}"
        )
    if mode != 1:
        raise EcgError(f"a Huffman code that switches tables, which is not read; {_NOT_READ}")
    if base_code >> prefix_bits:
        raise EcgError("a Huffman code longer than its prefix; is section 2 damaged?")
    prefix = int(f"{base_code:0{prefix_bits}b}"[::-1], 2)
    return Code(prefix_bits, prefix, number_bits, base)


def _unpack(layout: struct.Struct, section: bytes, at: int) -> tuple[int, ...]:
    if at + layout.size > len(section):
        raise EcgError("section 2 ends within its Huffman tables; is the file cut off?")
    return layout.unpack_from(section, at)
