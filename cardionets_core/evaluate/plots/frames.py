"""Checks of the tables that figures are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cardionets_core.errors import EvaluationError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

PANEL = "panel"


def require_columns(
    frame: pd.DataFrame, figure: str, *, names: Sequence[str] = (), numbers: Sequence[str] = ()
) -> None:
    """Refuse a table without rows, without a column it needs, or with a gap in a number.

    Args:
        frame: One row per thing to draw.
        figure: Name of the figure, for the message.
        names: Columns of text.
        numbers: Columns of finite numbers.

    Raises:
        EvaluationError: If the table cannot be drawn.
    """
    if frame.empty:
        raise EvaluationError(
            f"{figure}: the table has no rows, but one or more are needed; "
            "check that records were scored"
        )
    missing = [column for column in (*names, *numbers) if column not in frame]
    if missing:
        raise EvaluationError(
            f"{figure}: columns {', '.join(missing)} are missing among "
            f"{', '.join(map(str, frame.columns)) or 'none'}; add them to the table"
        )
    if frame.columns.has_duplicates:
        double = ", ".join(map(str, frame.columns[frame.columns.duplicated()]))
        raise EvaluationError(f"{figure}: columns {double} come twice; give each name once")
    for column in numbers:
        _require_numbers(frame[column].tolist(), f"{figure}: column {column!r}")


def _require_numbers(values: Sequence[object], where: str) -> None:
    for row, value in enumerate(values):
        if not _is_finite_number(value):
            raise EvaluationError(
                f"{where} has {value!r} in row {row}, but a finite number is needed; "
                "compute it or leave the row out"
            )


def _is_finite_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and bool(np.isfinite(value))


def require_one_row_each(frame: pd.DataFrame, figure: str, keys: Sequence[str]) -> None:
    """Refuse rows that would be drawn on top of each other.

    Args:
        frame: Table that has the columns in ``keys``.
        figure: Name of the figure, for the message.
        keys: Columns that together name a row; a ``panel`` column is added where there is one.

    Raises:
        EvaluationError: If two rows have the same keys.
    """
    columns = [PANEL, *keys] if PANEL in frame else list(keys)
    double = frame.loc[frame.duplicated(columns), columns]
    if len(double):
        found = ", ".join(map(str, double.iloc[0]))
        raise EvaluationError(
            f"{figure}: two rows for {found}, but one per {', '.join(columns)} is needed; "
            "aggregate or select before drawing"
        )


def require_ordered(frame: pd.DataFrame, figure: str) -> None:
    """Refuse intervals whose ``low`` is above their ``high``.

    Raises:
        EvaluationError: If there is one.
    """
    swapped = frame["low"].to_numpy() > frame["high"].to_numpy()
    if swapped.any():
        row = int(swapped.argmax())
        low, high = frame["low"].iloc[row], frame["high"].iloc[row]
        raise EvaluationError(
            f"{figure}: row {row} has low {low:g} above high {high:g}; swap the two columns"
        )


def finite_array(values: ArrayLike, where: str) -> NDArray[np.float64]:
    """Values as float64, refused unless every one is finite.

    Raises:
        EvaluationError: If there is none, or one is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if not array.size or not np.isfinite(array).all():
        raise EvaluationError(
            f"{where}: {array.size} values, {int((~np.isfinite(array)).sum())} of them not "
            "finite, but one or more finite numbers are needed; check the scores"
        )
    return array


def panels_of(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Heading and rows of each panel, in order; one without heading if there is no such column."""
    if PANEL not in frame:
        return [("", frame)]
    return [(str(name), rows) for name, rows in frame.groupby(PANEL, sort=False)]


def in_order(values: Sequence[object]) -> list[str]:
    """Each value once, as text, in the order of first appearance."""
    return list(dict.fromkeys(map(str, values)))
