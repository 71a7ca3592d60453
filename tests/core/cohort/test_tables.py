from __future__ import annotations

import pytest
from made_up_source import MADE_UP, REAL, MadeUp

from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.tables import shown, summary
from cardionets_core.cohort.writer import prepare


def tables_of(tmp_path, dataset, provenance):
    prepare(dataset, tmp_path / "c.h5", seed=3, provenance=provenance)
    with open_cohort(tmp_path / "c.h5") as cohort:
        return {table.title: table for table in summary(cohort)}


def test_counts_below_ten_are_hidden_for_real_people_only():
    assert shown([0, 3, 10, 12], hide=False) == ["0", "3", "10", "12"]
    assert shown([0, 9, 10, 12], hide=True) == ["0", "<10", "≥10", "12"]
    assert shown([0, 10, 12], hide=True) == ["0", "10", "12"]


@pytest.mark.parametrize("counts", [[1, 40, 70], [9, 9, 50], [5], [0, 1, 10]])
def test_no_hidden_count_follows_from_the_total(counts):
    texts = shown(counts, hide=True)
    hidden = [text for text in texts if not text.isdecimal()]
    assert len(hidden) >= min(2, sum(count > 0 for count in counts))


def test_simulated_tables_count_persons_by_the_date_rule(tmp_path):
    tables = tables_of(tmp_path, MadeUp(broken=(3,)), MADE_UP)
    assert ("data", "simulated: no patients") in tables["Cohort"].rows
    assert ("subjects", "6") in tables["Cohort"].rows
    assert ("records", "11") in tables["Cohort"].rows
    by_chapter = {row[0]: row[1:] for row in tables["Subjects by diagnosis"].rows}
    # Odd records have I25 dated before the visit and I50 undated, even ones I42 dated after it.
    assert by_chapter["CAD (I20-I25)"] == ("5", "0", "0", "1")
    assert by_chapter["HF (I50)"] == ("0", "0", "5", "1")
    assert by_chapter["CM (I42-I43)"] == ("0", "6", "0", "0")
    assert by_chapter["PH (I27)"] == ("0", "0", "0", "6")
    fields = {row[0]: row for row in tables["Phenotypes"].rows}
    assert fields["24103"][1:5] == ("LV ejection fraction", "%", "6", "0")
    assert [row[1] for row in tables["Quarantined records"].rows] == ["1"]


def test_no_small_count_of_real_people_is_printed(tmp_path):
    tables = tables_of(tmp_path, MadeUp(records=60, broken=(3, 5, 7)), REAL)
    for title, table in tables.items():
        for row in table.rows:
            for cell, column in zip(row, table.columns, strict=True):
                if cell.isdecimal() and column not in {"field", ""}:
                    assert not 0 < int(cell) < 10, (title, row)
    assert ("data", "real") in tables["Cohort"].rows
    assert [row[1] for row in tables["Quarantined records"].rows] == ["<10"]


def test_every_row_has_a_cell_for_every_column(tmp_path):
    for table in tables_of(tmp_path, MadeUp(), MADE_UP).values():
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert all(isinstance(cell, str) for row in table.rows for cell in row)
