"""CI fails when a reference set had no parity test."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "count_parity.py"


@pytest.fixture
def counted(tmp_path):
    """Exit status for a test run that printed a line, with two sets."""
    reference = tmp_path / "reference"
    for name in ("st_mem", "mae_cmr"):
        (reference / name).mkdir(parents=True)
    script = runpy.run_path(str(SCRIPT))

    def count(line):
        log = tmp_path / "log"
        log.write_text(f"....\n{line}\n====\n")
        return script["main"](log, reference)

    return count


def test_every_set_with_a_test_passes(counted):
    assert counted("parity tests passed: 2 in mae_cmr, st_mem") == 0


@pytest.mark.parametrize(
    "line",
    [
        "parity tests passed: 40 in st_mem",
        "parity tests passed: 0 in ",
        "parity tests passed: 1 in mae_cmr, st_mem",
        "2 passed",
    ],
)
def test_a_set_without_a_test_fails(counted, line):
    assert counted(line) == 1
