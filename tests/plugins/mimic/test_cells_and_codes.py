from __future__ import annotations

import time
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardionets_core.errors import SourceError
from cardionets_mimic.cells import flag_or_none, id_or_none, number_or_none, time_or_none
from cardionets_mimic.codes import LONGEST_LIST, read_code_list


@pytest.mark.parametrize(
    ("cell", "codes", "unreadable"),
    [
        ("['I2510', 'E785']", ("I2510", "E785"), 0),
        ("[' I2510 ', 'i25.10', 'I2510XX']", ("I2510",), 0),
        ("['W19XXXA', 'Z77XX']", ("W19XXXA", "Z77"), 0),
        ("['I10', 'NoDx', 4280, '4280', '']", ("I10",), 4),
        ("['NoDx']", None, 1),
        ("[]", None, 0),
        ("[ ]", None, 0),
        ("", None, 0),
    ],
)
def test_codes_come_without_dots_spaces_and_padding(cell, codes, unreadable):
    assert read_code_list(cell) == (codes, unreadable)


@pytest.mark.parametrize(
    "cell",
    [
        "__import__('os').system('true')",
        "[__import__('os')]",
        "['I10'",
        "['I10'] * 10**9",
        "('I10',)",
        "{'I10'}",
        "'I10'",
        "nan",
        "[nan]",
        r"['\d']",
        "[" * 4000,
        "[" * 90 + "]" * 90 + "\0",
        "['I10', " + "'I10', " * LONGEST_LIST + "]",
    ],
)
def test_what_is_no_list_of_codes_is_refused_and_not_run(cell):
    with patch("os.system", side_effect=AssertionError("it was run")):
        started = time.perf_counter()
        with pytest.raises(SourceError) as refused:
            read_code_list(cell)
    assert time.perf_counter() - started < 1
    assert len(str(refused.value)) < 200
    assert "\n" not in str(refused.value)


@settings(max_examples=1000, deadline=None)
@given(st.text(alphabet="[]'\",\\I2510X .(){}:*-+\n\0aé", max_size=60))
def test_any_text_is_a_list_of_codes_or_refused(cell):
    try:
        codes, unreadable = read_code_list(cell)
    except SourceError:
        return
    assert unreadable >= 0
    assert codes is None or all(code[0] == "I" and code[1:2].isdigit() for code in codes)


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("40689238", 40689238), (" 40689238 ", 40689238), ("40689238.0", 40689238),
        ("0", None), ("", None), ("-3", None), ("4e7", None), ("s40689238", None), ("1.5", None),
    ],
)  # fmt: skip
def test_ids_are_whole_numbers(cell, found):
    assert id_or_none(cell) == found


def test_numbers_times_and_flags_are_none_where_there_is_none():
    assert [number_or_none(c) for c in ("5", "-1.5", "", "nan", "inf", "x")] == [
        5.0, -1.5, None, None, None, None,
    ]  # fmt: skip
    assert time_or_none("2180-07-23T08:44:00") == "2180-07-23 08:44:00"
    assert time_or_none("23.07.2180") is None
    assert [flag_or_none(c) for c in ("True", "FALSE", "", "2")] == [1.0, 0.0, None, None]
