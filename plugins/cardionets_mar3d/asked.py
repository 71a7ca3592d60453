"""What a generator without noise makes of the arguments of ``sample``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cardionets_core.errors import UsageError
from cardionets_mar3d.sampling import record_seeds


def check_sampling(
    batch: int, seed: int | Sequence[int], steps: int | None, guidance: float | None
) -> None:
    """Refuse arguments of ``sample`` that make no sense, though nothing is drawn with them.

    Args:
        batch: Number of conditions.
        seed: One, or one per condition.
        steps: Steps of a sampler; one pass is made whatever the number.
        guidance: Strength of a guidance; without effect.

    Raises:
        UsageError: If there are not as many seeds as conditions, or steps or guidance make no
            sense.
    """
    record_seeds(seed, batch)
    if steps is not None and steps < 1:
        raise UsageError(f"steps={steps}: a cine takes 1 step or more; leave steps out")
    if guidance is not None and not (math.isfinite(guidance) and guidance >= 0):
        raise UsageError(f"guidance={guidance}: needed 0 or more; leave guidance out")
