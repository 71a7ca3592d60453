"""Which of the listed records are wanted, step by step, as the flow diagram tells it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from cardionets_core.interfaces import SelectionStep
from cardionets_mimic.config import MimicConfig
from cardionets_mimic.index import Index

# Rows that have no time come last, and those of one time go by their place in the list.
_ORDERS = {
    "first": "time IS NULL, time, row",
    "last": "time IS NULL, time DESC, row DESC",
    "random": "drawn(record), row",
}
_ONE_EACH = """
SELECT row FROM (
    SELECT row, row_number() OVER (PARTITION BY subject ORDER BY {order}) AS place
    FROM record WHERE row IN (SELECT row FROM listed)
) WHERE place = 1
"""


class _Wanted(NamedTuple):
    """One step: what is left after it, why the others go, and the rows that stay."""

    label: str
    reason: str
    rows: str


def choose(index: Index, config: MimicConfig) -> tuple[SelectionStep, ...]:
    """Take from the listing what the options leave out.

    Args:
        index: Where every record is listed; changed.
        config: The options.

    Returns:
        What was counted before the first step and after each.
    """
    records, subjects = index.counts()
    steps = [SelectionStep("ECGs in the record list", records, subjects)]
    index.database.create_function(
        "drawn", 1, lambda record: _uniform(config.seed, record), deterministic=True
    )
    for wanted in _wanted(config):
        # Into a table of its own first: the rows that stay may depend on all of them.
        index.database.executescript(
            f"CREATE TABLE kept AS {wanted.rows}; DROP TABLE listed; "
            "ALTER TABLE kept RENAME TO listed;"
        )
        left, subjects = index.counts()
        steps.append(SelectionStep(wanted.label, left, subjects, {wanted.reason: records - left}))
        records = left
    return tuple(steps)


def _wanted(config: MimicConfig) -> Iterator[_Wanted]:
    if config.linked_only:
        yield _Wanted(
            "ECGs with a row in the labels",
            "not in the labels",
            "SELECT row FROM listed JOIN record USING (row) JOIN label USING (study)",
        )
        yield _Wanted(
            "ECGs linked to a stay with diagnoses",
            f"no code in {config.diagnoses}",
            "SELECT row FROM listed JOIN record USING (row) JOIN label USING (study) "
            # A list that cannot be read is told by the quarantine, not passed over here.
            "WHERE label.codes IS NOT NULL OR label.problem IS NOT NULL",
        )
    if config.splits == "strat-fold":
        yield _Wanted(
            "ECGs of people with a published fold",
            "no strat_fold",
            "SELECT row FROM listed JOIN record USING (row) JOIN fold USING (subject)",
        )
    if config.records_per_subject != "all":
        yield _Wanted(
            f"One ECG per person ({config.records_per_subject})",
            "further ECGs of the same person",
            _ONE_EACH.format(order=_ORDERS[config.records_per_subject]),
        )


def _uniform(seed: int, record: str) -> bytes:
    """What a record is drawn by: depends on nothing else, so that no other record changes it."""
    return hashlib.sha256(f"{seed}|{record}".encode()).digest()
