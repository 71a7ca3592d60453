"""Whole studies whose runs are made up, and one small one whose runs are real."""

import dataclasses
import json
import subprocess
import sys

import pandas as pd
import pyarrow.parquet as pq
import pytest
from made_up_runs import Inline, write_run

from cardionets_core.errors import CardionetsError, StudyError, TrainingError, UsageError
from cardionets_core.study import folder as study_folder
from cardionets_core.study.workers import JobResult, run_job

SMALL = {"tasks": ("cm",), "variants": ("scratch", "ssl"), "fractions": (1.0,)}


def test_study_writes_scores_tables_figures_and_report(studies):
    report = studies.run(studies.request(), Inline())
    out = report.parent
    scores = pq.read_table(out / "scores.parquet").to_pandas()
    assert set(scores["variant"]) == {
        "scratch", "ssl", "phen-sup", "cardionets", "cmr-ref", "infonce", "shuffled",
    }  # fmt: skip
    assert {"subject_id", "task", "variant", "fold", "seed", "split", "setting"} <= set(scores)
    tables = {path.stem for path in (out / "tables").glob("*.csv")}
    assert {
        "main-cm", "main-phenotypes", "comparisons-cm-auc", "comparisons-phenotypes-r2",
        "null-cm", "null-phenotypes", "outputs-phenotypes", "subgroups-cm", "runs",
        "label-efficiency-cm", "delong-cm",
    } <= tables  # fmt: skip
    assert tables == {path.stem for path in (out / "tables").glob("*.md")}
    figures = {path.name for path in (out / "figures").iterdir()}
    for name in ("bars-cm", "label-efficiency-phenotypes", "differences-cm", "roc-cm", "null-cm"):
        assert {f"{name}.png", f"{name}.svg"} <= figures
    assert json.loads((out / "study.json").read_text())["status"] == "finished"


def test_every_table_and_the_report_say_that_data_are_simulated(studies):
    out = studies.run(studies.request(**SMALL), Inline()).parent
    texts = [*(out / "tables").glob("*.md"), out / "report.md"]
    assert all("simulated data" in path.read_text(encoding="utf-8") for path in texts)
    for path in (out / "tables").glob("*.csv"):
        assert pd.read_csv(path)["stamp"].str.contains("simulated data").all()


def test_overlap_of_subjects_is_stamped_on_every_table(studies):
    options = {"train": {"accelerator": "cpu"}, "protocol": {"subjects": "all"}}
    out = studies.run(studies.request(**SMALL, options=options), Inline()).parent
    for path in (out / "tables").glob("*.md"):
        text = path.read_text(encoding="utf-8")
        assert "pre-training and test subjects overlap" in text


def test_ratios_get_a_table_and_panels(studies):
    asked = {**SMALL, "negatives": (1.0, 2.0)}
    out = studies.run(studies.request(**asked), Inline()).parent
    frame = pd.read_csv(out / "tables" / "ratios-cm.csv")
    assert set(frame["ratio"]) == {"1 : 1", "1 : 2"}
    assert (out / "figures" / "ratios-cm.png").is_file()


def test_stopped_study_continues_and_ends_as_if_never_stopped(studies):
    whole = studies.run(studies.request("whole", **SMALL), Inline())

    def stopped(request):
        if "fits" in str(request.out):
            raise KeyboardInterrupt
        write_run(request)

    request = studies.request("stopped", **SMALL)
    with pytest.raises(KeyboardInterrupt):
        studies.run(request, Inline(run=stopped))
    rest = Inline()
    report = studies.run(request, rest)
    assert not [name for name in rest.submitted if "lineage" in name]
    assert report.read_text(encoding="utf-8") == whole.read_text(encoding="utf-8")
    tables = [(r.parent / "tables" / "main-cm.csv").read_bytes() for r in (report, whole)]
    assert tables[0] == tables[1]


def test_finished_study_is_told_of_again_without_a_run(studies):
    request = studies.request(**SMALL)
    first = studies.run(request, Inline()).read_bytes()
    again = Inline()
    assert studies.run(request, again).read_bytes() == first
    assert not again.submitted


def test_failed_run_is_named_and_what_the_others_gave_is_written(studies):
    def without_ssl(request):
        if request.out.name == "ssl":
            return JobResult("the disk is full")
        write_run(request)
        return None

    with pytest.raises(StudyError, match=r"(?s)1 runs failed.*seed0/ssl: the disk is full.*1 more"):
        studies.run(studies.request(**SMALL), Inline(run=without_ssl))
    out = studies.folder / "study"
    frame = pd.read_csv(out / "tables" / "main-cm.csv")
    assert set(frame["variant"]) == {"scratch"}
    assert "the disk is full" in (out / "report.md").read_text(encoding="utf-8")
    assert json.loads((out / "study.json").read_text())["status"] == "incomplete"


