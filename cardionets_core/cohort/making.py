"""One making of a cohort: what was asked for, and whether it may be done."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from cardionets_core.cohort import ids, layout
from cardionets_core.cohort.files import disk_errors_in_one_line
from cardionets_core.cohort.opening import JSON_ATTRIBUTES, is_cohort, stored_provenance
from cardionets_core.cohort.partial import has_plan
from cardionets_core.cohort.provenance import Provenance, library_versions
from cardionets_core.cohort.roles import RoleConfig
from cardionets_core.cohort.shards import Item
from cardionets_core.cohort.splits import draw
from cardionets_core.errors import CohortError, UsageError
from cardionets_core.interfaces import Dataset

Existing = Literal["refuse", "overwrite", "extend"]


@dataclass(frozen=True, slots=True)
class Making:
    """What the caller of ``prepare`` asked for.

    Attributes:
        out: The cohort file.
        seed: Seed of roles, splits and folds.
        roles: Shares of roles and splits.
        provenance: Where the data come from.
        existing: What to do if ``out`` exists.
    """

    out: Path
    seed: int
    roles: RoleConfig
    provenance: Provenance
    existing: Existing

    def base(self) -> dict[str, Any] | None:
        """Provenance of the cohort to extend, or None if there is none to extend.

        Raises:
            CohortError: If ``out`` exists and may not be touched, or is to be extended and is none.
            UsageError: If it was prepared so that extending it would move somebody.
        """
        with disk_errors_in_one_line(self.out):
            # Also a name that no file can have is told.
            is_folder = self.out.is_dir()
        if is_folder:
            raise CohortError(
                f"{self.out} is a folder; name the file to write, e.g. {self.out / 'cohort.h5'}"
            )
        if self.existing == "extend":
            base = stored_provenance(self.out)
            if base.get("synthetic"):
                raise UsageError(
                    f"{self.out} holds synthetic subjects; extend the cohort that it was made "
                    "from, and augment that again"
                )
            self._require_same_sides(base)
            return base
        # A slip of the hand, such as the name of a table, must not cost a file that is no cohort.
        if self.out.exists() and not is_cohort(self.out):
            raise CohortError(
                f"{self.out} exists and is no cohort, or none that you may read; choose another "
                "name, or delete it yourself"
            )
        if self.existing == "refuse" and self.out.exists():
            raise CohortError(
                f"{self.out} exists; choose another name, replace it with --overwrite, or add new "
                f"records with --extend"
            )
        return None

    def _require_same_sides(self, base: Mapping[str, Any]) -> None:
        asked = {
            "dataset": self.provenance.dataset,
            "seed": self.seed,
            "roles": self.roles.model_dump(mode="json"),
            "simulated": self.provenance.simulated,
        }
        differing = [f"{n} {base[n]}, now {asked[n]}" for n in asked if base[n] != asked[n]]
        if differing:
            raise UsageError(
                f"{self.out} was prepared with {'; '.join(differing)}; extend it with the same, so "
                f"that its records stay comparable and nobody changes sides"
            )

    def key(self, base: Mapping[str, Any] | None, *, resume: bool) -> bytes:
        """The key of the ids: read where it is there or has to be, else made.

        Raises:
            CohortError: If a needed key is missing or is another one.
        """
        path = ids.key_path(self.out)
        needed = base is not None or (resume and has_plan(self.out))
        if not needed and not path.exists():
            return ids.make_key(path)
        key = ids.read_key(path)
        if base is not None and base["key_check"] != ids.key_check(key):
            raise CohortError(
                f"{path} is not the key that {self.out} was prepared with; put that key back to "
                f"extend it"
            )
        return key

    def identity(self, key: bytes, base: Mapping[str, Any] | None) -> dict[str, Any]:
        """Everything that decides what the cohort will hold, as plain data."""
        provenance = asdict(self.provenance)
        # Follows from the kind of dataset.
        del provenance["paths"]
        return {
            **provenance,
            "layout_version": layout.LAYOUT_VERSION,
            "seed": self.seed,
            "roles": self.roles.model_dump(mode="json"),
            "existing": self.existing,
            "extends": base["run_id"] if base else "",
            "key_check": ids.key_check(key),
        }


def stored_attributes(
    identity: Mapping[str, Any],
    run_id: str,
    base: Mapping[str, Any] | None,
    gone: Collection[bytes] = (),
) -> dict[str, Any]:
    """Attributes of the provenance group; nested ones as JSON.

    Args:
        identity: Everything that decides what the cohort holds.
        run_id: Names this making of it.
        base: Provenance of the cohort that it follows from, if any.
        gone: Subject ids of what that cohort held of people who withdrew since.
    """
    earlier = [*base["history"], {n: v for n, v in base.items() if n != "history"}] if base else []
    attributes = {n: v for n, v in identity.items() if n not in {"layout_version", "existing"}}
    attributes |= {
        "run_id": run_id,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": library_versions(),
        "history": earlier,
    }
    if gone:
        # How many, and never who.
        attributes["withdrawn_subjects"] = len(set(gone))
    return {n: json.dumps(v) if n in JSON_ATTRIBUTES else v for n, v in attributes.items()}


def withdrawn_ids(dataset: Dataset, key: bytes) -> frozenset[bytes]:
    """Subject ids of the people who withdrew, as far as a dataset knows of any."""
    listed: Iterable[str] = getattr(dataset, "withdrawn_subjects", tuple)()
    return frozenset(ids.subject_id(key, subject_key).encode() for subject_key in listed)


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset's records under the names that they will have.

    Attributes:
        dataset: The dataset.
        key: Key of the ids.
        seed: Seed of the draws.
        known: Record ids of the cohort being extended.
        withdrawn: Subject ids of people who withdrew.
    """

    dataset: Dataset
    key: bytes
    seed: int
    known: frozenset[bytes]
    withdrawn: frozenset[bytes] = frozenset()

    def items(self) -> Iterator[Item]:
        """Records that the cohort being extended does not have, in the order of the source."""
        for ref in self.dataset.subjects():
            record_id = ids.record_id(self.key, ref.record_key)
            subject_id = ids.subject_id(self.key, ref.subject_key)
            if record_id.encode() not in self.known and subject_id.encode() not in self.withdrawn:
                yield Item(ref, subject_id, record_id, draw(ref.subject_key, self.seed))
