"""Small counts in a report: hidden, and not to be worked out from what is shown."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, milp

from cardionets_core.cohort.reporting.disclosure import Ledger, Share


def texts(*numbers):
    return [str(number) for number in numbers]


def test_counts_of_simulated_people_are_shown_as_they_are():
    ledger = Ledger(hide=False)
    numbers = [ledger.number(n) for n in (0, 1, 9, 10, 12345)]
    ledger.settle()
    assert texts(*numbers) == ["0", "1", "9", "10", "12,345"]
    assert [n.plain() for n in numbers] == [0, 1, 9, 10, 12345]


def test_counts_of_1_to_9_people_are_hidden_and_nothing_else_where_nothing_adds_up():
    ledger = Ledger(hide=True)
    numbers = [ledger.number(n) for n in (0, 1, 9, 10, 12345)]
    ledger.settle()
    assert texts(*numbers) == ["0", "<10", "<10", "10", "12,345"]
    assert numbers[1].plain() == {"at_least": 1, "at_most": 9}


def test_many_records_of_few_people_are_hidden_too():
    ledger = Ledger(hide=True)
    count = ledger.count(200, 3)
    ledger.settle()
    assert texts(count.records, count.persons) == ["hidden", "<10"]
    assert count.records.plain() == {"at_least": 10, "at_most": None}


def test_a_total_does_not_give_a_hidden_count_away():
    ledger = Ledger(hide=True)
    total, small, middle, large = (ledger.number(n) for n in (1003, 3, 200, 800))
    ledger.adds_up(total, (small, middle, large))
    ledger.settle()
    assert texts(total, small, middle, large) == ["1,003", "<10", "200", "794 to 802"]


def test_what_gives_way_can_be_named():
    ledger = Ledger(hide=True)
    before, out, after = (ledger.number(n) for n in (1003, 3, 1000))
    ledger.adds_up(before, (after, out), first=before)
    ledger.settle()
    assert texts(before, out, after) == ["1,001 to 1,009", "<10", "1,000"]


def test_a_chain_of_steps_gives_way_towards_the_source_only():
    ledger = Ledger(hide=True)
    boxes = [ledger.number(n) for n in (500, 400, 398, 390)]
    outs = [ledger.number(n) for n in (100, 2, 8)]
    for before, after, out in zip(boxes, boxes[1:], outs, strict=False):
        ledger.adds_up(before, (after, out), first=before)
    ledger.settle()
    assert texts(*boxes) == ["492 to 508", "392 to 408", "391 to 399", "390"]


def test_two_small_counts_whose_sum_tells_both_get_a_partner():
    ledger = Ledger(hide=True)
    total, one, two, large = (ledger.number(n) for n in (102, 1, 1, 100))
    ledger.adds_up(total, (one, two, large))
    ledger.settle()
    assert large.hidden
    assert (one.low, one.high) == (two.low, two.high) == (1, 9)


def test_a_partner_just_above_the_limit_does_not_help_to_guess():
    # 11 in all, one of them hidden because it is few and one because of that: it could only be 1.
    ledger = Ledger(hide=True)
    total, small, partner = (ledger.number(n) for n in (11, 1, 10))
    ledger.adds_up(total, (small, partner))
    ledger.settle()
    assert total.hidden
    assert (small.low, small.high) == (1, 9)


def test_persons_who_are_in_several_groups_do_not_add_up_and_need_no_partner():
    ledger = Ledger(hide=True)
    total, small, large = (ledger.number(n) for n in (100, 3, 99))
    ledger.adds_up(total, (small, large))
    ledger.settle()
    assert texts(total, small, large) == ["100", "<10", "99"]


def test_a_count_hidden_in_records_is_hidden_in_persons():
    ledger = Ledger(hide=True)
    total, small, large = ledger.count(100, 90), ledger.count(4, 4), ledger.count(96, 87)
    ledger.counts_add_up(total, (small, large))
    ledger.settle()
    assert large.records.hidden
    assert large.persons.hidden


def test_a_small_cohort_keeps_its_total():
    # Each of the small groups is again one of three that have somebody: whatever is hidden, a
    # reader knows that they are 3 or more, and hiding the total as well would help nobody.
    ledger = Ledger(hide=True)
    total, large, *small = (ledger.number(n) for n in (30, 18, 6, 6))
    ledger.adds_up(total, (large, *small))
    for group in small:
        ledger.adds_up(group, [ledger.number(2) for _ in range(3)])
    ledger.settle()
    assert texts(total, large, *small) == ["30", "18", "<10", "<10"]


def test_the_rest_of_a_part_is_protected_too():
    ledger = Ledger(hide=True)
    total, part = ledger.number(1000), ledger.number(996)
    ledger.within(total, part)
    ledger.settle()
    assert texts(total, part) == ["1,000", "991 to 999"]


def test_a_share_is_shown_only_with_both_of_its_counts():
    ledger = Ledger(hide=True)
    total, small, large = (ledger.number(n) for n in (1003, 3, 1000))
    ledger.adds_up(total, (small, large))
    other = ledger.number(500)
    ledger.settle()
    assert str(Share(small, total)) == str(Share(large, total)) == ""
    assert Share(small, total).plain() is None
    assert str(Share(other, total)) == "49.9 %"


@pytest.mark.parametrize("seed", range(60))
def test_no_small_count_of_a_table_follows_from_its_totals(seed):
    """Against all that integer programming can work out of rows, columns and totals."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(2, 6, 2)
    cells = rng.choice([0, 1, 2, 5, 9, 10, 11, 14, 30, 400], (rows, columns))
    ledger = Ledger(hide=True)
    inner = [[ledger.number(int(v)) for v in row] for row in cells]
    by_row = [ledger.number(int(v)) for v in cells.sum(axis=1)]
    by_column = [ledger.number(int(v)) for v in cells.sum(axis=0)]
    total = ledger.number(int(cells.sum()))
    sums = [
        *zip(by_row, inner, strict=True),
        *zip(by_column, map(list, zip(*inner, strict=True)), strict=True),
        (total, by_row),
        (total, by_column),
    ]
    for told, parts in sums:
        ledger.adds_up(told, parts)
    ledger.settle()
    numbers = [*(n for row in inner for n in row), *by_row, *by_column, total]
    for place, number in enumerate(numbers):
        if number.few:
            assert number.hidden
            low, high = worked_out(numbers, sums, place)
            assert (low, high) != (number.value, number.value), f"row {place}: {number.value}"
        elif not number.hidden:
            assert str(number) == f"{number.value:,}"
        else:
            assert number.low <= number.value <= number.high


def worked_out(numbers, sums, place):
    """Least and most that a number can be, for whoever sees what is shown and knows the rule."""
    where = {id(number): at for at, number in enumerate(numbers)}
    matrix = np.zeros((len(sums), len(numbers)))
    for row, (told, parts) in enumerate(sums):
        matrix[row, where[id(told)]] = -1
        for part in parts:
            matrix[row, where[id(part)]] += 1
    lows = [n.value if not n.hidden else 1 if n.few else 10 for n in numbers]
    highs = [n.value if not n.hidden else 9 if n.few else math.inf for n in numbers]
    found = []
    for sign in (1, -1):
        cost = np.zeros(len(numbers))
        cost[place] = sign
        solved = milp(
            cost,
            constraints=LinearConstraint(matrix, 0, 0),
            bounds=(lows, highs),
            integrality=np.ones(len(numbers)),
        )
        assert solved.success
        found.append(round(solved.x[place]))
    return tuple(found)
