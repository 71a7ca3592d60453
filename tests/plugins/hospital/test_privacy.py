"""Nobody can be told from what comes out: names, ids, birthdays and dates planted everywhere.

They stand in every format, in file and folder names, in the labels and in CMR, and broken files
hold them where libraries quote what they cannot read.
"""

from __future__ import annotations

import logging
import re
import shutil
import signal
import sys
import warnings

import numpy as np
import pytest

from cardionets_core.ecg.canonical import CANONICAL_LEADS

FOLDER = "PID84735210 Quixworth 1961-02-03"
FILE = "Quixworth_Zenobia_19610203_84735210"
TELLS = "Quixworth, Zenobia PID84735210 1961-02-03"


@pytest.fixture
def command(tmp_path, monkeypatch, capfd, caplog):
    """Run ``cardionets`` in this process; all that it prints, logs and warns of."""
    from cardionets_cli.main import main

    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("CARDIONETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CARDIONETS_OFFLINE", "1")

    def run(*argv):
        monkeypatch.setattr(sys, "argv", ["cardionets", *map(str, argv)])
        before, code = signal.getsignal(signal.SIGTERM), 0
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                signal.signal(signal.SIGTERM, before)
        said = [*capfd.readouterr(), caplog.text, *(str(warning.message) for warning in warned)]
        caplog.clear()
        return code, "\n".join(said)

    return run


@pytest.fixture
def archive(made_up, planted, source):
    """Whole files, broken files and CMR of planted people."""
    counts = made_up.counts_of(seconds=2)
    folder = source / FOLDER
    for number, kind in enumerate(made_up.FORMATS):
        # One is as long as the contact sheet of `inspect` wants it.
        seconds = 10 if kind == "wfdb" else 2
        made_up.write_ecg(folder / kind, FILE, kind, made_up.counts_of(number, seconds=seconds))
    write_comments(made_up, folder / "wfdb" / f"{FILE}.hea")
    header = ",".join((TELLS.split()[1], planted.CHINESE, *CANONICAL_LEADS))
    table = folder / "csv" / f"{FILE}.csv"
    lines = table.read_text().splitlines()[1:]
    table.write_text("\n".join([header, *(f"0,0,{line}" for line in lines)]))
    write_broken(made_up, folder / "broken", counts)
    write_cmr(made_up, source)
    return source


def write_comments(made_up, header):
    header.write_text(f"# {TELLS}\n{header.read_text()}# Patient: {TELLS}\n# Date: 2024-03-14\n")


