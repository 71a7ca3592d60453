"""What all statistics ask of their arrays, with one clear line where it does not hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cardionets_core.errors import EvaluationError

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


class StatisticsWarning(UserWarning):
    """A number that is defined but says less than it seems to."""


def numbers(values: ArrayLike, name: str) -> Floats:
    """Values as float64, (n,) or (n, outputs); a single column becomes (n,).

    Raises:
        EvaluationError: If they are empty, no numbers, or of more than two dimensions.
    """
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"{name}: not an array of numbers ({error}); give numbers") from error
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim not in {1, 2} or found.size == 0:
        raise EvaluationError(
            f"{name}: shape {found.shape}, but one row per case is needed, (n,) or (n, outputs)"
        )
    return found


def scores_of(values: ArrayLike, name: str = "score") -> Floats:
    """Scores as float64, (n,) or (n, outputs).

    Raises:
        EvaluationError: If one is NaN or infinite.
    """
    found = numbers(values, name)
    bad = ~np.isfinite(found)
    if bad.any():
        raise EvaluationError(
            f"{name}: {int(bad.sum())} of {found.size} values are NaN or infinite; every case "
            "needs a score, so leave out cases without one in every model alike"
        )
    return found


def same_length(**arrays: NDArray[Any] | None) -> int:
    """The number of rows that all arrays have; those that are None do not count.

    Raises:
        EvaluationError: If lengths differ.
    """
    lengths = {name: len(array) for name, array in arrays.items() if array is not None}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise EvaluationError(f"lengths differ ({shown}); give one value per case in one order")
    return next(iter(lengths.values()))


def binary_labels(y: ArrayLike) -> NDArray[np.bool_]:
    """Labels 0/1 of one output as booleans, (n,).

    Raises:
        EvaluationError: If there is another value than 0 and 1, or more than one column.
    """
    found = numbers(y, "y")
    if found.ndim != 1:
        raise EvaluationError(f"y: {found.shape[1]} columns; give the labels of one output")
    _only_zero_and_one(found)
    return found == 1


def both_classes(labels: NDArray[np.bool_], where: str = "") -> None:
    """Refuse labels of one class only.

    Args:
        labels: (n,).
        where: For the message, such as " in cell 'fold 2'".

    Raises:
        EvaluationError: If all labels are equal.
    """
    cases = int(labels.sum())
    if cases in {0, len(labels)}:
        raise EvaluationError(
            f"one class only{where}: {cases} cases and {len(labels) - cases} controls, but both "
            "are needed; add cases of the other class or leave this group out"
        )


def label_table(y: Floats, outputs: int) -> tuple[Floats, bool]:
    """Labels as a table of 0/1, NaN where unknown.

    Args:
        y: (n,) 0/1 for one output; (n,) class numbers for several; (n, outputs) 0/1/NaN for
            labels that do not exclude each other.
        outputs: Columns of the scores.

    Returns:
        The table, (n, outputs), and whether the outputs exclude each other.

    Raises:
        EvaluationError: If labels are not of this kind.
    """
    if y.ndim == 2:
        if y.shape[1] != outputs:
            raise EvaluationError(
                f"y has {y.shape[1]} columns and the scores {outputs}; give one score per label"
            )
        _only_zero_and_one(y[~np.isnan(y)])
        return y, False
    if outputs == 1:
        _only_zero_and_one(y)
        return y[:, None], False
    classes = np.arange(outputs)
    if not np.isin(y, classes).all():
        raise EvaluationError(
            f"y holds {_some(y[~np.isin(y, classes)])}, but scores of {outputs} classes need class "
            f"numbers 0 to {outputs - 1}; leave out cases of another or unknown class"
        )
    return (y[:, None] == classes).astype(np.float64), True


def _only_zero_and_one(values: Floats) -> None:
    bad = values[(values != 0) & (values != 1)]
    if len(bad):
        raise EvaluationError(
            f"y holds {_some(bad)}, but labels are 0 and 1; leave out cases of unknown label"
        )


def _some(values: Floats) -> str:
    distinct = np.unique(values)
    return ", ".join(f"{value:g}" for value in distinct[:3]) + (", ..." * (len(distinct) > 3))
