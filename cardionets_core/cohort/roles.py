"""How subjects are given a role and a split. Loads nothing heavy."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from cardionets_core.config import Options


class RoleConfig(Options):
    """Shares of roles and splits; each is a share of subjects, never of records."""

    pretrain_fraction: float = Field(
        0.5, ge=0, le=1, description="share of subjects with the role pretrain"
    )
    pretrain_val_fraction: float = Field(
        0.1, ge=0, lt=1, description="share of pretrain subjects kept for validation"
    )
    val_fraction: float = Field(
        0.2, ge=0, lt=1, description="share of downstream subjects kept for validation"
    )
    test_fraction: float = Field(
        0.2, ge=0, lt=1, description="share of downstream subjects kept for testing"
    )
    folds: int = Field(5, ge=2, le=100, description="folds over downstream subjects")

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> Self:
        if self.val_fraction + self.test_fraction >= 1:
            raise ValueError(
                f"val_fraction {self.val_fraction} and test_fraction {self.test_fraction} "
                "leave no downstream subject to train on; their sum must be below 1"
            )
        return self
