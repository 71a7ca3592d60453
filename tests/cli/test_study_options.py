"""Options of ``cardionets study`` that are refused before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--tasks", ","], "',' has an empty part"),
        (["--tasks", ""], "'' has an empty part"),
        (["--tasks", "cm,,hf"], "'cm,,hf' has an empty part"),
        (["--tasks", "cm,cm"], "names one of its parts twice"),
        (["--variants", "ssl,"], "'ssl,' has an empty part"),
        (["--label-counts", "1"], "--label-counts '1': needed whole numbers or `all`"),
        (["--label-fractions", "nan"], "--label-fractions 'nan': needed shares"),
        (["--negatives", "inf"], "--negatives 'inf': needed numbers above 0"),
        (["--label-counts", "10,010"], "--label-counts '10,010' gives one value twice"),
        (["--label-fractions", "0.5,0.50"], "--label-fractions '0.5,0.50' gives one value twice"),
        (["--negatives", "1,1.0"], "--negatives '1,1.0' gives one value twice"),
        (["--variant", "ssl"], "--variant 'ssl': needed NAME=RUN"),
    ],
)
def test_a_list_that_is_none_is_one_line_and_makes_nothing(command, more, said):
    ended = command("study", "--out", "study", *more)
    assert ended.code == 2
    assert said in ended.err
    assert "\n" not in ended.err.strip()
    assert not Path("study").exists()
