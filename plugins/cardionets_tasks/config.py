"""Options of the heads. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from cardionets_core.config import Options


class _HeadConfig(Options):
    dropout: float = Field(0.0, ge=0, lt=1, description="share of features dropped in training")


class LinearConfig(_HeadConfig):
    """Options of the linear head."""


class MlpConfig(_HeadConfig):
    """Options of the head with hidden layers."""

    widths: tuple[PositiveInt, ...] = Field(
        (256, 128),
        min_length=1,
        description="width of each hidden layer",
        json_schema_extra={"unit": "features"},
    )
    activation: Literal["relu", "gelu"] = Field("relu", description="after every hidden layer")


class AttentionConfig(_HeadConfig):
    """Options of the head that attends to tokens."""

    heads: int = Field(
        4,
        gt=0,
        description="attention heads; they divide the width of a token",
        json_schema_extra={"unit": "heads"},
    )
