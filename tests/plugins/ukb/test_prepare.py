"""From a tree with every known trap to a cohort, through the public API."""

from __future__ import annotations

import importlib.util
import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import RLELossless

import cardionets_core as cn
from cardionets_core.cohort import ids
from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.registry import default_registry

COMPLETE, ECG_ONLY, CINE_ONLY, MIXED, GAP = 1000001, 1000002, 1000003, 1000004, 1000005
BROKEN_XML, ONLY_BROKEN_XML, TRAVERSAL, BOMB = 1000006, 1000007, 1000008, 1000009
LINKED_OUT, WITHDRAWN, REPEAT_VISIT, NO_ROW, NO_DATE, FINE = range(1000010, 1000016)
LISTED = (COMPLETE, ECG_ONLY, CINE_ONLY, MIXED, GAP, BROKEN_XML, BOMB, NO_ROW, NO_DATE, FINE)
QUARANTINED = (ONLY_BROKEN_XML, TRAVERSAL)


def signal_of(microvolts, participant):
    return microvolts[participant % 1000]


def on_grid(signal):
    """Counts of 5 uV."""
    return np.rint(signal / 5).astype(int)


def traversal():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("../../etc/cron.d/evil.dcm", b"x")
    return content.getvalue()


def bomb():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for number in range(40):
            archive.writestr(f"{number}.dcm", b"\0" * (17 << 20) if number == 0 else b"")
    return content.getvalue()


def shuffled_numbers(dataset, frame):
    dataset.InstanceNumber = (frame * 7) % 50 + 1


@pytest.fixture(scope="module")
def cines(made):
    return {each: made.cine(each) for each in (COMPLETE, CINE_ONLY, MIXED, GAP, BROKEN_XML)}


@pytest.fixture(scope="module")
def tree(made, microvolts, cines, tmp_path_factory):
    """The source, with one trap or several in each participant's files."""
    folder = tmp_path_factory.mktemp("ukb")
    source = folder / "source"

    def put(name, content):
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def ecg(participant, **options):
        return made.ecg_xml(on_grid(signal_of(microvolts, participant)), **options)

    leads = ("v6", "v5", "V4", "V3", "V2", "v1", "AVF", "avl", "avr", "iii", "ii", "i")
    put(f"a/{COMPLETE}_20205_2_0.xml",
        made.ecg_xml(on_grid(signal_of(microvolts, COMPLETE))[::-1], leads=leads,
                     measurements={"VentricularRate": "61", "QRSDuration": "92"}))  # fmt: skip
    put(f"b/{COMPLETE}_20208_2_0.zip",
        made.zip_of([*made.series(cines[COMPLETE]), *made.decoys()]))  # fmt: skip
    put(f"b/deep/er/{ECG_ONLY}_20205_2_0.xml", ecg(ECG_ONLY, statements=("Poor data quality",)))
    put(f"{CINE_ONLY}_20208_2_0.zip",
        made.zip_of([*made.series(cines[CINE_ONLY], series=9), *made.series(made.cine(5), series=8),
                     *made.decoys()], manifest_name="manifest.cvs"))  # fmt: skip
    views = [made.cine(901), cines[MIXED], made.cine(902)]
    files = [made.series(view, "CINE_segmented_LAX", series=3, change=numbered(start * 50))
             for start, view in enumerate(views)]  # fmt: skip
    contents = [content for view in files for content in view]
    names = [f"img-{number:04d}.dcm" for number in range(len(contents))]
    put(f"{MIXED}_20208_2_0.zip", made.zip_of(contents[::-1], names=names[::-1]))
    gap = made.series(cines[GAP], syntax=RLELossless, change=shuffled_numbers)
    put(f"{GAP}_20208_2_0.zip", made.zip_of(gap[:20] + gap[21:]))
    put(f"{GAP}_20205_2_0.xml", ecg(GAP))
    put(f"{BROKEN_XML}_20205_2_0.xml", ecg(BROKEN_XML)[:30_000])
    put(f"{BROKEN_XML}_20208_2_0.zip", made.zip_of(made.series(cines[BROKEN_XML])))
    put(f"{ONLY_BROKEN_XML}_20205_2_0.xml", b"<CardiologyXML><Name>" + made.FAMILY.encode() + b"<")
    put(f"{TRAVERSAL}_20208_2_0.zip", traversal())
    put(f"{BOMB}_20208_2_0.zip", bomb())
    for participant in (BOMB, WITHDRAWN, NO_ROW, NO_DATE):
        put(f"{participant}_20205_2_0.xml", ecg(participant))
    put(f"{REPEAT_VISIT}_20205_3_0.xml", ecg(REPEAT_VISIT))
    put(f"{FINE}_20205_2_0.xml", made.ecg_xml(signal_of(microvolts, FINE), resolution=1))
    put("notes.txt", b"")
    put(f"{FINE}_20209_2_0.zip", b"another field")
    outside = folder / "outside.xml"
    outside.write_bytes(ecg(LINKED_OUT))
    (source / f"{LINKED_OUT}_20205_2_0.xml").symlink_to(outside)
    return folder


