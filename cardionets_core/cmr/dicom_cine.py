"""A cine out of DICOM images: one file per frame, or one file of all frames.

Files are opened twice: for their headers, to choose and order the frames, and those of the chosen
frames for their pixels. Other files are never read as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from cardionets_core.cmr.cine import Cine, check_size, rounded
from cardionets_core.cmr.dicom_headers import CineHeader, FrameHeader, read_cine_header
from cardionets_core.cmr.dicom_pixels import read_intensities
from cardionets_core.cmr.frame_order import Order, chosen_series, ordered
from cardionets_core.cmr.orientation import Turn, turn_to_shown
from cardionets_core.errors import CineError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_MISSING_FRAMES = 3

Opener = Callable[[], BinaryIO]


def read_dicom_cine(
    openers: Sequence[Opener],
    *,
    wanted: Callable[[CineHeader], bool] = lambda _: True,
    expected_frames: int | None = None,
    most_missing: int = MOST_MISSING_FRAMES,
) -> Cine:
    """Read one cine out of a folder's or an archive's files.

    Files that are no DICOM images are passed over. Of several series of the wanted name the last
    one is taken, in the order of their UIDs: a repeat is made because the first was no good.
    Frames are ordered by trigger time, else by number; one that is missing is its predecessor once
    more.

    Args:
        openers: One for each file: a function that opens it anew, e.g. ``partial(open, path,
            "rb")`` or ``lambda: io.BytesIO(...)``.
        wanted: Whether a file belongs to the wanted series, by its header.
        expected_frames: Frames of the heart beat; what the headers say when not given.
        most_missing: Most frames that may be missing.

    Returns:
        The cine, turned as scanners show it.

    Raises:
        CineError: If there is no cine, or more than one, or it is damaged.
    """
    headers = _headers(openers)
    files = chosen_series(headers, wanted)
    _check_alike([header for _, header in files])
    order = ordered(files, expected_frames, most_missing)
    first = order.frames[0].frame
    if first.spacing_mm is None:
        raise CineError("no pixel spacing; needed one to tell how large a heart is: export again")
    turn = _turn(first)
    frames = _read_frames(openers, order, files[0][1])
    return Cine(
        frames=turn.of(frames),
        spacing_mm=turn.of_spacing(rounded(first.spacing_mm)),
        missing_frames=order.missing,
        turned=str(turn),
    )


def _headers(openers: Sequence[Opener]) -> list[tuple[int, CineHeader]]:
    """Number and header of every file that is a DICOM image."""
    found: list[tuple[int, CineHeader]] = []
    told = ""
    for number, opener in enumerate(openers):
        try:
            with opener() as file:
                found.append((number, read_cine_header(file)))
        except CineError as error:
            told = str(error)
    if not found:
        why = f" (the last: {told})" if told else ""
        raise CineError(f"{len(openers)} files, none of them a DICOM image{why}; needed a cine")
    return found


def _check_alike(headers: Sequence[CineHeader]) -> None:
    """Frames of one cine have one size and one spacing."""
    sizes = {(header.rows, header.columns) for header in headers}
    spacings = {
        None if frame.spacing_mm is None else tuple(round(mm, 3) for mm in frame.spacing_mm)
        for header in headers
        for frame in header.frames
    }
    if len(sizes) > 1 or len(spacings) > 1:
        raise CineError(
            f"frames of {len(sizes)} sizes and {len(spacings)} pixel spacings in one series; "
            "needed one of each"
        )


def _turn(frame: FrameHeader) -> Turn:
    if frame.directions is None:
        return Turn()
    return turn_to_shown(np.array(frame.directions[:3]), np.array(frame.directions[3:]))


def _read_frames(
    openers: Sequence[Opener], order: Order, header: CineHeader
) -> NDArray[np.float32]:
    """Intensities in the order of the cine, (frames, rows, columns)."""
    check_size(len(order.frames), header.rows, header.columns)
    frames = np.empty((len(order.frames), header.rows, header.columns), dtype=np.float32)
    for number in dict.fromkeys(placed.file for placed in order.frames):
        slots = [at for at, placed in enumerate(order.frames) if placed.file == number]
        headers = [order.frames[at].frame for at in slots]
        with openers[number]() as file:
            frames[slots] = read_intensities(file, headers, header.rows, header.columns)
    return frames
