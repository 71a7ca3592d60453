"""Who holds key and source gets the source's ids back; nothing is read, and nobody else does."""

from __future__ import annotations

import logging

import pytest
from made_up_source import MADE_UP, MadeUp

from cardionets_core.cohort.ids import key_path, make_key
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.cohort.revealing import reveal
from cardionets_core.cohort.writer import prepare
from cardionets_core.errors import CohortError


class Unread(MadeUp):
    def read(self, ref):
        raise AssertionError("nothing is to be read")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    out = tmp_path_factory.mktemp("revealed") / "c.h5"
    return prepare(MadeUp(records=6, broken=(3,)), out, seed=3, provenance=MADE_UP).path


def test_every_record_of_the_cohort_gets_its_names_back(path, caplog):
    with caplog.at_level(logging.DEBUG):
        found = list(reveal(Unread(records=20), key_path(path), path))
    assert [entry.record for entry in found] == [f"record-{i}" for i in range(6)]
    assert [entry.subject for entry in found] == [f"person-{i // 2}" for i in range(6)]
    assert not [record for record in caplog.records if "person" in record.getMessage()]
    with open_cohort(path) as cohort:
        named = {entry.record_id: entry for entry in found}
        for row in range(len(cohort)):
            entry = named.pop(cohort.record_ids[row])
            assert entry.subject_id == cohort.subject_ids[row]
            assert entry.reason == ""
            assert cohort.origins[row] == f"simulated/5/{entry.subject[-1]}"
    (left_out,) = named.values()
    assert left_out.record == "record-3"
    assert "no leads" in left_out.reason


def test_without_a_cohort_everything_listed_is_told(path, tmp_path):
    found = list(reveal(Unread(records=20), key_path(path), tmp_path / "none.h5"))
    assert len(found) == 20
    assert found[0].reason is None
    assert not list(tmp_path.iterdir())


def test_the_key_of_another_cohort_reveals_nothing(path, tmp_path):
    make_key(tmp_path / "other.key")
    with pytest.raises(CohortError, match="is not the key that"):
        reveal(Unread(), tmp_path / "other.key", path)
    for out in (path, tmp_path / "none.h5"):
        with pytest.raises(CohortError, match="no id key at"):
            reveal(Unread(), tmp_path / "missing.key", out)


def test_what_is_no_key_is_told(path, tmp_path):
    (tmp_path / "no.key").write_text("secret")
    with pytest.raises(CohortError, match="is not an id key"):
        reveal(Unread(), tmp_path / "no.key", path)
