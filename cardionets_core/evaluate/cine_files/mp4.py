"""MP4 (H.264): small, and stays sharp on a slide. Needs the extra ``imaging``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from cardionets_core.errors import CineError
from cardionets_core.evaluate.cine_files.about import CineAbout
from cardionets_core.evaluate.cine_files.pictures import render_cine

# A player that does not loop would show one beat and stop.
_BEATS = 5
_QUALITY = 8  # of 10


def encode(cine: NDArray[np.float32], about: CineAbout) -> bytes:
    """A cine (T, H, W) in [-1, 1] as an MP4 of several beats.

    Raises:
        CineError: If ffmpeg fails.
    """
    pictures = render_cine(cine, about)
    # ffmpeg writes to a name of its own, which nobody else sees.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cine.mp4"
        try:
            _write(path, pictures, 1 / about.frame_s(len(cine)), "; ".join(about.notes))
        except (OSError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
            raise CineError(
                f"ffmpeg could not write the video ({reason[0]}); write a .gif instead"
            ) from error
        return path.read_bytes()


def _write(path: Path, pictures: NDArray[np.uint8], rate_hz: float, comment: str) -> None:
    height, width = pictures.shape[1:]
    writer: Any = imageio_ffmpeg.write_frames(
        str(path),
        (width, height),
        fps=rate_hz,
        codec="libx264",
        pix_fmt_in="gray",
        pix_fmt_out="yuv420p",
        quality=_QUALITY,
        macro_block_size=2,
        output_params=["-metadata", f"comment={comment}", "-movflags", "+faststart"],
    )
    writer.send(None)
    for _ in range(_BEATS):
        for picture in pictures:
            writer.send(np.ascontiguousarray(picture))
    writer.close()
