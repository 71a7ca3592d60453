"""Damaged tables are read as far as they make sense, or refused in one line."""

from __future__ import annotations

import numpy as np
import pytest

from cardionets_core.errors import ConfigError, SourceError
from cardionets_mimic.labels import FOLDS, read_labels
from cardionets_mimic.measurements import NOT_MEASURED, read_measurements
from cardionets_mimic.record_list import read_record_list

MARKS = (
    b",",
    b'"',
    b"'",
    b"[",
    b"]",
    b"\n",
    b"\r",
    b"\0",
    b"9",
    b".",
    b"-",
    b"\xff",
    b"\xe9",
    b" ",
)


def mutated(content, rng):
    content = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(len(content) + 1))
        length = int(rng.choice([0, 1, 3, 40]))
        content[at : at + length] = MARKS[rng.integers(len(MARKS))] * int(rng.integers(0, 3))
    return bytes(content)


def sound_label(label):
    assert label.study > 0
    assert label.subject is None or int(label.subject) > 0
    assert label.sex in ("female", "male", None)
    assert label.age_years is None or 0 <= label.age_years <= 120
    assert label.fold is None or label.fold in range(FOLDS)
    assert label.codes is None or all(code[0].isalpha() for code in label.codes.split())
    assert label.problem is None or label.codes is None


def sound_record(record):
    assert record.record
    assert record.problem or (record.study > 0 and int(record.subject) > 0 and record.path)


def sound_measurement(measurement):
    assert measurement.study > 0
    assert not NOT_MEASURED & set(measurement.attributes.values())


def test_a_record_list_that_lists_nothing_is_told(tmp_path):
    (tmp_path / "record_list.csv").write_text("subject_id,study_id,path\n")
    with pytest.raises(SourceError, match="no record is listed; is it cut off"):
        list(read_record_list(tmp_path))


READERS = {
    "labels": (
        lambda tree, labels: labels,
        lambda path: read_labels(path, "all_diag_all", folds_needed=True),
        sound_label,
    ),
    "record_list": (
        lambda tree, labels: tree.root / "record_list.csv",
        lambda path: read_record_list(path.parent),
        sound_record,
    ),
    "machine_measurements": (
        lambda tree, labels: tree.root / "machine_measurements.csv",
        read_measurements,
        sound_measurement,
    ),
}


@pytest.mark.parametrize("table", READERS)
def test_a_thousand_mutations_of_a_table_give_sound_rows_or_are_refused(tree, table):
    for number in range(3):
        label = {"all_diag_all": "['I2510', 'E785']"}
        tree.add_rows(10000032 + number, 40689238 + number, label=label)
    find, read, is_sound = READERS[table]
    path = find(tree, tree.write())
    original = path.read_bytes()
    rng = np.random.default_rng(0)
    rows = 0
    for _ in range(1000):
        path.write_bytes(mutated(original, rng))
        try:
            for row in read(path):
                is_sound(row)
                rows += 1
        except (SourceError, ConfigError) as refused:
            assert "\n" not in str(refused)  # noqa: PT017 - every refusal is looked at
    # Most damage is to one row, and the others are still read.
    assert rows > 1000
