"""The tests that a plugin's author writes; they need cardionets and the plugin installed."""

from __future__ import annotations

import csv
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest

import cardionets_core as cn
from cardionets_core.errors import ConfigError, EcgError
from cardionets_core.testing import conformance, made_up_ecg

try:
    version("cardionets-acme")
except PackageNotFoundError:
    pytest.skip(
        "cardionets-acme is not installed; run pip install -e tests/acme_plugin",
        allow_module_level=True,
    )

from cardionets_acme.config import AcmeCsvConfig, AcmeLinearConfig
from cardionets_acme.dataset import LEADS, AcmeCsv
from cardionets_acme.head import AcmeLinear

ROWS = (
    {"record": "r1", "patient": "p1", "age": "61", "sex": "f", "consent": "yes", "icd10": "I42.0"},
    {"record": "r2", "patient": "p1", "age": "62", "sex": "f", "consent": "yes", "icd10": ""},
    {"record": "r3", "patient": "p2", "age": "", "sex": "", "consent": "yes", "icd10": "I50;I10"},
    {"record": "r4", "patient": "p3", "age": "44", "sex": "m", "consent": "no", "icd10": ""},
)


@pytest.fixture
def archive(tmp_path):
    """An archive with four made-up records of three persons, one of them without consent."""
    with (tmp_path / "index.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
    for seed, row in enumerate(ROWS):
        counts = np.rint(made_up_ecg(leads=LEADS, seed=seed).signal_mv / 0.005)
        np.save(tmp_path / f"{row['record']}.npy", counts.astype(np.int16))
    return tmp_path


@conformance("dataset")
def test_dataset_conforms(check, archive):
    check(AcmeCsv(AcmeCsvConfig(source=archive)))


@conformance("head")
@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_head_conforms(check, kind):
    check(partial(AcmeLinear, AcmeLinearConfig(dropout=0.2)), kind=kind)


def test_a_target_that_acme_has_no_answer_to_is_one_clear_line():
    with pytest.raises(ConfigError, match="not regression; use --head linear"):
        cn.build("head", "acme-linear", embed_dim=4, pooled_dim=4, outputs=1, target="regression")


# What the kit is for: the mistake that is made most often is named by the check that finds it.
@conformance(
    "dataset",
    expected_failures={"ecg_is_in_mv": "made to pass microvolts as millivolts, to see it caught"},
)
def test_microvolts_passed_as_millivolts_are_caught(check, archive):
    check(AcmeCsv(AcmeCsvConfig(source=archive, microvolts_per_count=5000)))


def test_both_components_are_found_by_name(archive):
    dataset = cn.build("dataset", "acme-csv", source=archive)
    head = cn.build(
        "head", "acme:acme-linear", embed_dim=4, pooled_dim=4, outputs=1, target="binary"
    )
    assert isinstance(dataset, AcmeCsv)
    assert isinstance(head, AcmeLinear)


def test_records_without_consent_are_left_out(archive):
    listed = [ref.record_key for ref in AcmeCsv(AcmeCsvConfig(source=archive)).subjects()]
    assert listed == ["r1", "r2", "r3"]


def test_a_missing_signal_is_one_clear_line(archive):
    dataset = AcmeCsv(AcmeCsvConfig(source=archive))
    (archive / "r1.npy").unlink()
    with pytest.raises(EcgError, match="record r1: no readable signal; export it again"):
        dataset.read(next(iter(dataset.subjects())))


def test_prepare_makes_a_cohort_of_it(archive, tmp_path, monkeypatch, capsys):
    from cardionets_cli.main import main

    out = tmp_path / "acme.h5"
    arguments = ["--source", str(archive), "--out", str(out), "--workers", "1"]
    monkeypatch.setattr("sys.argv", ["cardionets", "prepare", "acme-csv", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    assert "3 records of 2 persons" in capsys.readouterr().out
    with cn.open_cohort(out) as cohort:
        assert len(cohort) == 3
        assert {diagnosis.icd10 for diagnosis in cohort[0].diagnoses} == {"I420"}
