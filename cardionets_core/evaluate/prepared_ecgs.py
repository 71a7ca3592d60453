"""ECGs of files, folders and cohorts, ready for an encoder; a bad one comes with its reason."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cardionets_core.cohort.reader import Cohort, open_cohort
from cardionets_core.ecg.canonical import CANONICAL_RATE_HZ
from cardionets_core.ecg.leads import CanonicalEcg
from cardionets_core.ecg.quality import assess, heart_rate_and_r_peaks
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.errors import CardionetsError, EcgError, UsageError
from cardionets_core.reading import find_ecgs, read_ecg

_RECORDS_PER_BATCH = 64
_BATCHES_PER_WORKER = 2

# A file and what to call it.
_File = tuple[Path, str]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedEcg:
    """One ECG ready for an encoder, or why it is not.

    Attributes:
        record: File as found below the path that was named, or the cohort's record id.
        prepared: Output of the transform's ``prepare``, (12, n), or None.
        lead_mask: Which leads are there, (12,), or None.
        flags: Quality flags.
        usable: Whether the ECG passed the quality checks.
        heart_rate_bpm: Beats per minute; None if not asked for, or no rhythm is found.
        reason: Why it could not be used, or an empty text.
    """

    record: str
    prepared: NDArray[np.float32] | None
    lead_mask: NDArray[np.bool_] | None
    flags: str
    usable: bool
    heart_rate_bpm: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class EcgReader:
    """Reads and prepares ECGs. Pickles, for worker processes.

    Attributes:
        transform: Preprocessing that belongs to the encoder.
        declared: Units, rate and leads for formats that do not say.
        heart_rate: Whether to look for the heart rate, too.
        shortest_s: Shorter ECGs are refused; the others lack nothing that the encoder looks at.
    """

    transform: EcgTransform
    declared: Mapping[str, Any]
    heart_rate: bool = False
    shortest_s: float = 0.0

    def batches(
        self, paths: Sequence[Path], *, workers: int = 1, executor: Executor | None = None
    ) -> Iterator[list[PreparedEcg]]:
        """Everything at some paths, a batch at a time: cohorts first, then files.

        Args:
            paths: Files, folders and cohorts.
            workers: Processes that read.
            executor: ``concurrent.futures``-shaped, instead of own processes.

        Raises:
            UsageError: If there is no ECG at all.
            EcgError: If there is nothing at a path.
            CohortError: If a cohort cannot be opened.
        """
        blocks: list[_Block] = [
            block for path in paths if _is_cohort(path) for block in _rows(path)
        ]
        files = _files([path for path in paths if not _is_cohort(path)])
        blocks += [
            files[i : i + _RECORDS_PER_BATCH] for i in range(0, len(files), _RECORDS_PER_BATCH)
        ]
        if not blocks:
            raise UsageError("no ECG file of a known format is there; name files or their folder")
        if executor is not None:
            yield from _in_order(executor, self, blocks, workers)
        elif workers > 1 and len(blocks) > 1:
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                yield from _in_order(pool, self, blocks, workers)
        else:
            yield from map(self, blocks)

    def __call__(self, block: _Block) -> list[PreparedEcg]:
        """Read one batch."""
        if isinstance(block, _Rows):
            with open_cohort(block.cohort) as cohort:
                return [
                    self._guarded(str(cohort.record_ids[row]), self._of_row, cohort, int(row))
                    for row in block.rows
                ]
        return [self._guarded(shown, self._of_file, file) for file, shown in block]

    def of_record(self, record: EcgRecord) -> PreparedEcg:
        """Prepare one ECG.

        Raises:
            EcgError: If it cannot be brought into canonical form, or is too short.
        """
        verdict = assess(record)
        prepared, lead_mask = self.transform.prepare_record(record)
        self._refuse_short(record.signal_mv.shape[-1] / record.sampling_rate_hz)
        return PreparedEcg(
            record="",
            prepared=prepared,
            lead_mask=lead_mask,
            flags="; ".join(str(flag) for flag in verdict.flags),
            usable=verdict.usable,
            heart_rate_bpm=self._rate_of(record),
        )

    def _guarded(
        self, shown: str, read: Callable[..., PreparedEcg], *arguments: Any
    ) -> PreparedEcg:
        """Read one ECG; whatever goes wrong spoils its own row alone."""
        try:
            found = read(*arguments)
        except CardionetsError as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - a reader may fail in any way on a broken file
            reason = f"{type(error).__name__}: {error}"
        else:
            return replace(found, record=shown)
        return PreparedEcg(shown, None, None, "", usable=False, reason=reason)

    def _of_file(self, file: Path) -> PreparedEcg:
        return self.of_record(read_ecg(file, **self.declared))

    def _of_row(self, cohort: Cohort, row: int) -> PreparedEcg:
        signal_mv, lead_mask = cohort.ecg_mv([row])[0], cohort.lead_mask[row]
        # What a short record lacks was padded with NaN at its end.
        recorded = np.flatnonzero(np.isfinite(signal_mv).any(axis=0))
        self._refuse_short((recorded.max(initial=-1) + 1) / CANONICAL_RATE_HZ)
        unknown_mv = np.full(len(signal_mv), np.nan)
        ecg = CanonicalEcg(signal_mv, lead_mask, (), unknown_mv, float(CANONICAL_RATE_HZ))
        return PreparedEcg(
            record="",
            prepared=self.transform.prepare(signal_mv),
            lead_mask=lead_mask,
            flags=cohort.quality_details(row),
            usable=bool(cohort.usable[row]),
            heart_rate_bpm=self._rate_of(ecg),
        )

    def _refuse_short(self, length_s: float) -> None:
        if length_s < self.shortest_s:
            raise EcgError(
                f"{length_s:g} s of ECG, but the weights look at {self.shortest_s:g} s at a time; "
                "record as much or more"
            )

    def _rate_of(self, ecg: EcgRecord | CanonicalEcg) -> float | None:
        found = heart_rate_and_r_peaks(ecg) if self.heart_rate else None
        return None if found is None else found.beats_per_minute


def refuse_overwriting(paths: Sequence[Path], out: Path) -> None:
    """Refuse to replace one of the ECGs that are to be read by the table of them.

    Args:
        paths: Files, folders and cohorts.
        out: The table.

    Raises:
        UsageError: If ``out`` is among them.
        EcgError: If there is nothing at a path.
    """
    if not out.is_file():
        return
    for path in paths:
        if any(out.samefile(file) for file in ([path] if _is_cohort(path) else find_ecgs(path))):
            raise UsageError(
                f"{out} is one of the files to be read and would be replaced by the table; name "
                "another --out"
            )


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Some rows of a cohort."""

    cohort: Path
    rows: NDArray[np.int64]


