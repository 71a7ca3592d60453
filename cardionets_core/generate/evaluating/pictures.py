"""Pictures of cines: real beside generated, ends of LV mass, and the nearest training cines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.evaluate.plots.cines import (
    CineGroup,
    CineRow,
    draw_contact_sheet,
    draw_decile_sheet,
    draw_ed_es_sheet,
    write_side_by_side,
)
from cardionets_core.generate.evaluating.cines import RealCines
from cardionets_core.generate.evaluating.frame import Frame
from cardionets_core.generate.evaluating.memorisation import Nearest
from cardionets_core.generate.evaluating.rows import EvaluationRows

_Show = Callable[[NDArray[np.int64]], NDArray[np.float32]]
Views = Mapping[str, NDArray[np.float16]]
LV_MASS = next(i for i, phenotype in enumerate(PHENOTYPES) if phenotype.field_id == 24105)
_SHEET_SUBJECTS, _ED_ES_SUBJECTS, _PAIRS, _GIFS = 3, 8, 4, 2
_FEWEST_FOR_TENTHS = 10


class _OneByOne:
    """Cines by place, read when one is looked at: a sheet shows a fifth of them at most."""

    def __init__(self, show: _Show, count: int) -> None:
        self._show, self._count = show, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int) -> NDArray[np.float32]:
        return self._show(np.array([place]))[0]


class Pictures:
    """Draws real and generated cines of the same subjects.

    Args:
        frame: What is compared, and shown: frames in between would only be interpolated.
        rows: The cohort's rows by use.
        real: Its cines.
        drawn: Method to its first draw of every test row, (n, T, H, W).
        simulated: Whether subjects are simulated, or a generator learnt from such.
        folder: Where to.
    """

    def __init__(
        self,
        frame: Frame,
        rows: EvaluationRows,
        real: RealCines,
        drawn: Views,
        *,
        simulated: bool,
        folder: Path,
    ) -> None:
        self._rows, self._real, self._drawn = rows, real, drawn
        self._simulated, self._folder = simulated, folder
        self._note = f"Shown as compared: {' x '.join(map(str, frame.shape))}."

    def side_by_side(self, seed: int) -> list[str]:
        """Sheets and animations of a few test subjects, drawn by the seed.

        Returns:
            Names of the files.
        """
        chosen = np.random.default_rng(seed).permutation(len(self._rows.test))
        groups = [self._group(place, f"test subject {n + 1}") for n, place in
                  enumerate(chosen[:_ED_ES_SUBJECTS].tolist())]  # fmt: skip
        draw_contact_sheet(
            groups[:_SHEET_SUBJECTS],
            self._folder / "contact-sheet",
            note=f"Real and generated cines of the same subjects. {self._note}",
        )
        draw_ed_es_sheet(
            groups,
            self._folder / "ed-es",
            note=f"Real and generated cines of the same subjects. {self._note}",
        )
        names = ["contact-sheet.png", "ed-es.png"]
        for number, group in enumerate(groups[:_GIFS], start=1):
            names.append(f"side-by-side-{number}.gif")
            write_side_by_side(group.rows, self._folder / names[-1])
        return names

    def lv_mass(self, values: NDArray[np.float32], method: str) -> list[str]:
        """The lowest and highest tenth of LV mass, real against one method.

        Args:
            values: LV mass of the test rows in g, NaN where not measured, (n,).
            method: Whose cines.

        Returns:
            Names of the files; none where too few have a value.
        """
        if np.isfinite(values).sum() < _FEWEST_FOR_TENTHS:
            return []
        shown: dict[str, _Show] = {"real": self._real_cines, method: partial(self._cines, method)}
        rows = [
            CineRow(
                name,
                cast("Any", _OneByOne(show, len(values))),
                synthetic=name == method,
                simulated=self._simulated,
            )
            for name, show in shown.items()
        ]
        draw_decile_sheet(
            rows,
            values,
            self._folder / "lv-mass",
            phenotype="LV mass",
            unit="g",
            title="Lowest and highest tenth of LV mass, real against generated",
            note=self._note,
        )
        return ["lv-mass.png"]

    def nearest_pairs(self, found: Nearest, method: str) -> list[str]:
        """The cines of a method that are most suspect of being copies, and what they are near to.

        Args:
            found: Nearest training cines of the method's cines.
            method: Whose cines.

        Returns:
            Names of the files.
        """
        suspects = np.argsort(found.ratio, kind="stable")[:_PAIRS]
        neighbours = self._real.views(self._rows.train[found.place[suspects]]).numpy()
        drawn = self._cines(method, suspects)
        groups = [
            CineGroup(
                f"RMSE {found.pixel[place]:.3f}, {found.ratio[place]:.2f} of the second nearest",
                [
                    CineRow(method, drawn[n], synthetic=True, simulated=self._simulated),
                    CineRow(
                        "nearest training cine",
                        neighbours[n],
                        synthetic=False,
                        simulated=self._simulated,
                    ),
                ],
            )
            for n, place in enumerate(suspects.tolist())
        ]
        draw_ed_es_sheet(
            groups,
            self._folder / "nearest-pairs",
            title="Generated cines most like a training cine, and that cine",
            note=self._note,
        )
        return ["nearest-pairs.png"]

    def _group(self, place: int, title: str) -> CineGroup:
        places = np.array([place])
        cines = {"real": self._real_cines(places)[0]}
        cines |= {name: self._cines(name, places)[0] for name in self._drawn}
        rows = [
            CineRow(name, cine, synthetic=name != "real", simulated=self._simulated)
            for name, cine in cines.items()
        ]
        return CineGroup(title, rows)

    def _real_cines(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._real.views(self._rows.test[places]).numpy()
        return found

    def _cines(self, method: str, places: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.asarray(self._drawn[method][places], dtype=np.float32)
