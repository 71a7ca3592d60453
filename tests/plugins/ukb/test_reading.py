from __future__ import annotations

import logging

import numpy as np
import pytest

from cardionets_core.cmr.cine import Cine
from cardionets_core.cmr.geometry import canonical_cine
from cardionets_core.cmr.geometry_config import CineGeometryOptions
from cardionets_core.errors import CineError, EcgError, SourceError
from cardionets_ukb.ecg_facts import read_ecg_facts

GOOD = {"ecg": "1_20205_2_0.xml", "cine": "1_20208_2_0.zip"}


@pytest.fixture
def counts(microvolts):
    return np.rint(microvolts[0] / 5).astype(int)


@pytest.fixture
def files(made, counts):
    """Contents of the two files of a visit."""
    return {
        "ecg": made.ecg_xml(counts),
        "cine": made.zip_of(made.series(made.cine(3, 9))),
    }


@pytest.fixture
def read(put, dataset_of):
    """Write the files given, and read the one visit."""

    def of(contents, **options):
        for kind, content in contents.items():
            put(GOOD[kind], content)
        dataset = dataset_of(**options)
        (ref,) = dataset.subjects()
        return dataset.read(ref)

    return of


def test_the_rhythm_strip_is_read_in_mv_and_by_the_names_of_leads(read, files, counts):
    ecg = read({"ecg": files["ecg"]}).ecg
    np.testing.assert_array_equal(ecg.signal_mv, (counts * 5 / 1000).astype(np.float32))
    assert ecg.sampling_rate_hz == 500
    assert ecg.leads[3:6] == ("aVR", "aVL", "aVF")


@pytest.mark.parametrize(
    "options", [{"spacing_mm": 1.5}, {"crop": "temporal-variance"}, {"intensity": "percentile"}]
)
def test_how_cines_are_cut_out_is_an_option_of_the_dataset(read, files, made, options):
    subject = read(files, **options)
    source = Cine(made.cine(3, 9).astype(np.float32), (made.SPACING_MM, made.SPACING_MM))
    expected = canonical_cine(source, CineGeometryOptions(**options))
    np.testing.assert_array_equal(subject.cine, expected.frames)
    assert expected.geometry.attributes().items() <= dict(subject.attributes).items()


@pytest.mark.parametrize(
    ("broken", "error"), [("ecg", EcgError), ("cine", SourceError)], ids=["ecg", "cine"]
)
def test_what_is_required_has_to_be_readable(read, files, broken, error):
    files[broken] = files[broken][:2000]
    other = {"ecg": "cine", "cine": "ecg"}[broken]
    for require in (broken, "both"):
        with pytest.raises(error):
            read(files, require=require)
    for require in (other, "any"):
        subject = read(files, require=require)
        assert getattr(subject, broken) is None
        assert getattr(subject, other) is not None
        assert subject.attributes[f"{broken}_left_out"].startswith(error.__name__)


def test_a_visit_of_which_nothing_can_be_read_is_refused(read, files):
    with pytest.raises(SourceError, match=r"neither can be read: EcgError.*; SourceError"):
        read({kind: content[:2000] for kind, content in files.items()})


def test_a_visit_of_one_broken_file_is_refused_with_its_own_error(put, dataset_of, made):
    put(GOOD["cine"], made.zip_of(made.series(made.cine(3, 9), "CINE_segmented_LAX_2Ch")))
    dataset = dataset_of()
    (ref,) = dataset.subjects()
    with pytest.raises(CineError, match="none of the DICOM images is of the wanted series"):
        dataset.read(ref)


def test_a_file_that_became_a_link_out_of_the_source_is_refused(put, dataset_of, files, tmp_path):
    path = put(GOOD["ecg"], files["ecg"])
    dataset = dataset_of()
    (ref,) = dataset.subjects()
    outside = tmp_path / "outside.xml"
    path.rename(outside)
    path.symlink_to(outside)
    with pytest.raises(SourceError, match="a link that leads out of the source"):
        dataset.read(ref)


