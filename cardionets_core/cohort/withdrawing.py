"""People who withdrew: found in a cohort by the source's own ids, and the file without them."""

from __future__ import annotations

import glob
import json
import re
import shutil
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cardionets_core.cohort import ids, layout, merge
from cardionets_core.cohort.files import (
    disk_errors_in_one_line,
    move_whole,
    only_one,
    require_space,
    sync,
)
from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.cohort.opening import JSON_ATTRIBUTES, open_hdf5, stored_provenance
from cardionets_core.cohort.partial import folder_of, has_plan, remove_leftover
from cardionets_core.cohort.parts import parts_of, quarantined
from cardionets_core.cohort.provenance import library_versions
from cardionets_core.cohort.reader import Cohort, open_cohort
from cardionets_core.cohort.roles import RoleConfig
from cardionets_core.cohort.settling import settle
from cardionets_core.errors import CohortError, SourceError
from cardionets_core.source_tables import read_keys

_LOOKED_AT_BYTES = 1 << 16
_NEGATIVE = re.compile(r"-\d+(\.\d*)?")
_DIGIT = re.compile(r"\d")
# What a data frame makes of a list with a gap.
_WHOLE_AS_FRACTION = re.compile(r"\A(\d+)\.0+\Z")


@dataclass(frozen=True, slots=True, eq=False)
class Withdrawal:
    """What a cohort holds of a list of people. Says how many they are, and never who.

    Attributes:
        path: The cohort.
        listed: Ids on the list.
        subject_ids: HMAC ids of everybody on the list.
        record_ids: HMAC ids of their records, the quarantined ones included.
        subjects: How many of them have a record, or a quarantined one, in the cohort.
        records: Records of theirs.
        quarantined: Records of theirs in the table of what was left out.
        seen: What a run that used them has among its fingerprints.
        content_hash: Of the cohort that holds them.
        behind_synthetic: Whether the cohort has synthetic records whose generator saw them.
    """

    path: Path
    listed: int
    subject_ids: frozenset[bytes]
    record_ids: frozenset[bytes]
    subjects: int
    records: int
    quarantined: int
    seen: Fingerprints
    content_hash: str
    behind_synthetic: bool


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A cohort that some people were taken out of.

    Attributes:
        records: Records that are left.
        subjects: Persons that they belong to.
        content_hash: Identity of what is stored now.
        other_names: Hard links to the old file, which keep what it holds.
        reports: Reports of its preparation, which told of them and were deleted.
    """

    records: int
    subjects: int
    content_hash: str
    other_names: int
    reports: int


def read_list(path: Path) -> list[str]:
    """The source's ids on a list of people who withdrew, a line each.

    Empty and negative ones are passed over: biobanks write them over ids that are gone. So is a
    heading: a first line without a digit above lines that all have one. ``1234567.0`` is 1234567.

    Raises:
        SourceError: If the list is missing, cannot be read, or holds no id.
    """
    if not path.is_file():
        raise SourceError(f"no list at {path}; needed a text file with an id of the source a line")
    try:
        with path.open("rb") as file:
            is_blank = not file.read(_LOOKED_AT_BYTES).strip()
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); make it readable") from None
    keys = [] if is_blank else list(read_keys(path))
    keys = [_WHOLE_AS_FRACTION.sub(r"\1", key) for key in keys]
    found = list(dict.fromkeys(key for key in keys if key and not _NEGATIVE.fullmatch(key)))
    if found and [key for key in found if not _DIGIT.search(key)] == found[:1]:
        del found[0]
    if not found:
        raise SourceError(f"{path} lists nobody; needed an id of the source a line")
    return found


def find_withdrawn(path: Path, keys: Iterable[str], key_file: Path | None = None) -> Withdrawal:
    """Look for people in a cohort; nothing is changed.

    Args:
        path: The cohort.
        keys: The source's own ids of the people.
        key_file: Where the key of the ids lies; beside the cohort if None.

    Raises:
        CohortError: If it is no cohort, or the key is missing or another one.
    """
    with open_cohort(path) as cohort:
        check = str(cohort.provenance["key_check"])
        key = ids.fitting_key(key_file or ids.key_path(path), path, check)
        return _found(cohort, frozenset(ids.subject_id(key, k).encode() for k in keys))


def _found(cohort: Cohort, subject_ids: frozenset[bytes]) -> Withdrawal:
    stored = cohort.subject_ids.astype(np.bytes_)
    rows = np.flatnonzero(np.isin(stored, sorted(subject_ids)))
    left_out = [entry for entry in quarantined(cohort.path) if entry[0] in subject_ids]
    numbers = np.array([int(subject_id, 16) for subject_id in subject_ids], dtype=np.uint64)
    # Everybody on the list, so that a run is found even if the cohort no longer holds them.
    seen = replace(Fingerprints.of(cohort, rows), subjects=np.unique(numbers))
    synthetic = cohort.synthetic.any()
    return Withdrawal(
        path=cohort.path,
        listed=len(subject_ids),
        subject_ids=subject_ids,
        record_ids=frozenset(cohort.record_ids[rows].astype(np.bytes_).tolist())
        | {record_id for _, record_id, _ in left_out},
        subjects=len({*stored[rows].tolist(), *(subject_id for subject_id, _, _ in left_out)}),
        records=len(rows),
        quarantined=len(left_out),
        seen=seen,
        content_hash=cohort.content_hash,
        behind_synthetic=bool(
            synthetic and Fingerprints.from_arrays(cohort.behind_synthetic).meets(seen)
        ),
    )


def refuse_unremovable(found: Withdrawal) -> None:
    """Refuse what rewriting would not free of the people, before anything is changed.

    Raises:
        CohortError: If synthetic records follow from them, or another command is not done yet.
    """
    if found.behind_synthetic:
        raise CohortError(
            f"{found.path} holds synthetic records of a generator that has seen {found.subjects} "
            "of these people, so they cannot be taken out of it: take them out of the cohort that "
            "it was made from, train the generator anew, augment again, and delete this file"
        )
    target = found.path.resolve()
    remove_leftover(target)
    if has_plan(target):
        raise CohortError(
            f"{folder_of(target)} holds an unfinished prepare, which may have read these people: "
            "finish it with the same command, or delete that folder; then withdraw"
        )


def rewrite_without(found: Withdrawal) -> Rewritten:
    """Write the cohort anew without the people, and put it in the old one's place in one step.

    Everybody else's records are copied as they are and keep role, split and fold; row numbers and
    the content hash change. The flag of a signal that several persons share is told anew.

    Raises:
        CohortError: As ``refuse_unremovable``; if nobody would be left; or if the disk is full.
    """
    # A link must not be replaced by the new file while the old one stays where it points.
    target = found.path.resolve()
    folder = folder_of(target)
    with disk_errors_in_one_line(target):
        folder.mkdir(exist_ok=True)
    with only_one(folder, target):
        refuse_unremovable(found)
        try:
            with disk_errors_in_one_line(target):
                return _rewrite(target, folder / "merged.h5", found)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _rewrite(target: Path, temporary: Path, found: Withdrawal) -> Rewritten:
    parts = list(parts_of(target, finished=True))
    # Shares matter to new records only, and there are none.
    plan = settle(parts, RoleConfig(), found.subject_ids)
    if not plan.rows:
        raise CohortError(
            f"nobody would be left in {found.path}: delete it, and its key unless other cohorts "
            "use that"
        )
    plan.quarantine = [e for e in quarantined(target) if e[0] not in found.subject_ids]
    require_space(temporary.parent, target.stat().st_size, target)
    attributes = _attributes(stored_provenance(target), found.subjects)
    content_hash = merge.write(temporary, parts, plan, attributes)
    _copy_group(target, temporary, layout.SYNTHETIC_GROUP)
    shutil.copymode(target, temporary)
    sync(temporary)
    reports = _reports({found.path, target})
    for report in reports:
        report.unlink()
    other_names = target.stat().st_nlink - 1
    move_whole(temporary, target)
    return Rewritten(plan.rows, len(plan.persons), content_hash, other_names, len(reports))


def _reports(cohorts: Iterable[Path]) -> set[Path]:
    """Reports that ``prepare`` wrote beside cohorts, each once however a cohort is named."""
    return {
        report.parent.resolve() / report.name
        for cohort in cohorts
        for report in cohort.parent.glob(f"{glob.escape(cohort.name)}.report.*")
    }


def _attributes(base: Mapping[str, Any], subjects: int) -> dict[str, str | int | bool]:
    """Attributes of the provenance group: what was, under a new name, and how many left."""
    earlier = {name: value for name, value in base.items() if name != "history"}
    told = {
        **earlier,
        "run_id": uuid.uuid4().hex,
        "extends": base["run_id"],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": library_versions(),
        "history": [*base["history"], earlier],
        "withdrawn_subjects": subjects,
    }
    return {n: json.dumps(v) if n in JSON_ATTRIBUTES else v for n, v in told.items()}


def _copy_group(source: Path, target: Path, name: str) -> None:
    """Copy a small group that not every cohort has."""
    with open_hdf5(source) as old:
        if name in old:
            with h5py.File(target, "r+", libver=layout.LIBVER) as new:
                old.copy(name, new)
