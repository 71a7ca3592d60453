"""Groups of named columns, one value per subject."""

import dataclasses
from typing import Self

from cardionets_simulated.streams import Array


@dataclasses.dataclass(frozen=True, eq=False)
class Columns:
    """A group of named arrays whose last axis is the subject."""

    def subject(self, position: int) -> Self:
        """The same columns for one subject; every array loses its last axis."""
        values = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            is_group = isinstance(value, Columns)
            values[field.name] = value.subject(position) if is_group else value[..., position]
        return type(self)(**values)


def by_sex(male: Array, men: float, women: float) -> Array:
    """The men's value where male is 1, the women's where it is 0."""
    return women + (men - women) * male


def mean_of_rows(rows: Array) -> Array:
    """Mean over the first axis, (rows, n) to (n,).

    Added row by row: numpy's own reduction changes its order of summation with n, and a subject
    must be bit-equal alone and in a batch.
    """
    total = rows[0].copy()
    for row in rows[1:]:
        total += row
    return total / len(rows)