def test_messages_hold_neither_ids_nor_names_nor_paths(put, dataset_of, made, tmp_path, caplog):
    contents = {
        "7654321_20205_2_0.xml": b"<CardiologyXML><a>" + made.FAMILY.encode("latin-1") + b"</b>",
        "7654322_20205_2_0.xml": b"<CardiologyXML/>",
        "7654323_20208_2_0.zip": made.zip_of(made.series(made.cine(3, 9), made.FAMILY)),
        "7654324_20208_2_0.zip": made.zip_of(made.series(made.cine(3, 12)[:7])),
    }
    for name, content in contents.items():
        put(name, content)
    dataset = dataset_of()
    with caplog.at_level(logging.DEBUG):
        for ref in list(dataset.subjects()):
            with pytest.raises((CineError, EcgError)) as raised:
                dataset.read(ref)
            for secret in ("76543", made.FAMILY, str(tmp_path), *made.dicom.PLANTED):
                assert secret not in str(raised.value)
                assert secret not in caplog.text


def test_statements_of_bad_quality_are_a_flag_and_no_text_is_kept(put, made, counts):
    statements = ("Sinus rhythm", "***  Poor data   quality, interpretation may be affected")
    content = made.ecg_xml(counts, statements=statements, pacemaker="yes",
                           measurements={"QTInterval": "402", "PAxis": "-12", "RRInterval": "x",
                                         "PDuration": " 106 "})  # fmt: skip
    facts = read_ecg_facts(put("a.xml", content))
    assert (facts.sex, facts.age_years) == ("female", 64)
    assert dict(facts.attributes) == {
        "ecg_poor_data_quality": 1.0,
        "ecg_pacemaker": "yes",
        "ecg_qt_interval_ms": 402.0,
        "ecg_p_axis_degrees": -12.0,
        "ecg_p_duration_ms": 106.0,
    }


@pytest.mark.parametrize(
    ("found", "instead", "gone"),
    [(b'<QTInterval units="ms">402', b'<QTInterval units="s">402', "ecg_qt_interval_ms"),
     (b"<PaceMaker>no", b"<PaceMaker>" + b"Dr Who", "ecg_pacemaker"),
     (b"402", b"4022222222222", "ecg_qt_interval_ms")],
)  # fmt: skip
def test_facts_that_are_not_understood_are_left_out(put, made, counts, found, instead, gone):
    content = made.ecg_xml(counts, measurements={"QTInterval": "402"})
    assert gone in read_ecg_facts(put("a.xml", content)).attributes
    assert found in content
    assert gone not in read_ecg_facts(put("a.xml", content.replace(found, instead))).attributes


@pytest.mark.parametrize(
    "content",
    [b"", b"<a>", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b'<?xml encoding="?"?><a/>'],
)
def test_documents_that_are_not_understood_have_no_facts(put, content):
    facts = read_ecg_facts(put("a.xml", content))
    assert (facts.sex, facts.age_years, dict(facts.attributes)) == (None, None, {})


def test_the_tables_word_goes_before_the_machines(put, made, dataset_of, counts, tmp_path):
    put(GOOD["ecg"], made.ecg_xml(counts))
    for row, sex, age_years in ((made.Participant(1, 71), "male", 71),
                                (made.Participant(None, None), "female", 64)):  # fmt: skip
        table = made.write_platform(tmp_path / "t.csv", {1: row}, as_json=False)
        dataset = dataset_of(table=table)
        (ref,) = dataset.subjects()
        subject = dataset.read(ref)
        assert (subject.sex, subject.age_years) == (sex, age_years)


def test_the_repeat_visit_has_its_own_columns(put, made, dataset_of, counts, tmp_path):
    put("1_20205_3_0.xml", made.ecg_xml(counts, when=(2019, 5, 1, 8, 0, 0)))
    row = made.Participant(0, 70, "2019-05-01", {24103: 55.5}, [("I50", "2018-05-01")])
    dataset = dataset_of(table=made.write_tab(tmp_path / "t.tab", {1: row}, instance=3), instance=3)
    (ref,) = dataset.subjects()
    subject = dataset.read(ref)
    assert (subject.age_years, dict(subject.phenotypes)) == (70, {24103: 55.5})
    assert [(each.icd10, each.days_from_visit) for each in subject.diagnoses] == [("I50", -365)]
    assert subject.attributes["ecg_days_from_visit"] == 0
