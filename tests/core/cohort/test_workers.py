"""Whoever reads a source, however many there are: the same bytes come out."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path

import h5py
import numpy as np
import pytest
from made_up_source import MADE_UP, MadeUp

from cardionets_core.cohort.ids import key_path
from cardionets_core.cohort.writer import prepare
from cardionets_core.errors import CohortError

RECORDS, PER_BLOCK = 14, 3


def arrays(path):
    """Every array of a cohort as bytes, by name."""
    found = {}

    def take(name, item):
        if isinstance(item, h5py.Dataset):
            values = item.asstr()[...] if h5py.check_string_dtype(item.dtype) else item[...]
            found[name] = (values.shape, np.asarray(values).tobytes())
            if values.dtype == object:
                found[name] = (values.shape, values.tolist())

    with h5py.File(path) as file:
        file.visititems(take)
        found["content_hash"] = str(file.attrs["content_hash"])
    return found


def made(out, key=None, **options):
    if key:
        shutil.copy(key, key_path(out))
    dataset = MadeUp(records=RECORDS, broken=(2,), crashing=(9,), same_signal_as={12: 1})
    prepare(dataset, out, seed=3, provenance=MADE_UP, block_records=PER_BLOCK, **options)
    return arrays(out)


@pytest.mark.parametrize(
    ("executor", "workers"),
    [
        (nullcontext, 2),
        (lambda: ThreadPoolExecutor(3), 3),
        (lambda: ProcessPoolExecutor(2, mp_context=get_context("spawn")), 2),
    ],
    ids=["two processes", "threads of the caller", "processes of the caller"],
)
def test_every_array_is_the_same_byte_for_byte_whoever_reads(tmp_path, executor, workers):
    alone = made(tmp_path / "alone.h5")
    with executor() as pool:
        together = made(
            tmp_path / "together.h5",
            key_path(tmp_path / "alone.h5"),
            workers=workers,
            executor=pool,
        )
    assert together.keys() == alone.keys()
    assert [name for name in alone if together[name] != alone[name]] == []
    assert len(alone["quarantine/reason"][1]) >= 2


def test_workers_with_another_working_folder_write_where_the_caller_means(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with ProcessPoolExecutor(
        1,
        mp_context=get_context("spawn"),
        initializer=os.chdir,
        initargs=(tmp_path / "elsewhere",),
    ) as pool:
        prepare(
            MadeUp(records=4), Path("c.h5"), seed=3, provenance=MADE_UP, executor=pool, workers=1
        )
    assert (tmp_path / "c.h5").is_file()
    assert list((tmp_path / "elsewhere").iterdir()) == []


class KilledWorker(Exception):  # noqa: N818 - the name is Dask's
    """What Dask raises where a worker died several times over a task."""

    __module__ = "distributed.scheduler"


class Lost(Executor):
    """A cluster that goes away over the second block."""

    def __init__(self, error):
        self.error, self.blocks = error, 0

    def submit(self, fn, /, *args):
        done = Future()
        self.blocks += 1
        if self.blocks > 1:
            done.set_exception(self.error)
        else:
            done.set_result(fn(*args))
        return done


@pytest.mark.parametrize("error", [CancelledError(), KilledWorker("tcp://one"), BrokenExecutor()])
def test_a_cluster_that_goes_away_is_one_clear_error_and_what_is_done_is_kept(tmp_path, error):
    making = {"seed": 3, "provenance": MADE_UP, "block_records": PER_BLOCK}
    with pytest.raises(CohortError, match=r"or the cluster went away.*resume"):
        prepare(MadeUp(records=2 * PER_BLOCK), tmp_path / "c.h5", executor=Lost(error), **making)
    report = prepare(MadeUp(records=2 * PER_BLOCK), tmp_path / "c.h5", **making)
    assert report.resumed == PER_BLOCK


def test_a_bug_in_a_worker_is_not_taken_for_a_lost_one(tmp_path):
    making = {"seed": 3, "provenance": MADE_UP, "block_records": PER_BLOCK}
    with pytest.raises(ZeroDivisionError):
        prepare(
            MadeUp(records=2 * PER_BLOCK),
            tmp_path / "c.h5",
            executor=Lost(ZeroDivisionError()),
            **making,
        )
