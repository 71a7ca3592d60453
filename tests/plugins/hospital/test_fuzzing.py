"""Whatever stands in a table of labels: records with persons, or one clear line."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cardionets_core.errors import CardionetsError

HEADINGS = (
    "file", "patient_id", "label", "acquired_at", "split", "cmr_path", "sex", "age_years", "icd10",
    "24100",
)  # fmt: skip
FILES = ("r0.csv", "a/r1.csv", "a\\r1.csv", "../x", "/", "a/", ".", "..", "C:", "~", "x" * 5000)
WORDS = (
    "p1",
    "p2",
    "",
    "NaN",
    "1",
    "-1",
    "1e400",
    "train",
    "val",
    "f",
    "m",
    "I50",
    "I50;I42.0",
    "-",
)
DATES = ("2024-03-14", "20240314", "9999-99-99")
LETTERS = ("\0", "\u5973", "\u0661", "\ufeff", "\u2028", "\ud7ff")
CELLS = st.one_of(st.sampled_from([*FILES, *WORDS, *DATES, *LETTERS]), st.text(max_size=12))
SETTINGS = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def archive(made_up, source):
    for name in ("r0", "a/r1"):
        made_up.write_csv_ecg(source / f"{name}.csv")
    return source


def check_table(opened, path, content, **options):
    """Each record once, each person in one split; or an error of one line that quotes nothing."""
    path.write_bytes(content)
    refs, told = [], ""
    try:
        refs = list(opened(labels=path, **options).subjects())
    except CardionetsError as error:
        told = str(error)
    assert "\n" not in told
    keys = [ref.record_key for ref in refs]
    assert len(set(keys)) == len(keys)
    assert all(ref.subject_key for ref in refs)
    splits = {(ref.subject_key, ref.split) for ref in refs}
    assert len(splits) == len({ref.subject_key for ref in refs})


@settings(SETTINGS, max_examples=800)
@given(
    headings=st.permutations(HEADINGS),
    rows=st.lists(st.lists(CELLS, min_size=10, max_size=10), min_size=1, max_size=4),
    encoding_and_which=st.sampled_from([("utf-8", "all"), ("gb18030", "first"), ("utf-16", "all")]),
)
def test_any_cells_are_listed_or_refused(
    archive, opened, tmp_path, headings, rows, encoding_and_which
):
    encoding, which = encoding_and_which
    lines = [",".join(headings)]
    lines += [",".join(f'"{cell}"' for cell in row) for row in rows]
    content = "\n".join(lines).encode(encoding, errors="ignore")
    check_table(opened, tmp_path / "labels.csv", content, ecgs_per_person=which)


@settings(SETTINGS, max_examples=200)
@given(content=st.binary(max_size=200), begins_well=st.booleans())
def test_any_bytes_are_listed_or_refused(archive, opened, tmp_path, content, begins_well):
    start = b"file,patient_id,label\n" if begins_well else b""
    check_table(opened, tmp_path / "labels.csv", start + content)


@pytest.mark.parametrize("column", ["file", "cmr_path"])
@pytest.mark.parametrize("name", ["x" * 300, "a/" * 2000 + "x", "r0.csv/x", "a\tb"])
def test_names_that_no_file_can_have_are_rows_astray_or_told_at_reading(
    archive, made_up, opened, tmp_path, column, name
):
    # A table of which no row names an ECG is refused as a whole.
    rows = f"{name},p1,\nr0.csv,p2," if column == "file" else f"r0.csv,p1,{name}"
    content = f"file,patient_id,cmr_path\n{rows}\n".encode()
    check_table(opened, tmp_path / "labels.csv", content)
    dataset = opened(labels=tmp_path / "labels.csv", **made_up.TABLE_OPTIONS)
    named = [
        ref for ref in dataset.subjects() if (ref.record_key == "r0.csv") == (column != "file")
    ]
    for ref in named:
        with pytest.raises(CardionetsError):
            dataset.read(ref)
    assert len(named) == (column != "file")
