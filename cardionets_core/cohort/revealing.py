"""From HMAC ids back to the source's own ids, for those who hold the key and the source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cardionets_core.cohort import ids
from cardionets_core.cohort.reader import Cohort, open_cohort
from cardionets_core.errors import CohortError
from cardionets_core.interfaces import Dataset

HEADINGS = ("record_id", "subject_id", "record", "subject")
REASON_HEADING = "reason"


class Revealed(NamedTuple):
    """A record under both names. Personal data: for the holder of the key alone.

    Attributes:
        record_id: HMAC id of the record.
        subject_id: HMAC id of the person.
        record: The source's own id of the record.
        subject: The source's own id of the person.
        reason: Why the cohort left it out; empty for a record that it holds; None where no cohort
            was asked about.
    """

    record_id: str
    subject_id: str
    record: str
    subject: str
    reason: str | None = None


def reveal(dataset: Dataset, key_file: Path, cohort_path: Path) -> Iterator[Revealed]:
    """Every listed record under both names; records are listed, not read, and nothing is written.

    Args:
        dataset: The source.
        key_file: The key of the ids.
        cohort_path: Where there is a cohort, only records that it holds or has left out are told.

    Raises:
        CohortError: At once, if the key is missing or does not fit the cohort, or there is
            something else in the cohort's place.
    """
    if not cohort_path.exists():
        return _listed(dataset, _read_key(key_file))
    with open_cohort(cohort_path) as cohort:
        check = str(cohort.provenance["key_check"])
        key = ids.fitting_key(key_file, cohort_path, check)
        reasons = _reasons(cohort)
    found = (entry._replace(reason=reasons.get(entry.record_id)) for entry in _listed(dataset, key))
    return (entry for entry in found if entry.reason is not None)


def _listed(dataset: Dataset, key: bytes) -> Iterator[Revealed]:
    for ref in dataset.subjects():
        yield Revealed(
            ids.record_id(key, ref.record_key),
            ids.subject_id(key, ref.subject_key),
            ref.record_key,
            ref.subject_key,
        )


def _reasons(cohort: Cohort) -> dict[str, str]:
    """Record ids of a cohort, and why they were left out; empty for those that were not."""
    reasons = {entry.record_id: entry.reason for entry in cohort.quarantine}
    return {**reasons, **dict.fromkeys(cohort.record_ids.tolist(), "")}


def _read_key(path: Path) -> bytes:
    if not path.is_file():
        raise CohortError(f"no id key at {path}; needed the OUT.key that prepare made")
    return ids.read_key(path)
