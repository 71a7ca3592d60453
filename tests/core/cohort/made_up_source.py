"""A small made-up dataset that workers can import, and what the tests say about it."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cardionets_core.cohort.provenance import Provenance
from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.errors import EcgError
from cardionets_core.interfaces import Diagnosis, Subject, SubjectRef

LSB_MV = 0.005
MADE_UP = Provenance("made-up", "tests", "tests 0", {"option": 1}, simulated=True)
REAL = Provenance("made-up", "tests", "tests 0", {"option": 1}, simulated=False)


def made_up_counts(seed: int) -> np.ndarray:
    """Twelve leads of a made-up ECG in steps of ``LSB_MV``, (12, 5000)."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(5000) / 500
    beat = np.exp(-((((time_s + rng.uniform()) % 0.8 - 0.3) / 0.012) ** 2))
    beat += 0.2 * np.exp(-((((time_s + rng.uniform()) % 0.8 - 0.55) / 0.04) ** 2))
    limb = np.stack([rng.uniform(0.4, 1.0) * beat, rng.uniform(0.4, 1.0) * beat])
    limb += rng.normal(0, 0.01, limb.shape)
    i, ii = np.rint(limb / LSB_MV)
    chest = rng.uniform(-1, 1, (6, 1)) * beat + rng.normal(0, 0.01, (6, 5000))
    rows = [i, ii, ii - i, -(i + ii) / 2, i - ii / 2, ii - i / 2, *chest / LSB_MV]
    return np.rint(np.array(rows)).astype(np.int64)


def made_up_ecg(seed: int) -> EcgRecord:
    signal_mv = (made_up_counts(seed) * LSB_MV).astype(np.float32)
    return EcgRecord(signal_mv, CANONICAL_LEADS, 500.0, lsb_mv=np.full(12, LSB_MV))


def made_up_cine(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (50, 96, 96), dtype=np.uint8)


@dataclass
class MadeUp:
    """Records of people with two ECGs each; every third record has a cine.

    Attributes:
        records: How many records.
        broken: Records that raise an EcgError naming path, id and date.
        crashing: Records that raise something else.
        same_signal_as: Record to the record whose ECG it repeats.
        roles: Role asked for by each record, where it asks.
        stop_at: Record at which the process kills itself.
        log: File that gets a line per record read.
        first: Number of the first record.
        pause_s: How long reading one takes.
    """

    records: int = 12
    broken: tuple[int, ...] = ()
    crashing: tuple[int, ...] = ()
    same_signal_as: dict[int, int] = field(default_factory=dict)
    roles: dict[int, str] = field(default_factory=dict)
    stop_at: int | None = None
    log: Path | None = None
    first: int = 0
    pause_s: float = 0.0

    def subjects(self):
        for i in range(self.first, self.first + self.records):
            yield SubjectRef(
                f"person-{i // 2}", f"record-{i}", i, self.roles.get(i), f"simulated/5/{i // 2}"
            )

    def read(self, ref):
        i = ref.location
        time.sleep(self.pause_s)
        if self.log:
            with self.log.open("a") as file:
                file.write(f"{i}\n")
        if i == self.stop_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if i in self.broken:
            raise EcgError(
                f"/data/hospital/person-{i // 2}/record-{i}.xml: no leads; "
                "ask for 1234567 of 2020-01-02"
            )
        if i in self.crashing:
            raise KeyError(f"secret {ref.subject_key}")
        return made_up_subject(i, self.same_signal_as.get(i, i))


def made_up_subject(i: int, ecg_seed: int) -> Subject:
    person = i // 2
    return Subject(
        f"person-{person}",
        f"record-{i}",
        made_up_ecg(ecg_seed),
        cine=made_up_cine(i) if i % 3 == 0 else None,
        phenotypes={24103: 50.0 + i, 24100: 120.0} if i % 4 else {24103: 50.0},
        diagnoses=(
            (Diagnosis("I25.1", -10 - i), Diagnosis("I50", None))
            if i % 2
            else (Diagnosis("I42", 5),)
        ),
        sex=("female", "male", None)[i % 3],
        age_years=40.0 + i if i % 5 else None,
        attributes={"height_cm": 170 + i, "site": "A"} if i % 2 else {"site": "B"},
    )
