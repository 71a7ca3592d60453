"""A cohort with synthetic subjects beside its own: drawn in blocks, written in one step."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cardionets_core.cmr.phenotypes import FIELD_IDS
from cardionets_core.cohort import layout, merge
from cardionets_core.cohort.augmented_plan import plan_of
from cardionets_core.cohort.encoding import Row, encode
from cardionets_core.cohort.files import (
    disk_errors_in_one_line,
    move_whole,
    only_one,
    require_space,
    sync,
)
from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.cohort.ids import ID_HEX_DIGITS
from cardionets_core.cohort.opening import JSON_ATTRIBUTES
from cardionets_core.cohort.partial import (
    Partial,
    folder_of,
    leaving_nothing_of_nothing,
    remove_leftover,
    take_up,
)
from cardionets_core.cohort.parts import Part, parts_of
from cardionets_core.cohort.provenance import library_versions
from cardionets_core.cohort.reader import Cohort
from cardionets_core.cohort.shards import Block, Item, is_finished, write_block
from cardionets_core.cohort.splits import Draws
from cardionets_core.cohort.synthetic import SYNTHETIC, SyntheticSource
from cardionets_core.errors import CohortError, UsageError
from cardionets_core.interfaces import Subject, SubjectRef

# Numbers of synthetic subjects to their phenotypes (b, 82) in field order and units, and their
# cines (b, 50, 96, 96) uint8; a function of each number alone.
Draw = Callable[[range], tuple[NDArray[np.float32], NDArray[np.uint8]]]

_CINE_BYTES = int(np.prod(layout.CINE_SHAPE))


@dataclass(frozen=True, slots=True)
class AugmentReport:
    """What augmenting did.

    Attributes:
        path: The new cohort.
        real: Records that were copied.
        synthetic: Records that were drawn.
        resumed: Of them, taken over from an interrupted run.
        content_hash: Identity of what is stored.
        seconds: How long it took.
        notes: What the user should know besides.
    """

    path: Path
    real: int
    synthetic: int
    resumed: int
    content_hash: str
    seconds: float
    notes: tuple[str, ...] = ()


def refuse_target(cohort: Cohort, out: Path) -> None:
    """Refuse what cannot be augmented, or not into this file, before anything is drawn.

    Raises:
        CohortError: If ``out`` is there already, or no file can be made of that name.
        UsageError: If the cohort holds synthetic subjects.
    """
    if cohort.synthetic.any():
        raise UsageError(
            f"{cohort.path} holds {int(cohort.synthetic.sum())} synthetic subjects already; "
            "augment the cohort that it was made from, with a larger factor"
        )
    remove_leftover(out)
    if out.exists():
        raise CohortError(f"{out} exists; choose another name, or remove it first")
    if not out.parent.is_dir():
        raise CohortError(f"there is no folder {out.parent} for {out.name}; make it first")


def augment_cohort(
    cohort: Cohort,
    out: Path,
    source: SyntheticSource,
    seen: Fingerprints,
    draw: Draw,
    *,
    block_records: int = 64,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> AugmentReport:
    """Write a cohort's records as they are, and synthetic ones after them.

    Finished blocks lie in ``OUT.partial`` until all are there; then everything is put together
    and becomes ``OUT`` in one step. The same call takes an interrupted run up. Signals and cines
    are copied record by record as they are on disk, so memory does not grow with the cohort.

    Args:
        cohort: The cohort to augment.
        out: The file to make; must not exist.
        source: What is drawn, and how much of it.
        seen: Everything that the generator's lineage has seen; stored with the new cohort.
        draw: Draws subjects.
        block_records: Subjects per block and call of ``draw``, of a new run.
        progress: Called with the subjects drawn and those to draw.

    Raises:
        CohortError: If ``out`` exists, an unfinished run has other options, or the disk is full.
        UsageError: If the cohort holds synthetic subjects already.
    """
    started = time.perf_counter()
    refuse_target(cohort, out)
    with disk_errors_in_one_line(out):
        folder_of(out).mkdir(exist_ok=True)
    with only_one(folder_of(out), out), leaving_nothing_of_nothing(out):
        with disk_errors_in_one_line(out):
            identity = _identity(cohort, source)
            partial = take_up(out, identity, resume=True, block_records=block_records)
            _require_space(partial, cohort, source, out)
        blocks = list(_blocks(cohort, source, partial))
        resumed = _draw_missing(blocks, draw, progress)
        with disk_errors_in_one_line(out):
            content_hash = _put_together(cohort, source, seen, partial, blocks)
            sync(partial.merged_path)
            move_whole(partial.merged_path, out)
    shutil.rmtree(partial.folder, ignore_errors=True)
    seconds = time.perf_counter() - started
    return AugmentReport(out, len(cohort), source.records, resumed, content_hash, seconds)


def _identity(cohort: Cohort, source: SyntheticSource) -> dict[str, Any]:
    return {
        "augments": cohort.content_hash,
        "extends": cohort.provenance["run_id"],
        "key_check": cohort.provenance["key_check"],
        "layout_version": layout.LAYOUT_VERSION,
        **source.identity(),
    }


def _require_space(partial: Partial, cohort: Cohort, source: SyntheticSource, out: Path) -> None:
    """Require room for the blocks and for the cohort beside them, now and not after hours."""
    there = sum(path.stat().st_size for path in partial.folder.glob("*.h5"))
    needed = cohort.path.stat().st_size + 2 * source.records * _CINE_BYTES - there
    require_space(partial.folder, needed, out)


def _blocks(cohort: Cohort, source: SyntheticSource, partial: Partial) -> Iterator[Block]:
    """Every block of synthetic subjects, with ids that nobody of the cohort has."""
    persons, records = set(cohort.subject_ids.tolist()), set(cohort.record_ids.tolist())

    def item(index: int) -> Item:
        name = source.name_of(index)
        ref = SubjectRef(name, name, index, "pretrain", source.origin(index))
        subject_id = _free_id(f"subject/{name}", persons)
        # The place of a synthetic record is settled and not drawn.
        return Item(ref, subject_id, _free_id(f"record/{name}", records), Draws(0.0, 0.0, 0.0))

    items = map(item, range(source.records))
    for number in itertools.count():
        batch = tuple(itertools.islice(items, partial.block_records))
        if not batch:
            return
        yield Block(batch, partial.block_path(number))


def _free_id(text: str, taken: set[str]) -> str:
    """An id from a hash; from now on taken."""
    digests = (hashlib.sha256(f"{text}/{n}".encode()).hexdigest() for n in itertools.count())
    found = next(d[:ID_HEX_DIGITS] for d in digests if d[:ID_HEX_DIGITS] not in taken)
    taken.add(found)
    return found


def _draw_missing(blocks: list[Block], draw: Draw, progress: Callable[[int, int], None]) -> int:
    """Draw the blocks that are not there yet; the number of records that were."""
    total = sum(len(block.items) for block in blocks)
    done = resumed = 0
    for block in blocks:
        if is_finished(block):
            resumed += len(block.items)
        else:
            first, last = (block.items[place].ref.location for place in (0, -1))
            phenotypes, cines = draw(range(first, last + 1))
            pairs = zip(block.items, phenotypes, cines, strict=True)
            write_block(block, [(item, _row(item, p, c)) for item, p, c in pairs], [])
        done += len(block.items)
        progress(done, total)
    return resumed


def _row(item: Item, phenotypes: NDArray[np.float32], cine: NDArray[np.uint8]) -> Row:
    values = dict(zip(FIELD_IDS, phenotypes.tolist(), strict=True))
    row = encode(Subject(item.subject_id, item.record_id, None, cine, values), item.ref.origin)
    row.values["subject/subject_id"] = item.subject_id.encode()
    row.values["subject/record_id"] = item.record_id.encode()
    row.values[SYNTHETIC] = True
    return row


def _put_together(
    cohort: Cohort,
    source: SyntheticSource,
    seen: Fingerprints,
    partial: Partial,
    blocks: list[Block],
) -> str:
    """Write the finished file beside its blocks; its content hash."""
    parts: list[Part] = list(parts_of(cohort.path, finished=True))
    for block in blocks:
        parts += parts_of(block.path, finished=False)
    content_hash = merge.write(
        partial.merged_path, parts, plan_of(cohort, parts), _provenance(cohort, source, partial)
    )
    with h5py.File(partial.merged_path, "r+", libver=layout.LIBVER) as file:
        group = file.create_group(layout.SYNTHETIC_GROUP)
        for name, array in seen.arrays().items():
            group.create_dataset(name, data=array)
    return content_hash


def _provenance(
    cohort: Cohort, source: SyntheticSource, partial: Partial
) -> dict[str, str | int | bool]:
    """Attributes of the provenance group: the cohort's own, and what was added."""
    base = dict(cohort.provenance)
    history = [*base.pop("history"), base]
    told = base | {
        "run_id": partial.run_id,
        "extends": base["run_id"],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": library_versions(),
        "history": history,
        "synthetic": source.provenance(),
    }
    return {n: json.dumps(v) if n in JSON_ATTRIBUTES else v for n, v in told.items()}
