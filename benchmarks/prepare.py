"""How fast ``cardionets prepare mimic`` is per core, and how much memory it takes.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/prepare.py [--records 20000]

A tree in the layout of MIMIC-IV-ECG is made up first (120 kB a record, 2.4 GB for 20,000, in a
temporary folder below ``--folder``), every signal another one. Then

- one process prepares a cohort of it: reading, quality verdicts, packing and writing. A plain loop
  of ``wfdb.rdsamp`` over the same records runs before and after, so that other work on the machine
  slows both; the ratio is what to compare. CPU seconds are those of this process and count what the
  work costs, wall seconds are what a user waits;
- each stage is timed alone, and so are reading the files and writing the cohort without doing
  anything with them: what is left when everything else costs nothing. Files just made come from
  the page cache; a disk or a network that is slower than the CPU has to be measured there;
- the parent with one worker prepares a tenth of the records and all of them, and the largest
  resident size of either process, as Linux keeps it, is compared.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.cohort.signal import ecg_fingerprint, quantise
from cardionets_core.ecg.quality import assess
from cardionets_core.ecg.resampling import canonicalise
from cardionets_core.registry import default_registry
from cardionets_mimic.config import MimicConfig
from cardionets_mimic.dataset import MimicEcg

LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
SAMPLES = 5000
ECGS_PER_PERSON = 5
LOOPED = 1000
FIRST_SUBJECT, FIRST_STUDY = 10_000_000, 40_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What one ``prepare`` took.

    Attributes:
        records: Records stored.
        wall_s: Seconds a user waits.
        cpu_s: CPU seconds of this process, in the program and in the system's calls.
        system_s: Those of them in the system's calls, most of which move files.
        parent_mib: Largest resident size of the process that lists and merges.
        worker_mib: Largest resident size of a worker; 0 without one.
    """

    records: int
    wall_s: float
    cpu_s: float
    system_s: float
    parent_mib: float
    worker_mib: float


