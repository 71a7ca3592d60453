"""Which columns of a table hold what, in each of UK Biobank's ways to name them.

========================  ==========================  ==========================
way                       a field at a visit          an array
========================  ==========================  ==========================
showcase, ``eid``         ``53-2.0``                  ``41270-0.0`` and on
R and tab, ``f.eid``      ``f.53.2.0``                ``f.41270.0.0`` and on
research platform         ``p53_i2``                  ``p41280_a0`` and on; the
                                                      codes in one ``p41270``
titles                    ``Sex``, ``... | Instance 2``  ``... | Array 0``
========================  ==========================  ==========================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.errors import SourceError

SEX, AGE, VISIT_DATE, CODES, CODE_DATES = 31, 21003, 53, 41270, 41280
PHENOTYPE_FIELDS = tuple(phenotype.field_id for phenotype in PHENOTYPES)
_ID_HEADINGS = frozenset({"eid", "f.eid", "participant.eid", "participant id"})
_NUMBERED = (
    re.compile(r"(?P<field>\d+)-(?P<instance>\d+)\.(?P<array>\d+)", re.ASCII),
    re.compile(r"f\.(?P<field>\d+)\.(?P<instance>\d+)\.(?P<array>\d+)", re.ASCII),
    re.compile(
        r"(?:participant\.)?p(?P<field>\d+)(?:_i(?P<instance>\d+))?(?:_a(?P<array>\d+))?", re.ASCII
    ),
)
_TITLED = re.compile(
    r"(?P<title>[^|]+?)(?: *\| *instance (?P<instance>\d+))?(?: *\| *array (?P<array>\d+))?",
    re.ASCII,
)
_TITLES = {
    "sex": SEX,
    "age when attended assessment centre": AGE,
    "date of attending assessment centre": VISIT_DATE,
    "diagnoses - icd10": CODES,
    "date of first in-patient diagnosis - icd10": CODE_DATES,
} | {phenotype.name.lower(): phenotype.field_id for phenotype in PHENOTYPES}
_WHOLE_LIST = -1
# Ten times what field 41270 has; a row is as long as the largest index says.
_MOST_VALUES = 3000


class _Heading(NamedTuple):
    """What a heading says: field, instance, and array index or None where it says none."""

    field: int
    instance: int
    array: int | None


@dataclass(frozen=True)
class Array:
    """The columns of a field with many values: by index, or one cell with a list of all.

    Attributes:
        places: Place in the row by index of the value; ``_WHOLE_LIST`` for a list.
    """

    places: Mapping[int, int]

    @property
    def listed(self) -> int | None:
        """Place of the one column that holds them all, if it is so."""
        return self.places.get(_WHOLE_LIST)

    @property
    def count(self) -> int:
        """One more than the largest index."""
        return max(self.places) + 1

    def cells(self, row: Sequence[str]) -> list[str]:
        """The values of a row by their index, of columns that have one each."""
        cells = [""] * self.count
        for index, place in self.places.items():
            cells[index] = row[place]
        return cells


@dataclass(frozen=True)
class Columns:
    """Places of what is needed in one table.

    Attributes:
        participant: Of the id.
        fields: By field id: sex, age and date of the visit, and phenotypes.
        codes: Of the diagnoses.
        code_dates: Of their dates.
    """

    participant: int
    fields: Mapping[int, int] = field(default_factory=dict)
    codes: Array | None = None
    code_dates: Array | None = None

    def held(self) -> frozenset[int]:
        """Fields that the table has."""
        arrays = {CODES: self.codes, CODE_DATES: self.code_dates}
        return frozenset(self.fields) | {number for number, array in arrays.items() if array}

    def without(self, known: frozenset[int]) -> Columns:
        """The same but for fields that an earlier table has; dates go with their codes."""
        diagnoses_known = CODES in known
        return Columns(
            self.participant,
            {number: place for number, place in self.fields.items() if number not in known},
            None if diagnoses_known else self.codes,
            None if diagnoses_known else self.code_dates,
        )


def columns_in(headings: Sequence[str], instance: int, shown: str) -> Columns | None:
    """Find the columns that are needed.

    Args:
        headings: Headings of the table.
        instance: Which visit.
        shown: What messages call the table.

    Returns:
        Their places, or None if no column holds the participants' ids.

    Raises:
        SourceError: If a needed column is there twice.
    """
    ids = [at for at, heading in enumerate(headings) if heading.strip().lower() in _ID_HEADINGS]
    if not ids:
        return None
    if len(ids) > 1:
        raise SourceError(f"{shown}: several columns of participants' ids; needed one")
    fields: dict[int, int] = {}
    arrays: dict[int, dict[int, int]] = {CODES: {}, CODE_DATES: {}}
    for place, text in enumerate(headings):
        heading = _understood(text)
        if heading is None or not _is_needed(heading, instance):
            continue
        if heading.field in arrays:
            index = _WHOLE_LIST if heading.array is None else heading.array
            places, key = arrays[heading.field], index
        else:
            places, key = fields, heading.field
        if places.setdefault(key, place) != place:
            raise SourceError(f"{shown}: two columns of field {heading.field}; needed one")
    codes, code_dates = (_array(arrays[number], number, shown) for number in (CODES, CODE_DATES))
    return Columns(ids[0], fields, codes, code_dates)


def _understood(text: str) -> _Heading | None:
    heading = text.strip().lower()
    for pattern in _NUMBERED:
        if match := pattern.fullmatch(heading):
            return _heading(int(match["field"]), match)
    match = _TITLED.fullmatch(heading)
    known = _TITLES.get(match["title"]) if match else None
    return _heading(known, match) if match and known else None


def _heading(number: int, match: re.Match[str]) -> _Heading:
    array = match["array"]
    return _Heading(number, int(match["instance"] or 0), None if array is None else int(array))


def _is_needed(heading: _Heading, instance: int) -> bool:
    if heading.field in {SEX, CODES, CODE_DATES}:
        return heading.instance == 0
    of_visit = heading.field in {AGE, VISIT_DATE, *PHENOTYPE_FIELDS}
    return of_visit and heading.instance == instance and not heading.array


def _array(places: dict[int, int], number: int, shown: str) -> Array | None:
    if _WHOLE_LIST in places and len(places) > 1:
        raise SourceError(
            f"{shown}: field {number} both as a list and spread over columns; needed one of them"
        )
    if places and max(places) >= _MOST_VALUES:
        raise SourceError(
            f"{shown}: field {number} with an array index of {_MOST_VALUES} or more; needed those "
            "of UK Biobank, from 0 on"
        )
    return Array(places) if places else None
