"""NIfTI-1 (.nii.gz) for image analysis programs. Needs the extra ``imaging``."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from cardionets_core.evaluate.cine_files.about import CineAbout

_COMMENT = 6  # extension code of plain text
_DESCRIPTION_BYTES = 79
_ALIGNED = 2  # an affine that is not the scanner's


def encode(cine: NDArray[np.float32], about: CineAbout) -> bytes:
    """A cine (T, H, W) in [-1, 1] as (x, y, 1, t) float32.

    x runs along a row to the right and y down, which the affine maps to the left and to the back
    of the body: viewers show it as the GIF does. Where the heart lay is not known, nor how thick
    the slice was. Sizes that are not known are 1, and their unit is ``unknown``.
    """
    pixel, frame_s = about.pixel_mm or 1.0, about.frame_s(len(cine))
    image: Any = nib.Nifti1Image(  # type: ignore[no-untyped-call]
        cine.transpose(2, 1, 0)[:, :, None, :], np.diag([-pixel, -pixel, 1.0, 1.0])
    )
    header = image.header
    header.set_zooms((pixel, pixel, 1.0, frame_s if about.cycle_s else 1.0))
    header.set_xyzt_units(
        "mm" if about.pixel_mm else "unknown", "sec" if about.cycle_s else "unknown"
    )
    image.set_sform(image.affine, code=_ALIGNED)
    image.set_qform(image.affine, code=_ALIGNED)
    header["descrip"] = "; ".join(about.notes).encode("ascii", "replace")[:_DESCRIPTION_BYTES]
    header["intent_name"] = about.kind.lower().encode()
    header["cal_min"], header["cal_max"] = -1.0, 1.0
    told = json.dumps({**asdict(about), "mark": about.mark, "notes": about.notes})
    header.extensions.append(nib.nifti1.Nifti1Extension(_COMMENT, told.encode()))
    # Without the time of day: equal cines are equal files.
    return gzip.compress(image.to_bytes(), mtime=0)
