"""The base of every option model: frozen, and unknown keys are refused."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Options of a component or stage.

    Subclasses declare each option as ``Field(default, description=..., json_schema_extra={"unit":
    ...})``, so that ``cardionets show`` can print type, default, unit and meaning.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
