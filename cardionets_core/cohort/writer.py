"""``prepare``: a source becomes a cohort file, in blocks that survive an interruption."""

from __future__ import annotations

import itertools
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cardionets_core.cohort import merge
from cardionets_core.cohort.files import (
    disk_errors_in_one_line,
    move_whole,
    only_one,
    require_space,
    sync,
)
from cardionets_core.cohort.making import (
    Existing,
    Making,
    Source,
    stored_attributes,
    withdrawn_ids,
)
from cardionets_core.cohort.opening import stored_record_ids
from cardionets_core.cohort.partial import (
    Partial,
    folder_of,
    leaving_nothing_of_nothing,
    refuse_foreign,
    remove_leftover,
    take_up,
)
from cardionets_core.cohort.parts import Part, parts_of, quarantined
from cardionets_core.cohort.provenance import Provenance
from cardionets_core.cohort.reading_blocks import Pool, run_blocks, workers_or
from cardionets_core.cohort.roles import RoleConfig
from cardionets_core.cohort.settling import Plan, settle
from cardionets_core.cohort.shards import Block, Item, is_finished
from cardionets_core.errors import CohortError
from cardionets_core.interfaces import Dataset

__all__ = ["Existing", "PrepareReport", "prepare"]

BLOCK_RECORDS = 64


@dataclass(frozen=True, slots=True)
class PrepareReport:
    """What ``prepare`` did.

    Attributes:
        path: The cohort.
        records: Records stored, those of an extended cohort included.
        subjects: Persons they belong to.
        quarantined: Reason to number of records left out for it.
        resumed: Records taken over from an interrupted run.
        content_hash: Identity of what is stored.
        seconds: How long it took.
        read: Records that were read, and not taken over.
        withdrawn: Records that an extended cohort held of people who withdrew since.
    """

    path: Path
    records: int
    subjects: int
    quarantined: Mapping[str, int]
    resumed: int
    content_hash: str
    seconds: float
    read: int = 0
    withdrawn: int = 0


def prepare(
    dataset: Dataset,
    out: Path,
    *,
    seed: int,
    provenance: Provenance,
    roles: RoleConfig | None = None,
    existing: Existing = "refuse",
    resume: bool = True,
    workers: int = 1,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    block_records: int = BLOCK_RECORDS,
) -> PrepareReport:
    """Read a source into a cohort file.

    Blocks of records are written whole, one file each, into ``OUT.partial``; when all are there
    they are put together and the result takes the place of ``OUT`` in one step. An interrupted
    run is taken up by the same call. What is stored depends on neither workers nor interruptions.

    Args:
        dataset: The source.
        out: The cohort file. ``OUT.key`` beside it gets the key of the ids.
        seed: Seed of roles, splits and folds.
        provenance: Where the data come from.
        roles: Shares of roles and splits; None for the defaults.
        existing: What to do if ``out`` exists: refuse, replace it at the end, or add the records
            that it does not have yet (quarantined ones are tried again).
        resume: False to throw an interrupted run away instead of taking it up.
        workers: Processes that read; with ``executor``, how many blocks it works on at a time.
        executor: ``concurrent.futures``-shaped, sharing this machine's file system; not shut down.
        progress: Called with the records done and the records in all.
        block_records: Records per block of a new run.

    Returns:
        Counts and the content hash.

    Raises:
        CohortError: If ``out`` exists and may not be touched, the key is missing or wrong, an
            unfinished run has other options, nothing could be read, or the disk is full.
        UsageError: If ``existing`` does not fit what is there.
    """
    started = time.perf_counter()
    making = Making(Path(out), seed, roles or RoleConfig(), provenance, existing)
    remove_leftover(making.out)
    base = making.base()
    with disk_errors_in_one_line(making.out):
        refuse_foreign(making.out)
        folder_of(making.out).mkdir(parents=True, exist_ok=True)
    with only_one(folder_of(making.out), making.out), leaving_nothing_of_nothing(making.out):
        key = making.key(base, resume=resume)
        identity = making.identity(key, base)
        with disk_errors_in_one_line(making.out):
            partial = take_up(making.out, identity, resume=resume, block_records=block_records)
        known = stored_record_ids(making.out) if base else frozenset()
        source = Source(dataset, key, seed, known, withdrawn_ids(dataset, key))
        with workers_or(executor, workers) as running:
            paths, done = _read(source, partial, Pool(running, workers), progress)
        parts = _Parts(making.out if base else None, paths)
        with disk_errors_in_one_line(making.out):
            plan = _settle(parts, making.roles, partial, source.withdrawn)
            require_space(partial.folder, parts.size_bytes(), making.out)
            stored = {**identity, "config": making.provenance.stored_config()}
            attributes = stored_attributes(stored, partial.run_id, base, plan.gone)
            content_hash = merge.write(partial.merged_path, parts, plan, attributes)
            sync(partial.merged_path)
            move_whole(partial.merged_path, making.out)
    shutil.rmtree(partial.folder, ignore_errors=True)
    seconds = time.perf_counter() - started
    return _report(making.out, plan, done, content_hash, seconds)