def numbered(start):
    """One series: objects of all its views have numbers and UIDs of their own."""

    def change(dataset, frame):
        dataset.SOPInstanceUID = f"1.2.3.{start + frame}"
        dataset.InstanceNumber = start + frame + 1
        dataset.ImagePositionPatient = [start, -60.0, 30.0]

    return change


@pytest.fixture(scope="module")
def people(made):
    """Rows of the table, some of them of participants without files."""
    rows = {each: made.Participant(phenotypes=made.all_phenotypes(each)) for each in
            (*LISTED, *QUARANTINED, WITHDRAWN, REPEAT_VISIT, 4444444)}  # fmt: skip
    del rows[NO_ROW]
    rows[COMPLETE] = made.Participant(
        sex=1,
        age=71,
        visit="2016-03-05",
        phenotypes={24100: 151.25, 24157: -22.125, 24181: -18.5},
        diagnoses=[("I251", "2016-03-04"), ("i50.0", "2016-03-05"), ("E119", "2016-03-15"),
                   ("I420", ""), ("J45", "1900-01-01"), ("Z511", "2001-02-28")],
    )  # fmt: skip
    rows[NO_DATE].visit, rows[NO_DATE].diagnoses = "", [("I259", "2010-01-01")]
    rows[ECG_ONLY].sex = rows[ECG_ONLY].age = None
    return rows


@pytest.fixture(scope="module")
def prepared(tree, people, made):
    """Prepare the tree with a table written in one of the ways, all under one key."""

    def run(style, **options):
        out = tree / "out" / f"{style}.h5"
        out.parent.mkdir(exist_ok=True)
        if not out.exists():
            write = {"showcase": made.write_showcase, "tab": made.write_tab,
                     "platform": made.write_platform}[style]  # fmt: skip
            table = write(tree / f"{style}.csv", people)
            withdrawn = tree / "w12345_20240101.csv"
            withdrawn.write_text(f"{WITHDRAWN}\n-1\n\n5555555\n")
            key = out.with_name("showcase.h5.key")
            if key.exists():
                shutil.copy(key, ids.key_path(out))
            component = default_registry().find("dataset", "ukb")
            given = {"source": tree / "source", "table": table, "withdrawn": withdrawn, **options}
            prepare_dataset(PrepareRequest(component, out, options=given, workers=1))
        return out

    return run


@pytest.fixture
def subjects(prepared):
    """What was stored, by participant."""
    out = prepared("showcase")
    key = ids.read_key(ids.key_path(out))
    who = {ids.subject_id(key, str(each)): each for each in range(1000000, 1000020)}
    with cn.open_cohort(out) as cohort:
        stored = [cohort[row] for row in range(len(cohort))]
    return {who[subject.subject_id]: subject for subject in stored}


def test_who_can_be_read_is_stored_and_nobody_else(subjects):
    assert sorted(subjects) == sorted(LISTED)


def test_what_cannot_be_read_is_quarantined_with_its_reason(prepared):
    with cn.open_cohort(prepared("showcase")) as cohort:
        reasons = sorted(entry.reason for entry in cohort.quarantine)
    assert len(reasons) == len(QUARANTINED)
    assert "not well-formed XML" in reasons[0]
    assert "names that lead out of it" in reasons[1]


def test_every_signal_equals_the_original(subjects, microvolts):
    whole = {FINE: 1}
    with_ecg = [each for each in LISTED if each not in (CINE_ONLY, MIXED, BROKEN_XML)]
    for participant in with_ecg:
        step = whole.get(participant, 5)
        original = np.rint(signal_of(microvolts, participant) / step) * step
        stored = subjects[participant].ecg
        np.testing.assert_array_equal(stored.signal_mv, (original / 1000).astype(np.float32))
        np.testing.assert_allclose(stored.lsb_mv, step / 1000)
    for participant in set(LISTED) - set(with_ecg):
        assert subjects[participant].ecg is None


def test_every_cine_equals_the_original(subjects, cines):
    for participant in (COMPLETE, CINE_ONLY, MIXED, BROKEN_XML):
        np.testing.assert_array_equal(subjects[participant].cine, cines[participant])
    for participant in set(LISTED) - set(cines):
        assert subjects[participant].cine is None


