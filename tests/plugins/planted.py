"""What identifies a person, for tests to plant in a source, and the search for it in the output.

Loaded by path: tests are no package. Searched are names and bytes of files, in the encodings that
hospitals use, and of HDF5 files every name, attribute and value, unpacked. Text that is drawn into
pictures cannot be found.

    planted.leaks_in_text(message)              -> what of it stands in a text
    planted.leaks_beside(tmp_path / "out")      -> and in all that lies in a folder, keys apart
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

FAMILY, GIVEN = "Quixworth", "Zenobia"
CHINESE = "\u6b27\u9633\u5b50\u865a"
PATIENT_ID = "PID84735210"
NUMBER = 84735210
DOCTOR, PLACE = "Dr-Vanderplank", "Saint-Elsewhere"
BORN = ("1961-02-03", "19610203", "02-03-1961", "03.02.1961")
VISIT = ("2024-03-14", "20240314", "03-14-2024", "14/03/2024")
# Those of the makers of DICOM and SCP-ECG files.
OF_MAKERS = ("PLANTEDNAME", "PLANTEDID42", "19330317", "2022-03-04", "20220304", "2018-03-01")
EVERYTHING = (
    *(FAMILY, GIVEN, CHINESE, PATIENT_ID, str(NUMBER), DOCTOR, PLACE),
    *BORN,
    *VISIT,
    *OF_MAKERS,
)
_ENCODINGS = ("utf-8", "gb18030", "utf-16-le", "utf-16-be")
# Keys of the ids translate them on purpose, and are random numbers.
_KEYS = (".key",)


def leaks_in_text(text: str, planted: Iterable[str] = EVERYTHING) -> list[str]:
    """What of the planted stands in a text, in any case."""
    return [secret for secret in planted if secret.lower() in text.lower()]


def leaks_in_bytes(content: bytes, planted: Iterable[str] = EVERYTHING) -> list[str]:
    """What of the planted stands in bytes, in any of the encodings, in any ASCII case."""
    lower = content.lower()
    return [
        secret
        for secret in planted
        if any(secret.encode(encoding).lower() in lower for encoding in _ENCODINGS)
    ]


def leaks_in_file(path: Path, planted: Iterable[str] = EVERYTHING) -> list[str]:
    """What of the planted stands in a file or its name."""
    planted = tuple(planted)
    found = leaks_in_text(path.name, planted) + leaks_in_bytes(path.read_bytes(), planted)
    if h5py.is_hdf5(path):
        for content in _hdf5_contents(path):
            found += leaks_in_bytes(content, planted)
    return sorted(set(found))


def leaks_beside(folder: Path, planted: Iterable[str] = EVERYTHING) -> dict[str, list[str]]:
    """File to what of the planted stands in it, of every file below a folder."""
    planted = tuple(planted)
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in _KEYS]
    found = {str(path.relative_to(folder)): leaks_in_file(path, planted) for path in files}
    return {name: leaks for name, leaks in found.items() if leaks}


def _hdf5_contents(path: Path) -> Iterator[bytes]:
    """Every name, attribute and value of a file; numbers both as bytes and as text."""
    with h5py.File(path) as file:
        items: list[tuple[str, Any]] = [("/", file)]
        file.visititems(lambda name, item: items.append((name, item)))
        for name, item in items:
            yield name.encode()
            for key, value in item.attrs.items():
                yield key.encode()
                yield from _value_contents(np.asarray(value))
            if isinstance(item, h5py.Dataset):
                yield from _value_contents(np.asarray(item[()]))


def _value_contents(values: np.ndarray) -> Iterator[bytes]:
    if values.dtype.kind == "O":
        texts = [v if isinstance(v, bytes) else str(v).encode() for v in values.reshape(-1)]
        yield b"\n".join(texts)
        # A text may hold JSON, which hides what is not ASCII.
        for text in texts:
            yield from _unescaped(text)
        return
    is_number = values.dtype.kind in "iuf"
    if not is_number or values.itemsize == 1:
        # Samples of 49, 48, 48 are the UTF-16 text "100", and nobody's.
        yield values.tobytes()
    if is_number and values.size < 1 << 16:
        yield "\n".join(f"{value:.0f}" for value in values.reshape(-1).tolist()).encode()


def _unescaped(text: bytes) -> Iterator[bytes]:
    try:
        yield json.dumps(json.loads(text), ensure_ascii=False).encode()
    except ValueError:
        return
