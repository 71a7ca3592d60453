"""A cine out of a NIfTI file, turned so that it equals the same cine out of DICOM.

A NIfTI array is (x, y, t) or (x, y, 1, t): x is the column and y the row of the picture, possibly
flipped by the converter, which the affine tells. Needs the extra ``imaging`` (nibabel).
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cardionets_core.cmr.cine import Cine, check_size, rounded
from cardionets_core.cmr.orientation import Turn, turn_to_shown
from cardionets_core.dicom_files import silence
from cardionets_core.errors import CineError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ENDINGS = (".nii", ".nii.gz")
_CHUNK_BYTES, _MOST_CHUNKS = 1 << 20, 512
_MM_PER_UNIT = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zlib.error,
)


def read_nifti_cine(path: Path) -> Cine:
    """Read a cine from a NIfTI file.

    Args:
        path: ``.nii`` or ``.nii.gz``.

    Returns:
        The cine, turned as scanners show it. Where the file does not say how it lies in the
        patient, x is the column and y the row.

    Raises:
        CineError: If nibabel is missing, or the file is no cine of one slice, or damaged.
    """
    if not path.name.lower().endswith(_ENDINGS):
        raise CineError("not a NIfTI file by its name; needed .nii or .nii.gz")
    try:
        # nibabel mends what it can and logs that.
        with silence("nibabel.global"):
            _require_whole(path)
            image = _opened(path)
            counts = _pixels_last(image)
            turn, spacing_mm = _turn(image), _spacing_mm(image)
            frames = np.asarray(counts, dtype=np.float32).transpose(2, 1, 0)
    except _UNREADABLE as error:
        raise CineError(
            f"the NIfTI file cannot be read ({type(error).__name__}); is it cut off? copy it again"
        ) from None
    return Cine(frames=turn.of(frames), spacing_mm=turn.of_spacing(spacing_mm), turned=str(turn))


def _require_whole(path: Path) -> None:
    """Hold a packed file against its checksum, which stands behind what is read of it later."""
    if not path.name.lower().endswith(".gz"):
        return
    with gzip.open(path) as file:
        for _ in range(_MOST_CHUNKS):
            if not file.read(_CHUNK_BYTES):
                return
    raise CineError(
        f"a NIfTI file that unpacks to more than {_MOST_CHUNKS * _CHUNK_BYTES} bytes; needed one "
        "cine"
    )


def _opened(path: Path) -> Any:
    """The file with its header read and its pixels not."""
    try:
        import nibabel  # noqa: PLC0415 - it may be missing, and only NIfTI needs it
    except ImportError as error:
        raise CineError(
            "a NIfTI file needs another package: pip install 'cardionets[imaging]'"
        ) from error
    unreadable = (
        *_UNREADABLE,
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
        nibabel.wrapstruct.WrapStructError,
    )
    why = ""
    for kind in (nibabel.nifti1.Nifti1Image, nibabel.nifti2.Nifti2Image):
        try:
            return kind.from_filename(path)
        except unreadable as error:
            why = why or type(error).__name__
    raise CineError(f"not a NIfTI file ({why}); needed a whole .nii or .nii.gz")


def _pixels_last(image: Any) -> NDArray[Any]:
    """Intensities (x, y, t), once their number is known to be a cine's."""
    shape = image.shape
    if not (len(shape) == 3 or (len(shape) == 4 and shape[2] == 1)):
        raise CineError(
            f"a NIfTI array of {' x '.join(map(str, shape))}; needed (x, y, t) or (x, y, 1, t): "
            "one slice over one heart beat"
        )
    columns, rows, frames = shape[0], shape[1], shape[-1]
    check_size(frames, rows, columns)
    if image.get_data_dtype().kind not in "iuf":
        raise CineError("a NIfTI file in colour or of complex numbers; needed plain numbers")
    return np.asarray(image.dataobj).reshape(columns, rows, frames)


def _turn(image: Any) -> Turn:
    header = image.header
    if not (header["qform_code"] or header["sform_code"]):
        return Turn()
    # NIfTI's patient axes point right and to the front, DICOM's left and to the back.
    axes = np.asarray(image.affine, dtype=np.float64)[:3, :2] * np.array([[-1], [-1], [1]])
    lengths = np.linalg.norm(axes, axis=0)
    if not (np.isfinite(lengths).all() and lengths.all()):
        raise CineError("a NIfTI file whose affine has no directions; needed right ones, or none")
    right, down = (axes / lengths).T
    return turn_to_shown(right, down)


def _spacing_mm(image: Any) -> tuple[float, float]:
    """Distance between rows, and between columns."""
    unit = image.header.get_xyzt_units()[0]
    if unit not in _MM_PER_UNIT:
        raise CineError("a NIfTI file in an unknown unit of length; needed mm")
    x, y = (float(zoom) * _MM_PER_UNIT[unit] for zoom in image.header.get_zooms()[:2])
    return rounded((y, x))