def test_study_of_which_every_run_failed_says_so(studies):
    with pytest.raises(StudyError, match="nothing"):
        studies.run(studies.request(**SMALL), Inline(run=lambda _: JobResult("nothing")))
    report = (studies.folder / "study" / "report.md").read_text(encoding="utf-8")
    assert "No run of this task has finished" in report


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seeds": 2}, r"config.seeds = \[0\], but \[0, 1\] is asked for"),
        ({"fractions": (0.5,)}, "config.tasks"),
        (
            {"options": {"train": {"accelerator": "cpu", "epochs": 3}}},
            "config.options.train.epochs",
        ),
    ],
)
def test_changed_study_in_the_same_folder_is_refused(studies, change, told):
    studies.run(studies.request(**SMALL), Inline())
    before = (studies.folder / "study" / "study.json").read_bytes()
    with pytest.raises(UsageError, match=told):
        studies.run(studies.request(**{**SMALL, **change}), Inline())
    assert (studies.folder / "study" / "study.json").read_bytes() == before


def test_folder_with_something_else_in_it_is_refused(studies):
    (studies.folder / "study").mkdir()
    (studies.folder / "study" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty and holds no study"):
        studies.run(studies.request(**SMALL), Inline())


def test_second_process_is_kept_off_the_folder(studies, tmp_path):
    (tmp_path / "held").mkdir()
    code = (
        "import sys; from pathlib import Path\n"
        "from cardionets_core.study.folder import held\n"
        "with held(Path(sys.argv[1])): pass"
    )
    with study_folder.held(tmp_path / "held"):
        other = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "held")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert "another process is running the study" in other.stderr


def test_labels_that_cannot_be_drawn_are_refused_before_anything_is_trained(studies):
    pool = Inline()
    with pytest.raises(TrainingError, match="use more of the labels"):
        studies.run(studies.request(**{**SMALL, "fractions": (0.001,), "folds": 40}), pool)
    assert not pool.submitted
    assert not (studies.folder / "study").exists()


def test_users_run_stands_for_a_variant(studies, ssl_weights):
    asked = {**SMALL, "runs": {"ssl": str(ssl_weights)}}
    pool = Inline()
    report = studies.run(studies.request(**asked), pool)
    assert not [name for name in pool.submitted if "lineage" in name]
    assert "weights given by the user" in report.read_text(encoding="utf-8")
    # Other weights under the same name are another study.
    whole = ssl_weights.read_bytes()
    ssl_weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(UsageError, match=r"config.runs.ssl.sha256"):
        studies.run(studies.request(**asked), Inline())


@pytest.mark.parametrize(
    ("variant", "told"),
    [
        ("scratch", "scratch"),
        ("cmr-ref", "holds encoders:stmem, but encoders:vit-cmr is asked for"),
    ],
)
def test_weights_that_cannot_stand_for_a_variant_are_refused_before_anything_is_trained(
    studies, ssl_weights, variant, told
):
    pool = Inline()
    with pytest.raises(UsageError, match=told):
        studies.run(studies.request(**{**SMALL, "runs": {variant: str(ssl_weights)}}), pool)
    assert not pool.submitted
    assert not (studies.folder / "study").exists()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"labels": (10,)}, "--label-counts: no task of cm is a regression"),
        ({"tasks": ("phenotypes",)}, "--label-fractions: no task of phenotypes is of classes"),
        (
            {"tasks": ("phenotypes",), "fractions": (), "negatives": (1.0,)},
            "--negatives: no task of phenotypes is of cases and controls",
        ),
        *(
            ({"options": {"protocol": {name: 1}}}, f"--set protocol.{name}: .* give {flag} instead")
            for name, flag in {
                "fold": "--folds", "folds": "--folds", "labels": "--label-counts",
                "label_fraction": "--label-fractions", "negatives": "--negatives",
            }.items()
        ),
    ],
)  # fmt: skip
def test_what_a_study_would_ignore_is_refused(studies, asked, told):
    with pytest.raises(CardionetsError, match=told):
        studies.run(studies.request(**{**SMALL, **asked}), Inline())
    assert not (studies.folder / "study").exists()


@pytest.fixture
def ssl_weights(tmp_path):
    from cardionets_core.weights.fetch import fetch

    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(fetch("stmem-tiny-simulated").path.read_bytes())
    return copy


def test_small_study_with_real_runs(studies):
    options = {"train": {"epochs": 1, "accelerator": "cpu"}}
    request = studies.request(**SMALL, options=options)
    # In this process: what a pool does with a request, without seconds of importing torch.
    report = studies.run(dataclasses.replace(request, workers=1), Inline(run=run_job))
    out = report.parent
    frame = pd.read_csv(out / "tables" / "main-cm.csv")
    assert set(frame["variant"]) == {"scratch", "ssl"}
    assert frame["estimate"].notna().any()
    assert (out / "lineage" / "seed0" / "ssl" / "console.log").is_file()
    runs = pd.read_csv(out / "tables" / "runs.csv")
    assert (runs["status"] == "finished").all()
    assert len(runs) == 3
