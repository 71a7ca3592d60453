"""UK Biobank's bulk files and tables made up for tests, with names and dates that must not leak.

ECGs are CardioSoft XML around counts that are given; cines are zips of DICOM files; tables come in
each way of naming columns.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cardionets_core.cmr.phenotypes import FIELD_IDS
from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.testing import made_up_ecg

_MAKER = Path(__file__).parents[2] / "core" / "cmr" / "made_up_cine_dicom.py"
_spec = importlib.util.spec_from_file_location("made_up_cine_dicom", _MAKER)
dicom = importlib.util.module_from_spec(_spec)
sys.modules["made_up_cine_dicom"] = dicom
_spec.loader.exec_module(dicom)

FAMILY, GIVEN, BORN, PLACE = "MÜLLERPLANTED", "JÖRGPLANTED", (1951, 4, 17), "CHEADLEPLANTED"
FOUR_CHAMBER = "CINE_segmented_LAX_4Ch"
FRAMES, SIDE, SPACING_MM = 50, 96, 2.2
MEASUREMENTS = ("VentricularRate", "PQInterval", "PDuration", "QRSDuration", "QTInterval",
                "QTCInterval", "RRInterval", "PAxis", "RAxis", "TAxis")  # fmt: skip
_UNITS = {"VentricularRate": "BPM", "PAxis": "degrees", "RAxis": "degrees", "TAxis": "degrees"}


def ecg_xml(
    counts: np.ndarray,
    *,
    resolution: int = 5,
    leads: Sequence[str] = CANONICAL_LEADS,
    measurements: Mapping[str, str] | None = None,
    statements: Sequence[str] = ("Sinus rhythm", "---"),
    pacemaker: str = "no",
    when: tuple[int, ...] = (2016, 3, 7, 9, 5, 2),
) -> bytes:
    """A resting ECG of counts (leads, samples), with the averaged beat and the full disclosure."""
    beat = counts[:, :600] * 3 + 11
    said = dict.fromkeys(MEASUREMENTS, "") | dict(measurements or {})
    measured = "".join(
        f'<{name} units="{_UNITS.get(name, "ms")}">{value}</{name}>' for name, value in said.items()
    )
    texts = "".join(f"<DiagnosisText>{text}</DiagnosisText>" for text in statements)
    year, month, day, hour, minute, second = when
    made = f"""<?xml version="1.0" encoding="ISO-8859-1" ?>
