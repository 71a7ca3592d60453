"""The 4-chamber cine out of a zip of long-axis cines (field 20208).

Series are told apart by the headers of the images. The manifest, whose dates break its columns, is
not read.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from cardionets_core.cmr.cine import Cine
from cardionets_core.cmr.dicom_cine import Opener, read_dicom_cine
from cardionets_core.cmr.dicom_headers import CineHeader, read_cine_header
from cardionets_core.errors import CineError
from cardionets_core.source_files import Archive, open_archive

# Lower case, and _ for spaces, as headers are read. Exact: names such as
# CINE_segmented_LAX_4Ch_InlineVF are pictures of the scanner's own analysis.
FOUR_CHAMBER = "cine_segmented_lax_4ch"
MIXED = "cine_segmented_lax"
FRAMES = 50
# 3-, 4- and 2-chamber view, in this order of the files' names.
_VIEWS, _FOUR_CHAMBER_VIEW = 3, 1
# A frame has 0.1 MB.
_MOST_FRAME_BYTES = 16 << 20


class LongAxisCine(NamedTuple):
    """A 4-chamber cine, and whether it was told by its place among other views only."""

    cine: Cine
    from_mixed_series: bool


def read_four_chamber(path: Path) -> LongAxisCine:
    """Read the 4-chamber cine of an archive.

    Of repeats the last is taken. If no series is of this name, but there is one that mixes the
    three views, its second third by file name is taken.

    Source: both rules, and the order of the views, are those of ukbb_cardiac
    (data/biobank_utils.py).

    Args:
        path: The zip file.

    Raises:
        SourceError: If it is no whole zip file, or one that means harm.
        CineError: If there is no such cine in it, or it is damaged.
    """
    with open_archive(path) as archive:
        names = sorted(archive.names, key=lambda name: (PurePosixPath(name).name, name))
        openers = [partial(_open, archive, name) for name in names if not _is_manifest(name)]
        seen = _Seen(FOUR_CHAMBER)
        try:
            return LongAxisCine(_read(openers, seen), from_mixed_series=False)
        except CineError:
            if FOUR_CHAMBER in seen.names or MIXED not in seen.names:
                raise
        return LongAxisCine(_read(_four_chamber_third(openers), _Seen(MIXED)), True)


@dataclass
class _Seen:
    """Picks the series of a name, and remembers what the headers said.

    Attributes:
        name: The wanted one.
        names: Of all series.
        says_frames: Whether the wanted one says how many frames the heart beat has.
    """

    name: str
    names: set[str] = field(default_factory=set)
    says_frames: bool = False

    def wanted(self, header: CineHeader) -> bool:
        self.names.add(header.series_name)
        if header.series_name != self.name:
            return False
        self.says_frames |= header.cardiac_images is not None
        return True


def _read(openers: Sequence[Opener], seen: _Seen) -> Cine:
    cine = read_dicom_cine(openers, wanted=seen.wanted)
    if seen.says_frames:
        return cine
    # The headers do not say whether a frame is missing: the protocol does.
    return read_dicom_cine(openers, wanted=seen.wanted, expected_frames=FRAMES)


def _four_chamber_third(openers: Sequence[Opener]) -> list[Opener]:
    """Files of the 4-chamber view out of a series of three views, by the order of their names."""
    files = []
    for opener in openers:
        try:
            with opener() as file:
                header = read_cine_header(file)
        except CineError:
            continue
        if header.series_name == MIXED:
            files.append((opener, header))
    last = max(header.series_uid for _, header in files)
    series = [(opener, header) for opener, header in files if header.series_uid == last]
    frames = max(header.cardiac_images or len(series) // _VIEWS for _, header in series)
    if len(series) != _VIEWS * frames:
        raise CineError(
            f"a series of mixed views with {len(series)} files; needed {_VIEWS} x {frames} to tell "
            "the views apart by their order"
        )
    at = _FOUR_CHAMBER_VIEW * frames
    return [opener for opener, _ in series[at : at + frames]]


def _is_manifest(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in {".csv", ".cvs"}


def _open(archive: Archive, name: str) -> BinaryIO:
    return io.BytesIO(archive.read(name, _MOST_FRAME_BYTES))
