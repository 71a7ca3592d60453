"""SCP-ECG records made up for tests, with a planted patient that must not be seen again."""

from __future__ import annotations

import binascii
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
CODES = dict(zip(LEADS, (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8), strict=True))
PLANTED = (b"PLANTEDNAME", b"PLANTEDID42", struct.pack("<HBB", 1933, 3, 17))
DEFAULT_TABLE = struct.pack("<H", 19999)


def header(number: int, data: bytes, *, checksum: int | None = None) -> bytes:
    """A section with its header; its checksum is right unless it is given."""
    rest = struct.pack("<HIBB6s", number, 16 + len(data), 20, 20, b"SCPECG" * (number == 0)) + data
    found = binascii.crc_hqx(rest, 0xFFFF) if checksum is None else checksum
    return struct.pack("<H", found) + rest


def record(sections: dict[int, bytes], *, checksums: dict[int, int] | None = None) -> bytes:
    """A whole record of sections by number."""
    made = {
        number: header(number, data, checksum=(checksums or {}).get(number))
        for number, data in sections.items()
    }
    numbers = sorted({*range(12), *sections})
    at = 6 + 16 + 10 * len(numbers)
    pointers = struct.pack("<HII", 0, at - 6, 7)
    for number in numbers[1:]:
        length = len(made.get(number, b""))
        pointers += struct.pack("<HII", number, length, at + 1 if length else 0)
        at += length
    body = header(0, pointers) + b"".join(made[number] for number in numbers if number in made)
    rest = struct.pack("<I", 6 + len(body)) + body
    return struct.pack("<H", binascii.crc_hqx(rest, 0xFFFF)) + rest


def tags(*, date: bytes = struct.pack("<HBB", 2022, 3, 4), time: bytes = bytes((5, 6, 7))) -> bytes:
    """Section 1 with the planted patient, and date and time of acquisition."""
    said = {0: PLANTED[0], 2: PLANTED[1], 5: PLANTED[2], 25: date, 26: time}
    packed = b"".join(
        struct.pack("<BH", tag, len(value)) + value for tag, value in said.items() if value
    )
    return packed + struct.pack("<BH", 255, 0)


def leads_section(
    leads: Sequence[str | int], samples: int, *, flags: int = 0x64, first: Sequence[int] = ()
) -> bytes:
    """Section 3; leads by name or by code; ``first`` samples count from 1."""
    made = struct.pack("<BB", len(leads), flags)
    for row, lead in enumerate(leads):
        start = first[row] if first else 1
        code = lead if isinstance(lead, int) else CODES[lead]
        made += struct.pack("<IIB", start, start + samples - 1, code)
    return made


def rhythm_section(
    streams: Sequence[bytes],
    *,
    nanovolts: int = 2500,
    interval_us: int = 2000,
    difference: int = 0,
    bimodal: int = 0,
) -> bytes:
    """Section 6 of the data of each lead."""
    made = struct.pack("<HHBB", nanovolts, interval_us, difference, bimodal)
    made += b"".join(struct.pack("<H", len(stream)) for stream in streams)
    return made + b"".join(streams)


def differences(counts: np.ndarray, order: int) -> list[int]:
    """Differences of one lead; the first ``order`` samples stand in full."""
    values = [int(value) for value in counts]
    if order == 0:
        return values
    if order == 1:
        return values[:1] + [values[at] - values[at - 1] for at in range(1, len(values))]
    return values[:2] + [
        values[at] - 2 * values[at - 1] + values[at - 2] for at in range(2, len(values))
    ]


def plain(numbers: Sequence[int]) -> bytes:
    return np.array(numbers, dtype="<i2").tobytes()


def default_huffman(numbers: Sequence[int]) -> bytes:
    """Numbers in the standard's own table, bit by bit."""
    bits = "".join(_default_bits(number) for number in numbers)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def _default_bits(number: int) -> str:
    if abs(number) <= 8:
        return "1" * abs(number) + ("0" + "01"[number < 0] if number else "0")
    if -128 <= number <= 127:
        return "1111111110" + f"{number & 0xFF:08b}"
    return "1111111111" + f"{number & 0xFFFF:016b}"


def sections_of(
    counts: np.ndarray, leads: Sequence[str] = LEADS, *, difference: int = 2, huffman: bool = True
) -> dict[int, bytes]:
    """Sections of counts (leads, samples)."""
    encode = default_huffman if huffman else plain
    streams = [encode(differences(row, difference)) for row in counts]
    made = {1: tags(), 3: leads_section(leads, counts.shape[1])}
    made[6] = rhythm_section(streams, difference=difference)
    return made | ({2: DEFAULT_TABLE} if huffman else {})


def write(folder: Path, counts: np.ndarray) -> Path:
    path = folder / "r1.scp"
    path.write_bytes(record(sections_of(counts)))
    return path
