"""Where every record of an augmented cohort stands: real ones where they stood before."""

from __future__ import annotations

from collections.abc import Iterable

import h5py
import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.opening import open_file
from cardionets_core.cohort.parts import Part, quarantined, read_table
from cardionets_core.cohort.reader import Cohort
from cardionets_core.cohort.settling import DUPLICATE_FLAG, Plan
from cardionets_core.cohort.splits import ROLES, SPLITS
from cardionets_core.cohort.synthetic import SYNTHETIC_PLACE


def plan_of(cohort: Cohort, parts: Iterable[Part]) -> Plan:
    """Keep a cohort's records, places, flags and columns; add blocks of synthetic records.

    Nothing is settled anew, so that the real part of the file is the cohort as it was.

    Args:
        cohort: The cohort that is augmented.
        parts: Its own, which are finished, and those of synthetic records, which are not.
    """
    plan = Plan(
        quarantine=quarantined(cohort.path),
        persons=set(cohort.subject_ids.astype(np.bytes_).tolist()),
        duplicates=_duplicates(cohort),
        flags=list(cohort.quality_names),
    )
    with open_file(cohort.path) as file:
        for name, dataset in file["attributes"].items():
            is_text = h5py.check_string_dtype(dataset.dtype) is not None
            (plan.text_columns if is_text else plan.number_columns).add(name)
    for part in parts:
        columns = read_table(part).columns
        plan.kept.append(np.arange(part.stop - part.start))
        plan.persons |= set(columns["subject/subject_id"].tolist())
        stored = [columns[f"subject/{name}"] for name in ("role", "split", "fold")]
        plan.places.append(
            np.stack(stored, axis=1).astype(np.int8)
            if part.finished
            else _synthetic_places(len(plan.kept[-1]))
        )
    return plan


def _synthetic_places(count: int) -> NDArray[np.int8]:
    """Role, split and fold of synthetic records as stored, (count, 3)."""
    role, split, fold = SYNTHETIC_PLACE
    return np.tile(np.array([ROLES.index(role), SPLITS.index(split), fold], np.int8), (count, 1))


def _duplicates(cohort: Cohort) -> set[int]:
    """Fingerprints of signals that are stored under several persons."""
    if DUPLICATE_FLAG not in cohort.quality_names:
        return set()
    bit = np.uint32(1 << cohort.quality_names.index(DUPLICATE_FLAG))
    return set(cohort.fingerprints()[cohort.quality_bits & bit != 0].tolist())
