"""npz: the array as it is, with its metadata as JSON; readable without pickle."""

from __future__ import annotations

import io
import json
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from cardionets_core.evaluate.cine_files.about import CineAbout


def encode(cine: NDArray[np.float32], about: CineAbout) -> bytes:
    """``cine`` (T, H, W) float32 in [-1, 1], and ``metadata``, a JSON text."""
    told = {**asdict(about), "mark": about.mark, "notes": about.notes, "window": [-1.0, 1.0]}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, cine=cine, metadata=np.array(json.dumps(told)))
    return buffer.getvalue()
