"""What ``cardionets inspect`` prints: tables as plain text cells, small counts of people hidden."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.cohort.layout import SEXES, UNKNOWN_DAYS
from cardionets_core.cohort.reader import Cohort
from cardionets_core.cohort.splits import ROLES, SPLITS

SMALLEST_SHOWN = 10
_AGE_BANDS = ((0, 40), (40, 50), (50, 60), (60, 70), (70, 80), (80, 200))
# The paper's chapters; its I27 is called PH throughout.
_CHAPTERS = {
    "CAD (I20-I25)": re.compile("I2[0-5]"),
    "HF (I50)": re.compile("I50"),
    "CM (I42-I43)": re.compile("I4[23]"),
    "PH (I27)": re.compile("I27"),
}


class Table(NamedTuple):
    """A table of text cells, ready to be printed or written.

    Attributes:
        title: What it shows.
        columns: Headings.
        rows: Cells, as many as headings.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def summary(cohort: Cohort) -> tuple[Table, ...]:
    """Every table of ``cardionets inspect``, in the order of printing.

    Synthetic records are counted in a table of their own and nowhere else.
    """
    people = _People(cohort)
    drawn = (_synthetic(cohort, people),) if cohort.synthetic.any() else ()
    return (
        _overview(cohort, people),
        *drawn,
        _roles(cohort, people),
        _ages(cohort, people),
        _phenotypes(cohort, people),
        _diagnoses(cohort, people),
        _flags(cohort, people),
        _quarantine(cohort),
    )


def shown(counts: Sequence[int], *, hide: bool) -> list[str]:
    """Counts of people as they may be printed.

    Counts from 1 to 9 become ``<10``. Where that hides a single one, the next smallest is
    hidden too, as ``≥10``, lest the hidden one follow from the total.

    Args:
        counts: Numbers of people that add up to a total which may be known.
        hide: True for real people.
    """
    texts = [str(count) for count in counts]
    if not hide:
        return texts
    small = [place for place, count in enumerate(counts) if 0 < count < SMALLEST_SHOWN]
    for place in small:
        texts[place] = f"<{SMALLEST_SHOWN}"
    others = [place for place, count in enumerate(counts) if count >= SMALLEST_SHOWN]
    if len(small) == 1 and others:
        texts[min(others, key=lambda place: counts[place])] = f"≥{SMALLEST_SHOWN}"
    return texts