def write_broken(made_up, folder, counts):
    """Files whose fields of the signal hold a person, and files that are cut off or made of it."""
    folder.mkdir()
    for kind in made_up.FORMATS:
        whole = made_up.write_ecg(folder, f"{FILE} {kind}", kind, counts)
        content = whole.read_bytes()
        for number, (old, new) in enumerate(QUOTED.get(kind, ())):
            assert old in content, (kind, old)
            path = whole.with_name(f"{whole.stem} {number}{whole.suffix}")
            path.write_bytes(content.replace(old, new))
            shutil.copy(path, path.with_name(f"{path.stem} again{path.suffix}"))
        whole.write_bytes(content[: len(content) // 2] + TELLS.encode())
    (folder / f"{FILE} header.csv").write_text("Quixworth,PID84735210,1961-02-03\n0.1,0.2,0.3\n")
    header = made_up.write_ecg(folder, f"{FILE} names", "wfdb", counts)
    header.write_text(re.sub(r"(?<= )\w+\n", "Quixworth PID84735210\n", header.read_text()))
    for ending in (".csv", ".npy", ".scp", ".dcm", ".hea", ".mat", ".xml", ".dat"):
        (folder / f"{FILE} text{ending}").write_text(f"{TELLS}\n{TELLS},\u6b27\u9633\u5b50\u865a\n")
        (folder / f"{FILE} empty{ending}").touch()


# What stands in the signal's fields of a whole file, and the person that takes its place.
QUOTED = {
    "cardiosoft-xml": [(b"uVperLsb", b"Quixworth"), (b">500<", b">PID84735210<"),
                       (b'lead="V2"', b'lead="Quixworth"'), (b"</StripData>", b"&Quixworth;")],
    "muse-xml": [(b"<SampleBase>500<", b"<SampleBase>19610203<"), (b"MICROVOLTS", b"Quixworth"),
                 (b"<LeadID>V2<", b"<LeadID>Quixworth<"), (b"</RestingECG>", b"</Quixworth>")],
    "aecg": [(b'value="5"', b'value="Quixworth"'), (b"MDC_ECG_LEAD_V2", b"PID84735210"),
             (b'increment value="0.002"', b'increment value="Zenobia"')],
    "philips-xml": [("samplingrate>500".encode("utf-16-le"),
                     "samplingrate>Quixworth".encode("utf-16-le")),
                    ("XLI".encode("utf-16-le"), "PID84735210".encode("utf-16-le"))],
    "dicom-ecg": [(b"PLANTEDNAME", b"Quixworth\xff\xfe"), (b"20220304050607", b"Quixworth1961 "),
                  (b"UCUM", b"PID8"), (b"DS\x06\x00500.0 ", b"DS\x06\x00Zenobi")],
    "wfdb": [(b" 12 500 ", b" 12 Quixworth "), (b"200.0(0)/mV", b"PID84735210/Quixworth"),
             (b"/mV", b"/Quixworth"), (b".dat", b".Quixworth"),
             (b" V2\n", b" Quixworth PID84735210\n"), (b".dat 16", b"_Quixworth.dat 16"),
             (b" 16 0 ", b" Quixworth 1961-02-03 "), (b" V3\n", b" V2\n")],
    "csv": [(b"I,II,III", b"Quixworth,Zenobia,PID84735210"), (b"V2", b"V1"),
            (b"\n0.", b"\nQuixworth.")],
    "npy": [(b"'<f4'", b"'Quixworth'"), (b"fortran_order", b"PID84735210  ")],
}  # fmt: skip


def write_cmr(made_up, source):
    cine = made_up.cine_maker().phantom(frames=12, rows=60, columns=64)
    made_up.write_cine_folder(source / "cmr Quixworth", cine)
    made_up.write_cine_folder(
        source / "cmr PID84735210", cine, change=lambda made, _: setattr(made, "Rows", 7)
    )
    made_up.write_cine_zip(source / "84735210.zip", cine)
    (source / "Zenobia.zip").write_bytes(b"PK\x03\x04" + TELLS.encode())
    (source / "Quixworth.nii").write_bytes(TELLS.encode() * 20)


def write_labels(made_up, planted, path, archive):
    """A row for every file, with columns of names, and CMR for some."""
    files = sorted(
        str(file.relative_to(archive))
        for file in (archive / FOLDER).rglob("*")
        if file.suffix in {".bin", ".hea", ".csv", ".npy", ".scp", ".dcm", ".xml"}
    )
    cmr = ("cmr Quixworth", "cmr PID84735210", "84735210.zip", "Zenobia.zip", "Quixworth.nii",
           "gone/PID84735210")  # fmt: skip
    heading = "file,patient_id,name,born,label,acquired_at,sex,age_years,icd10,split,cmr_path"
    rows = [
        f'"{file}",PID84735210{number},{planted.CHINESE} Quixworth,1961-02-03,{number % 2},'
        f"2024-03-14 10:35,f,63,I50,,{cmr[number] if number < len(cmr) else ''}"
        for number, file in enumerate(files)
    ]
    rows.append("gone/Quixworth.xml,PID84735210,Quixworth,1961-02-03,1,2024-03-14,f,63,I50,,")
    return made_up.write_labels(path, heading, *rows, encoding="gb18030")


def test_the_search_finds_what_was_planted(archive, planted):
    found = {leak for leaks in planted.leaks_beside(archive).values() for leak in leaks}
    wanted = {planted.FAMILY, planted.GIVEN, planted.PATIENT_ID, planted.DOCTOR, planted.PLACE}
    assert wanted | {planted.CHINESE, "PLANTEDNAME", "1961-02-03", "19610203"} <= found


def test_the_search_finds_what_is_packed_in_a_store(planted, tmp_path):
    import h5py

    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("packed", data=[b"PID84735210" * 90], compression="gzip")
        file.create_dataset("number", data=np.array([84735210.0]))
        file.create_dataset("text", data=[planted.CHINESE], dtype=h5py.string_dtype())
        file.attrs["json"] = '"\\u6b27\\u9633\\u5b50\\u865a Quixworth"'
    found = set(planted.leaks_in_file(tmp_path / "x.h5"))
    assert found == {planted.PATIENT_ID, str(planted.NUMBER), planted.CHINESE, planted.FAMILY}


@pytest.mark.parametrize("with_labels", [True, False])
def test_nobody_is_in_the_store_the_reports_the_logs_or_on_the_terminal(
    made_up, planted, archive, tmp_path, command, with_labels
):
    out = tmp_path / "out" / "cohort.h5"
    archive = archive.rename(tmp_path / FOLDER)
    options = ["--table-units", "mV", "--table-rate-hz", "500"]
    if with_labels:
        options += ["--table-leads", ",".join(CANONICAL_LEADS)]
        options += ["--labels", write_labels(made_up, planted, tmp_path / f"{FILE}.csv", archive)]
    prepare = ("prepare", "hospital", "--source", archive, *options, "--out", out, "--workers", "1")
    said = []
    for argv in ((*prepare, "--dry-run"), prepare, ("inspect", out)):
        code, told = command(*argv)
        assert code == 0, told
        said.append(told)
    assert "records were left out" in said[1]
    assert planted.leaks_in_text("\n".join(said)) == []
    assert {path.suffix for path in out.parent.iterdir()} == {
        ".h5",
        ".key",
        ".html",
        ".json",
        ".png",
    }
    assert planted.leaks_beside(tmp_path / "out") == {}


@pytest.mark.parametrize(
    "row",
    [
        f"../{FILE}.xml,PID84735210,,",
        f"{FOLDER}/npy/{FILE}.npy,,,",
        f"{FILE}.bin,PID84735210,,",
        f"{FOLDER}/npy/{FILE}.npy,PID84735210,Quixworth,",
        f"{FOLDER}/npy/{FILE}.npy,PID84735210,,../PID84735210",
        f"{FOLDER}/npy/{FILE}.npy,PID84735210,,,Quixworth",
    ],
)
def test_a_table_that_is_refused_is_not_quoted(made_up, planted, archive, tmp_path, command, row):
    labels = made_up.write_labels(tmp_path / "x.csv", "file,patient_id,sex,cmr_path", row)
    out = tmp_path / "out" / "cohort.h5"
    code, told = command(
        "prepare", "hospital", "--source", archive, "--labels", labels, "--out", out
    )
    assert code == 1
    assert "x.csv" in told
    assert planted.leaks_in_text(told) == []
    assert planted.leaks_beside(tmp_path / "out") == {}
