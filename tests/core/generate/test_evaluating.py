"""An evaluation from weights and a cohort to its folder, and what is refused."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent))

from evaluating_parts import LinearCines, as_weights, fitted, head_file

from cardionets_core.cmr.image_metrics import cine_metrics
from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.cohort.reader import open_cohort
from cardionets_core.errors import (
    EvaluationError,
    LeakageError,
    UnknownNameError,
    UsageError,
)
from cardionets_core.evaluate.plots import canvas
from cardionets_core.generate.evaluating import output
from cardionets_core.generate.evaluating.combine import combine_evaluations
from cardionets_core.generate.evaluating.evaluate import evaluate_generator, evaluate_loaded
from cardionets_core.generate.evaluating.pictures import Pictures
from cardionets_core.generate.evaluating.request import EvaluationRequest
from cardionets_core.generate.evaluating.whole_folder import whole_folder
from cardionets_core.registry import default_registry

TRAINING, TESTED, SEED = 60, 30, 5
CSVS = ("pixels", "phenotype-r2", "phenotypes", "differences", "distances", "memorisation")


@pytest.fixture(scope="module", autouse=True)
def own_surroundings(tmp_path_factory):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARDIONETS_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("CARDIONETS_OFFLINE", "1")
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory, own_surroundings):
    out = tmp_path_factory.mktemp("cohort") / "cohort.h5"
    options = {"subjects": TRAINING + TESTED, "pretrain_subjects": TRAINING, "seed": SEED}
    component = default_registry().find("dataset", "simulated")
    prepare_dataset(PrepareRequest(component=component, out=out, options=options, workers=1))
    with open_cohort(out) as opened:
        yield opened


def request_for(cohort, out, **changes):
    few = {"draws": 2, "resamples": 40, "halvings": 2}
    return EvaluationRequest(weights=("made-up",), cohort=cohort.path, out=out, **few | changes)


def run(loaded, cohort, out, **changes):
    request = request_for(cohort, out, **changes)
    said = Console(file=io.StringIO(), width=200)
    registry = default_registry()
    return evaluate_loaded(loaded, cohort, request, console=said, registry=registry)


def without_pictures(patch):
    """Pictures are drawn once, for the evaluation that most tests look at."""
    for name in ("side_by_side", "lv_mass", "nearest_pairs"):
        patch.setattr(Pictures, name, lambda *_, **__: [])
    patch.setattr(output, "draw_figures", lambda *_, **__: [])


@pytest.fixture(scope="module")
def evaluated(cohort, tmp_path_factory):
    """A generator and, beside it, one that does not listen."""
    folder = tmp_path_factory.mktemp("evaluated")
    loaded = [fitted(cohort, folder), fitted(cohort, folder, deaf=True, seed=2)]
    with pytest.MonkeyPatch.context() as patch:
        # Every picture is drawn, none as sharp as for people.
        patch.setattr(canvas, "_DPI", 40)
        return run(loaded, cohort, folder / "out", command="cardionets evaluate-generator")


def results_of(folder):
    return json.loads((folder / "results.json").read_text())


def estimates(folder, table):
    return pd.read_csv(folder / "tables" / f"{table}.csv")


def test_the_first_line_says_whether_the_condition_matters_and_the_rest_whom_it_beats(evaluated):
    lines = (evaluated / "report.md").read_text().splitlines()
    assert lines[0] == f"**{results_of(evaluated)['headline']}**"
    assert "the shuffled control on phenotype R2" in lines[0]
    for other in ("linear (2)", "mean-cine", "nearest-cine", "direct regression", "shuffled"):
        assert any(line.startswith(f"- linear against {other}: ") for line in lines)


def test_simulated_is_said_in_every_table_section_and_caption(evaluated):
    text = (evaluated / "report.md").read_text()
    for section in text.split("\n## ")[2:-1]:
        assert "**simulated data**" in section, section.partition("\n")[0]
    assert all("(simulated data)" in line for line in text.splitlines() if line.startswith("!["))
    for name in CSVS:
        assert set(estimates(evaluated, name)["stamp"]) == {"simulated data"}
    assert results_of(evaluated)["simulated"] is True


def test_every_picture_of_the_report_is_there_and_every_method_is_in_the_tables(evaluated):
    text = (evaluated / "report.md").read_text()
    linked = [line.partition("](")[2].rstrip(")") for line in text.splitlines() if "](fig" in line]
    assert len(linked) == 11
    assert all((evaluated / link).stat().st_size > 1000 for link in linked)
    methods = {"linear", "linear (2)", "mean-cine", "nearest-cine", "shuffled"}
    assert set(estimates(evaluated, "pixels")["method"]) == methods
    assert set(estimates(evaluated, "memorisation")["method"]) == methods | {"real"}
    assert set(estimates(evaluated, "distances")["method"]) == methods | {"real"}


def test_what_draws_at_random_has_a_mean_of_draws_and_what_does_not_has_one_cine(evaluated):
    rows = estimates(evaluated, "phenotype-r2")
    found = set(zip(rows["method"], rows["from"], strict=True))
    assert {("linear", "one draw"), ("linear", "mean of draws")} <= found
    assert {("shuffled", "one draw"), ("shuffled", "mean of draws")} <= found
    assert ("mean-cine", "mean of draws") not in found
    assert ("real", "true cine") in found
    assert ("direct regression", "ECG") in found


def test_means_over_records_are_those_of_the_file_of_records(evaluated, cohort):
    records = pd.read_parquet(evaluated / "records.parquet")
    assert len(records) == 6 * TESTED
    table = estimates(evaluated, "pixels").set_index(["method", "metric"])
    for method in ("linear", "nearest-cine"):
        own = records[records["method"] == method]
        for metric in ("ssim", "psnr", "mae", "rmse"):
            assert table.loc[(method, metric), "estimate"] == pytest.approx(own[metric].mean())
    assert set(records["record_id"]) <= set(cohort.record_ids)
    assert records["ssim"].isna().groupby(records["method"]).all().to_dict()["real"]


def test_the_mean_cine_scores_as_computed_by_hand(evaluated, cohort):
    train, test = (
        cohort.select(role=role, split=split, with_ecg=True, with_cine=True)
        for role, split in (("pretrain", "train"), ("downstream", None))
    )
    seen = [
        LinearCines().view(torch.from_numpy(cohort.cines(rows)).float() / 127.5 - 1)
        for rows in (train, test)
    ]
    mean = seen[0].mean(dim=0).expand(len(test), -1, -1, -1).numpy()
    by_hand = cine_metrics(mean, seen[1].numpy())
    records = pd.read_parquet(evaluated / "records.parquet")
    own = records[records["method"] == "mean-cine"].set_index("record_id")
    assert own.loc[cohort.record_ids[test], "rmse"].to_numpy() == pytest.approx(
        by_hand.rmse, abs=1e-3
    )


def test_training_cines_given_back_are_found_to_be_copies(evaluated):
    rows = estimates(evaluated, "memorisation").set_index(["method", "measure"])
    for measure in ("feature", "pixel", "ratio"):
        assert rows.loc[("nearest-cine", measure), "share"] == 1.0
    assert rows.loc[("linear", "ratio"), "share"] < 0.2


def test_predicted_phenotypes_are_kept_with_the_truth(evaluated, cohort):
    kept = pd.read_parquet(evaluated / "predicted.parquet")
    truth = kept[kept["method"] == "truth"].set_index("record_id")
    test = cohort.select(role="downstream", with_ecg=True, with_cine=True)
    found = truth.loc[cohort.record_ids[test]].drop(columns=["subject_id", "method", "from"])
    assert found.to_numpy(dtype=np.float32) == pytest.approx(cohort.phenotypes[test])


def test_times_of_drawing_are_there(evaluated):
    results = results_of(evaluated)
    stages = results["times"]["stages"]
    assert stages["sampling linear"]["cines"] == 2 * TESTED
    assert stages["sampling mean-cine"]["cines"] == TESTED
    assert results["times"]["decoding"] is None


def test_reports_name_weights_without_local_folders(evaluated, deaf):
    for folder in (evaluated, deaf):
        for name in ("report.md", "results.json"):
            assert str(folder.parent) not in (folder / name).read_text()


@pytest.fixture(scope="module")
def deaf(cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("deaf")
    with pytest.MonkeyPatch.context() as patch:
        without_pictures(patch)
        loaded = [fitted(cohort, folder, deaf=True, seed=2)]
        head, _ = head_file(folder)
        changes = {"baselines": (), "subjects": TESTED - 5, "regressor": str(head)}
        return run(loaded, cohort, folder / "out", **changes)


def test_a_generator_that_does_not_listen_is_said_not_to_beat_the_control(deaf):
    assert (deaf / "report.md").read_text().startswith("**linear does NOT beat the shuffled")
    rows = estimates(deaf, "differences")
    assert rows["b"].tolist().count("shuffled") == 6
    assert (rows[rows["b"] == "shuffled"]["difference"] == 0).all()


def test_a_head_reads_phenotypes_in_place_of_the_regression_and_the_report_says_so(deaf, evaluated):
    told = (deaf / "report.md").read_text()
    assert "head.safetensors" in told.partition("Phenotypes read from cines by ")[2][:200]
    assert "standardised CMR features: ridge" not in told
    assert "standardised CMR features: ridge" in (evaluated / "report.md").read_text()
    kept = pd.read_parquet(deaf / "predicted.parquet")
    # The head was never trained, and predicts nobody's phenotypes.
    assert estimates(deaf, "phenotype-r2").set_index("method").loc["real", "estimate"].max() < 0
    assert kept["method"].nunique() == 5


def test_draws_follow_from_seed_and_record_and_not_from_who_else_is_evaluated(evaluated, deaf):
    beside, alone = (pd.read_parquet(folder / "records.parquet") for folder in (evaluated, deaf))
    first = beside[beside["method"] == "linear (2)"].set_index("record_id")["rmse"]
    second = alone[alone["method"] == "linear"].set_index("record_id")["rmse"]
    assert len(second) == TESTED - 5
    assert first[second.index].to_numpy() == pytest.approx(second.to_numpy(), abs=1e-6)
    assert first.nunique() == TESTED


def test_a_generator_from_phenotypes_draws_from_the_true_ones(cohort, tmp_path, monkeypatch):
    without_pictures(monkeypatch)
    loaded = [fitted(cohort, tmp_path, condition="phenotypes")]
    folder = run(loaded, cohort, tmp_path / "out")
    text = (folder / "report.md").read_text()
    assert text.startswith("**linear beats the shuffled control on phenotype R2: ")
    assert "nearest-cine was left out: " in text
    assert "direct regression" not in set(estimates(folder, "phenotype-r2")["method"])


def test_evaluations_of_two_training_seeds_become_one_table(evaluated, deaf, tmp_path):
    folder = combine_evaluations([evaluated, deaf], tmp_path / "both")
    table = pd.read_csv(folder / "seeds.csv").set_index(["metric", "method"])
    row = table.loc[("R2, one draw", "linear")]
    each = row[["seed 1", "seed 2"]].to_numpy(dtype=float)
    assert row["mean"] == pytest.approx(each.mean())
    assert row["sd"] == pytest.approx(each.std(ddof=1))
    assert np.isnan(table.loc[("ssim", "mean-cine"), "sd"])
    lines = (folder / "report.md").read_text().splitlines()
    assert " of 2 seeds with one draw (" in lines[0]
    assert "**simulated data**" in lines
    with pytest.raises(EvaluationError, match="of another kind"):
        combine_evaluations([evaluated, folder], tmp_path / "again")
    with pytest.raises(UsageError, match="same weights"):
        combine_evaluations([evaluated, evaluated], tmp_path / "twice")
    with pytest.raises(UsageError, match="two or more"):
        combine_evaluations([evaluated], tmp_path / "one")
    with pytest.raises(EvaluationError, match=r"holds no results\.json"):
        combine_evaluations([evaluated, tmp_path], tmp_path / "none")


def test_subjects_that_the_weights_have_seen_are_refused(cohort, tmp_path):
    seen = as_weights(LinearCines(), tmp_path, ranges=((SEED, TRAINING, TRAINING + 3),))
    with pytest.raises(LeakageError, match=r"cannot evaluate runs/linear-1 on .* 3 of its 30"):
        run([seen], cohort, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_presets_have_to_name_a_cmr_encoder(cohort, tmp_path):
    loaded = as_weights(LinearCines(), tmp_path, preset="paper")
    with pytest.raises(UsageError, match=r"preset paper, .* name one with --cmr-encoder"):
        run([loaded], cohort, tmp_path / "out")
    with pytest.raises(Exception, match="no CMR encoder; name a run"):
        run([loaded], cohort, tmp_path / "out", cmr_encoder="stmem-tiny-simulated")
    with pytest.raises(Exception, match="predicts no task, and the 82 phenotypes are needed"):
        run([as_weights(LinearCines(), tmp_path)], cohort, tmp_path / "out",
            regressor="vit-cmr-tiny-simulated")  # fmt: skip


def test_too_few_subjects_no_phenotypes_and_unknown_baselines_are_refused(
    cohort, tmp_path, monkeypatch
):
    loaded = [as_weights(LinearCines(), tmp_path)]
    with pytest.raises(EvaluationError, match="4 subjects of the role downstream have a cine and"):
        run(loaded, cohort, tmp_path / "out", subjects=4)
    with pytest.raises(UnknownNameError, match=r"no generator 'mean-cin'\. Did you mean"):
        run(loaded, cohort, tmp_path / "out", baselines=("mean-cin",))
    none = np.full_like(cohort.phenotypes, np.nan)
    monkeypatch.setitem(cohort.__dict__, "phenotypes", none)
    with pytest.raises(EvaluationError, match="no test subject has a phenotype"):
        run(loaded, cohort, tmp_path / "out")
    with pytest.raises(EvaluationError, match=r"0 subjects .* a cine and all 82 phenotypes"):
        run([as_weights(LinearCines(condition="phenotypes"), tmp_path)], cohort, tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


def test_a_folder_with_something_in_it_is_left_alone(cohort, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    request = request_for(cohort, tmp_path / "out")
    with pytest.raises(UsageError, match="not empty"):
        evaluate_generator(request, console=Console(file=io.StringIO()))


def test_a_failure_while_writing_leaves_nothing(tmp_path):
    def fail():
        with whole_folder(tmp_path / "out") as folder:
            (folder / "report.md").write_text("half")
            raise EvaluationError("the disk is gone")

    with pytest.raises(EvaluationError, match="disk"):
        fail()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [{"draws": 0}, {"resamples": 3}, {"halvings": 1}, {"weights": ()}])
def test_numbers_that_make_no_sense_are_refused(cohort, tmp_path, bad):
    with pytest.raises(UsageError, match=r"needed|name one"):
        replace(request_for(cohort, tmp_path / "out"), **bad)