<CardiologyXML>
\t<ObservationType>RestECG</ObservationType>
\t<ObservationDateTime><Hour>{hour}</Hour><Minute>{minute}</Minute><Second>{second}</Second>
\t<Day>{day}</Day><Month>{month}</Month><Year>{year}</Year></ObservationDateTime>
\t<PatientVisit><ServicingFacility><Name>{PLACE}</Name></ServicingFacility></PatientVisit>
\t<PatientInfo><PID>9753186</PID><Name><FamilyName>{FAMILY}</FamilyName>
\t<GivenName>{GIVEN}</GivenName></Name><Age units="YEARS">64</Age>
\t<BirthDateTime><Day>{BORN[2]}</Day><Month>{BORN[1]}</Month><Year>{BORN[0]}</Year></BirthDateTime>
\t<Gender>FEMALE</Gender><PaceMaker>{pacemaker}</PaceMaker></PatientInfo>
\t<Interpretation><Diagnosis>{texts}</Diagnosis></Interpretation>
\t<RestingECGMeasurements>{measured}
\t\t<MedianSamples>{_block(beat, CANONICAL_LEADS, 1)}</MedianSamples>
\t</RestingECGMeasurements>
\t<StripData>{_block(counts, leads, resolution)}
\t\t<ArrhythmiaResults><Time units="ms">800</Time></ArrhythmiaResults>
\t</StripData>
\t<FullDisclosure><NumberOfChannels>12</NumberOfChannels><SampleRate units="Hz">500</SampleRate>
\t<Resolution units="uVperLsb">5</Resolution><LeadOrder>{", ".join(CANONICAL_LEADS)}</LeadOrder>
\t<FullDisclosureData>0,0,0,0,\n\t0,0,0,0</FullDisclosureData></FullDisclosure>
</CardiologyXML>
"""
    return made.encode("ISO-8859-1")


def _block(counts: np.ndarray, leads: Sequence[str], resolution: int) -> str:
    waveforms = "".join(
        f'<WaveformData lead="{name}">{_wrapped(row)}\n\t\t</WaveformData>\n'
        for name, row in zip(leads, counts, strict=True)
    )
    return (
        f'<NumberOfLeads>{len(leads)}</NumberOfLeads><SampleRate units="Hz">500</SampleRate>'
        f"<ChannelSampleCountTotal>{counts.shape[1]}</ChannelSampleCountTotal>"
        f'<Resolution units="uVperLsb">{resolution}</Resolution>\n{waveforms}'
    )


def _wrapped(row: np.ndarray) -> str:
    cells = [str(count) for count in row.tolist()]
    lines = [",".join(cells[at : at + 25]) for at in range(0, len(cells), 25)]
    return ",\n\t\t\t".join(lines)


def cine(seed: int, frames: int = FRAMES) -> np.ndarray:
    """A cine of the canonical size that uses all of black and white, different for each seed."""
    rng = np.random.default_rng(seed)
    rows = columns = SIDE
    row, column = np.mgrid[:rows, :columns]
    radius = 20 * (1 + 0.3 * np.cos(2 * np.pi * np.arange(frames) / frames))[:, None, None]
    disc = 90 * (np.hypot(row - 40 - seed % 9, column - 50) < radius)
    made = disc + rng.integers(1, 120, (rows, columns)) + np.arange(frames)[:, None, None] % 37
    made[0, 0, 0], made[-1, -1, -1] = 0, 255
    return made.astype(np.uint16)


def series(pictures: np.ndarray, name: str = FOUR_CHAMBER, **options: object) -> list[bytes]:
    """One series of the canonical spacing, a file a frame."""
    return dicom.files_of(
        pictures, series_name=name, spacing_mm=(SPACING_MM, SPACING_MM), **options
    )


def decoys(seed: int = 77) -> list[bytes]:
    """The other views, and the scanner's own analysis under names that begin alike."""
    names = ("CINE_segmented_LAX_2Ch", "CINE_segmented_LAX_3Ch", "CINE_segmented_LAX_4Ch_InlineVF",
             "CINE segmented LAX 4Ch Inline_VF_Results")  # fmt: skip
    return [
        content
        for number, name in enumerate(names)
        for content in series(cine(seed + number, 8), name, series=50 + number)
    ]


def manifest(names: Sequence[str]) -> str:
    """As UK Biobank's: a date with a comma that nothing quotes, and a misspelt heading."""
    lines = ["filename,patientid,studyid,seriesid,series discription,date"]
    lines += [f"{name},{FAMILY},1,2,{FOUR_CHAMBER},Aug 30, 2015" for name in names]
    return "\n".join(lines)


def zip_of(
    contents: Sequence[bytes],
    *,
    names: Sequence[str] | None = None,
    manifest_name: str = "manifest.csv",
) -> bytes:
    """A flat zip of DICOM files with a manifest; names in no order of time unless given."""
    names = names or [f"1.3.12.2.{(7919 * at) % 10007:05d}.dcm" for at in range(len(contents))]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in zip(names, contents, strict=True):
            archive.writestr(name, content)
        archive.writestr(manifest_name, manifest(names))
    return made.getvalue()


@dataclass
class Participant:
    """A row of the table."""

    sex: int | None = 0
    age: int | None = 63
    visit: str = "2016-03-05"
    phenotypes: dict[int, float] = field(default_factory=dict)
    diagnoses: list[tuple[str, str]] = field(default_factory=list)


