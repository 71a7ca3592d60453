"""A hospital's archive as a dataset."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardionets_core.errors import CardionetsError, CineError, ConfigError, EcgError, SourceError
from cardionets_core.interfaces import Diagnosis, SelectionStep, Subject, SubjectRef
from cardionets_core.reading import read_ecg
from cardionets_hospital.archive import HEADER_ENDING, WFDB, named_beside
from cardionets_hospital.cines import read_paired_cine
from cardionets_hospital.config import HospitalConfig
from cardionets_hospital.labels import Facts
from cardionets_hospital.listing import Listing, Location, make_listing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cardionets_core.ecg.record import EcgRecord

# Formats that say neither unit nor rate.
_DECLARED = frozenset({"csv", "npy"})
_LARGEST_ECG_BYTES = 64 << 20
_LARGEST_HEADER_BYTES = 1 << 20
_SHORTEST_NAME = 3
_log = logging.getLogger(__name__)


class Hospital:
    """Every ECG file of a known format below a folder, with what a table says about it.

    Files are found and the table is read once, into a database on disk that is gone with this
    object; copies in other processes do without it.

    Args:
        config: Where the files are, whose they are, and what they do not say themselves.
    """

    def __init__(self, config: HospitalConfig) -> None:
        self.config = config
        self._made: Listing | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the listing, which belongs to this process."""
        return {"config": self.config, "_made": None}

    def subjects(self) -> Iterator[SubjectRef]:
        """Every record that is taken, in the order of the paths.

        Raises:
            ConfigError: If there is no such folder, or no ECG in it.
            SourceError: If the labels cannot be used.
        """
        yield from self._listing().refs()

    def selection(self) -> Sequence[SelectionStep]:
        """From the files of the source to what ``subjects`` lists."""
        return list(self._listing().steps())

    def read(self, ref: SubjectRef) -> Subject:
        """Read one record with what the labels say about it.

        Raises:
            EcgError: If the ECG cannot be read.
            CineError: If its CMR cannot be read, unless ``cine_errors`` is ``leave-out``.
            SourceError: Likewise, if the CMR's path or zip file is refused.
        """
        location = Location(*ref.location)
        facts = location.facts or Facts()
        ecg = self._ecg(location)
        cine, of_cine = self._cine(facts.cmr_path)
        attributes: dict[str, str | float] = {
            "source_format": location.format_name,
            "source_rate_hz": ecg.sampling_rate_hz,
            **of_cine,
        }
        if facts.label is not None:
            attributes["label"] = facts.label
        if location.days_since_first is not None:
            attributes["days_since_first"] = float(location.days_since_first)
        return Subject(
            subject_id=ref.subject_key,
            record_id=ref.record_key,
            ecg=ecg,
            cine=cine,
            phenotypes=dict(facts.phenotypes),
            diagnoses=tuple(Diagnosis(code, None) for code in facts.icd10 or ()),
            sex=facts.sex,
            age_years=facts.age_years,
            attributes=attributes,
            diagnoses_known=facts.icd10 is not None,
        )

    def _listing(self) -> Listing:
        if self._made is None:
            made = make_listing(self.config)
            if not made.archive.records:
                raise ConfigError(
                    f"source {self.config.source}: no ECG file of a known format below it; check "
                    "the folder"
                )
            weakref.finalize(self, made.archive.database.close)
            if made.labels is None:
                _log.warning(
                    "without labels every file counts as a person of its own: two files of one "
                    "person may come into training and test; give labels if there are any"
                )
            self._made = made
        return self._made

    def _ecg(self, location: Location) -> EcgRecord:
        path = self.config.source / location.path
        if not location.format_name:
            raise EcgError("not an ECG file of a known format; needed one: see the list of formats")
        try:
            self._require_within_bounds(path, location.format_name)
            return read_ecg(path, format_name=location.format_name, **self._declared(location))
        except CardionetsError as error:
            raise EcgError(_unnamed(str(error), path)) from None

    def _require_within_bounds(self, path: Path, format_name: str) -> None:
        """Refuse what leads out of the source by now, and sizes that no resting ECG has."""
        source = self.config.source.resolve()
        files = _files_of_record(path) if format_name == WFDB else [path]
        if not all(_is_plain_and_below(file, source) for file in files):
            raise EcgError("a link that leads out of the source; needed the file itself below it")
        try:
            size = path.stat().st_size
        except OSError as error:
            raise EcgError(
                f"cannot be read ({error.strerror}); needed a file that you may read"
            ) from None
        if size > _LARGEST_ECG_BYTES:
            raise EcgError(
                f"a file of {size} bytes; needed one resting ECG of at most {_LARGEST_ECG_BYTES}"
            )

    def _declared(self, location: Location) -> dict[str, Any]:
        """What the options say about files that do not say it themselves."""
        if location.format_name not in _DECLARED:
            return {}
        return {
            "units": self.config.table_units,
            "sampling_rate_hz": self.config.table_rate_hz,
            "leads": self.config.table_leads,
        }

    def _cine(self, cmr_path: str) -> tuple[NDArray[Any] | None, dict[str, str | float]]:
        """The paired cine, if there is one, and columns that say how it came about."""
        if not cmr_path:
            return None, {}
        try:
            cine = read_paired_cine(self.config, cmr_path)
        except (CineError, SourceError) as error:
            if self.config.cine_errors == "quarantine":
                raise type(error)(f"CMR: {error}") from None
            return None, {"cine_status": "unreadable"}
        return cine.frames, {"cine_status": "read", **cine.geometry.attributes()}


def _files_of_record(path: Path) -> list[Path]:
    """A file of a WFDB record, its header, and what the header sends the reader to."""
    header = path.with_suffix(HEADER_ENDING)
    if not header.is_file():
        return [path, header]
    try:
        with header.open("rb") as file:
            names = named_beside(file.read(_LARGEST_HEADER_BYTES))
    except OSError:
        # The reader tells of it.
        names = frozenset()
    return [path, header, *(header.with_name(name) for name in sorted(names))]


def _is_plain_and_below(file: Path, source: Path) -> bool:
    """Whether a file that is there lies below the source and is no pipe or folder."""
    try:
        return file.resolve().is_relative_to(source) and (file.is_file() or not file.exists())
    except (OSError, RuntimeError, ValueError):
        return False


def _unnamed(message: str, path: Path) -> str:
    """A message without the file's path or name, which may be a patient's."""
    for name in (str(path), path.as_posix(), path.name, path.stem):
        if len(name) >= _SHORTEST_NAME:
            message = message.replace(name, "the file")
    return message
