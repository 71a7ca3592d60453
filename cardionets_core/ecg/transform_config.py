"""Options of the ECG transform. Imports neither numpy nor torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from cardionets_core.config import Options
from cardionets_core.ecg.canonical import CANONICAL_SECONDS


class EcgTransformConfig(Options):
    """How a canonical ECG becomes what an encoder sees.

    The defaults are those of the preset ``recommended``.
    """

    sampling_rate_hz: int = Field(
        250, gt=0, le=1000, description="rate the encoder sees", json_schema_extra={"unit": "Hz"}
    )
    crop_samples: int = Field(
        2250, gt=0, description="length of one crop", json_schema_extra={"unit": "samples"}
    )
    resampling: Literal["polyphase", "fourier"] = Field(
        "polyphase", description="polyphase FIR, or Fourier as the released code"
    )
    assumed_source_rate_hz: int | None = Field(
        None,
        gt=0,
        description="take every record for one of this rate, whatever it says, as the released "
        "code does; none to believe the record",
        json_schema_extra={"unit": "Hz"},
    )
    filter_order: Literal["filter-then-crop", "crop-then-filter"] = Field(
        "filter-then-crop",
        description="filter the whole record once, or every crop with its own edge transients",
    )
    high_pass_hz: float | None = Field(
        0.67, gt=0, description="-6 dB corner; none for no filter", json_schema_extra={"unit": "Hz"}
    )
    low_pass_hz: float | None = Field(
        40.0, gt=0, description="-6 dB corner; none for no filter", json_schema_extra={"unit": "Hz"}
    )
    butterworth_order: int = Field(
        5, ge=1, le=10, description="order of each filter, run forward and backward"
    )
    standardise: Literal["lead-sd", "crop-zscore"] = Field(
        "lead-sd",
        description="divide by one SD per lead of the training set, or z-score over the leads and "
        "time of each crop",
    )
    eval_crops: int = Field(3, ge=1, description="fixed crops in evaluation")
    eval_crop_rule: Literal["even", "released-code"] = Field(
        "even",
        description="exactly that many evenly spaced crops, or the released code's rule, which may "
        "return more",
    )

    @property
    def prepared_samples(self) -> int:
        """Samples of a whole record at the encoder's rate."""
        return self.sampling_rate_hz * CANONICAL_SECONDS

    @model_validator(mode="after")
    def _check_lengths_and_corners(self) -> Self:
        if self.crop_samples > self.prepared_samples:
            raise ValueError(
                f"crop_samples is {self.crop_samples}, but {CANONICAL_SECONDS} s at "
                f"{self.sampling_rate_hz} Hz are {self.prepared_samples} samples; lower it"
            )
        corners = [hz for hz in (self.high_pass_hz, self.low_pass_hz) if hz is not None]
        if corners != sorted(set(corners)) or any(
            2 * hz >= self.sampling_rate_hz for hz in corners
        ):
            raise ValueError(
                f"filter corners {corners} Hz must rise and lie below half of "
                f"{self.sampling_rate_hz} Hz"
            )
        return self