class _Done(NamedTuple):
    """Records found finished, and records read."""

    resumed: int
    read: int


def _report(out: Path, plan: Plan, done: _Done, content_hash: str, seconds: float) -> PrepareReport:
    return PrepareReport(
        path=out,
        records=plan.rows,
        subjects=len(plan.persons),
        quarantined=Counter(reason for _, _, reason in plan.quarantine),
        resumed=done.resumed,
        content_hash=content_hash,
        seconds=seconds,
        read=done.read,
        withdrawn=len(plan.gone),
    )


def _read(
    source: Source,
    partial: Partial,
    pool: Pool,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[Path], _Done]:
    """Bring every block's file about; their paths in order, and how many records that took."""
    paths: list[Path] = []
    resumed = 0

    def unfinished() -> Iterator[Block]:
        nonlocal resumed
        for index, items in enumerate(_batches(source.items(), partial.block_records)):
            # Workers elsewhere have a working folder of their own.
            block = Block(items, partial.block_path(index).absolute())
            paths.append(block.path)
            if is_finished(block):
                resumed += len(items)
            else:
                yield block

    # Listing twice is cheap by contract, and buys a progress bar that knows its end.
    total = sum(1 for _ in source.items()) if progress else 0
    read = 0
    for count in run_blocks(source.dataset, unfinished(), pool):
        read += count
        if progress:
            progress(resumed + read, total)
    return paths, _Done(resumed, read)


def _batches(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    iterator = iter(items)
    while batch := tuple(itertools.islice(iterator, size)):
        yield batch


@dataclass(frozen=True, slots=True)
class _Parts:
    """The cohort being extended, if any, and then every block; may be walked more than once."""

    base: Path | None
    blocks: list[Path]

    def size_bytes(self) -> int:
        """Size on disk; what is made of them is no larger."""
        base = [self.base] if self.base else []
        return sum(path.stat().st_size for path in (*base, *self.blocks))

    def __iter__(self) -> Iterator[Part]:
        if self.base:
            yield from parts_of(self.base, finished=True)
        for path in self.blocks:
            yield from parts_of(path, finished=False)


def _settle(
    parts: _Parts, roles: RoleConfig, partial: Partial, withdrawn: frozenset[bytes]
) -> Plan:
    """Settle who goes where; refuses to make a cohort of nothing."""
    plan = settle(parts, roles, withdrawn)
    failed = [entry for path in parts.blocks for entry in quarantined(path)]
    tried = {record_id for _, record_id, _ in failed} | plan.new_records
    earlier = [e for e in quarantined(parts.base) if e[1] not in tried] if parts.base else []
    left_out = [*earlier, *failed, *plan.quarantine]
    plan.quarantine = [entry for entry in left_out if entry[0] not in withdrawn]
    if plan.rows:
        return plan
    # There is nothing to take up: options that find records must not clash with this attempt.
    shutil.rmtree(partial.folder, ignore_errors=True)
    if not plan.quarantine:
        raise CohortError("the dataset lists no record; check its options and where it looks")
    reason, count = Counter(reason for _, _, reason in plan.quarantine).most_common(1)[0]
    raise CohortError(
        f"not one of {len(plan.quarantine)} records can be used; the reason of {count}: {reason}"
    )
