from __future__ import annotations

import csv
import gzip
import logging
import tracemalloc
from datetime import date

import pytest

from cardionets_core import source_tables
from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.errors import SourceError
from cardionets_ukb.columns import columns_in
from cardionets_ukb.participants import read_tables


@pytest.fixture
def table(tmp_path):
    """Write rows as a table."""

    def write(*rows, name="t.csv", delimiter=","):
        path = tmp_path / name
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows(rows)
        return path

    return write


def facts_of(*paths, instance=2):
    """Facts by participant; of several tables those of each in a list."""
    found = {}
    for row in read_tables(paths, instance, lambda _: True):
        found.setdefault(row.participant, []).append(row.facts)
    return found


def day(text):
    return date.fromisoformat(text).toordinal()


@pytest.mark.parametrize(
    ("headings", "instance"),
    [(("eid", "31-0.0", "21003-2.0", "53-2.0", "24103-2.0", "53-3.0"), 2),
     (("f.eid", "f.31.0.0", "f.21003.2.0", "f.53.2.0", "f.24103.2.0", "f.53.3.0"), 2),
     (("eid", "p31", "p21003_i2", "p53_i2", "p24103_i2", "p53_i3"), 2),
     (("participant.eid", "participant.p31", "participant.p21003_i2", "participant.p53_i2",
       "participant.p24103_i2", "participant.p53_i3"), 2),
     (("Participant ID", "Sex", "Age when attended assessment centre | Instance 2",
       "Date of attending assessment centre | Instance 2", "LV ejection fraction | Instance 2",
       "Date of attending assessment centre | Instance 3"), 2),
     (("eid", "31-0.0", "21003-3.0", "53-3.0", "24103-3.0", "53-2.0"), 3)],
)  # fmt: skip
def test_columns_of_the_visit_are_found_in_every_way_to_name_them(headings, instance):
    columns = columns_in(headings, instance, "t")
    assert columns.participant == 0
    assert columns.fields == {31: 1, 21003: 2, 53: 3, 24103: 4}


def test_every_phenotype_has_its_title():
    titles = [f"{phenotype.name} | Instance 2" for phenotype in PHENOTYPES]
    columns = columns_in(("Participant ID", *titles), 2, "t")
    assert columns.fields == {p.field_id: at for at, p in enumerate(PHENOTYPES, start=1)}


def test_other_columns_are_none_of_these(table):
    for heading in ("x", "531-2.0", "p53", "53", "53-2", "f.53.2", "24182-2.0", "53-2.0.1"):
        assert columns_in(("eid", heading), 2, "t").fields == {}


def test_words_stand_for_codes_where_a_table_was_decoded(table):
    path = table(
        ("Participant ID", "Sex", "Date of attending assessment centre | Instance 2",
         "Diagnoses - ICD10", "Date of first in-patient diagnosis - ICD10 | Array 0",
         "Date of first in-patient diagnosis - ICD10 | Array 1"),
        (7, "Male", "2016-03-05", "I25.1 Atherosclerotic heart disease|J45.9 Asthma",
         "2016-03-04", "2016-03-06"),
    )  # fmt: skip
    ((facts,),) = facts_of(path).values()
    assert (facts.sex, facts.visit_day) == ("male", day("2016-03-05"))
    assert facts.dated_codes == (("I251", day("2016-03-04")), ("J459", day("2016-03-06")))


def test_headings_may_stand_in_the_second_line_or_in_both(table):
    names, titles = ("eid", "31-0.0"), ("Encoded participant ID", "Sex of participant")
    for first, second in ((titles, names), (names, titles)):
        assert facts_of(table(first, second, (7, 1)))[7][0].sex == "male"
    assert list(facts_of(table(titles, names, (7, 1)))) == [7]


def test_of_a_field_in_several_tables_the_first_counts(table):
    first = table(("eid", "31-0.0", "24103-2.0"), (7, 1, ""), name="a.csv")
    second = table(("eid", "31-0.0", "24103-2.0", "24104-2.0"), (7, 0, 55, 5), name="b.csv")
    mine, other = facts_of(first, second)[7]
    merged = mine.with_those_of(other)
    assert (merged.sex, dict(merged.phenotypes)) == ("male", {24104: 5.0})


