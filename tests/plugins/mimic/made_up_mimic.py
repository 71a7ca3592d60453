"""Trees in the layout of MIMIC-IV-ECG 1.0, with made-up or given signals."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

# aVF before aVL: as in MIMIC, and unlike everywhere else.
LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
ROOT = "mimic-iv-ecg-diagnostic-electrocardiogram-matched-subset-1.0"
REPORTS = [f"report_{i}" for i in range(18)]
NUMBERS = (
    "rr_interval", "p_onset", "p_end", "qrs_onset", "qrs_end", "t_end", "p_axis", "qrs_axis",
    "t_axis",
)  # fmt: skip
LABEL_COLUMNS = (
    "file_name", "study_id", "subject_id", "ecg_time", "ed_stay_id", "ed_hadm_id", "hosp_hadm_id",
    "ed_diag_ed", "ed_diag_hosp", "hosp_diag_hosp", "all_diag_hosp", "all_diag_all", "gender",
    "age", "anchor_year", "anchor_age", "dod", "ecg_no_within_stay", "ecg_taken_in_ed",
    "ecg_taken_in_hosp", "ecg_taken_in_ed_or_hosp", "fold", "strat_fold",
)  # fmt: skip


def made_up_counts(seed: int = 0, samples: int = 5000) -> dict[str, np.ndarray]:
    """Counts of 1/200 mV by lead, (samples,) each, that obey Einthoven and Goldberger."""
    rng = np.random.default_rng(seed)
    beat = 160 * np.exp(-0.5 * ((np.arange(samples) % 400 - 200) / 6) ** 2)
    leads = {
        name: np.rint(beat * rng.uniform(0.5, 2) / 2 + rng.normal(0, 1, samples)).astype(int) * 2
        for name in ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
    }
    one, two = leads["I"], leads["II"]
    leads |= {"III": two - one, "aVR": -(one + two) // 2, "aVL": one - two // 2}
    leads["aVF"] = two - one // 2
    return {name: counts.astype(np.int16) for name, counts in leads.items()}


def path_of(subject: int, study: int) -> str:
    return f"files/p{str(subject)[:4]}/p{subject}/s{study}/{study}"


def write_record(
    root: Path,
    subject: int,
    study: int,
    counts: dict[str, np.ndarray],
    *,
    order: tuple[str, ...] = LEADS,
    told: int | None = None,
    rate_hz: int = 500,
) -> Path:
    """Write header and signals; ``told`` is the person in the header's comment."""
    header = root / f"{path_of(subject, study)}.hea"
    header.parent.mkdir(parents=True, exist_ok=True)
    rows = np.stack([counts[name] for name in order]).astype("<i2")
    lines = [f"{study} {len(rows)} {rate_hz} {rows.shape[1]} 12:04:00 22/09/2182"]
    lines += [
        f"{study}.dat 16 200.0(0)/mV 16 0 {row[0]} {int(row.sum(dtype=np.int64)) % 65536} 0 {name}"
        for name, row in zip(order, rows, strict=True)
    ]
    lines.append(f"# <subject_id>: {subject if told is None else told}")
    header.write_text("\n".join(lines) + "\n")
    rows.T.tofile(header.with_suffix(".dat"))
    return header


@dataclass
class Tree:
    """A release that grows: records on disk, rows in memory, tables by ``write``."""

    root: Path
    records: list[dict[str, object]] = field(default_factory=list)
    measured: list[dict[str, object]] = field(default_factory=list)
    labels: list[dict[str, object]] = field(default_factory=list)

    def add(
        self,
        subject: int,
        study: int,
        counts: dict[str, np.ndarray] | None = None,
        *,
        time: str = "2180-07-23 08:44:00",
        listed: dict[str, object] | None = None,
        measured: dict[str, object] | None = None,
        label: dict[str, object] | None = None,
        **writing: object,
    ) -> None:
        """Add one ECG; ``listed``, ``measured`` and ``label`` replace cells of its rows."""
        if counts is None:
            counts = made_up_counts(study)
        write_record(self.root, subject, study, counts, **writing)
        self.add_rows(subject, study, time=time, listed=listed, measured=measured, label=label)

    def add_rows(
        self,
        subject: int,
        study: int,
        *,
        time: str = "2180-07-23 08:44:00",
        listed: dict[str, object] | None = None,
        measured: dict[str, object] | None = None,
        label: dict[str, object] | None = None,
    ) -> None:
        """Add the rows of one ECG without its files."""
        ids = {"subject_id": subject, "study_id": study, "ecg_time": time}
        path = path_of(subject, study)
        self.records.append(ids | {"file_name": study, "path": path} | (listed or {}))
        numbers = dict(zip(NUMBERS, (800, 40, 152, 210, 304, 592, 51, 5, 23), strict=True))
        self.measured.append(
            ids
            | {"cart_id": 6848296, "bandwidth": "0.005-150 Hz", "filtering": "60 Hz notch"}
            | {"report_0": "Sinus rhythm", "report_2": "Normal ECG"}
            | numbers
            | (measured or {})
        )
        self.labels.append(self._label(ids, path) | (label or {}))

    def write(self, *, packed: bool = False, unnamed: bool = True) -> Path:
        """Write the three tables; the path of the labels, which lie beside the tree."""
        listed = ("subject_id", "study_id", "file_name", "ecg_time", "path")
        head = ("subject_id", "study_id", "cart_id", "ecg_time")
        columns = (*head, *REPORTS, "bandwidth", "filtering", *NUMBERS)
        write_table(self.root / "record_list.csv", listed, self.records, packed=packed)
        write_table(self.root / "machine_measurements.csv", columns, self.measured, packed=packed)
        labels = self.root.parent / "records_w_diag_icd10.csv"
        first = ("",) if unnamed else ()
        rows = [row | {"": number} for number, row in enumerate(self.labels)]
        return write_table(labels, (*first, *LABEL_COLUMNS), rows, packed=packed)

    @staticmethod
    def _label(ids: dict[str, object], path: str) -> dict[str, object]:
        lists = {name: "[]" for name in LABEL_COLUMNS if "_diag_" in name}
        in_stay = dict.fromkeys(("ecg_taken_in_ed", "ecg_taken_in_ed_or_hosp"), True)
        return (
            ids
            | lists
            | in_stay
            | {"file_name": f"{ROOT}/{path}", "gender": "F", "age": 52.0, "anchor_year": 2178}
            | {"anchor_age": 50, "hosp_hadm_id": 22595853.0, "ecg_no_within_stay": 0}
            | {"ecg_taken_in_hosp": False, "fold": 3, "strat_fold": 7}
            | {"all_diag_hosp": "['I10']", "all_diag_all": "['I10']"}
        )


def write_table(
    path: Path, columns: tuple[str, ...], rows: list[dict[str, object]], *, packed: bool = False
) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    if packed:
        path = path.with_name(f"{path.name}.gz")
        path.write_bytes(gzip.compress(text.getvalue().encode()))
    else:
        path.write_text(text.getvalue(), encoding="utf-8")
    return path


def write(folder: Path) -> dict[str, Path]:
    """A small release of three ECGs of two people; the options to read it."""
    tree = Tree(folder / ROOT)
    tree.add(10000032, 40689238, label={"all_diag_all": "['I2510', 'E785']"})
    tree.add(10000032, 44458630, time="2180-08-01 10:00:00")
    tree.add(10000117, 45090959, label={"all_diag_all": "[]"})
    return {"source": tree.root, "labels": tree.write()}
