"""``cardionets prepare NAME``: flags from the dataset's options, one cohort, one report."""

from __future__ import annotations

import errno
import sys
import types
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

import cardionets_core as cn
from cardionets_cli.cluster import cluster_at
from cardionets_core.cohort.preparing import PrepareRequest, workers_of
from cardionets_core.cohort.roles import RoleConfig
from cardionets_core.registry import default_registry


@pytest.fixture
def out(tmp_path):
    return tmp_path / "x.h5"


@pytest.fixture
def prepare(command, out):
    """Prepare a small simulated cohort in this process."""

    def prepare(*arguments):
        return command(
            "prepare", "simulated", "--subjects", 3, "--out", out, "--workers", 1, *arguments
        )

    return prepare


def flags(told):
    return {word for word in told.out.split() if word.startswith("--")}


def test_prepare_writes_a_cohort_and_reports_it(command, out):
    told = command(
        "prepare", "simulated", "--subjects", 6, "--seed", 0, "--out", out, "--workers", 1
    )
    assert told.code == 0
    assert told.err == ""
    assert told.out.startswith(f"{out}: 6 records of 6 persons, ")
    assert (out.parent / "x.h5.key").exists()
    with cn.open_cohort(out) as cohort:
        assert len(cohort) == 6


def test_every_option_of_the_dataset_and_of_the_split_is_a_flag(command):
    model = default_registry().find("dataset", "simulated").load_config()
    options = {*model.model_fields, *RoleConfig.model_fields}
    offered = flags(command("prepare", "simulated", "--help"))
    assert {f"--{name.replace('_', '-')}" for name in options} <= offered


def test_help_tells_meaning_choices_and_default(command):
    told = " ".join(command("prepare", "simulated", "--help").out.replace("│", " ").split())
    assert "how common the diseases are (ukb | demo | enriched; default ukb)" in told


def test_help_without_a_name_lists_every_dataset(command):
    told = command("prepare", "--help")
    for component in default_registry().components("dataset"):
        assert component.name in told.out
    assert told.code == 0


def test_an_unknown_dataset_gets_the_nearest_one_and_nothing_is_written(command, out):
    told = command("prepare", "simulatd", "--out", out)
    assert "no dataset 'simulatd'. Did you mean 'simulated'?" in told.err
    assert told.code == 2
    assert not list(out.parent.iterdir())


def test_a_dataset_of_a_plugin_that_did_not_load_is_told(command, failing_plugin, out):
    assert failing_plugin in command("prepare", "brokn", "--out", out).err


