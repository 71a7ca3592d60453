"""Real and generated cines in the frame, and what is read off them; on disk, read by block."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor

from cardionets_core.cohort.reader import Cohort
from cardionets_core.generate.evaluating.frame import Frame, view_digest
from cardionets_core.generate.evaluating.methods import Method, digest_of
from cardionets_core.generate.evaluating.reader import CineReader
from cardionets_core.generate.evaluating.rows import EvaluationRows, names_of
from cardionets_core.train.arrays import cached_array
from cardionets_core.train.cine_source import CineSource
from cardionets_core.train.cohorts import preparing_progress
from cardionets_core.train.order import seed_of

Places = NDArray[np.int64]
_BLOCK = 64


def blocks(count: int) -> Iterator[Places]:
    """Numbers below ``count``, a few at a time."""
    yield from (np.arange(i, min(i + _BLOCK, count)) for i in range(0, count, _BLOCK))


class RealCines:
    """The cohort's own cines.

    Args:
        cohort: The cohort.
        rows: Whom they are of.
        frame: What they are brought to.
        reader: What reads them.
        console: Where progress is shown.
    """

    def __init__(
        self,
        cohort: Cohort,
        rows: EvaluationRows,
        frame: Frame,
        reader: CineReader,
        console: Console,
    ) -> None:
        used = np.sort(np.concatenate([rows.test, rows.train, rows.val]))
        with preparing_progress(console) as bar:
            task = bar.add_task("reading cines", total=2 * len(used))

            def on_block(done: int) -> None:
                bar.advance(task, done)

            self._source = CineSource(
                cohort, frame.generator, ["frame", frame.digest], rows=used, on_block=on_block
            )
            self._readings = cached_array(
                "cine-readings",
                [cohort.content_hash, reader.key],
                shape=(len(cohort), reader.width),
                dtype=np.float32,
                fill=lambda block: reader.read(self._source.views(block)),
                rows=used,
                on_block=on_block,
            )

    def views(self, rows: Places) -> Tensor:
        """Views of cohort rows, (b, T, H, W)."""
        return self._source.views(rows)

    def readings(self, rows: Places) -> NDArray[np.float32]:
        """What the reader makes of cohort rows, (b, width)."""
        return np.asarray(self._readings[rows])


@dataclass
class Clock:
    """Seconds and cines by stage; work that was found in the cache takes none."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    cines: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def timed(self, stage: str, work: Callable[[], Any], cines: int = 0) -> Any:
        """Do some work and count its time."""
        start = time.perf_counter()
        found = work()
        self.seconds[stage] += time.perf_counter() - start
        self.cines[stage] += cines
        return found


class DrawnCines:
    """Cines that the methods draw for the test rows.

    The first draw is kept on disk, of the others what is read off them.

    Args:
        cohort: The cohort.
        test: Its test rows.
        frame: What cines are brought to.
        reader: What reads them.
        seed: Of the draws.
        console: Where progress is shown.
    """

    def __init__(
        self,
        cohort: Cohort,
        test: Places,
        frame: Frame,
        reader: CineReader,
        *,
        seed: int,
        console: Console,
    ) -> None:
        self._frame, self._reader, self._console = frame, reader, console
        self._seed, self._names = seed, names_of(cohort, test)
        self._is_in_frame: dict[str, bool] = {}
        self.clock = Clock()

    def views(self, method: Method) -> NDArray[np.float16]:
        """First draw of all test rows, (n, T, H, W), on disk."""
        return self._cached("drawn-cines", method, 0, self._frame.shape, np.float16, self._draw)

    def readings(self, method: Method, draw: int) -> NDArray[np.float32]:
        """What the reader makes of one draw, (n, width)."""
        kept = self.views(method) if draw == 0 else None

        def read(method: Method, places: Places, draw: int) -> NDArray[np.float32]:
            views = self._draw(method, places, draw) if kept is None else kept[places]
            return self._read(torch.from_numpy(views.astype(np.float32)))

        shape = (self._reader.width,)
        return self._cached("drawn-readings", method, draw, shape, np.float32, read)

    def _read(self, views: Tensor) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self.clock.timed(
            "reading", lambda: self._reader.read(views), len(views)
        )
        return found

    def _draw(self, method: Method, places: Places, draw: int) -> NDArray[np.float32]:
        seeds = [seed_of(self._seed, "draw", draw, self._names[place]) for place in places]
        views = self.clock.timed(
            f"sampling {method.name}", lambda: method.sample(places, seeds), len(places)
        )
        if not self._in_frame(method):
            views = self._frame.through_cines(method.generator, views)
        found: NDArray[np.float32] = views.numpy()
        return found

    def _in_frame(self, method: Method) -> bool:
        if method.name not in self._is_in_frame:
            digest = view_digest(method.generator)
            self._is_in_frame[method.name] = digest == self._frame.digest
        return self._is_in_frame[method.name]

    def _cached(
        self,
        name: str,
        method: Method,
        draw: int,
        shape: tuple[int, ...],
        dtype: type[np.floating[Any]],
        fill: Callable[[Method, Places, int], NDArray[Any]],
    ) -> NDArray[Any]:
        count = len(self._names)
        reader = None if name == "drawn-cines" else self._reader.key
        names = digest_of(np.array(self._names))
        with preparing_progress(self._console) as bar:
            task = bar.add_task(f"{method.name}, draw {draw + 1}", total=count)
            return cached_array(
                name,
                [method.key, self._frame.digest, reader, names, self._seed, draw],
                shape=(count, *shape),
                dtype=dtype,
                fill=lambda places: fill(method, places, draw),
                rows=np.arange(count),
                on_block=lambda done: bar.advance(task, done),
            )
