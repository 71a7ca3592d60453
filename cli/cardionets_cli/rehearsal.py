"""``cardionets prepare NAME --dry-run``: what would be read, how long it takes, how big it is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cardionets_cli.console import out

if TYPE_CHECKING:
    from cardionets_core.cohort.rehearsing import Rehearsal, Sample
    from cardionets_core.interfaces import SelectionStep

# Blocks and the cohort that they are put together to are on the disk at the same time.
_TIMES_ON_DISK = 2


def print_rehearsal(name: str, rehearsal: Rehearsal, workers: int) -> None:
    """Print what ``prepare`` would do.

    Args:
        name: The dataset.
        rehearsal: What was found out.
        workers: Processes that would read.
    """
    listing = rehearsal.listing
    _say(f"{listing.records} records in {name}; nothing was written")
    for role, count in listing.roles.items():
        _say(f"  {count} {role}")
    if rehearsal.selection:
        _say("how the source came to list them:")
    for step in rehearsal.selection:
        _tell_step(step)
    if rehearsal.sample is not None:
        _tell_sample(rehearsal.sample)
        _tell_estimate(rehearsal, workers)


def _tell_step(step: SelectionStep) -> None:
    for reason, count in step.excluded.items():
        _say(f"    - {count}: {reason}")
    persons = "" if step.subjects is None else f" of {step.subjects} persons"
    _say(f"  {step.records}{persons}: {step.label}")


def _tell_sample(sample: Sample) -> None:
    readable = sample.read - sum(sample.failed.values())
    _say(f"read here: {sample.read} records, evenly spaced; {readable} could be read")
    for words, count in sample.holds.items():
        if count:
            _say(f"  {count} {words}")
    for reason, count in sample.failed.items():
        _say(f"  {count}: {reason}")


def _tell_estimate(rehearsal: Rehearsal, workers: int) -> None:
    sample = rehearsal.sample
    if sample is None:
        return
    size_bytes = rehearsal.size_bytes()
    told = f"(estimated from {sample.read} records read here)"
    seconds = rehearsal.seconds(workers)
    duration = f"{seconds:.1f} s" if seconds < 60 else f"{timedelta(seconds=round(seconds))}"
    _say(f"reading would take about {duration} with {_workers(workers)} {told}")
    _say(f"the cohort would take about {_size(size_bytes)} {told}")
    needed = _TIMES_ON_DISK * size_bytes
    short = "; that is too little" if needed > rehearsal.free_bytes else ""
    _say(
        f"while it is made {_size(needed)} are needed; {_size(rehearsal.free_bytes)} are free"
        f"{short}"
    )


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _size(size_bytes: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size_bytes < 1000:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:,.1f} GB"


def _say(line: str) -> None:
    out.print(line, markup=False, soft_wrap=True)