class _People:
    """Counts persons, not records: a person with ten ECGs is still one."""

    def __init__(self, cohort: Cohort) -> None:
        _, self._person = np.unique(cohort.subject_ids, return_inverse=True)
        self.real = ~cohort.synthetic
        self.hide = not cohort.simulated

    def count(self, chosen: NDArray[np.bool_]) -> int:
        return len(np.unique(self._person[chosen & self.real]))

    def shown(self, *groups: NDArray[np.bool_]) -> list[str]:
        return shown([self.count(group) for group in groups], hide=self.hide)

    def having(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """All rows of everyone who has a chosen row."""
        return np.isin(self._person, self._person[chosen])


def _overview(cohort: Cohort, people: _People) -> Table:
    told = cohort.provenance
    everyone = np.ones(len(cohort), dtype=bool)
    facts = [
        ("data", "simulated: no patients" if cohort.simulated else "real"),
        ("dataset", f"{told['dataset']} ({told['distribution'] or 'unknown distribution'})"),
        ("prepared", f"{told['created']} with cardionets {told['versions']['cardionets']}"),
        ("seed of roles and splits", str(told["seed"])),
        ("content hash", cohort.content_hash[:16]),
        ("subjects", *people.shown(everyone)),
        ("subjects with ECG", *people.shown(cohort.has_ecg)),
        ("subjects with usable ECG", *people.shown(cohort.usable)),
        ("subjects with cine", *people.shown(cohort.has_cine)),
        ("subjects with both", *people.shown(cohort.has_ecg & cohort.has_cine)),
        (
            "records",
            *_records([int(people.real.sum())], [people.count(everyone)], hide=people.hide),
        ),
    ]
    if cohort.synthetic.any():
        facts.append(("synthetic", f"{_drawn(cohort, people)} records, of nobody"))
    return Table("Cohort", ("", ""), tuple((name, value) for name, value in facts))


def _drawn(cohort: Cohort, people: _People) -> str:
    """Number of synthetic records; hidden where that of the people whom they follow is."""
    groups = [group & cohort.has_cine for _, group in _sides(cohort)]
    (trained_on, *_), count = people.shown(*groups), int(cohort.synthetic.sum())
    return str(count) if trained_on.isdecimal() else "hidden"


def _synthetic(cohort: Cohort, people: _People) -> Table:
    """Where the synthetic records come from."""
    told = cohort.provenance["synthetic"]
    own = "the generator's own"
    facts = [
        ("records", f"{_drawn(cohort, people)}, all in the training split of role pretrain"),
        ("per real training subject with a cine", str(told["factor"])),
        ("generator", f"{told['generator']}, weights {told['weights']}"),
        ("hash of the weights", told["weights_sha256"][:16]),
        ("licence of the weights", told["licence"]),
        ("seed", str(told["seed"])),
        ("sampler steps", own if told["steps"] is None else str(told["steps"])),
        ("guidance", own if told["guidance"] is None else str(told["guidance"])),
    ]
    return Table("Synthetic subjects", ("", ""), tuple(facts))


def _records(records: Sequence[int], persons: Sequence[int], *, hide: bool) -> list[str]:
    """Numbers of records, hidden where the persons behind them are few."""
    few = [hide and 0 < count < SMALLEST_SHOWN for count in persons]
    return ["hidden" if hidden else str(n) for n, hidden in zip(records, few, strict=True)]


def _sides(cohort: Cohort) -> list[tuple[tuple[str, str], NDArray[np.bool_]]]:
    """Role and split, and who is there; those who pre-train first."""
    sides = [(role, split) for role in ROLES for split in SPLITS]
    return [((r, s), (cohort.roles == r) & (cohort.splits == s)) for r, s in sides]


def _roles(cohort: Cohort, people: _People) -> Table:
    sides, groups = zip(*_sides(cohort), strict=True)
    columns = [
        people.shown(*groups),
        people.shown(*(group & cohort.usable for group in groups)),
        people.shown(*(group & cohort.has_cine for group in groups)),
    ]
    rows = tuple(
        (*side, *cells)
        for side, group, *cells in zip(sides, groups, *columns, strict=True)
        if (group & people.real).any()
    )
    return Table(
        "Subjects by role and split",
        ("role", "split", "subjects", "with usable ECG", "with cine"),
        rows,
    )


def _ages(cohort: Cohort, people: _People) -> Table:
    ages = cohort.ages_years
    bands = [(f"{low}-{high - 1}", (ages >= low) & (ages < high)) for low, high in _AGE_BANDS]
    bands[0] = (f"under {_AGE_BANDS[0][1]}", bands[0][1])
    bands[-1] = (f"{_AGE_BANDS[-1][0]} and over", bands[-1][1])
    bands.append(("unknown", np.isnan(ages) & people.real))
    sexes = (*SEXES, "unknown")
    groups = [band & (cohort.sexes == sex) for _, band in bands for sex in sexes]
    cells = people.shown(*groups)
    rows = tuple(
        (name, *cells[len(sexes) * place : len(sexes) * (place + 1)])
        for place, (name, band) in enumerate(bands)
        if band.any()
    )
    return Table("Subjects by age and sex", ("age, years", *sexes), rows)


def _phenotypes(cohort: Cohort, people: _People) -> Table:
    rows = []
    for column, phenotype in enumerate(PHENOTYPES):
        values = cohort.phenotypes[:, column].astype(np.float64)
        there = ~np.isnan(values) & people.real
        if not there.any():
            continue
        measured, missing = people.shown(people.having(there), ~people.having(there))
        few = people.hide and people.count(there) < SMALLEST_SHOWN
        mean, sd = ("hidden", "hidden") if few else _mean_and_sd(values[there])
        name = (phenotype.name, phenotype.unit)
        rows.append((str(phenotype.field_id), *name, measured, missing, mean, sd))
    return Table(
        "Phenotypes",
        ("field", "phenotype", "unit", "subjects", "missing", "mean", "SD"),
        tuple(rows),
    )


def _mean_and_sd(values: NDArray[np.float64]) -> tuple[str, str]:
    sd = f"{values.std(ddof=1):.4g}" if len(values) > 1 else "-"
    return f"{values.mean():.4g}", sd


def _diagnoses(cohort: Cohort, people: _People) -> Table:
    """Persons by chapter; only codes dated on or before the visit make a case."""
    table = cohort.diagnoses
    dated = table.days_from_visit != UNKNOWN_DAYS
    rows = []
    for chapter, pattern in _CHAPTERS.items():
        codes = [code for code in np.unique(table.icd10) if pattern.match(code)]
        matches = np.isin(table.icd10, codes)
        before = _having(cohort, people, matches & dated & (table.days_from_visit <= 0))
        later = _having(cohort, people, matches & dated) & ~before
        undated = _having(cohort, people, matches) & ~before & ~later
        rows.append((chapter, *people.shown(before, later, undated, ~(before | later | undated))))
    return Table(
        "Subjects by diagnosis",
        ("chapter", "dated by the visit", "only later", "only undated", "without"),
        tuple(rows),
    )


def _having(cohort: Cohort, people: _People, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """All rows of everyone who has one of the chosen diagnoses."""
    rows = np.zeros(len(cohort), dtype=bool)
    rows[cohort.diagnoses.row[chosen]] = True
    return people.having(rows)


def _flags(cohort: Cohort, people: _People) -> Table:
    bits = cohort.quality_bits
    rows = []
    for bit, name in enumerate(cohort.quality_names):
        flagged = bits >> np.uint32(bit) & np.uint32(1) == 1
        if flagged.any():
            usable, unusable = people.shown(flagged & cohort.usable, flagged & ~cohort.usable)
            rows.append((name, usable, unusable))
    return Table(
        "Subjects with flagged ECGs",
        ("flag", "usable all the same", "not usable"),
        tuple(rows) or (("none", "0", "0"),),
    )


def _quarantine(cohort: Cohort) -> Table:
    reasons = sorted({entry.reason for entry in cohort.quarantine})
    people = [{e.subject_id for e in cohort.quarantine if e.reason == r} for r in reasons]
    cells = shown([len(group) for group in people], hide=not cohort.simulated)
    return Table(
        "Quarantined records",
        ("reason", "subjects"),
        tuple(zip(reasons, cells, strict=True)) or (("none", "0"),),
    )
