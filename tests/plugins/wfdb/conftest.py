from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


@pytest.fixture
def counts() -> np.ndarray:
    """Twelve leads of 1 s at 500 Hz as a recorder counts them, (12, 500)."""
    return np.random.default_rng(3).integers(-900, 900, (12, 500)).astype(np.int16)


@pytest.fixture
def write_record(tmp_path: Path) -> Callable[..., Path]:
    """Write a WFDB record of format 16 by hand, and return its header's path."""

    def write(
        counts: np.ndarray,
        *,
        name: str = "rec1",
        leads: Sequence[str] = LEADS,
        units: str = "mV",
        gain: str = "1000.0(0)",
        record_line: str | None = None,
        comments: Sequence[str] = (),
        checksums: Sequence[int] | None = None,
        ending: str = ".dat",
    ) -> Path:
        header = tmp_path / f"{name}.hea"
        header.parent.mkdir(parents=True, exist_ok=True)
        base = header.stem
        if checksums is None:
            checksums = [int(row.sum(dtype=np.int64)) % 65536 for row in counts]
        lines = [record_line or f"{base} {len(counts)} 500 {counts.shape[1]}"]
        lines += [
            f"{base}{ending} 16 {gain}/{units} 16 0 {row[0]} {checksum} 0 {lead}"
            for row, lead, checksum in zip(counts, leads, checksums, strict=True)
        ]
        lines += [f"# {comment}" for comment in comments]
        header.write_text("\n".join(lines) + "\n")
        counts.T.astype("<i2").tofile(header.with_suffix(ending))
        return header

    return write


@pytest.fixture
def sample_records() -> list[Path]:
    """Headers of the real records at hand."""
    root = os.environ.get("CARDIONETS_SAMPLE_DATA")
    if not root:
        pytest.skip("CARDIONETS_SAMPLE_DATA is unset: no real records to read")
    headers = sorted((Path(root) / "ecg_wfdb").glob("*.hea"))
    if not headers:
        pytest.skip("CARDIONETS_SAMPLE_DATA holds no WFDB records")
    return headers
