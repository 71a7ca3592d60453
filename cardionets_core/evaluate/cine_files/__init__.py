"""Cines as files, one format per module; what was drawn by a model says so in each.

Rendered pictures (GIF, MP4) carry a visible mark in a margin above the picture. Arrays (npz, NIfTI,
DICOM) carry it in their metadata and nowhere in the pixels.
"""

from __future__ import annotations

from cardionets_core.evaluate.cine_files.about import CineAbout
from cardionets_core.evaluate.cine_files.writing import CINE_SUFFIXES, cine_suffix, write_cine

__all__ = ["CINE_SUFFIXES", "CineAbout", "cine_suffix", "write_cine"]
