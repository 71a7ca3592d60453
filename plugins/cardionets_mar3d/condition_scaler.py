"""Conditions at zero mean and unit SD, as the training subjects had them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cardionets_core.errors import TrainingError, WeightsError


class ConditionScaler(nn.Module):
    """Standardises every dimension of a condition by the training subjects' mean and SD.

    Args:
        width: Dimensions C of a condition.
    """

    mean: Tensor
    sd: Tensor
    fitted: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("sd", torch.ones(width))
        self.register_buffer("fitted", torch.tensor(False))

    @torch.no_grad()
    def fit(self, condition: Tensor) -> None:
        """Take mean and SD of the training conditions (n, C); a constant dimension keeps SD 1.

        Raises:
            TrainingError: If there are fewer than two, or some are not finite.
            WeightsError: If they have another width.
        """
        require_width(condition, self.width)
        if len(condition) < 2:
            raise TrainingError(
                f"{len(condition)} training subject, but 2 or more are needed; prepare a larger "
                "cohort"
            )
        bad = int((~torch.isfinite(condition)).any(dim=1).sum())
        if bad:
            raise TrainingError(
                f"conditions of {bad} of {len(condition)} training subjects are not finite; check "
                "the encoder's weights and precision"
            )
        wide = condition.double()
        sd, mean = torch.std_mean(wide, dim=0)
        # Equal values leave no more than the rounding of their mean.
        spread = sd > torch.finfo(torch.float32).eps * wide.abs().amax(dim=0)
        self.mean.copy_(mean)
        self.sd.copy_(torch.where(spread, sd, 1.0))
        self.fitted.fill_(True)

    def forward(self, condition: Tensor) -> Tensor:
        """Conditions (B, C) to standardised ones, in float32 at least.

        Raises:
            WeightsError: If they have another width.
        """
        require_width(condition, self.width)
        wide = condition if condition.dtype == torch.float64 else condition.float()
        return (wide - self.mean) / self.sd

    def require_fit(self) -> None:
        """Refuse to draw before training.

        Raises:
            TrainingError: If it was neither fitted nor filled.
        """
        if not bool(self.fitted):
            raise TrainingError(
                "the generator was not fitted; train it or load trained weights first"
            )


def require_width(condition: Tensor, width: int) -> None:
    """Refuse conditions that are not (B, width).

    Raises:
        WeightsError: If they are not.
    """
    if condition.ndim != 2 or condition.shape[1] != width:
        raise WeightsError(
            f"conditions have shape {tuple(condition.shape)}, but (batch, {width}) is needed; name "
            "the encoder that the generator was trained with"
        )
