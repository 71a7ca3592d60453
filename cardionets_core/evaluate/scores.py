"""Scores of one or two models as compared: the type, and pairing two by their ids."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cardionets_core.errors import EvaluationError

ScoreKind = Literal["binary", "multiclass", "regression"]
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of one model.

    Attributes:
        name: What to call the model.
        kind: What the targets are.
        outputs: Class names of ``multiclass``, else the names of the outputs.
        ids: Id of each row; unique together with its seed.
        y: Targets, (n, T): 0 and 1, class indices, or numbers (NaN where unknown).
        score: Scores, (n, K).
        columns: Everything else as text by name: ``fold``, ``seed``, ``subject``, ``sex``, ...
        threshold: The file's own threshold of each row, (n,), or None.
        notes: What was taken for granted in reading.
        simulated: Whether the file says that its subjects were simulated.
    """

    name: str
    kind: ScoreKind
    outputs: tuple[str, ...]
    ids: NDArray[np.str_]
    y: NDArray[np.float64]
    score: NDArray[np.float64]
    columns: pd.DataFrame
    threshold: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()
    simulated: bool = False

    def column(self, name: str) -> NDArray[np.str_] | None:
        """A column as text, (n,), or None if there is none of that name."""
        if name not in self.columns:
            return None
        return np.asarray(self.columns[name].to_numpy(), dtype=np.str_)

    @property
    def keys(self) -> list[_Key]:
        """What a row is known by: its id, and its seed where the file tells it."""
        seeds = self.column("seed")
        texts = [""] * len(self.ids) if seeds is None else seeds.tolist()
        return list(zip(self.ids.tolist(), texts, strict=True))

    def take(self, rows: NDArray[np.intp]) -> Scores:
        """Some of the rows, in that order."""
        return replace(
            self,
            ids=self.ids[rows],
            y=self.y[rows],
            score=self.score[rows],
            columns=self.columns.iloc[rows].reset_index(drop=True),
            threshold=None if self.threshold is None else self.threshold[rows],
        )

    def of_outputs(self, chosen: NDArray[np.bool_]) -> Scores:
        """Some of the outputs; classes stay together, being one target."""
        if chosen.all():
            return self
        outputs = tuple(name for name, kept in zip(self.outputs, chosen, strict=True) if kept)
        return replace(self, outputs=outputs, y=self.y[:, chosen], score=self.score[:, chosen])


def refuse_duplicates(scores: Scores) -> None:
    """Refuse a record that comes twice.

    Raises:
        EvaluationError: With the number of such ids and the first row of one; never the id.
    """
    keys = scores.keys
    double = [key for key, times in Counter(keys).items() if times > 1]
    if double:
        rows = [row for row, key in enumerate(keys, start=1) if key == double[0]]
        raise EvaluationError(
            f"{scores.name}: {len(double)} ids come more than once, the first in rows "
            f"{', '.join(map(str, rows[:5]))}; keep one row per record (a column 'seed' tells "
            "repeated trainings apart, a column 'subject' repeated records of a person)"
        )


def paired(a: Scores, b: Scores) -> tuple[Scores, Scores]:
    """Both in the order of A and with the columns of either file.

    Raises:
        EvaluationError: If the two are not of the same records with the same labels and folds.
    """
    a, b = _with_seeds_of_both(a, b)
    if a.kind != b.kind or a.outputs != b.outputs:
        raise EvaluationError(
            f"{a.name} is {_kind(a)} and {b.name} is {_kind(b)}; both must score the same task"
        )
    place = {key: row for row, key in enumerate(b.keys)}
    _refuse_other_ids(a, b)
    ordered = b.take(np.array([place[key] for key in a.keys], dtype=np.intp))
    _refuse_other_labels(a, ordered, b, place)
    for name in ("fold", "subject"):
        _refuse_other_groups(name, a, ordered)
    new = [name for name in ordered.columns if name not in a.columns]
    columns = pd.concat([a.columns, ordered.columns[new]], axis=1)
    return replace(a, columns=columns), replace(ordered, columns=columns)


def _with_seeds_of_both(a: Scores, b: Scores) -> tuple[Scores, Scores]:
    """Both with seeds where one file alone tells them, by the ids."""
    if (a.column("seed") is None) == (b.column("seed") is None):
        return a, b
    if b.column("seed") is not None:
        return _with_seeds_of(a, b), b
    return a, _with_seeds_of(b, a)


def _with_seeds_of(silent: Scores, telling: Scores) -> Scores:
    if len(np.unique(telling.ids)) < len(telling.ids):
        raise EvaluationError(
            f"{telling.name} has several trainings of a record, told apart by its column 'seed', "
            f"and {silent.name} has no such column; add it, or keep one training"
        )
    seeds = dict(telling.keys)
    told = [seeds.get(record, "") for record in silent.ids.tolist()]
    return replace(silent, columns=silent.columns.assign(seed=told))


def _kind(scores: Scores) -> str:
    if scores.kind == "multiclass":
        return f"multiclass ({', '.join(scores.outputs)})"
    return f"{scores.kind} of {scores.y.shape[1]} output{'s' * (scores.y.shape[1] > 1)}"


def _refuse_other_ids(a: Scores, b: Scores) -> None:
    lacks = [_lacking(a, b), _lacking(b, a)]
    if any(lacks) and set(a.ids.tolist()) == set(b.ids.tolist()):
        raise EvaluationError(
            f"{a.name} and {b.name} have the same ids under other seeds; give scores of the same "
            "seeds, or leave the column 'seed' out of one file"
        )
    if any(lacks):
        raise EvaluationError(
            f"the ids differ: {a.name} has {len(a.ids)} rows, {b.name} {len(b.ids)}; "
            f"{' and '.join(filter(None, lacks))}; give both models' scores of the same records"
        )


def _lacking(one: Scores, other: Scores) -> str:
    there = set(other.keys)
    rows = [row for row, key in enumerate(one.keys, start=1) if key not in there]
    if not rows:
        return ""
    return f"{len(rows)} ids of {one.name} (first in row {rows[0]}) are not in {other.name}"


def _refuse_other_labels(a: Scores, ordered: Scores, b: Scores, place: dict[_Key, int]) -> None:
    same = np.isclose(a.y, ordered.y, rtol=1e-6, atol=0, equal_nan=True).all(axis=1)
    differing = np.flatnonzero(~same)
    if len(differing):
        row = int(differing[0])
        raise EvaluationError(
            f"{len(differing)} of {len(a.ids)} labels differ between {a.name} and {b.name}, first "
            f"in row {row + 1} and row {place[a.keys[row]] + 1}; both must have the same truth"
        )


def _refuse_other_groups(name: str, a: Scores, b: Scores) -> None:
    own, others = a.column(name), b.column(name)
    if own is None or others is None:
        return
    differing = np.flatnonzero(own != others)
    if len(differing):
        raise EvaluationError(
            f"column {name!r} differs between {a.name} and {b.name} in {len(differing)} of "
            f"{len(own)} records, first in row {differing[0] + 1} of {a.name}; give both the same "
            f"{name}s, or leave the column out of one file"
        )
