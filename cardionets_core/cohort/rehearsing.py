"""What ``prepare`` would do: a few records read as it would read them, and nothing written."""

from __future__ import annotations

import itertools
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cardionets_core.cohort.encoding import Row
from cardionets_core.cohort.making import Source
from cardionets_core.cohort.shards import Block, Item, block_image, read_items
from cardionets_core.interfaces import Dataset, SelectionStep

SAMPLE_RECORDS = 32
_KEY_BYTES = 32
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class Listing:
    """What the source lists.

    Attributes:
        records: Records that would be read.
        roles: Role that the source asks for, or ``role drawn``, to number of records.
    """

    records: int
    roles: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Sample:
    """What came of the records that were read.

    Attributes:
        read: How many were read.
        failed: Reason to how many could not be.
        holds: What the others hold, in words, to how many of them.
        seconds: What one record takes on one core here.
        size_bytes: What one record takes on disk.
    """

    read: int
    failed: Mapping[str, int]
    holds: Mapping[str, int]
    seconds: float
    size_bytes: float


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What ``prepare`` would do.

    Attributes:
        listing: What would be read.
        selection: How the source's listing came about, if it tells.
        sample: What some records read here are like; None where there is none to read.
        free_bytes: Room on the disk that the cohort would go to.
    """

    listing: Listing
    selection: Sequence[SelectionStep]
    sample: Sample | None
    free_bytes: int

    def size_bytes(self) -> int:
        """Estimated size of the cohort."""
        return round(self.sample.size_bytes * self.listing.records) if self.sample else 0

    def seconds(self, workers: int) -> float:
        """Estimated time that reading takes with some workers like this core."""
        return self.sample.seconds * self.listing.records / workers if self.sample else 0.0


def rehearse(
    dataset: Dataset,
    out: Path,
    *,
    source: Source | None = None,
    sample_records: int = SAMPLE_RECORDS,
) -> Rehearsal:
    """Count what would be read, and read some of it. Leaves neither file nor key.

    Args:
        dataset: The source.
        out: Where the cohort would go.
        source: The records that an existing cohort lacks, where it would be extended.
        sample_records: How many records to read at most, evenly spaced over the listing.

    Raises:
        CardionetsError: If the source cannot be listed.
    """
    # Ids of a dry run are nobody's: they are made under a key that is forgotten.
    source = source or Source(dataset, secrets.token_bytes(_KEY_BYTES), 0, frozenset())
    roles = Counter(item.ref.role or "role drawn" for item in source.items())
    listing = Listing(roles.total(), dict(sorted(roles.items())))
    chosen = tuple(_spaced(source.items(), listing.records, sample_records))
    selection = dataset.selection() if hasattr(dataset, "selection") else ()
    return Rehearsal(
        listing, selection, _read(dataset, chosen) if chosen else None, _free_bytes(out)
    )


def _spaced(items: Iterator[Item], total: int, wanted: int) -> Iterator[Item]:
    """Up to ``wanted`` items, one from each of as many equal stretches of the listing."""
    count = min(wanted, total)
    edges = [number * total // count for number in range(count + 1)] if count else []
    # Not from the same place of each: sources have rhythms, such as two records a person.
    places = {
        start + int(number * _GOLDEN % 1 * (stop - start))
        for number, (start, stop) in enumerate(itertools.pairwise(edges))
    }
    yield from itertools.compress(items, (place in places for place in itertools.count()))


def _read(dataset: Dataset, items: tuple[Item, ...]) -> Sample:
    """Read records as ``prepare`` does, and pack them as it would."""
    # The first one loads libraries and opens tables, which a long run does once: it is not timed.
    read_items(dataset, items[:1])
    started = time.perf_counter()
    rows, failed = read_items(dataset, items)
    block = Block(items, Path("dry-run"))
    size_bytes = len(block_image(block, rows, failed))
    seconds = time.perf_counter() - started
    empty_bytes = len(block_image(Block((), block.path), [], []))
    return Sample(
        len(items),
        Counter(reason for _, reason in failed),
        _holds([row for _, row in rows]),
        seconds / len(items),
        max(size_bytes - empty_bytes, 0) / len(items),
    )


def _holds(rows: Sequence[Row]) -> dict[str, int]:
    return {
        "with an ECG": sum(bool(row.values["ecg/present"]) for row in rows),
        "with a usable ECG": sum(bool(row.values["quality/usable"]) for row in rows),
        "with a cine": sum(bool(row.values["cine/present"]) for row in rows),
        "without known diagnoses": sum(not row.values.get("diagnoses/known", True) for row in rows),
    }


def _free_bytes(out: Path) -> int:
    """Room in the nearest folder that is there already."""
    folder = next(folder for folder in out.absolute().parents if folder.is_dir())
    return shutil.disk_usage(folder).free
