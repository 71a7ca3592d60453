"""Memory does not grow with the release."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LISTING = """
import sys
from pathlib import Path
from cardionets_mimic.config import MimicConfig
from cardionets_mimic.dataset import MimicEcg

dataset = MimicEcg(MimicConfig(source=Path(sys.argv[1]), labels=Path(sys.argv[2])))
listed = sum(1 for _ in dataset.subjects())
status = Path("/proc/self/status").read_text().splitlines()
print(listed, next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""
PREPARING = """
import sys
from pathlib import Path
from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.registry import default_registry

source, labels, out = map(Path, sys.argv[1:])
options = {"source": source, "labels": labels}
component = default_registry().find("dataset", "mimic")
report = prepare_dataset(PrepareRequest(component, out, options, workers=1))
status = Path("/proc/self/status").read_text().splitlines()
print(report.records, next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read as Linux tells it"
)


def peak_mib(program, *arguments):
    """Records dealt with, and the largest resident size of the process that did."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    records, kib = done.stdout.split()
    return int(records), int(kib) / 1024


def tables_alone(tree, records):
    """A release without files: rows of 1.6 kB in the labels."""
    codes = str([f"I{100 + k}" for k in range(60)]) + " " * 1100
    ids = [(10_000_000 + number // 3, 40_000_000 + number) for number in range(records)]
    listed = "".join(f"{subject},{study},files/{study}\n" for subject, study in ids)
    labels = "".join(f'{study},{subject},F,61,"{codes}"\n' for subject, study in ids)
    (tree.root / "record_list.csv").write_text(f"subject_id,study_id,path\n{listed}")
    path = tree.root.parent / "labels.csv"
    path.write_text(f"study_id,subject_id,gender,age,all_diag_all\n{labels}")
    return tree.root, path


def with_files(tree, mimic, records):
    """A release of that many ECGs, all different, and as many of them as were there before."""
    counts = mimic.made_up_counts(samples=4999)
    for number in range(len(tree.records), records):
        counts["V1"][:2] = divmod(number, 100)
        tree.add(10_000_000 + number // 3, 40_000_000 + number, counts)
    return tree.root, tree.write()


def test_listing_takes_hardly_more_memory_for_five_times_as_long_tables(tree):
    # Both long enough to fill what is read ahead of a table, 4 MiB.
    few = peak_mib(LISTING, *tables_alone(tree, 3_000))
    many = peak_mib(LISTING, *tables_alone(tree, 15_000))
    assert (few[0], many[0]) == (3_000, 15_000)
    # The labels alone have 19 MB more, and SQLite keeps 8 MiB of them at most.
    assert many[1] < few[1] + 10


@pytest.mark.slow
def test_preparing_ten_times_as_many_ecgs_takes_hardly_more_memory(tree, mimic, tmp_path):
    few = peak_mib(PREPARING, *with_files(tree, mimic, 200), tmp_path / "few.h5")
    many = peak_mib(PREPARING, *with_files(tree, mimic, 2_000), tmp_path / "many.h5")
    assert (few[0], many[0]) == (200, 2_000)
    # 2,000 ECGs have 240 MB.
    assert many[1] < few[1] + 25
