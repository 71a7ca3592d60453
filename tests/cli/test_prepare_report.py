"""``cardionets prepare``: the report, the dry run and how far reading is."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from cardionets_cli.reading_progress import Pace, reading_progress
from cardionets_cli.rehearsal import print_rehearsal
from cardionets_core.cohort.rehearsing import Listing, Rehearsal, Sample
from cardionets_core.interfaces import SelectionStep

SMALL = ("prepare", "simulated", "--subjects", 3, "--workers", 1, "--out", "x.h5")


def test_prepare_writes_a_report_beside_the_cohort_and_says_where(command, tmp_path):
    told = command(*SMALL)
    assert "report: x.h5.report.html" in told.out.splitlines()
    report = json.loads((tmp_path / "x.h5.report.json").read_text())
    assert report["title"] == "SIMULATED cohort x.h5"
    assert report["flow"]["steps"][-1]["records"] == 3
    assert report["provenance"]["run"]["workers"] == "1 on this machine"
    assert report["provenance"]["options"]["subjects"] == 3
    assert "SIMULATED" in (tmp_path / "x.h5.report.html").read_text()


def test_an_extended_cohort_gets_a_new_report(command, tmp_path):
    command(*SMALL)
    command(*SMALL, "--subjects", 5, "--extend")
    report = json.loads((tmp_path / "x.h5.report.json").read_text())
    assert report["flow"]["steps"][-1]["records"] == 5
    assert report["provenance"]["extended"]


def test_a_dry_run_estimates_and_leaves_nothing(command, tmp_path):
    told = command(
        "prepare", "simulated", "--subjects", 50, "--workers", 2, "--out", "x.h5", "--dry-run"
    )
    assert told.code == 0
    lines = told.out.splitlines()
    assert lines[:2] == ["50 records in simulated; nothing was written", "  50 role drawn"]
    assert "read here: 32 records, evenly spaced; 32 could be read" in lines
    estimates = [line for line in lines if "(estimated from 32 records read here)" in line]
    assert len(estimates) == 2
    assert "with 2 workers" in estimates[0]
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_of_an_extension_counts_what_is_new(command, tmp_path):
    command(*SMALL)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.iterdir())
    told = command(*SMALL, "--subjects", 5, "--extend", "--dry-run")
    assert told.out.startswith("2 records in simulated; nothing was written")
    assert sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.iterdir()) == before
    told = command(*SMALL, "--subjects", 5, "--seed", 8, "--extend", "--dry-run")
    assert "extend it with the same" in told.err
    assert told.code == 2


def test_a_dry_run_tells_steps_failures_and_a_full_disk(capsys):
    sample = Sample(4, {"EcgError: no leads": 1}, {"with an ECG": 3, "with a cine": 0}, 0.5, 1e6)
    steps = (
        SelectionStep("files", 900),
        SelectionStep("listed", 800, 500, {"no label": 90, "withdrawn": 10}),
    )
    print_rehearsal("mimic", Rehearsal(Listing(800, {"role drawn": 800}), steps, sample, 10**9), 2)
    assert capsys.readouterr().out.splitlines() == [
        "800 records in mimic; nothing was written",
        "  800 role drawn",
        "how the source came to list them:",
        "  900: files",
        "    - 90: no label",
        "    - 10: withdrawn",
        "  800 of 500 persons: listed",
        "read here: 4 records, evenly spaced; 3 could be read",
        "  3 with an ECG",
        "  1: EcgError: no leads",
        "reading would take about 0:03:20 with 2 workers (estimated from 4 records read here)",
        "the cohort would take about 800 MB (estimated from 4 records read here)",
        "while it is made 1.6 GB are needed; 1.0 GB are free; that is too little",
    ]


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


def test_the_pace_counts_from_the_first_block_so_that_a_resumed_run_does_not_flatter(clock):
    pace = Pace(clock)
    assert pace.told(10_000, 20_000) == ""
    clock.now_s = 10
    assert pace.told(10_640, 20_000) == "64 records/s, 0:02:26 left"
    clock.now_s = 20
    assert pace.told(20_000, 20_000) == "500 records/s, 0:00:00 left"
    assert Pace(clock).told(0, None) == ""


def test_a_log_gets_a_line_every_half_a_minute_and_a_short_job_none(clock):
    console = Console(file=(file := io.StringIO()), width=200)
    with reading_progress(console, clock) as show:
        for second in range(100):
            clock.now_s = second
            show(10 * second, 2000)
            if second == 29:
                assert file.getvalue() == ""
    assert file.getvalue().splitlines() == [
        "read 300 of 2,000 records (15 %), 10 records/s, 0:02:50 left",
        "read 600 of 2,000 records (30 %), 10 records/s, 0:02:20 left",
        "read 900 of 2,000 records (45 %), 10 records/s, 0:01:50 left",
    ]


def test_a_terminal_gets_a_bar_with_the_pace(clock):
    console = Console(force_terminal=True, file=(file := io.StringIO()), width=100)
    with reading_progress(console, clock) as show:
        show(64, 640)
        clock.now_s = 2
        show(192, 640)
    assert "192/640" in file.getvalue()
    assert "64 records/s, 0:00:07 left" in file.getvalue()
