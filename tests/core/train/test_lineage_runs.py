"""What makes a variant's encoder: its stages, and what a variant cannot be."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from cardionets_core.cohort.reader import open_cohort
from cardionets_core.errors import UnknownNameError, UsageError
from cardionets_core.options import Given
from cardionets_core.plugins import Discovery, Plugin
from cardionets_core.registry import Registry, default_registry
from cardionets_core.spec import VariantSpec
from cardionets_core.train.lineage_runs import stage_request
from cardionets_core.train.plan import make_plan
from cardionets_core.train.run_folder import RunFolder
from cardionets_core.train.stages import shuffled_pairs
from cardionets_core.weights.header import read_header

REGISTRY = default_registry()
GIVEN = Given("tiny", explicit={"encoder": {"width": 8}, "data": {"crop_samples": 500},
                                "train": {"threads": 1}})  # fmt: skip


def requests(variant, encoder="encoders:stmem"):
    """The request of every stage of a variant, by name."""
    stages = REGISTRY.variant(variant).spec.stages
    folders = {stage.name: Path("runs") / stage.name for stage in stages}
    return {
        stage.name: stage_request(
            stage, folders=folders, out=folders[stage.name], encoder=encoder, given=GIVEN, seed=5,
            cohort=Path("c.h5"), offline=True, command="cardionets train",
        )
        for stage in stages
    }  # fmt: skip


def test_stages_start_from_each_other_and_share_seed_cohort_and_command():
    found = requests("cardionets")
    assert [*found] == ["ssl", "cmr-ssl", "weighted-infonce"]
    aligned = found["weighted-infonce"]
    assert aligned.weights == {"encoder": "runs/ssl", "cmr_encoder": "runs/cmr-ssl"}
    assert aligned.components == {"encoder": "encoders:stmem", "aligner": "weighted-infonce"}
    assert found["ssl"].weights == {"encoder": "random"}
    for name, request in found.items():
        assert (request.seed, request.cohort, request.offline) == (5, Path("c.h5"), True)
        assert (request.out, request.command) == (Path("runs") / name, "cardionets train")
        at_random = replace(request, weights=dict.fromkeys(request.weights, "random"))
        assert make_plan(at_random, REGISTRY).seed == 5


def test_options_of_the_users_encoder_are_not_those_of_another():
    found = requests("cardionets")
    assert found["ssl"].given.explicit == GIVEN.explicit
    assert found["cmr-ssl"].given.explicit == {"train": {"threads": 1}}
    own = requests("cmr-ref", encoder="encoders:vit-cmr")["cmr-ssl"]
    assert own.given.explicit["encoder"] == {"width": 8}


def test_a_supervised_stage_reads_the_role_pretrain_whatever_the_preset_says():
    for preset in ("paper", "released-code", "recommended", "tiny"):
        request = requests("phen-sup")["phen-sup"]
        tables = {"protocol": request.given.explicit["protocol"]}
        plan = make_plan(replace(request, given=Given(preset, explicit=tables)), REGISTRY)
        assert (plan.task, plan.stage) == ("phenotypes", "downstream")
        assert plan.protocol.subjects == "pretrain"
        assert plan.protocol.select_on == "inner"


def test_only_the_control_shuffles_pairs():
    shuffling = {
        (variant.name, name)
        for variant in REGISTRY.variants()
        for name, request in requests(variant.name).items()
        if request.shuffle_pairs
    }
    assert shuffling == {("shuffled", "weighted-infonce-shuffled")}


def test_phenotypes_are_learnt_first_where_nobody_has_done_so(tasks):
    run = tasks.train(tasks.head("run", variant="phen-sup"))
    need = RunFolder.open(run.path / "needs" / "phen-sup")
    assert need.manifest["status"] == "finished"
    assert need.manifest["plan"]["parts"]["encoder"]["options"]["width"] == 8
    assert need.manifest["train_records"] == 36
    assert not (need.path / "similarity.png").exists()
    assert json.loads((need.path / "results.json").read_text())["metrics"] == []
    start = run.manifest["lineage"]
    assert [step["stage"] for step in start] == ["downstream", "downstream"]
    assert run.manifest["transform_hash"] == need.manifest["transform_hash"]


def test_the_control_is_trained_on_pairs_that_are_none_and_says_so(tasks):
    run = tasks.train(tasks.head("run", variant="shuffled"))
    needs = run.path / "needs"
    last = "weighted-infonce-shuffled"
    assert {need.name for need in needs.iterdir()} == {"ssl", "cmr-ssl", last}
    aligned = RunFolder.open(needs / last)
    assert aligned.manifest["plan"]["shuffle_pairs"] is True
    said = "negative control: aligned with other subjects' CMRs"
    assert said in json.loads((aligned.path / "results.json").read_text())["remarks"][0]
    assert said in read_header(aligned.path / "weights.safetensors").notes[0]
    assert "every ECG is paired with another subject's CMR" in tasks.said.getvalue()
    assert [step["stage"] for step in run.manifest["lineage"]][-2:] == ["alignment", "downstream"]


@pytest.fixture
def pairs():
    """Features that are their row numbers, for 50 subjects with one to three records."""
    subject_ids = np.repeat(np.arange(50), np.arange(50) % 3 + 1).astype(np.str_)
    rows = np.arange(len(subject_ids))
    groups = subject_ids.astype(int) % 5
    parts = (rows[groups < 3], rows[groups == 3])
    return rows[:, None].astype(np.float32), parts, subject_ids


def test_shuffled_features_stay_in_their_part_and_leave_everybody(pairs):
    features, parts, subject_ids = pairs
    dealt = shuffled_pairs(features, parts, subject_ids, 3)[:, 0].astype(int)
    for rows in parts:
        assert sorted(dealt[rows]) == rows.tolist()
        assert (subject_ids[dealt[rows]] != subject_ids[rows]).all()
    test = np.setdiff1d(np.arange(len(features)), np.concatenate(parts))
    assert len(test)
    assert np.array_equal(dealt[test], test)
    assert np.array_equal(features[:, 0], np.arange(len(features)))


def test_shuffled_features_follow_from_the_seed(pairs):
    once, again, other = (shuffled_pairs(*pairs, seed) for seed in (3, 3, 4))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_an_alignment_of_shuffled_pairs_sees_the_same_features_in_another_order(tasks, ssl):
    weights = {"encoder": str(ssl.path), "cmr_encoder": "random"}
    runs = [
        tasks.train(tasks.align(str(shuffle), "train.epochs=1", weights=weights,
                                shuffle_pairs=shuffle))
        for shuffle in (False, True)
    ]  # fmt: skip
    plain, shuffled = (load_file(run.path / "weights.safetensors") for run in runs)
    assert np.allclose(plain["aligner.cmr_mean"], shuffled["aligner.cmr_mean"], atol=1e-5)
    assert plain["encoder.norm.weight"].tobytes() != shuffled["encoder.norm.weight"].tobytes()
    pictures = [np.load(run.path / "test_embeddings.npz")["rows"] for run in runs]
    assert np.array_equal(*pictures)
    with open_cohort(tasks.cohort) as cohort:
        assert set(cohort.roles[pictures[0]]) == {"downstream"}
    assert math.isfinite(min(row["loss"] for row in runs[1].metrics()))


def test_a_users_run_is_the_variant(tasks, ssl):
    run = tasks.train(tasks.head("run", variant="ssl", weights={"encoder": str(ssl.path)}))
    part = run.manifest["plan"]["parts"]["encoder"]
    assert part["weights"] == str(ssl.path / "weights.safetensors")
    assert not (run.path / "needs").exists()
    assert [step["stage"] for step in run.manifest["lineage"]] == ["ecg-pretraining", "downstream"]


def test_the_zoo_serves_where_it_has_an_encoder_of_this_kind(tasks):
    request = tasks.head("run", variant="ssl")
    plain = replace(request, given=replace(request.given, explicit={}))
    assert make_plan(plain, REGISTRY).parts["encoder"].weights == "stmem-tiny-simulated"
    recommended = replace(plain, given=Given("recommended"))
    assert make_plan(recommended, REGISTRY).parts["encoder"].source == "train"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variant": "phen-sup", "task": "phenotypes"}, "makes no sense for task 'phenotypes'"),
        ({"variant": "phen-sup", "task": "tasks:phenotypes"}, "makes no sense for task"),
        ({"variant": "ssl", "weights": {"encoder": "random"}}, "does not start from random"),
        ({"variant": "scratch", "weights": {"encoder": "RUN"}}, "starts from random weights"),
        ({"variant": None}, "where does the encoder start from? Add --variant (scratch, ssl"),
        ({"task": None}, "--head needs to know what to predict: add --task"),
        ({"shuffle_pairs": True}, "--shuffle-pairs is a control of an alignment"),
        ({"components": {"encoder": "vit-cmr", "head": "linear"}}, "reads ecg, and 'vit-cmr'"),
        (
            {"components": {"encoder": "stmem", "head": "linear", "cmr_encoder": "vit-cmr"}},
            "--cmr-encoder is not used by a head",
        ),
        ({"weights": {"cmr_encoder": "random"}}, "this stage's roles are encoder, head"),
    ],
)
def test_a_request_that_means_nothing_is_refused(tasks, ssl, changes, said):
    if changes.get("weights") == {"encoder": "RUN"}:
        changes = {**changes, "weights": {"encoder": str(ssl.path)}}
    request = replace(tasks.head("run"), **changes)
    with pytest.raises(UsageError) as error:
        make_plan(request, REGISTRY)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_misspelt_variant_or_task_is_put_right(tasks):
    with pytest.raises(UnknownNameError, match="Did you mean 'scratch'"):
        tasks.train(tasks.head("run", variant="scrach"))
    with pytest.raises(UnknownNameError, match="Did you mean 'cm-subtype'"):
        tasks.train(tasks.head("run", task="cm-subtyp"))
    assert not (tasks.folder / "run").exists()


@pytest.mark.parametrize("more", [{"task": "cm"}, {"labels": Path("l.csv")}, {"variant": "ssl"}])
def test_what_only_a_head_reads_is_refused_elsewhere(tasks, more):
    flag = f"--{next(iter(more))}"
    with pytest.raises(UsageError, match=f"{flag}: only a head is trained for a task"):
        make_plan(tasks.ecg("run", **more), REGISTRY)


def test_a_variant_that_nothing_makes_and_no_preset_has_is_refused(tasks):
    spec = VariantSpec(name="bought", label="Bought", summary="-", zoo={"paper": "bought-weights"})
    shop = Plugin("shop", "cardionets-shop", "1.0", {"cardionets_variants": (spec,)})
    registry = Registry(Discovery((*REGISTRY.discovery.loaded, shop), ()))
    with pytest.raises(UsageError, match="no stages that make them; name some with --variant bou"):
        make_plan(tasks.head("run", variant="bought"), registry)
