from __future__ import annotations

from datetime import date

import pytest

from cardionets_ukb import values


@pytest.mark.parametrize(
    ("cell", "read"),
    [("1234567", 1234567), (" 1234567 ", 1234567), ("1234567.0", 1234567), ("0001", 1),
     ("-7", None), ("-1234567", None), ("0", None), ("", None), ("NA", None)],
)  # fmt: skip
def test_participants_are_whole_numbers_and_negative_ones_nobody(cell, read):
    assert values.participant(cell) == read


@pytest.mark.parametrize("cell", ["eid", "12a", "1,2", "1e6", "\u0661\u0662"])
def test_what_is_no_participant_is_told(cell):
    with pytest.raises(ValueError, match="no participant's id"):
        values.participant(cell)


@pytest.mark.parametrize(
    ("cell", "read"),
    [("-18.5", -18.5), ("1e-3", 0.001), ("+4", 4.0), ("NA", None), ("nan", None), ("", None)],
)
def test_numbers_keep_their_sign(cell, read):
    assert values.number(cell) == read


@pytest.mark.parametrize("cell", ["1,5", "inf", "1_000", "12 mL", "0x10"])
def test_what_is_no_number_is_told(cell):
    with pytest.raises(ValueError, match="no number"):
        values.number(cell)


@pytest.mark.parametrize(
    ("cell", "read"),
    [("2016-03-05", date(2016, 3, 5)), ("2016-03-05T00:00:00", date(2016, 3, 5)),
     ("2016-03-05 14:00:01", date(2016, 3, 5)), ("1910-01-01", date(1910, 1, 1)),
     ("1909-12-31", None), ("1900-01-01", None), ("2037-07-07", None), ("NA", None), ("", None)],
)  # fmt: skip
def test_days_that_stand_for_no_day_are_missing(cell, read):
    assert values.day(cell) == (None if read is None else read.toordinal())


@pytest.mark.parametrize("cell", ["05/03/2016", "20160305", "2016-13-05", "2016-02-30", "2016",
                                  "9999-12-31"])  # fmt: skip
def test_what_is_no_day_is_told(cell):
    with pytest.raises(ValueError, match=r"no date|month|day"):
        values.day(cell)


@pytest.mark.parametrize(
    ("cell", "read"),
    [("I251", "I251"), ("i25.1", "I251"), (" I50 ", "I50"), ("A35X", "A35X"),
     ("I25.1 Atherosclerotic heart disease", "I251"), ("Block I20-I25", None),
     ("I20-I25 Ischaemic heart diseases", None), ("Chapter IX Circulatory", None), ("", None)],
)  # fmt: skip
def test_codes_are_capitals_without_dot_and_groups_are_none(cell, read):
    assert values.icd10(cell) == read


@pytest.mark.parametrize("cell", ["heart failure", "25.1", "I25,I50", "I25I50", "IX"])
def test_what_is_no_code_is_told(cell):
    with pytest.raises(ValueError, match="no ICD-10 code"):
        values.icd10(cell)


@pytest.mark.parametrize(
    "cell", ['["I251", "J45", null]', "['I251', 'J45', None]", "I251|J45|", "[ 'I251','J45', '' ]"]
)
def test_lists_come_as_json_as_python_prints_them_and_with_bars(cell):
    if "None" in cell:
        with pytest.raises(ValueError, match="Expecting value"):
            values.list_in(cell)
    else:
        assert values.list_in(cell) == ["I251", "J45", ""]


@pytest.mark.parametrize("cell", ["[" * 100_000, "[" + '{"a":' * 100_000, "[" + "1" * 5000 + "]"])
def test_a_list_that_overflows_the_parser_is_not_understood(cell):
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words
        values.list_in(cell)


@pytest.mark.parametrize("cell", ["", "NA", "[]"])
def test_an_empty_list_has_no_element(cell):
    assert values.list_in(cell) == []


def test_codes_and_days_are_paired_by_place_and_undated_ones_left_out():
    codes = ["I251", "I50", "", "J45", "Block I20-I25"]
    days = ["2016-03-05", "", "", "1900-01-01", "2016-03-06"]
    assert values.dated_codes(codes, days) == (("I251", date(2016, 3, 5).toordinal()),)
    assert values.dated_codes(["", ""], []) == ()


@pytest.mark.parametrize(
    ("codes", "days"),
    [(["I251"], ["2016-03-05", "2016-03-06"]), (["", "I50"], ["2016-03-05", "2016-03-06"]),
     (["I251", "I50"], ["2016-03-05"]), (["I251"], ["5.3.2016"]), (["angina"], ["2016-03-05"])],
)  # fmt: skip
def test_lists_that_do_not_belong_together_are_no_diagnoses(codes, days):
    with pytest.raises(ValueError, match=r"without|no date|no ICD-10 code"):
        values.dated_codes(codes, days)