class Release:
    """A made-up tree: records on disk, tables for as many of them as are asked for."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "mimic-iv-ecg"
        self.labels = folder / "records_w_diag_icd10.csv"

    def write_records(self, count: int) -> None:
        """Write headers and signals, every signal another one."""
        rng = np.random.default_rng(0)
        noise = rng.normal(0, 1.5, (16, 2 * SAMPLES))
        for number in range(count):
            self._write_record(number, made_up_counts(rng, noise))

    def write_tables(self, count: int) -> None:
        """Record list, measurements and labels of the first ``count`` records."""
        listed = ["subject_id", "study_id", "file_name", "ecg_time", "path"]
        measured = ["subject_id", "study_id", "report_0", "rr_interval", "p_onset", "t_axis"]
        labels = ["", "file_name", "study_id", "subject_id", "all_diag_all", "gender", "age"]
        with (
            (self.root / "record_list.csv").open("w", newline="") as one,
            (self.root / "machine_measurements.csv").open("w", newline="") as two,
            self.labels.open("w", newline="") as three,
        ):
            writers = [csv.writer(file) for file in (one, two, three)]
            for writer, header in zip(writers, (listed, measured, labels), strict=True):
                writer.writerow(header)
            for number in range(count):
                subject, study = ids(number)
                path = path_of(subject, study)
                writers[0].writerow([subject, study, study, "2180-07-23 08:44:00", path])
                writers[1].writerow([subject, study, "Sinus rhythm", 800, 29999, 32767])
                codes = [f"I{100 + (number + k) % 400}" for k in range(number % 20)]
                writers[2].writerow([number, f"x/{path}", study, subject, codes, "F", 61.0])

    def headers(self, count: int) -> Iterator[Path]:
        """Paths of the first ``count`` records without ending."""
        return (self.root / path_of(*ids(number)) for number in range(count))

    def _write_record(self, number: int, counts: NDArray[np.int16]) -> None:
        subject, study = ids(number)
        path = self.root / path_of(subject, study)
        path.parent.mkdir(parents=True)
        sums = counts.sum(axis=0, dtype=np.int64) % 65536
        lines = [f"{study} 12 500 {SAMPLES} 12:04:00 22/09/2182"]
        lines += [
            f"{study}.dat 16 200.0(0)/mV 16 0 {first} {checksum} 0 {lead}"
            for first, checksum, lead in zip(counts[0], sums, LEADS, strict=True)
        ]
        path.with_suffix(".hea").write_text("\n".join([*lines, f"# <subject_id>: {subject}\n"]))
        counts.tofile(path.with_suffix(".dat"))


def ids(number: int) -> tuple[int, int]:
    return FIRST_SUBJECT + number // ECGS_PER_PERSON, FIRST_STUDY + number


def path_of(subject: int, study: int) -> str:
    return f"files/p{subject // 10_000}/p{subject}/s{study}/{study}"


def made_up_counts(rng: np.random.Generator, noise: NDArray[np.float64]) -> NDArray[np.int16]:
    """Beats over noise in steps of 5 uV, (5000, 12): no ECG, and as hard to pack as one."""
    period, start = int(rng.integers(300, 600)), int(rng.integers(300))
    phase = (np.arange(SAMPLES) + start) % period
    beat = 200 * np.exp(-0.5 * ((phase - 150) / 6) ** 2)
    beat += 40 * np.exp(-0.5 * ((phase - 260) / 25) ** 2)
    wander = 30 * np.sin(np.arange(SAMPLES) * float(rng.uniform(0.001, 0.005)))
    leads = {}
    for name in ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"):
        row, at = int(rng.integers(len(noise))), int(rng.integers(SAMPLES))
        gain = float(rng.uniform(0.3, 1.5))
        leads[name] = np.rint(gain * beat + wander + noise[row, at : at + SAMPLES]).astype(int)
    one, two = leads["I"], leads["II"]
    leads |= {"III": two - one, "aVR": -(one + two) // 2, "aVL": one - two // 2}
    leads["aVF"] = two - one // 2
    return np.stack([leads[name] for name in LEADS], axis=1).astype("<i2")


def prepare_once(root: Path, labels: Path, out: Path, *, in_worker: bool) -> Cost:
    """Prepare a cohort here, or with one worker beside this process."""
    request = PrepareRequest(
        default_registry().find("dataset", "mimic"),
        out,
        {"source": root, "labels": labels},
        workers=1,
        existing="overwrite",
    )
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    if in_worker:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
            report = prepare_dataset(request, executor=executor)
            worker_mib = executor.submit(peak_mib).result()
    else:
        report, worker_mib = prepare_dataset(request), 0.0
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert not report.quarantined, report.quarantined
    system_s = after.ru_stime - before.ru_stime
    return Cost(
        records=report.records,
        wall_s=time.perf_counter() - wall,
        cpu_s=after.ru_utime - before.ru_utime + system_s,
        system_s=system_s,
        parent_mib=peak_mib(),
        worker_mib=worker_mib,
    )


def peak_mib() -> float:
    """Largest resident size of this process; getrusage would count the one that started it too."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def in_new_process(release: Release, out: Path, *, in_worker: bool) -> Cost:
    """As ``prepare_once``, in a process that has done nothing else: its size is its own.

    Raises:
        SystemExit: If it fails.
    """
    command = [sys.executable, __file__, "--prepare", release.root, release.labels, out]
    command += ["--worker"] if in_worker else []
    done = subprocess.run(  # noqa: S603 - this program
        list(map(str, command)), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def per_record_ms(work: Callable[[], object], records: int) -> float:
    """CPU milliseconds a record, of the fastest of three turns."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return 1e3 * min(seconds) / records


def rdsamp_ms(release: Release, count: int) -> float:
    """CPU milliseconds a record of the plain loop."""
    started = time.process_time()
    for path in release.headers(count):
        wfdb.rdsamp(str(path))
    return 1e3 * (time.process_time() - started) / count


def print_stages(release: Release, count: int) -> None:
    """Time the stages alone, on the first records."""
    dataset = MimicEcg(MimicConfig(source=release.root, labels=release.labels))
    refs = [ref for ref, _ in zip(dataset.subjects(), range(count), strict=False)]
    ecgs = [canonicalise(dataset.read(ref).ecg) for ref in refs]
    listed_ms = per_record_ms(
        lambda: list(MimicEcg(dataset.config).subjects()), sum(1 for _ in dataset.subjects())
    )
    stages = {
        "listing: three tables joined": listed_ms,
        "reading, checked, in mV": per_record_ms(lambda: list(map(dataset.read, refs)), count),
        "quality verdict": per_record_ms(lambda: list(map(assess, ecgs)), count),
        "counts and fingerprint": per_record_ms(
            lambda: [
                (quantise(ecg.signal_mv, ecg.lsb_mv), ecg_fingerprint(ecg.signal_mv))
                for ecg in ecgs
            ],
            count,
        ),
    }
    for name, milliseconds in stages.items():
        print(f"    {name:<38}{milliseconds:>8.2f} ms")


def io_seconds(release: Release, out: Path, count: int) -> float:
    """Wall seconds of moving the bytes alone: every file read, the cohort written twice.

    Twice, because ``prepare`` writes blocks first and puts them together afterwards.
    """
    started = time.perf_counter()
    for path in release.headers(count):
        path.with_suffix(".hea").read_bytes()
        path.with_suffix(".dat").read_bytes()
    copy = out.with_suffix(".copy")
    for _ in range(2):
        shutil.copyfile(out, copy)
        with copy.open("rb+") as file:
            os.fsync(file.fileno())
    seconds = time.perf_counter() - started
    copy.unlink()
    return seconds


def print_rate(release: Release, out: Path, count: int) -> None:
    """Print the rate of one process beside the plain loop."""
    looped = min(LOOPED, count)
    rdsamp_ms(release, looped)
    before_ms = rdsamp_ms(release, looped)
    cost = in_new_process(release, out, in_worker=False)
    loop_ms = (before_ms + rdsamp_ms(release, looped)) / 2
    ours_ms = 1e3 * cost.cpu_s / cost.records
    io_s = io_seconds(release, out, count)
    print(f"one process, {cost.records:,} records: read, quality, write")
    print(f"  {1e3 / ours_ms:,.0f} records/s per core ({ours_ms:.2f} ms of CPU a record); ", end="")
    print(f"{cost.records / cost.wall_s:,.0f} records/s by the wall clock")
    print(f"  plain loop of wfdb.rdsamp: {1e3 / loop_ms:,.0f} records/s ({loop_ms:.2f} ms)")
    print(f"  ratio to the loop: {loop_ms / ours_ms:.2f}")
    print(
        f"  I/O: {io_s:.1f} s for the bytes alone, {100 * io_s / cost.wall_s:.0f} % of the wall "
        f"clock's {cost.wall_s:.1f} s and beside {cost.cpu_s:.1f} s of CPU, of which "
        f"{100 * cost.system_s / cost.cpu_s:.0f} % are the system's"
    )
    print("  of it, stages alone:")
    print_stages(release, min(500, count))


def print_memory(release: Release, out: Path, count: int) -> None:
    """Print peaks of the parent and of one worker, for a tenth of the records and all."""
    print("peak memory, parent and one worker")
    peaks = {}
    for records in (count // 10, count):
        release.write_tables(records)
        peaks[records] = in_new_process(release, out, in_worker=True)
    for records, cost in peaks.items():
        print(
            f"  {records:>8,} records: parent {cost.parent_mib:6.0f} MiB, "
            f"worker {cost.worker_mib:6.0f} MiB"
        )
    few, many = peaks.values()
    growth = 1024 * (many.parent_mib - few.parent_mib) / (many.records - few.records)
    print(
        f"  ten times the records: parent x {many.parent_mib / few.parent_mib:.2f} "
        f"({growth:.2f} kiB a record), worker x {many.worker_mib / few.worker_mib:.2f}"
    )


def measure(count: int, folder: Path) -> None:
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"made-up tree of {count:,} records; load average before: {load}")
    release = Release(folder)
    release.write_records(count)
    release.write_tables(count)
    out = folder / "cohort.h5"
    print_rate(release, out, count)
    print_memory(release, out, count)
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"load average at the end: {load} (other work on the machine disturbs)")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, help="where to put the tree for the while")
    # How this program calls itself for one prepare.
    parser.add_argument("--prepare", type=Path, nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.prepare:
        print(json.dumps(asdict(prepare_once(*given.prepare, in_worker=given.worker))))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        measure(given.records, Path(folder))


if __name__ == "__main__":
    main()