def test_a_missing_frame_is_its_predecessor_once_more(subjects, cines):
    expected = cines[GAP].copy()
    expected[20] = expected[19]
    np.testing.assert_array_equal(subjects[GAP].cine, expected)
    assert subjects[GAP].attributes["cine_missing_frames"] == 1


def test_how_a_cine_came_about_is_stored(subjects):
    stored = subjects[COMPLETE].attributes
    assert (stored["cine_crop"], stored["cine_spacing_mm"]) == ("centre", 2.2)
    assert stored["cine_series"] == "4-chamber"
    assert subjects[MIXED].attributes["cine_series"] == "third of a mixed series"


def test_of_two_recordings_the_readable_one_is_kept_with_the_reason_for_the_other(subjects):
    assert "not well-formed XML" in subjects[BROKEN_XML].attributes["ecg_left_out"]
    assert "larger than" in subjects[BOMB].attributes["cine_left_out"]


def test_diagnoses_are_dated_from_the_visit_and_undated_ones_are_left_out(subjects):
    found = [(each.icd10, each.days_from_visit) for each in subjects[COMPLETE].diagnoses]
    assert found == [("I251", -1), ("I500", 0), ("E119", 10), ("Z511", -5484)]
    assert subjects[COMPLETE].diagnoses_known


def test_nobody_without_a_row_or_a_date_of_the_visit_is_a_control(subjects):
    unknown = {each for each in LISTED if not subjects[each].diagnoses_known}
    assert unknown == {NO_ROW, NO_DATE}
    assert subjects[NO_DATE].diagnoses == ()
    assert subjects[FINE].diagnoses == ()


def test_sex_age_and_phenotypes_are_those_of_the_visit(subjects, people):
    complete = subjects[COMPLETE]
    assert (complete.sex, complete.age_years) == ("male", 71)
    assert dict(complete.phenotypes) == {24100: 151.25, 24157: -22.125, 24181: -18.5}
    np.testing.assert_allclose(
        list(subjects[FINE].phenotypes.values()), list(people[FINE].phenotypes.values()), rtol=1e-6
    )
    # What the table leaves open is taken from the ECG.
    assert (subjects[ECG_ONLY].sex, subjects[ECG_ONLY].age_years) == ("female", 64)


def test_measurements_of_the_machine_are_columns_and_may_be_empty(subjects):
    said = subjects[COMPLETE].attributes
    assert (said["ecg_ventricular_rate_bpm"], said["ecg_qrs_duration_ms"]) == (61, 92)
    assert np.isnan(said.get("ecg_pq_interval_ms", np.nan))
    assert said["ecg_days_from_visit"] == 2
    flags = {each: subjects[each].attributes["ecg_poor_data_quality"] for each in (FINE, ECG_ONLY)}
    assert flags == {FINE: 0, ECG_ONLY: 1}


@pytest.mark.parametrize("style", ["tab", "platform"])
def test_every_way_to_name_columns_makes_the_same_cohort(prepared, style):
    hashes = []
    for each in ("showcase", style):
        with cn.open_cohort(prepared(each)) as cohort:
            hashes.append(cohort.content_hash)
    assert hashes[0] == hashes[1]


def test_the_repeat_visit_is_another_record_of_its_participants(prepared, tree, people, made):
    out = tree / "both.h5"
    shutil.copy(prepared("showcase"), out)
    shutil.copy(ids.key_path(prepared("showcase")), ids.key_path(out))
    options = {"source": tree / "source", "instance": 3}
    component = default_registry().find("dataset", "ukb")
    prepare_dataset(PrepareRequest(component, out, options=options, workers=1, existing="extend"))
    with cn.open_cohort(out) as cohort:
        assert len(cohort) == len(LISTED) + 1


def test_no_name_id_or_date_of_the_source_comes_out(prepared, made):
    folder = prepared("showcase").parent
    eids = [str(each) for each in (*LISTED, *QUARANTINED, WITHDRAWN, REPEAT_VISIT)]
    secrets = [*made.dicom.PLANTED, made.FAMILY, made.GIVEN, made.PLACE, "9753186", *eids]
    secrets += ["2016-03-05", "2016-03-04", "1951-04-17", "20205", "20208"]
    assert planted().leaks_beside(folder, secrets) == {}


def planted():
    """The search for what identifies a person, of all plugins' tests."""
    source = Path(__file__).parents[1] / "planted.py"
    spec = importlib.util.spec_from_file_location("planted_for_ukb", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
