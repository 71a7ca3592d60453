"""``write_cine``: a cine in the format that its file's name asks for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import CineError, UsageError
from cardionets_core.evaluate.cine_files.about import CineAbout
from cardionets_core.weights.atomic import atomic_file

_PACKAGE = "cardionets_core.evaluate.cine_files"
# Suffix to the module that writes it, and what that needs from the extra `imaging`.
_FORMATS = {
    ".gif": ("gif", None),
    ".mp4": ("mp4", "imageio_ffmpeg"),
    ".nii.gz": ("nifti", "nibabel"),
    ".npz": ("npz", None),
    ".dcm": ("dicom", None),
}
CINE_SUFFIXES = tuple(_FORMATS)
# Rounding beyond the ends is cut off; more than that is another scale.
_SLACK = 1e-3


def cine_suffix(name: str | Path) -> str:
    """The suffix of a cine file's name, once what it takes to write one is known to be there.

    Raises:
        UsageError: If no such format is written, or a package that it needs is not installed.
    """
    lower = Path(name).name.lower()
    suffix = next((known for known in CINE_SUFFIXES if lower.endswith(known)), None)
    if suffix is None:
        raise UsageError(
            f"{name}: no cine is written in a format of that name; needed a name that ends in "
            f"{', '.join(CINE_SUFFIXES)}"
        )
    _, package = _FORMATS[suffix]
    if package is not None:
        try:
            import_module(package)
        except ImportError as error:
            raise UsageError(
                f"{name}: {suffix} needs {package.replace('_', '-')}, which is not installed; run "
                "pip install 'cardionets[imaging]'"
            ) from error
    return suffix


def write_cine(path: str | Path, cine: ArrayLike, about: CineAbout) -> None:
    """Write a cine; the file is there in full or not at all.

    Args:
        path: File to write; its name decides the format, see ``CINE_SUFFIXES``.
        cine: Frames over one heart beat, (T, H, W), floats in [-1, 1].
        about: What the file says beside the pixels.

    Raises:
        UsageError: If no such format is written, or a package that it needs is not installed.
        CineError: If it is no cine in [-1, 1].
        CardionetsError: If the file cannot be written; an old one is unchanged.
    """
    path = Path(path)
    module, _ = _FORMATS[cine_suffix(path)]
    encode: Callable[[NDArray[np.float32], CineAbout], bytes]
    encode = import_module(f"{_PACKAGE}.{module}").encode
    data = encode(checked_cine(cine), about)
    with atomic_file(path) as file:
        file.write(data)


def checked_cine(cine: ArrayLike) -> NDArray[np.float32]:
    """A cine as (T, H, W) float32 in [-1, 1].

    Raises:
        CineError: If it is none.
    """
    values = np.asarray(cine)
    if values.ndim != 3 or min(values.shape) < 2 or not np.issubdtype(values.dtype, np.floating):
        raise CineError(
            f"cine of shape {values.shape} and {values.dtype}, but frames (T, H, W) of floats in "
            "[-1, 1] are needed; x / 127.5 - 1 makes them of stored pixels"
        )
    # Not a number is no more than 1 + slack either.
    if not np.abs(values).max() <= 1 + _SLACK:
        raise CineError(
            f"cine with values from {values.min():g} to {values.max():g}, but [-1, 1] is needed; "
            "scale it as the weights were trained"
        )
    return values.clip(-1, 1).astype(np.float32)
