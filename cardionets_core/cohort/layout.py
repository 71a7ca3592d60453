"""The layout of a cohort file: names, types, shapes and chunks. docs/cohort-layout.md tells it.

Whoever changes a name, type or meaning here raises ``LAYOUT_VERSION``; what an older layout lacks
says so in ``Column.since`` and reads as its fill value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cardionets_core.cmr.phenotypes import FIELD_IDS, PHENOTYPES
from cardionets_core.cohort.ids import ID_HEX_DIGITS
from cardionets_core.cohort.splits import ROLES, SPLITS
from cardionets_core.ecg.canonical import CANONICAL_LEADS, CANONICAL_RATE_HZ, CANONICAL_SAMPLES

LAYOUT_VERSION = 3
READABLE_VERSIONS = (1, 2, 3)
# The content hash starts with it: raised when the same source would be stored as something else.
CONTENT_VERSION = 1
LAYOUT_NAME = "cardionets-cohort"
# Format of HDF5 1.10: its index finds the chunk of a row directly; every h5py since 2.10 reads it.
LIBVER = ("v110", "v110")

ECG_SHAPE = (len(CANONICAL_LEADS), CANONICAL_SAMPLES)
CINE_SHAPE = (50, 96, 96)
MISSING_COUNT = -32768
UNKNOWN_DAYS = -(2**31)
NO_FINGERPRINT = 0
UNKNOWN = -1
SEXES: tuple[str, ...] = ("female", "male")

TEXT = h5py.string_dtype("utf-8")
_ALL = slice(None)
_ID = np.dtype(f"S{ID_HEX_DIGITS}")
ORIGIN_BYTES = 64
ICD10_BYTES = 8
DIGEST_BYTES = 16


def _labels(names: tuple[str, ...]) -> np.dtype[Any]:
    """An int8 type that carries the meaning of its values; -1 is unknown."""
    values = {name: value for value, name in enumerate(names)} | {"unknown": UNKNOWN}
    return h5py.enum_dtype(values, basetype="i1")


@dataclass(frozen=True)
class Column:
    """One dataset with a row per record.

    Attributes:
        name: Path in the file.
        dtype: Type of its entries.
        shape: Shape of one row.
        fill: What an unwritten row reads as.
        bulky: One chunk per record, written only where there is something.
        filters: HDF5 filters of a bulky column.
        attributes: Attributes of the dataset.
        since: Layout version that brought it.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...] = ()
    fill: Any = 0
    bulky: bool = False
    filters: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    since: int = 1


# Measured on one core: shuffle and gzip 1 shrink an ECG to 0.41 and read it in 0.4 ms (0.03 raw);
# a cine shrinks only to 0.8 and then reads in 2 ms instead of 0.07, so it stays as it is.
_ECG_FILTERS = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
_MV_ATTRIBUTES = {
    "leads": list(CANONICAL_LEADS),
    "sampling_rate_hz": CANONICAL_RATE_HZ,
    "missing": MISSING_COUNT,
    "meaning": "signal in mV is signal * scale_mv, row by row and lead by lead",
}
_PHENOTYPE_ATTRIBUTES = {
    "field_ids": list(FIELD_IDS),
    "names": [phenotype.name for phenotype in PHENOTYPES],
    "units": [phenotype.unit for phenotype in PHENOTYPES],
}

