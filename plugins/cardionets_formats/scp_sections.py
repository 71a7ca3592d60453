"""The sections of an SCP-ECG record: where they are, and that they are whole.

Every length is checked against the file before anything is read. A checksum of 0 is one that was
not computed; any other must hold, for a damaged signal looks like a signal.

Source: EN 1064, clauses 5.2 to 5.4.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Collection, Mapping

from cardionets_core.errors import EcgError

_RECORD_HEADER = struct.Struct("<HI")
_SECTION_HEADER = struct.Struct("<HHIBB6s")
_POINTER = struct.Struct("<HII")
_MARK = b"SCPECG"
_MOST_POINTERS = 1024


def sections_of(content: bytes, wanted: Collection[int]) -> Mapping[int, bytes]:
    """Data of those of the wanted sections that are there, by number, headers left out.

    Args:
        content: The whole record.
        wanted: Numbers; other sections may be damaged.

    Raises:
        EcgError: If it is no SCP-ECG record, or a wanted section is damaged.
    """
    if len(content) < _RECORD_HEADER.size + _SECTION_HEADER.size or content[16:22] != _MARK:
        raise EcgError("not an SCP-ECG record: no 'SCPECG' at byte 16; needed one with it")
    _, announced = _RECORD_HEADER.unpack_from(content)
    if announced > len(content):
        raise EcgError(f"truncated: {len(content)} bytes, needed {announced}; copy it again")
    pointers = _data(content, 0, _RECORD_HEADER.size)
    count = len(pointers) // _POINTER.size
    if count > _MOST_POINTERS:
        raise EcgError(f"{count} sections; needed an SCP-ECG record, which has some 12")
    found = [_POINTER.unpack_from(pointers, _POINTER.size * at) for at in range(count)]
    return {
        number: _data(content, number, start - 1, length)
        for number, length, start in found
        if length and number in wanted
    }


def _data(content: bytes, number: int, at: int, pointed_length: int | None = None) -> bytes:
    """The data of one section, its header checked."""
    if at < 0 or at + _SECTION_HEADER.size > len(content):
        raise EcgError(f"section {number} lies beyond the end of the record; is it cut off?")
    checksum, found, length, *_ = _SECTION_HEADER.unpack_from(content, at)
    if found != number or (pointed_length is not None and length != pointed_length):
        raise EcgError(f"section {number} is not where the record says; was the file altered?")
    if length < _SECTION_HEADER.size or at + length > len(content):
        raise EcgError(f"section {number} lies beyond the end of the record; is it cut off?")
    whole = content[at : at + length]
    if checksum and checksum != binascii.crc_hqx(whole[2:], 0xFFFF):
        raise EcgError(
            f"the checksum of section {number} disagrees: the file was altered or damaged; copy "
            "it again"
        )
    return whole[_SECTION_HEADER.size :]