_Block = _Rows | list[_File]


def _is_cohort(path: Path) -> bool:
    return path.suffix == ".h5"


def _rows(path: Path) -> list[_Block]:
    with open_cohort(path) as cohort:
        rows = cohort.select(with_ecg=True, quality="any")
    return [
        _Rows(path, rows[first : first + _RECORDS_PER_BATCH])
        for first in range(0, len(rows), _RECORDS_PER_BATCH)
    ]


def _files(paths: Sequence[Path]) -> list[_File]:
    """All files, each with a name that no other has."""
    found = [(file, path) for path in paths for file in find_ecgs(path)]
    shown = [_shown(file, path) for file, path in found]
    times = Counter(shown)
    return [
        (file, short if times[short] == 1 else _text(file))
        for (file, _), short in zip(found, shown, strict=True)
    ]


def _shown(file: Path, named: Path) -> str:
    """What to call a file in the table: names alone may come twice in a folder of folders."""
    return _text(file.relative_to(named) if named.is_dir() else Path(file.name))


def _text(path: Path) -> str:
    """A path as text; bytes in it that are no text are shown as such."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _in_order(
    executor: Executor, read: EcgReader, blocks: Sequence[_Block], workers: int
) -> Iterator[list[PreparedEcg]]:
    """Results in the order of the blocks, never more under way than the workers need."""
    pending: deque[Future[list[PreparedEcg]]] = deque()
    for block in blocks:
        pending.append(executor.submit(read, block))
        if len(pending) >= _BATCHES_PER_WORKER * workers:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
