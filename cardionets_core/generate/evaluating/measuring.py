"""Everything that is measured on the cines of all methods, record by record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from cardionets_core.cohort.reader import Cohort
from cardionets_core.generate.evaluating.candidates import Candidates
from cardionets_core.generate.evaluating.cines import DrawnCines, RealCines
from cardionets_core.generate.evaluating.memorisation import Nearest, nearest_training_cines
from cardionets_core.generate.evaluating.methods import Method
from cardionets_core.generate.evaluating.phenotypes import MEAN_OF_DRAWS, ONE_DRAW, Truth
from cardionets_core.generate.evaluating.pixels import pixel_metrics
from cardionets_core.generate.evaluating.reader import CineReader
from cardionets_core.generate.evaluating.regression import PhenotypeRidge, fit_ridge, learnable
from cardionets_core.generate.evaluating.rows import EvaluationRows
from cardionets_core.generate.evaluating.space import REAL, FeatureSpace

Floats = NDArray[np.float64]
Predicted = dict[tuple[str, str], Floats]
TRUE_CINE, ECG = "true cine", "ECG"
DIRECT = "direct regression"


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured on the test rows; n rows, all in their order.

    Attributes:
        truth: True phenotypes.
        predicted: Method and source to predicted phenotypes, (n, 82).
        pixels: Method to metric to values, (n,).
        space: The feature space.
        features: ``real`` and each method to features of the first draw, (n, P).
        nearest: ``real`` and each method to the nearest training cines.
        random: Methods whose draws differ.
        ridges: What was read from (``cine``, ``ECG``) to the regression that was fitted.
    """

    truth: Truth
    predicted: Predicted
    pixels: dict[str, dict[str, Floats]]
    space: FeatureSpace
    features: dict[str, NDArray[np.float32]]
    nearest: dict[str, Nearest]
    random: frozenset[str]
    ridges: dict[str, PhenotypeRidge]


class Measuring:
    """Measures all methods.

    Args:
        cohort: The cohort.
        rows: Its rows by use.
        candidates: The methods.
        real: The cohort's cines.
        drawn: The methods' cines.
        reader: What reads them.
        draws: Cines per record of methods that draw at random.
        console: Where it says how far it is.
    """

    def __init__(
        self,
        cohort: Cohort,
        rows: EvaluationRows,
        candidates: Candidates,
        real: RealCines,
        drawn: DrawnCines,
        reader: CineReader,
        *,
        draws: int,
        console: Console,
    ) -> None:
        self._cohort, self._rows, self._candidates = cohort, rows, candidates
        self._real, self._drawn, self._reader = real, drawn, reader
        self._draws, self._console = draws, console

    def measure(self) -> Measured:
        """Draw, compare, read and look for neighbours.

        Raises:
            EvaluationError: If something cannot be computed, e.g. for want of phenotypes.
        """
        methods, rows = self._candidates.methods, self._rows
        random = frozenset(method.name for method in methods if method.is_random())
        pixels = {method.name: self._pixels(method) for method in methods}
        ridges = self._ridges()
        features = {REAL: self._reader.features(self._real.readings(rows.test))}
        features |= {m.name: self._reader.features(self._drawn.readings(m, 0)) for m in methods}
        train = self._reader.features(self._real.readings(rows.train))
        space = FeatureSpace.fit(train)
        phenotypes = self._cohort.phenotypes
        return Measured(
            truth=Truth.of(phenotypes[rows.test], rows.subjects, learnable(phenotypes[rows.train])),
            predicted=self._predicted(random, ridges),
            pixels=pixels,
            space=space,
            features=features,
            nearest=self._nearest(space, features, space.standard(train)),
            random=random,
            ridges=ridges,
        )

    def _pixels(self, method: Method) -> dict[str, Floats]:
        self._say(f"{method.name}: cines of {len(self._rows.test)} records, compared with the true")
        return pixel_metrics(self._drawn.views(method), self._real, self._rows.test)

    def _ridges(self) -> dict[str, PhenotypeRidge]:
        rows, known = self._rows, self._cohort.phenotypes
        inputs: dict[str, Any] = {}
        if not self._reader.has_head:
            inputs[TRUE_CINE] = lambda part: self._reader.features(self._real.readings(part))
        if self._candidates.draws_from_ecgs:
            inputs[ECG] = lambda part: np.asarray(self._candidates.conditions[part])
        return {
            what: fit_ridge(
                (features(rows.train), known[rows.train]),
                (features(rows.val), known[rows.val]),
                what=what,
            )
            for what, features in inputs.items()
        }

    def _predicted(self, random: frozenset[str], ridges: dict[str, PhenotypeRidge]) -> Predicted:
        def read(readings: NDArray[np.float32]) -> Floats:
            if self._reader.has_head:
                return self._reader.phenotypes(readings).astype(np.float64)
            return ridges[TRUE_CINE].predict(self._reader.features(readings))

        found = {(REAL, TRUE_CINE): read(self._real.readings(self._rows.test))}
        if ECG in ridges:
            conditions = np.asarray(self._candidates.conditions[self._rows.test])
            found[DIRECT, ECG] = ridges[ECG].predict(conditions)
        for method in self._candidates.methods:
            found[method.name, ONE_DRAW] = read(self._drawn.readings(method, 0))
            if method.name in random and self._draws > 1:
                self._say(f"{method.name}: {self._draws} draws a record")
                drawn = [read(self._drawn.readings(method, k)) for k in range(self._draws)]
                found[method.name, MEAN_OF_DRAWS] = np.mean(drawn, axis=0)
        return found

    def _nearest(
        self, space: FeatureSpace, features: dict[str, NDArray[np.float32]], train: Floats
    ) -> dict[str, Nearest]:
        self._say(f"nearest of {len(train)} training cines")
        test = self._rows.test
        views: dict[str, Any] = {REAL: lambda places: self._real.views(test[places]).numpy()}
        for method in self._candidates.methods:
            drawn = self._drawn.views(method)
            views[method.name] = lambda places, drawn=drawn: drawn[places].astype(np.float32)
        return {
            name: nearest_training_cines(
                show, space.standard(features[name]), train, self._real, self._rows.train
            )
            for name, show in views.items()
        }

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)
