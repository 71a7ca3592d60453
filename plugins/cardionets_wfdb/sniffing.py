"""Recognise formats by their first bytes."""

from __future__ import annotations

import re

_RECORD_LINE = re.compile(r"[\w-]+(/\d+)?\s+[1-9]\d*(\s+\S+)*")
# Signal lines start with a file name, which is never a bare number, and a format code.
_SIGNAL_LINE = re.compile(r"(?=\S*[^\d\s.+-])\S+\s+\d+(x\d+)?(:\d+)?(\+\d+)?(\s.*)?")
# MATLAB v4: little-endian, int16, full matrix; WFDB's own .mat files name it "val".
_MAT_INT16 = (30).to_bytes(4, "little")


def looks_like_wfdb(head: bytes) -> bool:
    """True for a WFDB header, and for a ``.mat`` signal file as WFDB writes it."""
    if head[:4] == _MAT_INT16 and head[20:24] == b"val\0":
        return True
    lines = [
        line.strip()
        for line in head.decode("latin-1").splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    return (
        len(lines) >= 2
        and _RECORD_LINE.fullmatch(lines[0]) is not None
        and _SIGNAL_LINE.fullmatch(lines[1]) is not None
    )


def looks_like_npy(head: bytes) -> bool:
    """True for a NumPy array file."""
    return head.startswith(b"\x93NUMPY")


def never(_head: bytes) -> bool:
    """False: such files are recognised by their ending."""
    return False
