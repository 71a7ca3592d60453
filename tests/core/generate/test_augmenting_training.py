"""What is trained on an augmented cohort, by which stages, and what it inherits."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent))

from augmenting_parts import registry, run_of

from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.generate.augmenting import AugmentRequest, augment
from cardionets_core.generate.loading import load_generator
from cardionets_core.options import given
from cardionets_core.registry import default_registry
from cardionets_core.train.execute import train_stage
from cardionets_core.train.request import TrainRequest
from cardionets_core.train.rows import usable_rows
from cardionets_core.weights.ancestry import ancestry_of
from cardionets_core.weights.header import read_header

REAL, ELSEWHERE = 16, 4242
SMALL = (
    "encoder.width=8", "encoder.depth=1", "encoder.heads=1", "encoder.decoder_width=8",
    "encoder.decoder_heads=1", "train.epochs=1", "train.batch_size=8", "train.warmup_epochs=0",
    "train.accelerator='cpu'", "train.threads=1",
)  # fmt: skip


def prepared(out, seed, **roles):
    options = {"subjects": REAL, "pretrain_subjects": 12, "seed": seed}
    component = default_registry().find("dataset", "simulated")
    request = PrepareRequest(component=component, out=out, options=options, roles=roles, workers=1)
    prepare_dataset(request)
    return out


def doubled(cohort_path, folder):
    """The cohort with a synthetic subject per training subject, of a generator from elsewhere."""
    with open_cohort(prepared(folder / "elsewhere.h5", ELSEWHERE)) as other:
        seen = Fingerprints.of(other)
    loaded = load_generator(run_of(folder / "generator", seen), registry=registry())
    augment(loaded, cohort_path, folder / "bigger.h5", AugmentRequest(factor=1))
    return folder / "bigger.h5"


@pytest.fixture(scope="module")
def bigger_path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed")
    return doubled(prepared(folder / "cohort.h5", 6), folder)


@pytest.fixture(scope="module")
def run(bigger_path, tmp_path_factory):
    """A small CMR encoder, pre-trained on the mixed corpus."""
    folder = tmp_path_factory.mktemp("run")
    request = TrainRequest(
        components={"encoder": "vit-cmr"}, given=given("tiny", sets=SMALL), out=folder / "cmr",
        cohort=bigger_path,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARDIONETS_CACHE", str(folder / "cache"))
        patch.setenv("CARDIONETS_OFFLINE", "1")
        return train_stage(request, console=Console(file=io.StringIO()))


def plan(stage, **parts):
    return SimpleNamespace(stage=stage, parts=parts)


def test_cmr_pretraining_trains_on_the_mixed_corpus_and_validates_on_real_cines(bigger_path):
    with open_cohort(bigger_path) as cohort:
        train, val = usable_rows(plan("cmr-pretraining"), cohort)
        real = cohort.select(role="pretrain", split="train", with_cine=True)
        assert cohort.synthetic[train].sum() == len(real)
        np.testing.assert_array_equal(train[~cohort.synthetic[train]], real)
        assert len(val)
        assert not cohort.synthetic[val].any()


def test_no_synthetic_row_is_lent_to_validation(tmp_path):
    base = prepared(tmp_path / "c.h5", 6, pretrain_val_fraction=0.0)
    with open_cohort(doubled(base, tmp_path)) as cohort:
        assert not len(cohort.select(role="pretrain", split="val"))
        train, val = usable_rows(plan("cmr-pretraining"), cohort)
        assert len(val)
        assert not cohort.synthetic[val].any()
        assert cohort.synthetic[train].sum() == 12
        assert not set(train) & set(val)


@pytest.mark.parametrize(
    "asked",
    [
        plan("ecg-pretraining"),
        plan("alignment"),
        plan("autoencoding"),
        plan("generation"),
        plan("generation", generator=SimpleNamespace(options={"condition": "phenotypes"})),
    ],
    ids=["ecg", "alignment", "autoencoder", "generator", "phenotype generator"],
)
def test_no_other_stage_uses_synthetic_rows(bigger_path, asked):
    with open_cohort(bigger_path) as cohort:
        for rows in usable_rows(asked, cohort):
            assert len(rows)
            assert not cohort.synthetic[rows].any()


def test_a_run_tells_how_many_synthetic_cines_it_was_trained_on(run, bigger_path):
    with open_cohort(bigger_path) as cohort:
        drawn = int(cohort.synthetic.sum())
    told = json.loads((run.path / "run.json").read_text())
    assert told["train_records"] == 2 * drawn
    assert told["data"]["synthetic_records"] == drawn
    remark = f"trained on {drawn} synthetic cines beside {drawn} real ones"
    assert remark in told["results"]["remarks"]
    assert remark in read_header(run.path / "weights.safetensors").notes


def test_a_run_takes_over_the_licence_of_the_generator_and_its_lineage(run):
    header = read_header(run.path / "weights.safetensors")
    assert header.licence == "CC-BY-NC-4.0"
    stages = [step.stage for step in header.lineage]
    assert stages == ["generation", "cmr-pretraining"]
    assert header.lineage[1].parents == (header.lineage[0].step_id,)


def test_a_run_has_seen_what_the_generator_has_seen(run, bigger_path, tmp_path):
    weights = run.path / "weights.safetensors"
    seen = ancestry_of(weights, read_header(weights))
    with open_cohort(prepared(tmp_path / "elsewhere.h5", ELSEWHERE)) as other:
        assert len(seen.overlap(other).rows) == REAL
    with open_cohort(bigger_path) as cohort:
        assert not len(seen.overlap(cohort, cohort.select(role="downstream")).rows)
        val = cohort.select(role="pretrain", split="val", with_cine=True)
        assert len(seen.overlap(cohort, val).rows) == len(val)
        assert not len(seen.trained_on.overlap(cohort, val).rows)


def test_a_generator_that_validated_on_a_cohort_may_augment_it(run, bigger_path, tmp_path):
    # What a run leaves behind tells the two apart, so that this is not refused as leakage.
    seen = Fingerprints.load(run.path / "fingerprints.npz")
    base = prepared(tmp_path / "c.h5", 6)
    loaded = load_generator(run_of(tmp_path / "own", seen), registry=registry())
    assert augment(loaded, base, tmp_path / "b.h5", AugmentRequest(factor=1)).synthetic
