"""Sex and age."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.layout import SEXES
from cardionets_core.cohort.reporting.moments import Moments
from cardionets_core.cohort.reporting.people import People, Tally
from cardionets_core.cohort.reporting.tables import (
    Cell,
    Column,
    Table,
    Whole,
    enter,
    hidden_if_few,
)
from cardionets_core.cohort.reporting.window import CohortWindow

_AGE_BANDS = ((0, 40), (40, 50), (50, 60), (60, 70), (70, 80), (80, 200))
_SEXES = (*SEXES, "unknown")
_BAND_NAMES = (
    f"under {_AGE_BANDS[0][1]}",
    *(f"{low} to {high - 1}" for low, high in _AGE_BANDS[1:-1]),
    f"{_AGE_BANDS[-1][0]} and over",
    "unknown",
)


class SexAndAge:
    """Records by age and sex, and the mean age.

    Args:
        people: Whom the rows belong to.
    """

    def __init__(self, people: People) -> None:
        self._cells = Tally(people, len(_BAND_NAMES) * len(_SEXES))
        self._sexes = Tally(people, len(_SEXES))
        self._bands = Tally(people, len(_BAND_NAMES))
        self._aged = Tally(people, len(_SEXES))
        self._ages = Moments(len(_SEXES))

    def add(self, window: CohortWindow) -> None:
        """Take note of some rows."""
        ages = window.ages_years.astype(np.float64)
        bands = _bands(ages)
        for place, sex in enumerate(_SEXES):
            here = window.sexes == sex
            self._sexes.add(window, place, here)
            self._aged.add(window, place, here & np.isfinite(ages))
            self._ages.add(place, ages[here & np.isfinite(ages)])
            for band in range(len(_BAND_NAMES)):
                self._cells.add(window, band * len(_SEXES) + place, here & (bands == band))
        for band in range(len(_BAND_NAMES)):
            self._bands.add(window, band, bands == band)

    def tables(self, whole: Whole) -> tuple[Table, ...]:
        """Records by age and sex; the mean age by sex stands below."""
        ledger = whole.ledger
        sexes = [enter(ledger, self._sexes, place) for place in range(len(_SEXES))]
        ledger.counts_add_up(whole.everyone, sexes)
        rows: list[tuple[Cell, ...]] = []
        columns_of_cells = []
        for band, name in enumerate(_BAND_NAMES):
            total = enter(ledger, self._bands, band)
            cells = [enter(ledger, self._cells, band * len(_SEXES) + p) for p in range(len(_SEXES))]
            ledger.counts_add_up(total, cells)
            columns_of_cells.append((total, *cells))
            rows.append((name, *(cell.records for cell in cells), total.records))
        totals, *by_sex = zip(*columns_of_cells, strict=True)
        ledger.counts_add_up(whole.everyone, totals)
        for sex, cells_of_sex in zip(sexes, by_sex, strict=True):
            ledger.counts_add_up(sex, cells_of_sex)
        rows.append(("all", *(sex.records for sex in sexes), whole.everyone.records))
        headings = (*_SEXES, "all")
        columns = (Column("age_years", "Age, years"), *(Column(n, n.title()) for n in headings))
        ages = Table("sex_and_age", "Sex and age", "Records.", columns, tuple(rows))
        return (ages, self._means(whole))

    def _means(self, whole: Whole) -> Table:
        rows: list[tuple[Cell, ...]] = []
        for place, sex in enumerate(_SEXES):
            count = enter(whole.ledger, self._aged, place)
            mean, sd = self._ages.mean_and_sd(place)
            told = (hidden_if_few(count, number, whole.ledger) for number in (mean, sd))
            rows.append((sex, count.records, *told))
        columns = (
            Column("sex", "Sex"),
            Column("records", "Records with an age"),
            Column("mean_years", "Mean age, years"),
            Column("sd_years", "SD, years"),
        )
        return Table("mean_age", "Mean age", "", columns, tuple(rows))


def _bands(ages: NDArray[np.float64]) -> NDArray[np.int64]:
    """Age band of each row; the last for an unknown age."""
    edges = [low for low, _ in _AGE_BANDS[1:]]
    bands = np.searchsorted(edges, ages, side="right")
    bands[~np.isfinite(ages)] = len(_AGE_BANDS)
    return bands