def test_a_qualified_name_works(command, out):
    told = command("prepare", "simulated:simulated", "--preset", "tiny", "--dry-run", "--out", out)
    assert told.out.startswith("3400 records in simulated; nothing was written")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--strain-noise-scale", -1),
            "dataset.strain_noise_scale = -1.0: Input should be greater",
        ),
        (("--prevalence", "rare"), "dataset.prevalence = 'rare': Input should be 'ukb', 'demo'"),
        (("--enriched-subjects", 9), "pretrain_subjects and enriched_subjects are 9 together"),
        (("--test-fraction", 0.9), "roles: val_fraction 0.2 and test_fraction 0.9 leave no"),
        (("--preset", "papr"), "dataset 'simulated' has no preset 'papr'; it has paper"),
        (("--overwrite", "--extend"), "give one of the two"),
    ],
)
def test_a_wrong_option_is_one_line_exit_code_2_and_nothing_written(prepare, out, arguments, words):
    told = prepare(*arguments)
    assert told.code == 2
    assert words in told.err
    assert len(told.err.splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize("given", [("--source", ""), ("--source=",)])
def test_an_empty_path_is_not_the_working_folder(command, out, given):
    told = command("prepare", "hospital", *given, "--out", out)
    assert told.code == 2
    assert told.err == (
        "error: --source: an empty value; needed one: is a variable of the shell unset?\n"
    )


def test_a_missing_source_is_told_with_its_meaning(command, out):
    told = command("prepare", "wfdb", "--out", out)
    assert "dataset.source is not given, but needed: folder that holds the records" in told.err
    assert told.code == 2


def test_a_preset_is_used_and_flags_win_over_it(command, out):
    told = command("prepare", "simulated", "--preset", "study", "--dry-run", "--out", out)
    assert told.out.splitlines()[:3] == [
        "6000 records in simulated; nothing was written",
        "  3000 downstream",
        "  3000 pretrain",
    ]
    told = command(
        "prepare", "simulated", "--preset", "study", "--subjects", 5000, "--dry-run", "--out", out
    )
    assert told.out.splitlines()[1:3] == ["  2000 downstream", "  3000 pretrain"]
    assert not out.exists()


def test_a_config_file_stands_between_preset_and_flags(command, tmp_path, out):
    file = tmp_path / "mine.toml"
    file.write_text("[dataset]\nsubjects = 4000\npretrain_subjects = 1000\n")
    arguments = ("prepare", "simulated", "--preset", "study", "--config", file, "--out", out)
    told = command(*arguments, "--pretrain-subjects", 500, "--dry-run")
    assert told.out.splitlines()[1:3] == ["  3500 downstream", "  500 pretrain"]
    file.write_text("[datset]\nsubjects = 4000\n")
    told = command(*arguments)
    assert "no option namespace 'datset'. Did you mean 'dataset'?" in told.err
    assert told.code == 2


def test_an_existing_cohort_is_kept_replaced_or_extended_as_asked(prepare, command, out):
    assert prepare().code == 0
    kept = out.read_bytes()
    refused = prepare()
    assert "--overwrite, or add new records with --extend" in refused.err
    assert refused.code == 1
    assert out.read_bytes() == kept
    assert prepare("--overwrite", "--seed", 7).code == 0
    assert out.read_bytes() != kept
    extended = command(
        "prepare", "simulated", "--subjects", 5, "--seed", 7, "--out", out, "--workers", 1,
        "--extend",
    )  # fmt: skip
    assert "5 records of 5 persons" in extended.out


def test_what_was_left_out_is_counted_by_reason(command, tmp_path, out):
    source = tmp_path / "records"
    source.mkdir()
    (source / "broken.hea").write_text("broken 12 500 5000\n")
    (source / "worse.hea").write_text("")
    told = command("prepare", "wfdb", "--source", source, "--out", out, "--workers", 1)
    assert "not one of 2 records can be used" in told.err
    assert told.code == 1


def test_the_report_counts_what_was_left_out_by_reason(capsys, out):
    from cardionets_cli.prepare import _print_report
    from cardionets_core.cohort.writer import PrepareReport

    _print_report(PrepareReport(out, 90, 80, {"EcgError: [a]": 2, "EcgError: b": 5}, 64, "", 1.25))
    assert capsys.readouterr().out.splitlines() == [
        f"{out}: 90 records of 80 persons, 1.2 s",
        "64 of them were there from an interrupted run",
        "7 records were left out:",
        "  5: EcgError: b",
        "  2: EcgError: [a]",
    ]


def test_a_scheduler_without_dask_says_how_to_install_it(prepare, monkeypatch, out):
    monkeypatch.setitem(sys.modules, "distributed", None)
    told = prepare("--scheduler", "tcp://127.0.0.1:8786")
    assert "run pip install 'cardionets[cluster]'" in told.err
    assert told.code == 2
    assert not out.exists()


class FakeClient:
    """Threads in place of a cluster."""

    closed = False
    submitted = 0
    dataset = None

    def __init__(self, address):
        if address == "tcp://nobody:1":
            raise OSError("timed out")
        self.pool = ThreadPoolExecutor(2)

    def get_executor(self):
        client = self

        class Counting(Executor):
            def submit(self, *call):
                FakeClient.submitted += 1
                FakeClient.dataset = call[1]
                return client.pool.submit(*call)

        return Counting()

    def nthreads(self):
        return {"tcp://one": 4, "tcp://two": 2}

    def close(self):
        FakeClient.closed = True
        self.pool.shutdown()


@pytest.fixture
def dask(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", types.SimpleNamespace(Client=FakeClient))
    monkeypatch.setattr(FakeClient, "closed", False)
    monkeypatch.setattr(FakeClient, "submitted", 0)


@pytest.mark.usefixtures("dask")
def test_a_scheduler_reads_the_records_and_is_left_in_the_end(prepare):
    told = prepare("--scheduler", "tcp://127.0.0.1:8786")
    assert "3 records of 3 persons" in told.out
    assert FakeClient.submitted == 1
    assert FakeClient.closed


@pytest.mark.usefixtures("dask")
def test_a_scheduler_is_given_as_much_at_a_time_as_it_has_threads(prepare, out):
    told = prepare("--scheduler", "tcp://127.0.0.1:8786", "--dry-run")
    assert "with 1 worker (" in told.out
    request = PrepareRequest(default_registry().find("dataset", "simulated"), out)
    with cluster_at("tcp://127.0.0.1:8786") as cluster:
        assert workers_of(request, cluster.workers) == 6


@pytest.mark.usefixtures("dask")
def test_workers_elsewhere_get_the_source_by_its_whole_path(command, tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "broken.hea").write_text("broken 12 500 5000\n")
    command("prepare", "wfdb", "--source", "records", "--out", "x.h5", "--scheduler", "tcp://one:1")
    assert FakeClient.dataset.config.source == tmp_path / "records"


@pytest.mark.usefixtures("dask")
def test_a_scheduler_that_does_not_answer_is_one_line(prepare):
    told = prepare("--scheduler", "tcp://nobody:1")
    assert "no Dask scheduler answers there (timed out)" in told.err
    assert told.code == 1


def test_options_that_take_a_name_of_prepare_are_refused(command, monkeypatch, out):
    from pydantic import Field

    from cardionets_core.config import Options
    from cardionets_core.registry import Component

    class Clashing(Options):
        out: int = Field(1, description="a name of prepare's own")

    monkeypatch.setattr(Component, "load_config", lambda _: Clashing)
    told = command("prepare", "simulated", "--out", out)
    assert "has options that `prepare` itself has: out" in told.err


def test_an_interruption_ends_in_one_line_that_says_how_to_go_on(prepare, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("cardionets_core.cohort.preparing.prepare_dataset", interrupt)
    told = prepare()
    assert told.code == 130
    assert "stopped; " in told.err
    assert "same `prepare` or `study` command" in told.err


@pytest.mark.parametrize("dataset", ["hospital", "ukb", "mimic", "wfdb"])
def test_a_path_that_the_system_refuses_is_one_line(command, out, dataset):
    source = "a" * 300
    told = command("prepare", dataset, "--source", source, "--out", out)
    assert told.code == 2
    assert told.err.startswith(f"error: {source}: File name too long; needed one that you may")
    assert len(told.err.splitlines()) == 1


def test_of_a_path_below_one_that_was_given_nothing_is_told(prepare, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", "/archive/Quixworth Zenobia.xml")

    monkeypatch.setattr("cardionets_core.cohort.preparing.prepare_dataset", refused)
    told = prepare()
    assert told.code == 2
    assert told.err.startswith("error: a path: Permission denied; needed one that you may read")


def test_debug_shows_the_traceback_and_an_unforeseen_error_asks_for_it(prepare, monkeypatch):
    assert "Traceback" in prepare("--prevalence", "rare", "--debug").err

    def fail(*_, **__):
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("cardionets_core.cohort.preparing.prepare_dataset", fail)
    told = prepare()
    assert "this should not have happened: RuntimeError: unforeseen; run again with --debug" in (
        told.err
    )
    assert told.code == 1


def test_a_folder_in_place_of_the_cohort_is_refused_before_anything_is_read(command, tmp_path):
    (tmp_path / "there").mkdir()
    ended = command("prepare", "simulated", "--subjects", "2", "--out", "there", "--overwrite")
    assert ended.code == 1
    assert "there is a folder; name the file to write" in ended.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there"]
