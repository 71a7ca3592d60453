"""Runs whose lineage saw certain people: trained on them, or only validated or evaluated on."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.cohort.withdrawing import Withdrawal
from cardionets_core.errors import CardionetsError, SourceError
from cardionets_core.source_tables import Table
from cardionets_core.train.run_folder import MANIFEST_NAME, RunFolder
from cardionets_core.weights.ancestry import FINGERPRINTS_FILE

Use = Literal[
    "trained on",
    "validated on",
    "evaluated on",
    "unfinished on this cohort",
    "perhaps evaluated on",
    "cannot tell",
]
_ID_COLUMNS = ("subject_id", "record_id", "record")
_FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Seen:
    """A folder that people's data went into.

    Attributes:
        path: The run folder; or the table with the people's ids, where it is in none.
        stage: What the run trains; empty for a table.
        use: What it did with them.
    """

    path: Path
    stage: str
    use: Use


def runs_that_saw(folders: Sequence[Path], people: Withdrawal) -> list[Seen]:
    """Run folders and tables at any depth below some folders that people's data went into.

    Runs are recognised by their fingerprints, whichever cohort they were trained on; what was only
    tested on, and an unfinished run, which has no fingerprints yet, by the cohort that it reads.
    """
    names = {name.decode() for name in people.subject_ids | people.record_ids}
    tables = [path for path in _below(folders, "*") if path.suffix in (".parquet", ".csv")]
    evaluated = [path for path in tables if _names_one(path, names)]
    found = []
    runs = [path.parent for path in _below(folders, MANIFEST_NAME)]
    for run in runs:
        told = _use(run, people, has_scores=any(path.parent == run for path in evaluated))
        if told is not None:
            found.append(told)
    found += [Seen(path, "", "evaluated on") for path in evaluated if path.parent not in runs]
    return found


def _below(folders: Sequence[Path], pattern: str) -> list[Path]:
    found = {path for folder in folders for path in folder.rglob(pattern) if path.is_file()}
    return sorted(found)


def _use(run: Path, people: Withdrawal, *, has_scores: bool) -> Seen | None:
    """What a run did with people; None if it has nothing to do with them."""
    try:
        manifest = RunFolder.open(run).manifest
        fingerprints = run / FINGERPRINTS_FILE
        seen = Fingerprints.load(fingerprints) if fingerprints.exists() else None
    except CardionetsError:
        return Seen(run, "", "cannot tell")
    stage = str(manifest.get("stage", ""))
    for use, holds in _uses(seen, people, manifest, has_scores=has_scores):
        if holds:
            return Seen(run, stage, use)
    return None


def _uses(
    seen: Fingerprints | None, people: Withdrawal, manifest: dict[str, Any], *, has_scores: bool
) -> Iterator[tuple[Use, bool]]:
    """Every use and whether it holds, the gravest first."""
    if seen is not None:
        yield "trained on", seen.trained_on.meets(people.seen)
        yield "validated on", seen.meets(people.seen)
    yield "evaluated on", has_scores
    same_cohort = _reads_them(manifest, people)
    if seen is None:
        # Weights without fingerprints are a run folder that was not copied whole.
        yield "unfinished on this cohort", same_cohort
        yield "cannot tell", manifest.get("status") == _FINISHED
    yield "perhaps evaluated on", same_cohort


def _reads_them(manifest: dict[str, Any], people: Withdrawal) -> bool:
    """Whether a run reads a state of this very cohort that holds the people, or may have."""
    if manifest.get("data_hash") == people.content_hash:
        return people.records > 0
    # An earlier state of the file, from before it was extended or rewritten.
    named = manifest.get("plan", {}).get("cohort")
    return bool(named) and Path(named).resolve() == people.path.resolve()


def _names_one(path: Path, names: Set[str]) -> bool:
    """Whether a table has one of the ids in a column of ids; False for what is no table."""
    try:
        return any(name in names for name in _ids(path))
    except (OSError, ValueError, pa.ArrowException, csv.Error, SourceError):
        return False


def _ids(path: Path) -> Iterator[str]:
    """What stands in the columns of ids of a table, a block of rows at a time."""
    if path.suffix == ".csv":
        table = Table(path)
        places = [place for name in _ID_COLUMNS if (place := table.place(name)) is not None]
        for line in table.rows() if places else ():
            yield from (line.cells[place] for place in places)
        return
    with pq.ParquetFile(path) as file:
        columns = [name for name in _ID_COLUMNS if name in file.schema_arrow.names]
        for batch in file.iter_batches(columns=columns) if columns else ():
            for column in batch.columns:
                yield from map(str, column.to_pylist())
