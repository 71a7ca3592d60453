"""What the first line of a report says."""

from __future__ import annotations

import pytest

from cardionets_core.generate.evaluating.findings import first_line, standing_lines
from cardionets_core.generate.evaluating.phenotypes import MEAN_OF_DRAWS, ONE_DRAW


def r2_row(method, source, estimate):
    return {"method": method, "from": source, "structure": "all", "estimate": estimate}


def difference(metric, other, low, high):
    middle = (low + high) / 2
    return {
        "metric": metric,
        "a": "mar",
        "b": other,
        "difference": middle,
        "low": low,
        "high": high,
    }


R2 = [
    r2_row(method, source, value)
    for method, values in {"mar": (0.1, 0.2), "shuffled": (-0.4, -0.1)}.items()
    for source, value in zip((ONE_DRAW, MEAN_OF_DRAWS), values, strict=True)
]


@pytest.mark.parametrize(
    ("mean_low", "one_low", "verdict"),
    [
        (0.1, 0.1, "mar beats the shuffled control on phenotype R2: mean of draws 0.200 against"),
        (0.1, -0.1, "mar beats the shuffled control on phenotype R2 with the mean of draws only"),
        (-0.1, 0.1, "mar beats the shuffled control on phenotype R2 with the one draw only"),
        (-0.1, -0.1, "mar does NOT beat the shuffled control on phenotype R2"),
    ],
)
def test_the_generator_beats_the_control_only_where_the_whole_interval_does(
    mean_low, one_low, verdict
):
    differences = [
        difference(f"r2, {MEAN_OF_DRAWS}", "shuffled", mean_low, 0.6),
        difference(f"r2, {ONE_DRAW}", "shuffled", one_low, 0.6),
    ]
    assert first_line("mar", R2, differences).startswith(verdict)


def test_a_generator_without_draws_is_judged_by_its_one_cine():
    r2 = [r2_row("cross-ae", ONE_DRAW, 0.2), r2_row("shuffled", ONE_DRAW, 0)]
    line = first_line("cross-ae", r2, [difference(f"r2, {ONE_DRAW}", "shuffled", -0.2, -0.1)])
    assert line.startswith("cross-ae does NOT beat")
    assert "one draw 0.200 against 0.000" in line


def test_each_rival_gets_a_line_that_says_better_worse_or_not_told_apart():
    differences = [
        difference(f"r2, {MEAN_OF_DRAWS}", "mean-cine", 0.1, 0.2),
        difference(f"r2, {ONE_DRAW}", "mean-cine", -0.2, -0.1),
        difference("ssim", "mean-cine", -0.1, 0.1),
    ]
    (line,) = standing_lines("mar", ["mean-cine"], R2, differences)
    assert line == (
        "mar against mean-cine: better on phenotype R2 (mean of draws) (+0.150, +0.100 to +0.200); "
        "worse on phenotype R2 (one draw) (-0.150, -0.200 to -0.100); "
        "not told apart on SSIM (+0.000, -0.100 to +0.100)."
    )
