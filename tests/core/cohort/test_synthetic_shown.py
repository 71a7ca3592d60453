"""Synthetic records are shown as such, and never counted as people."""

from __future__ import annotations

import pytest
from made_up_source import MADE_UP, REAL, MadeUp
from made_up_synthetic import augmented, source
from matplotlib.figure import Figure

from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.sheets import draw_cine_sheet, pick_rows
from cardionets_core.cohort.tables import summary
from cardionets_core.cohort.writer import prepare


def tables_of(path):
    with open_cohort(path) as cohort:
        return {table.title: table for table in summary(cohort)}


@pytest.fixture(scope="module")
def bigger_path(cohort_path, tmp_path_factory):
    out = tmp_path_factory.mktemp("shown") / "bigger.h5"
    augmented(cohort_path, out)
    return out


def test_tables_count_synthetic_records_apart_and_people_as_before(cohort_path, bigger_path):
    before, after = tables_of(cohort_path), tables_of(bigger_path)
    assert ("synthetic", "5 records, of nobody") in after["Cohort"].rows
    assert dict(after["Synthetic subjects"].rows)["records"].startswith("5, all in the training")
    assert dict(after["Synthetic subjects"].rows)["sampler steps"] == "the generator's own"
    assert after.keys() - before.keys() == {"Synthetic subjects"}
    for title in before.keys() - {"Cohort"}:
        assert after[title].rows == before[title].rows, title
    told = dict(after["Cohort"].rows)
    assert (told["subjects"], told["records"]) == ("6", "12")


def test_the_number_of_synthetic_records_gives_no_small_count_of_people_away(tmp_path):
    prepare(MadeUp(), tmp_path / "c.h5", seed=3, provenance=REAL)
    augmented(tmp_path / "c.h5", tmp_path / "bigger.h5")
    assert ("synthetic", "hidden records, of nobody") in tables_of(tmp_path / "bigger.h5")[
        "Cohort"
    ].rows


def test_the_cine_sheet_marks_every_frame_of_a_synthetic_cine(bigger_path, tmp_path, monkeypatch):
    texts = []

    def remember(figure, *arguments, **options):
        texts.extend(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))

    monkeypatch.setattr(Figure, "savefig", remember)
    with open_cohort(bigger_path) as cohort:
        draw_cine_sheet(cohort, [0, 12, 14], tmp_path / "cine.png", frames=5)
    assert texts.count("SYNTHETIC") == 10
    assert sum(text.startswith("synthetic, of nobody") for text in texts) == 2
    assert any("2 of them synthetic" in text for text in texts)


def test_sheets_pick_real_and_synthetic_cines_alike(bigger_path, tmp_path):
    with open_cohort(bigger_path) as cohort:
        assert pick_rows(cohort, 4, with_cine=True).tolist() == [0, 9, 12, 16]
        assert pick_rows(cohort, 24, with_cine=True).tolist() == [0, 3, 6, 9, *range(12, 17)]
        assert (pick_rows(cohort, 24) < 12).all()
    prepare(MadeUp(), tmp_path / "c.h5", seed=3, provenance=MADE_UP)
    augmented(tmp_path / "c.h5", tmp_path / "one.h5", source=source(1))
    with open_cohort(tmp_path / "one.h5") as cohort:
        assert pick_rows(cohort, 3, with_cine=True).tolist() == [0, 9, 12]
