"""The public Python API, as the README and the docstring of ``cardionets_core`` promise it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import wfdb

import cardionets_core as cn
from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.registry import default_registry

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with ``cohort.h5`` and ``record.hea``, an empty cache and no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CARDIONETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CARDIONETS_OFFLINE", "1")
    component = default_registry().find("dataset", "simulated")
    out = tmp_path / "cohort.h5"
    prepare_dataset(
        PrepareRequest(component=component, out=out, options={"subjects": 3}, workers=1)
    )
    with cn.open_cohort("cohort.h5") as cohort:
        ecg = cohort[0].ecg
    wfdb.wrsamp("record", fs=500, units=["mV"] * 12, sig_name=list(ecg.leads),
                p_signal=ecg.signal_mv.T.astype(float), fmt=["16"] * 12)  # fmt: skip
    return tmp_path


def test_an_encoder_is_built_at_random_by_name_and_options():
    encoder = cn.build("encoder", "stmem", width=96, depth=2, heads=2)
    assert encoder.embed_dim == encoder.pooled_dim == 96
    features = encoder(torch.zeros(1, 12, encoder.num_samples))
    assert features.pooled.shape == (1, 96)


def test_a_cohort_gives_its_subjects(place):
    with cn.open_cohort("cohort.h5") as cohort:
        assert len(cohort) == len(cohort.splits) == len(cohort.phenotypes) == 3
        subject = cohort[0]
        assert subject.ecg.signal_mv.shape == (12, 5000)
        assert subject.ecg.signal_mv.dtype == np.float32
        assert subject.cine.shape == (50, 96, 96)
        assert subject.cine.dtype == np.uint8
        assert len(subject.phenotypes) == 82
        assert isinstance(subject.diagnoses, list | tuple)
        assert subject.role in {"pretrain", "downstream"}
        assert subject.split == cohort.splits[0]
        assert re.fullmatch("[0-9a-f]{16}", subject.subject_id)


def test_a_record_is_read_with_leads_rate_and_what_was_derived(place):
    record = cn.read_ecg("record.hea")
    assert record.signal_mv.shape == (12, 5000)
    assert record.signal_mv.dtype == np.float32
    assert record.leads[:3] == ("I", "II", "III")
    assert record.sampling_rate_hz == 500
    assert not record.derived_leads
    assert record.acquired_at is None


def test_the_python_of_the_readme_runs_as_it_stands(place):
    (block, *_) = re.findall(r"```python\n(import cardionets_core.*?)```",
                             (ROOT / "README.md").read_text(encoding="utf-8"), re.S)  # fmt: skip
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)  # noqa: S102 - our own documentation
    assert names["vector"].shape == (names["encoder"].pooled_dim,)
    assert names["vector"].dtype == np.float32
    assert np.isfinite(names["vector"]).all()
    assert np.array_equal(names["vector"], cn.embed(names["encoder"], names["record"]))


def test_every_public_name_is_there():
    for name in cn.__all__:
        assert getattr(cn, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'embedd'"):
        cn.embedd  # noqa: B018
