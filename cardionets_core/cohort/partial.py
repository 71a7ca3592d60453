"""``OUT.partial``: the folder of an unfinished cohort, and whether it may be taken up again."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cardionets_core.cohort import ids
from cardionets_core.cohort.files import write_whole
from cardionets_core.cohort.opening import open_hdf5
from cardionets_core.errors import CohortError


@dataclass(frozen=True, slots=True)
class Partial:
    """An unfinished cohort.

    Attributes:
        folder: ``OUT.partial``.
        run_id: Names this making of the cohort; stored in the finished file.
        block_records: Records per block, the same on every resume.
    """

    folder: Path
    run_id: str
    block_records: int

    def block_path(self, index: int) -> Path:
        """Where the file of a block lies."""
        return self.folder / f"{index:06d}.h5"

    @property
    def merged_path(self) -> Path:
        """Where the cohort is put together before it takes its place."""
        return self.folder / "merged.h5"


def folder_of(out: Path) -> Path:
    """``OUT.partial`` beside ``OUT``."""
    return out.with_name(out.name + ".partial")


def refuse_foreign(out: Path) -> None:
    """Refuse a folder of that name that holds something else: it would be gone in the end.

    Raises:
        CohortError: If it does, or if it is no folder.
    """
    folder = folder_of(out)
    if not folder.exists():
        return
    ours = ("lock", "plan.json")
    if not folder.is_dir() or not all(
        path.name.startswith(ours) or ".h5" in path.name for path in folder.iterdir()
    ):
        raise CohortError(
            f"{folder} is in the way: blocks of {out.name} go into a folder of that name, and it "
            "holds something else; move it, or choose another name"
        )


def remove_leftover(out: Path) -> None:
    """Remove a folder whose cohort was finished, but that a kill kept from being removed."""
    plan = _stored_plan(folder_of(out))
    if plan is not None and out.exists() and _run_id(out) == plan["run_id"]:
        shutil.rmtree(folder_of(out), ignore_errors=True)


@contextmanager
def leaving_nothing_of_nothing(out: Path) -> Iterator[None]:
    """Remove the folder, and a key made meanwhile, where an attempt fails before its first block.

    There is nothing to take up, and a key without ids is of no use.
    """
    had_key = ids.key_path(out).exists()
    try:
        yield
    except BaseException:
        if not any(folder_of(out).glob("*.h5")):
            shutil.rmtree(folder_of(out), ignore_errors=True)
            if not had_key and not out.exists():
                ids.key_path(out).unlink(missing_ok=True)
        raise


def has_plan(out: Path) -> bool:
    """True if there is an unfinished cohort to take up."""
    return _stored_plan(folder_of(out)) is not None


def take_up(out: Path, identity: Mapping[str, Any], *, resume: bool, block_records: int) -> Partial:
    """Open the unfinished cohort of the same making, or start one.

    Args:
        out: The cohort to make.
        identity: Everything that decides what the cohort holds, as plain data.
        resume: False to throw an unfinished one away.
        block_records: Records per block of a new one.

    Raises:
        CohortError: If there is an unfinished cohort made with other options or another key.
        OSError: If the folder cannot be written.
    """
    folder = folder_of(out)
    identity = json.loads(json.dumps(identity))
    plan = _stored_plan(folder) if resume else None
    if plan is None:
        for path in folder.glob("*.h5*"):
            path.unlink()
        plan = {
            "identity": identity,
            "run_id": uuid.uuid4().hex,
            "block_records": block_records,
        }
        write_whole(folder / "plan.json", json.dumps(plan, indent=1).encode())
    _require_same(out, plan["identity"], identity)
    return Partial(folder, plan["run_id"], plan["block_records"])


def _require_same(out: Path, stored: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    if stored["key_check"] != asked["key_check"]:
        raise CohortError(
            f"{ids.key_path(out)} is not the key that {folder_of(out)} was begun with; "
            f"put that key back, or delete {folder_of(out)} to start over"
        )
    before, now = _flat(stored), _flat(asked)
    differing = sorted(name for name in now if before.get(name) != now[name])
    if differing:
        told = "; ".join(f"{n} {before.get(n)!r}, now {now[n]!r}" for n in differing)
        raise CohortError(
            f"{folder_of(out)} was begun with other options ({told}); "
            f"use those to resume, or delete that folder to start over"
        )


def _flat(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Options one by one, so that only those that differ are told."""
    flat: dict[str, Any] = {}
    for name, value in identity.items():
        nested = value.items() if isinstance(value, Mapping) else None
        flat |= {name: value} if nested is None else {f"{name}.{key}": v for key, v in nested}
    return flat


def _stored_plan(folder: Path) -> dict[str, Any] | None:
    try:
        plan = json.loads((folder / "plan.json").read_text())
    except (OSError, ValueError):
        return None
    return plan if isinstance(plan, dict) else None


def _run_id(out: Path) -> str | None:
    """Which making a finished cohort comes from; None if it is no cohort."""
    try:
        with open_hdf5(out) as file:
            return str(file["provenance"].attrs["run_id"])
    except (OSError, KeyError):
        return None