COLUMNS: tuple[Column, ...] = (
    Column("subject/subject_id", _ID, fill=b""),
    Column("subject/record_id", _ID, fill=b""),
    Column("subject/sex", _labels(SEXES), fill=UNKNOWN),
    Column("subject/age_years", np.dtype("f4"), fill=np.nan),
    Column("subject/origin", np.dtype(f"S{ORIGIN_BYTES}"), fill=b""),
    Column("subject/role", _labels(ROLES), fill=UNKNOWN),
    Column("subject/split", _labels(SPLITS), fill=UNKNOWN),
    Column("subject/fold", np.dtype("i1"), fill=UNKNOWN),
    Column("subject/digest", np.dtype("u1"), (DIGEST_BYTES,)),
    Column("subject/synthetic", np.dtype("?"), since=2),
    Column(
        "ecg/signal",
        np.dtype("i2"),
        ECG_SHAPE,
        fill=MISSING_COUNT,
        bulky=True,
        filters=_ECG_FILTERS,
        attributes=_MV_ATTRIBUTES,
    ),
    Column("ecg/scale_mv", np.dtype("f8"), ECG_SHAPE[:1], fill=np.nan),
    Column("ecg/lead_mask", np.dtype("?"), ECG_SHAPE[:1]),
    Column("ecg/derived", np.dtype("?"), ECG_SHAPE[:1]),
    Column("ecg/present", np.dtype("?")),
    Column("ecg/fingerprint", np.dtype("u8"), fill=NO_FINGERPRINT),
    Column("quality/flags", np.dtype("u4")),  # bit i: the name i of the attribute "names"
    Column("quality/usable", np.dtype("?")),
    Column("cine/frames", np.dtype("u1"), CINE_SHAPE, bulky=True),
    Column("cine/present", np.dtype("?")),
    Column(
        "phenotypes/values",
        np.dtype("f4"),
        (len(FIELD_IDS),),
        fill=np.nan,
        attributes=_PHENOTYPE_ATTRIBUTES,
    ),
    Column("diagnoses/known", np.dtype("?"), fill=True, since=3),
)
COLUMN = {column.name: column for column in COLUMNS}
SMALL = tuple(column for column in COLUMNS if not column.bulky)
BULKY = tuple(column for column in COLUMNS if column.bulky)

# Ragged tables, growing as they are written: (name, type) of each column.
DIAGNOSES = {
    "diagnoses/row": np.dtype("i8"),
    "diagnoses/icd10": np.dtype(f"S{ICD10_BYTES}"),
    "diagnoses/days_from_visit": np.dtype("i4"),
}
QUARANTINE = {
    "quarantine/subject_id": _ID,
    "quarantine/record_id": _ID,
    "quarantine/reason": TEXT,
}
# Only in augmented cohorts: what the generator has seen.
SYNTHETIC_GROUP = "synthetic"


def create_columns(file: h5py.File, rows: int) -> None:
    """Create every per-record dataset for ``rows`` records, unwritten."""
    for column in COLUMNS:
        options: dict[str, Any] = {"fillvalue": column.fill}
        if column.bulky and rows:
            options |= {"chunks": (1, *column.shape), **column.filters}
        dataset = file.create_dataset(
            column.name, shape=(rows, *column.shape), dtype=column.dtype, **options
        )
        for name, value in column.attributes.items():
            dataset.attrs[name] = value


def create_tables(file: h5py.File) -> None:
    """Create the empty ragged tables of diagnoses and quarantined records."""
    for name, dtype in (DIAGNOSES | QUARANTINE).items():
        file.create_dataset(name, shape=(0,), maxshape=(None,), dtype=dtype, chunks=(4096,))


def append(file: h5py.File, columns: dict[str, Any]) -> None:
    """Append equally long columns to the ragged table that they belong to."""
    for name, values in columns.items():
        if not len(values):
            continue
        dataset = file[name]
        start = len(dataset)
        dataset.resize(start + len(values), axis=0)
        dataset[start:] = values


def rows_of(file: h5py.File, name: str, rows: slice = _ALL) -> NDArray[Any]:
    """Rows of a column without bulk; its fill value where the file's layout is too old for it."""
    if name in file or COLUMN[name].since == 1:
        found: NDArray[Any] = file[name][rows]
        return found
    column, count = COLUMN[name], len(range(*rows.indices(len(file["subject/record_id"]))))
    return np.full((count, *column.shape), column.fill, dtype=column.dtype)


def dataset_names(version: int = LAYOUT_VERSION) -> Iterator[str]:
    """Every dataset that a finished file of a layout version must have."""
    yield from (column.name for column in COLUMNS if column.since <= version)
    yield from DIAGNOSES
    yield from QUARANTINE
    yield "quality/details"