def test_tables_may_be_packed(table, tmp_path):
    path = tmp_path / "t.tsv.gz"
    path.write_bytes(gzip.compress(table(("eid", "31-0.0"), (7, 0), delimiter="\t").read_bytes()))
    assert facts_of(path)[7][0].sex == "female"


def test_rows_without_a_participant_are_passed_over(table):
    path = table(("eid", "31-0.0"), (-3, 1), ("", 1), (8, 1))
    assert list(facts_of(path)) == [8]


def test_cells_that_are_not_understood_are_unknown_and_counted(table, caplog):
    path = table(
        ("eid", "31-0.0", "53-2.0", "24103-2.0"), (7, "w", "5/3/16", "n.a."), ("7x", 1, "", "")
    )
    with caplog.at_level(logging.WARNING):
        ((facts,),) = facts_of(path).values()
    assert (facts.sex, facts.visit_day, dict(facts.phenotypes)) == (None, None, {})
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 4
    assert all("1 cells of" in line and "5/3/16" not in line and "7x" not in line for line in told)


@pytest.mark.parametrize(
    "diagnoses",
    [("I251", "", "2016-03-04", "2016-03-05"), ("I251", "J45", "2016-03-04", "March"),
     ("I251", "chest pain", "2016-03-04", "2016-03-05")],
)  # fmt: skip
def test_whose_diagnoses_cannot_be_relied_on_has_unknown_ones(table, diagnoses):
    header = ("eid", "53-2.0", "41270-0.0", "41270-0.1", "41280-0.0", "41280-0.1")
    facts = facts_of(table(header, (7, "2016-03-05", *diagnoses), (8, "2016-03-05", *[""] * 4)))
    assert facts[7][0].dated_codes is None
    assert facts[8][0].dated_codes == ()


def test_arrays_pair_by_index_whatever_the_order_of_columns(table):
    header = ("eid", "41280-0.1", "53-2.0", "41270-0.1", "41270-0.0", "41280-0.0")
    path = table(header, (7, "2002-02-02", "2016-03-05", "J45", "I251", "2001-01-01"))
    assert facts_of(path)[7][0].dated_codes == (
        ("I251", day("2001-01-01")),
        ("J45", day("2002-02-02")),
    )


@pytest.mark.parametrize(
    ("headings", "told"),
    [(("id", "31-0.0"), "no column of participants' ids"),
     (("eid", "f.eid", "31-0.0"), "several columns of participants' ids"),
     (("eid", "53-3.0"), "none of the 2 columns is needed"),
     (("eid", "31-0.0", "p31"), "two columns of field 31"),
     (("eid", "53-2.0", "41270-0.999999999", "41280-0.0"), "field 41270 with an array index of"),
     (("eid", "p53_i2", "p41270", "p41270_a0", "p41280_a0"), "as a list and spread over"),
     (("eid", "53-2.0", "41270-0.0"), "without their dates"),
     (("eid", "31-0.0", "41270-0.0", "41280-0.0"), "without the date of the visit")],
)  # fmt: skip
def test_tables_that_cannot_be_used_are_refused_in_one_line(table, headings, told):
    with pytest.raises(SourceError, match=told) as raised:
        facts_of(table(headings, (7, *[""] * (len(headings) - 1))))
    assert "\n" not in str(raised.value)


def test_memory_does_not_grow_with_the_table(table, monkeypatch):
    # Read at once to find out encoding and delimiter; more than a whole small table.
    monkeypatch.setattr(source_tables, "_SAMPLE_BYTES", 4096)
    header = ("eid", "53-2.0", *(f"{k}-0.0" for k in range(60000, 60300)))

    def peak_bytes(rows):
        cells = ("2016-03-05", *["some text"] * 300)
        path = table(header, *((number, *cells) for number in range(1, rows + 1)))
        tracemalloc.start()
        found = list(read_tables([path], 2, lambda participant: participant == rows))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(found) == 1
        return peak

    assert peak_bytes(1500) < 1.2 * peak_bytes(150)
