"""XLI, the compression of Philips XML: one block per lead, bounded and checked.

A block has a header of eight bytes (size, a number of unknown use, a first difference) and LZW
codes of ten bits. They unpack to the high bytes of all samples, then the low bytes; the samples
are second differences. Facts: the wiki of sierra-ecg-tools, whose LZW is used here. Its own way
through the blocks is not: it loops for ever over a negative size, unpacks without bound, and lets
sums wrap at 16 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sierraecg.lzw import LzwDecoder

from cardionets_core.errors import EcgError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEADER_BYTES = 8
_CODE_BITS = 10
# Differences are stored with this much added.
_DIFFERENCE_BIAS = 64
_DAMAGED = "the compressed samples are damaged or cut off; copy the file again"


def blocks_of(raw: bytes, count: int) -> list[bytes]:
    """The first blocks, each with its header; what follows them is left out.

    Raises:
        EcgError: If there are fewer, or a size leads out of the data.
    """
    blocks = []
    at = 0
    for _ in range(count):
        size = int.from_bytes(raw[at : at + 4], "little", signed=True)
        end = at + _HEADER_BYTES + size
        if size <= 0 or end > len(raw):
            raise EcgError(_DAMAGED)
        blocks.append(raw[at:end])
        at = end
    return blocks


def unpacked(block: bytes, samples: int) -> NDArray[np.int64]:
    """Samples of one block, (samples,), within 16 bits.

    Args:
        block: Header and codes.
        samples: How many there have to be, two at least.

    Raises:
        EcgError: If there are more or fewer, or they cannot be samples of 16 bits.
    """
    first = int.from_bytes(block[6:_HEADER_BYTES], "little", signed=True)
    content = _lzw(block[_HEADER_BYTES:], 2 * samples)
    high, low = np.frombuffer(content, dtype=np.uint8).astype(np.int64).reshape(2, samples)
    differences = ((high << 8 | low) ^ 0x8000) - 0x8000
    slope = differences[1] - differences[0]
    bends = np.concatenate(([slope, -first], _DIFFERENCE_BIAS - differences[2:-1]))
    rises = np.cumsum(bends[: samples - 1])
    return within_16_bits(differences[0] + np.concatenate(([0], np.cumsum(rises))))


def within_16_bits(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """The samples, if they are what a converter of 16 bits can give.

    Raises:
        EcgError: If not.
    """
    if samples.min() < -0x8000 or samples.max() > 0x7FFF:
        raise EcgError(_DAMAGED)
    return samples


def _lzw(codes: bytes, length: int) -> bytes:
    """Unpack exactly this many bytes; an odd one of padding may follow."""
    decoder = LzwDecoder(codes, bits=_CODE_BITS)
    content = bytearray()
    try:
        while len(content) <= length + 1 and (byte := decoder.read()) >= 0:
            content.append(byte)
    except IndexError:
        raise EcgError(_DAMAGED) from None
    if not length <= len(content) <= length + 1:
        raise EcgError(_DAMAGED)
    return bytes(content[:length])
