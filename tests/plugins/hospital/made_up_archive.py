"""Archives made up for tests: one tracing in every format, tables of labels, and paired CMR.

Loaded by path: tests are no package. Makers of vendors' files are those of the formats' own tests.
"""

from __future__ import annotations

import importlib.util
import io
import sys
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.testing import made_up_ecg

STEP_MV = 0.005
MUSE_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
FORMATS = (
    "cardiosoft-xml", "muse-xml", "aecg", "philips-xml", "dicom-ecg", "scp-ecg", "wfdb", "csv",
    "npy",
)  # fmt: skip
TABLE_OPTIONS = {"table_units": "mV", "table_rate_hz": 500.0, "table_leads": CANONICAL_LEADS}
_TESTS = Path(__file__).parents[2]


@cache
def module(path: str) -> ModuleType:
    """A module below ``tests``, which is no package."""
    name = f"hospital_tests_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, _TESTS / path)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def vendor(name: str) -> ModuleType:
    return module(f"plugins/formats/{name}.py")


def cine_maker() -> ModuleType:
    return module("core/cmr/made_up_cine_dicom.py")


def counts_of(seed: int = 0, seconds: float = 10.0) -> dict[str, np.ndarray]:
    """An ECG in whole steps of 5 uV whose limb leads agree exactly, lead by lead."""
    counts = vendor("made_up_xml").counts_of(seconds, seed=seed)
    one, two = (2 * (counts[name] // 2) for name in ("I", "II"))
    limbs = {"I": one, "II": two, "III": two - one, "aVR": -(one + two) // 2}
    limbs |= {"aVL": one - two // 2, "aVF": two - one // 2}
    return {name: limbs.get(name, row) for name, row in counts.items()}


def write_ecg(folder: Path, name: str, kind: str, counts: dict[str, np.ndarray]) -> Path:
    """One ECG in a format; the path of its file, or of its header."""
    folder.mkdir(parents=True, exist_ok=True)
    xml, rows = vendor("made_up_xml"), np.array([counts[lead] for lead in CANONICAL_LEADS])
    mv = (rows * STEP_MV).astype(np.float32)
    if kind == "wfdb":
        return write_wfdb(folder, name, rows)
    if kind == "csv":
        path = folder / f"{name}.csv"
        np.savetxt(path, mv.T, "%.3f", ",", header=",".join(CANONICAL_LEADS), comments="")
        return path
    if kind == "npy":
        np.save(folder / f"{name}.npy", mv)
        return folder / f"{name}.npy"
    contents = {
        "cardiosoft-xml": lambda: xml.cardiosoft(counts),
        "muse-xml": lambda: xml.muse({lead: counts[lead] for lead in MUSE_LEADS}),
        "aecg": lambda: xml.aecg(counts),
        "philips-xml": lambda: xml.philips(counts),
        "dicom-ecg": lambda: dicom(rows),
        "scp-ecg": lambda: scp(rows),
    }
    # The ending says nothing: files are recognised by their content.
    path = folder / f"{name}.bin"
    path.write_bytes(contents[kind]())
    return path


def dicom(rows: np.ndarray) -> bytes:
    maker = vendor("made_up_dicom")
    group = maker.group(rows.astype(np.int16))
    for channel in group.ChannelDefinitionSequence:
        channel.ChannelSensitivity = 5
    return maker.to_bytes(maker.dataset(group))


def scp(rows: np.ndarray) -> bytes:
    maker = vendor("made_up_scp")
    sections = maker.sections_of(rows, difference=1, huffman=False)
    streams = [maker.plain(maker.differences(row, 1)) for row in rows]
    sections[6] = maker.rhythm_section(streams, nanovolts=5000, difference=1)
    return maker.record(sections)


def write_wfdb(folder: Path, name: str, rows: np.ndarray, *, comments: Sequence[str] = ()) -> Path:
    """A record of format 16, its samples beside its header."""
    lines = [f"{name} 12 500 {rows.shape[1]} 10:35:17 14/03/2024"]
    for lead, row in zip(CANONICAL_LEADS, rows, strict=True):
        checksum = int(row.sum(dtype=np.int64)) % 65536
        gain = f"{round(1 / STEP_MV)}.0(0)/mV"
        lines.append(f"{name}.dat 16 {gain} 16 0 {row[0]} {checksum} 0 {lead}")
    header = folder / f"{name}.hea"
    header.write_text("\n".join([*lines, *(f"# {comment}" for comment in comments)]) + "\n")
    rows.T.astype("<i2").tofile(header.with_suffix(".dat"))
    return header


def write_csv_ecg(path: Path, seed: int = 0, seconds: float = 2.0) -> Path:
    """A small CSV file of an ECG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    record = made_up_ecg(seed=seed, seconds=seconds)
    header = ",".join(CANONICAL_LEADS)
    np.savetxt(path, record.signal_mv.T, "%.3f", ",", header=header, comments="")
    return path


def write_labels(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode(encoding))
    return path


def write_cine_folder(folder: Path, cine: np.ndarray, **options: object) -> Path:
    """One DICOM file per frame."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(cine_maker().files_of(cine, **options)):
        (folder / f"{options.get('series', 1)}-{number:03}").write_bytes(content)
    return folder


def write_cine_zip(path: Path, cine: np.ndarray) -> Path:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("manifest.csv", "filename,date\n1.dcm,Aug 30, 2015\n")
        for number, content in enumerate(cine_maker().files_of(cine)):
            archive.writestr(f"{number}.dcm", content)
    path.write_bytes(file.getvalue())
    return path


def write_cine_nifti(path: Path, cine: np.ndarray) -> Path:
    """The cine that ``write_cine_folder`` writes, as converters to NIfTI write it: (x, y, 1, t)."""
    import nibabel

    maker = cine_maker()
    affine = np.eye(4)
    affine[:3, 0] = np.array(maker.RIGHT) * 1.6
    affine[:3, 1] = np.array(maker.DOWN) * 1.8
    affine[:3, 2] = np.cross(maker.RIGHT, maker.DOWN) * 6
    affine[:2] *= -1
    image = nibabel.Nifti1Image(cine.transpose(2, 1, 0)[:, :, None], affine)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((1.6, 1.8, 6, 0.02))
    nibabel.save(image, path)
    return path
