"""Who belongs where: one role, split and fold per person, and per signal."""

from __future__ import annotations

from dataclasses import dataclass, field

from cardionets_core.cohort.layout import NO_FINGERPRINT
from cardionets_core.cohort.roles import RoleConfig
from cardionets_core.cohort.splits import Asked, Assignment, Draws, assign


@dataclass
class Assigner:
    """Settles records one by one, in the order of the source.

    All records of a person go where the person's first record went. A signal that is stored under
    two persons ties them together: the later person joins the earlier one's role and split, and
    where that is no longer possible the later record is left out.

    Attributes:
        config: Shares of roles and splits.
        duplicates: Fingerprints of signals that belong to more than one person.
    """

    config: RoleConfig
    duplicates: set[int] = field(default_factory=set)
    _records: set[bytes] = field(default_factory=set)
    _persons: dict[bytes, Assignment] = field(default_factory=dict)
    _owners: dict[int, bytes] = field(default_factory=dict)

    def keep(
        self, subject_id: bytes, record_id: bytes, fingerprint: int, there: Assignment
    ) -> None:
        """Take over a record of the cohort that is being extended, as it is."""
        self._records.add(record_id)
        self._persons.setdefault(subject_id, there)
        self._own(subject_id, fingerprint)

    def settle(
        self,
        subject_id: bytes,
        record_id: bytes,
        fingerprint: int,
        draws: Draws,
        asked: Asked,
    ) -> Assignment | str:
        """Say where a new record goes.

        Args:
            subject_id: HMAC id of the person.
            record_id: HMAC id of the record.
            fingerprint: Of its ECG, or ``NO_FINGERPRINT``.
            draws: The person's uniform numbers.
            asked: Role and split that the source asks for; they win over the draw.

        Returns:
            Role, split and fold; or the reason why the record must be left out.
        """
        if asked == ("pretrain", "test"):
            return "the source asks for the split test in the role pretrain, which has none"
        if record_id in self._records:
            return "the source lists this record twice; the first is kept"
        person = self._persons.get(subject_id)
        owner = self._owners.get(fingerprint)
        tied = self._persons[owner] if owner is not None else None
        there = person or tied or assign(draws, self.config, asked)
        for what, wanted, found in zip(Asked._fields, asked, there[:2], strict=True):
            if wanted not in (None, found):
                return (
                    f"the source asks for {what} {wanted}, but this person, or another with the "
                    f"identical ECG, is already {found}"
                )
        if tied is not None and tied != there:
            return (
                "the identical ECG is stored under another person, who has another role or "
                f"split ({tied.role} {tied.split}, this person {there.role} {there.split})"
            )
        self._records.add(record_id)
        self._persons[subject_id] = there
        self._own(subject_id, fingerprint)
        return there

    def _own(self, subject_id: bytes, fingerprint: int) -> None:
        """Remember whose signal this is, and whether it is somebody else's too."""
        if fingerprint == NO_FINGERPRINT:
            return
        if self._owners.setdefault(fingerprint, subject_id) != subject_id:
            self.duplicates.add(fingerprint)
