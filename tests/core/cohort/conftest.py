"""Cohorts for the tests, made once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Worker processes find the made-up dataset by name.
sys.path.insert(0, str(Path(__file__).parent))

from made_up_source import MADE_UP, MadeUp

from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.writer import prepare


@pytest.fixture(scope="session")
def cohort_path(tmp_path_factory):
    """A finished cohort of 12 made-up records, none of them quarantined."""
    out = tmp_path_factory.mktemp("made-up") / "cohort.h5"
    prepare(MadeUp(), out, seed=3, provenance=MADE_UP, block_records=5)
    return out


@pytest.fixture
def cohort(cohort_path):
    with open_cohort(cohort_path) as opened:
        yield opened
