"""Options of how a cine is brought to the canonical size. Imports no numpy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cardionets_core.config import Options

Crop = Literal["centre", "temporal-variance"]
Intensity = Literal["min-max", "percentile"]


class CineGeometryOptions(Options):
    """How any cine becomes 50 frames of 96 x 96 pixels.

    The paper publishes the size and not the crop; 2.2 mm, which is also what the simulated cines
    have, leaves room for a whole heart that lies off the centre.
    """

    spacing_mm: float = Field(
        2.2,
        ge=0.5,
        le=10.0,
        description="size of a pixel; 96 of them are the field of view",
        json_schema_extra={"unit": "mm"},
    )
    crop: Crop = Field(
        "centre",
        description="what the picture is cut around: its centre, or the centre of what moves",
    )
    intensity: Intensity = Field(
        "min-max",
        description="what becomes black and white: the least and the most intensity, or the 1st "
        "and 99th percentile",
    )