def all_phenotypes(seed: int) -> dict[int, float]:
    """82 values; strains of the circumference and the length are negative."""
    values = np.random.default_rng(seed).normal(0, 50, len(FIELD_IDS)).round(3)
    return dict(zip(FIELD_IDS, values.tolist(), strict=True))


def write_showcase(path: Path, people: Mapping[object, Participant], instance: int = 2) -> Path:
    """``eid``, ``53-2.0``, ``41270-0.0`` and on."""
    return _write_arrays(path, people, "eid", lambda f, i, a: f"{f}-{i}.{a}", ",", instance)


def write_tab(path: Path, people: Mapping[object, Participant], instance: int = 2) -> Path:
    """``f.eid``, ``f.53.2.0``, tabs, NA."""
    return _write_arrays(
        path, people, "f.eid", lambda f, i, a: f"f.{f}.{i}.{a}", "\t", instance, missing="NA"
    )


def _write_arrays(path, people, eid, name, delimiter, instance, *, missing=""):
    other = 5 - instance
    width = 1 + max((len(each.diagnoses) for each in people.values()), default=0)
    header = [eid, name(31, 0, 0), name(53, other, 0), name(53, instance, 0)]
    header += [name(21003, instance, 0), name(20002, 0, 0)]
    header += [name(f, i, 0) for f in FIELD_IDS for i in (2, 3)]
    header += [name(f, 0, k) for f in (41270, 41280) for k in range(width)]
    rows = []
    for number, each in people.items():
        row = [number, each.sex, "2001-01-01", each.visit, each.age, "a note, quoted"]
        row += [each.phenotypes.get(f) if i == instance else 1e6 for f in FIELD_IDS for i in (2, 3)]
        for part in (0, 1):
            cells = [pair[part] for pair in each.diagnoses]
            row += cells + [""] * (width - len(cells))
        rows.append([missing if cell in (None, "") else cell for cell in row])
    return _write(path, [header, *rows], delimiter)


def write_platform(
    path: Path,
    people: Mapping[object, Participant],
    instance: int = 2,
    *,
    prefix: str = "participant.",
    as_json: bool = True,
) -> Path:
    """``participant.eid``, ``p53_i2``, all codes in ``p41270``, dates in ``p41280_a0`` and on."""
    width = 1 + max((len(each.diagnoses) for each in people.values()), default=0)
    header = ["eid", "p31", f"p53_i{5 - instance}", f"p53_i{instance}", f"p21003_i{instance}"]
    header += [f"p{f}_i{i}" for f in FIELD_IDS for i in (2, 3)]
    header += ["p41270", *(f"p41280_a{k}" for k in range(width))]
    rows = []
    for number, each in people.items():
        codes, days = [code for code, _ in each.diagnoses], [day for _, day in each.diagnoses]
        row = [number, each.sex, "2001-01-01", each.visit, each.age]
        row += [each.phenotypes.get(f) if i == instance else 1e6 for f in FIELD_IDS for i in (2, 3)]
        listed = json.dumps(codes) if as_json else "|".join(codes)
        rows.append([*row, listed if codes else "", *days, *[""] * (width - len(days))])
    return _write(path, [[prefix + name for name in header], *rows], ",")


def _write(path: Path, rows: Sequence[Sequence[object]], delimiter: str) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def write(folder: Path) -> dict[str, object]:
    """A small source of two participants, one with a cine, and the options to read it."""
    folder.mkdir(parents=True)
    counts = np.rint(made_up_ecg(seed=4).signal_mv * 200).astype(int)
    (folder / "1000001_20205_2_0.xml").write_bytes(ecg_xml(counts))
    (folder / "1000002_20205_2_0.xml").write_bytes(ecg_xml(counts[:, ::-1]))
    (folder / "1000001_20208_2_0.zip").write_bytes(zip_of([*series(cine(1)), *decoys()]))
    person = Participant(
        phenotypes=all_phenotypes(1), diagnoses=[("I251", "2011-01-31"), ("J45", "2020-12-24")]
    )
    table = write_showcase(folder.with_name("ukb.csv"), {1000001: person})
    return {"source": folder, "table": table}
