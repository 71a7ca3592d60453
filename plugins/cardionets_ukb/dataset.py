"""UK Biobank's imaging visit as a dataset: one record per participant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from cardionets_core.cohort.reasons import quarantine_reason
from cardionets_core.errors import CineError, EcgError, SourceError
from cardionets_core.interfaces import Diagnosis, SelectionStep, Subject, SubjectRef
from cardionets_core.registry import default_registry
from cardionets_core.source_files import inside
from cardionets_ukb.bulk_files import Kind
from cardionets_ukb.config import UkbConfig
from cardionets_ukb.listing import Listing
from cardionets_ukb.recordings import ECG_FORMAT, Ecg, FourChamber, read_cine, read_ecg
from cardionets_ukb.visits import Visit

_Recording = TypeVar("_Recording")


class UkBiobank:
    """Bulk files of one visit, with what the tables say about the participants.

    Args:
        config: Where the files are, and which of them are wanted.
    """

    def __init__(self, config: UkbConfig) -> None:
        self.config = config
        self._listing: Listing | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the listing, whose database stays where it was made."""
        return {**vars(self), "_listing": None}

    def subjects(self) -> Iterator[SubjectRef]:
        """Every wanted participant's visit, in the order of the ids.

        Raises:
            ConfigError: If there is no folder, or none of the files in it.
            SourceError: If a table or the list of withdrawals cannot be relied on.
        """
        for participant, visit in self._listed().visits():
            yield SubjectRef(
                subject_key=str(participant),
                record_key=f"{participant}_{self.config.instance}",
                location=visit,
            )

    def withdrawn_subjects(self) -> Iterator[str]:
        """Participants who withdrew, whether there is a file of them or not."""
        for participant in self._listed().withdrawn():
            yield str(participant)

    def selection(self) -> Sequence[SelectionStep]:
        """From the files in the tree to the participants that are listed."""
        return self._listed().steps()

    def read(self, ref: SubjectRef) -> Subject:
        """Read one visit.

        Where only one of ECG and cine can be read, and the options do not ask for the other, the
        record has that one, and the reason why the other was left out as an attribute.

        Raises:
            EcgError: If the ECG cannot be read and is needed.
            CineError: If the cine cannot be read and is needed.
            SourceError: If a file is refused, or neither ECG nor cine can be read.
        """
        visit: Visit = ref.location
        left_out: dict[str, str] = {}

        def tried(kind: Kind, read: Callable[[Path], _Recording]) -> _Recording | None:
            relative = getattr(visit, kind)
            if relative is None:
                return None
            try:
                return read(inside(self.config.source, relative))
            except (CineError, EcgError, SourceError) as error:
                if self._needs(kind, visit):
                    raise
                left_out[f"{kind}_left_out"] = quarantine_reason(error, ref)
                return None

        ecg = tried("ecg", read_ecg)
        cine = tried("cine", partial(read_cine, options=self.config))
        if ecg is None and cine is None:
            raise SourceError(f"neither can be read: {'; '.join(left_out.values())}")
        return _subject(ref, ecg, cine, left_out)

    def _needs(self, kind: Kind, visit: Visit) -> bool:
        """Whether a record without this recording is none."""
        return self.config.require in {kind, "both"} or None in (visit.ecg, visit.cine)

    def _listed(self) -> Listing:
        if self._listing is None:
            # Said at once if its plugin is not installed, and not by every record.
            default_registry().ecg_format(ECG_FORMAT)
            self._listing = Listing(self.config)
        return self._listing


def _subject(
    ref: SubjectRef, ecg: Ecg | None, cine: FourChamber | None, left_out: dict[str, str]
) -> Subject:
    """Put a record together; the table's word on sex and age goes before the ECG machine's."""
    visit: Visit = ref.location
    attributes: dict[str, str | float] = {**left_out}
    if ecg is not None:
        attributes |= ecg.facts.attributes
        if visit.day is not None and ecg.record.acquired_at is not None:
            days = (ecg.record.acquired_at.date() - visit.day).days
            attributes["ecg_days_from_visit"] = float(days)
    if cine is not None:
        attributes |= cine.attributes
    sex, age_years = visit.sex, visit.age_years
    if ecg is not None:
        sex = sex or ecg.facts.sex
        age_years = ecg.facts.age_years if age_years is None else age_years
    return Subject(
        subject_id=ref.subject_key,
        record_id=ref.record_key,
        ecg=None if ecg is None else ecg.record,
        cine=None if cine is None else cine.frames,
        phenotypes=dict(visit.phenotypes),
        diagnoses=tuple(Diagnosis(code, days) for code, days in visit.diagnoses or ()),
        sex=sex,
        age_years=age_years,
        attributes=attributes,
        diagnoses_known=visit.diagnoses is not None,
    )
