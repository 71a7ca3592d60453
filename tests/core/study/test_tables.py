"""Tables and findings from made-up scores whose answers are known."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from made_up_runs import write_run
from rich.console import Console
from sklearn.metrics import r2_score, roc_auc_score

from cardionets_core.evaluate.statistics import delong_test, holm
from cardionets_core.registry import default_registry
from cardionets_core.study.asked import Asked, make_config
from cardionets_core.study.collect import collect_scores
from cardionets_core.study.findings import findings
from cardionets_core.study.jobs import Place, plan_jobs
from cardionets_core.study.measures import Rules, compare, effect_of_loss, losses, measure
from cardionets_core.study.reporting import write_report
from cardionets_core.study.running import Ended
from cardionets_core.study.scores import StudyScores, paired
from cardionets_core.study.tables.comparisons import comparison_tables, delong_table
from cardionets_core.study.tables.controls import control_table, counterparts
from cardionets_core.study.tables.outputs import output_table
from cardionets_core.study.tables.performance import extract, main_table
from cardionets_core.study.tables.provenance import manifests, protocols
from cardionets_core.study.tables.results import Results
from cardionets_core.study.tables.subgroups import subgroups
from cardionets_core.study.tables.table import Stamp, Table, with_interval

KINDS = {"cm": "binary", "phenotypes": "regression", "cm-subtype": "multiclass"}
NAMES = [f"CardioNets \N{MINUS SIGN} {other}" for other in ("Scratch", "SSL")]
FEW = {"resamples": 200, "permutations": 400}
RULES = Rules(pooled=False, resamples=200, permutations=400, confidence=0.95)


class MadeUp:
    """A study whose runs are made up, without a cohort."""

    def __init__(self, folder, quality=None, *, simulated=True, **asked):
        registry = default_registry()
        asked = Asked(**{"preset": "tiny", "tasks": ("cm",), **asked})
        config = make_config(asked, KINDS, registry)
        self.config = config.model_copy(update=FEW)
        self.jobs = plan_jobs(self.config, Place(folder, folder / "c.h5", {}), registry)
        for job in self.jobs:
            write_run(job.request, quality)
        collect_scores(self.jobs, folder)
        self.folder = folder
        self.tasks = {p.task: registry.task(p.task).spec for p in self.config.tasks}
        names = (*self.config.variants, *self.config.controls)
        self.results = Results(
            config=self.config,
            scores=StudyScores(folder / "scores.parquet", self.tasks),
            tasks=self.tasks,
            variants={name: registry.variant(name).spec for name in names},
            stamp=Stamp(simulated, overlap=False),
            nobody=simulated,
            protocols=protocols(*self.ended()),
        )

    def ended(self):
        """How the jobs ended, and what their run.json says."""
        ended = [Ended(job, "finished") for job in self.jobs]
        return ended, manifests(ended, self.folder)

    def say(self, **changes):
        """Change what every run.json says: tables to their entries."""
        for job in self.jobs:
            path = job.request.out / "run.json"
            manifest = json.loads(path.read_text())
            for table, entries in changes.items():
                manifest[table] = entries
            path.write_text(json.dumps(manifest))

    def plan(self, task):
        return next(plan for plan in self.config.tasks if plan.task == task)

    def table(self, make, task="cm"):
        return make(self.results, self.plan(task))

    def findings(self):
        made = [self.table(main_table), *self.table(comparison_tables), self.table(control_table)]
        tables = {table.name: table for table in made if table is not None}
        return "\n".join(findings(self.results, self.plan("cm"), tables))

    def scores(self, variant, task="cm", setting=-1):
        return self.results.scores.of(task, self.plan(task).settings[setting])[variant]


@pytest.fixture
def made_up(tmp_path):
    return lambda *args, **asked: MadeUp(tmp_path, *args, **asked)


def test_estimate_is_the_mean_of_each_runs_auc(made_up):
    study = made_up(seeds=2, folds=3, fractions=(1.0,))
    scores = study.scores("ssl")
    runs = [scores.runs == run for run in np.unique(scores.runs)]
    expected = [roc_auc_score(scores.y[rows], scores.score[rows, 0]) for rows in runs]
    assert len(runs) == 6
    row = study.table(main_table).frame.query("variant == 'ssl' and metric == 'auc'").iloc[0]
    assert row["estimate"] == pytest.approx(np.mean(expected))
    assert row["low"] < row["estimate"] < row["high"]
    by_seed = [np.mean(expected[:3]), np.mean(expected[3:])]
    assert row["sd_over_seeds"] == pytest.approx(np.std(by_seed, ddof=1))


def test_pooled_estimate_joins_the_folds_of_a_seed(made_up):
    study = made_up(seeds=1, folds=3, fractions=(1.0,), preset="paper", head="linear")
    scores = study.scores("ssl")
    row = study.table(main_table).frame.query("variant == 'ssl' and metric == 'auc'").iloc[0]
    assert row["estimate"] == pytest.approx(roc_auc_score(scores.y, scores.score[:, 0]))


def test_r2_is_the_mean_over_outputs_and_runs(made_up):
    study = made_up(tasks=("phenotypes",), seeds=2, labels=(None,))
    scores = study.scores("cardionets", "phenotypes")
    expected = np.mean(
        [
            r2_score(scores.target[scores.seed == seed], scores.score[scores.seed == seed])
            for seed in (0, 1)
        ]
    )
    main = study.table(main_table, "phenotypes").frame
    row = main.query("variant == 'cardionets' and metric == 'r2'")
    assert row["estimate"].item() == pytest.approx(expected)
    outputs = study.table(output_table, "phenotypes").frame.query("variant == 'cardionets'")
    assert len(outputs) == 82
    assert outputs["r2"].mean() == pytest.approx(expected)


def test_metrics_that_hang_on_it_name_the_prevalence_and_thresholds_their_origin(made_up):
    study = made_up(seeds=1)
    table = study.table(main_table)
    share = study.scores("ssl").y.mean()
    assert f"at the test prevalence of {100 * share:.3g} %" in table.markdown(Stamp(True, False))
    assert "inner validation split" in " ".join(table.notes)


def test_thresholds_are_those_stored_with_the_scores(made_up):
    study = made_up(seeds=1, fractions=(1.0,))
    scores = study.scores("cardionets")
    positive = scores.score[:, 0] >= 0.55
    found = measure("sensitivity", scores, RULES).interval.estimate
    assert found == pytest.approx(positive[scores.y == 1].mean())


def test_comparison_pairs_records_and_skips_those_that_one_variant_lacks(made_up):
    study = made_up(seeds=2, fractions=(1.0,))
    a, b = study.scores("cardionets"), study.scores("ssl")
    # Out of order, and ten of them untested.
    shuffled = b.take(np.random.default_rng(0).permutation(len(b))[10:])
    first, second = paired(a, shuffled)
    assert (first.keys == second.keys).all()
    assert (first.y == second.y).all()
    assert len(first) == len(b) - 10
    compared = compare("auc", a, shuffled, RULES)
    assert compared.records == len(b) - 10


def test_difference_is_first_minus_second_with_its_interval(made_up):
    study = made_up(seeds=3, fractions=(1.0,))
    frame = study.table(comparison_tables)[0].frame
    row = frame.query("variant_a == 'cardionets' and variant_b == 'scratch'").iloc[0]
    assert row["difference"] == pytest.approx(row["estimate_a"] - row["estimate_b"])
    assert 0 < row["low"] < row["difference"] < row["high"]
    assert row["p"] == pytest.approx(1 / 401)
    assert row["d_z"] > 0


def test_two_equal_variants_do_not_differ(made_up):
    study = made_up(seeds=2, fractions=(1.0,))
    same = study.scores("ssl")
    compared = compare("auc", same, same, RULES)
    assert compared.found.difference == 0
    assert compared.found.p == 1
    assert np.isnan(compared.d_z)


def test_exchanged_scores_are_on_one_scale_whatever_the_models_calibration(made_up):
    study = made_up(seeds=1, fractions=(1.0,))
    a, b = study.scores("cardionets"), study.scores("ssl")
    squeezed = b.take(np.arange(len(b)))
    object.__setattr__(squeezed, "score", 0.9 + b.score / 100)
    assert compare("auc", a, squeezed, RULES).found == compare("auc", a, b, RULES).found


def test_holm_runs_over_all_comparisons_of_a_table(made_up):
    frame = made_up(seeds=2).table(comparison_tables)[0].frame
    # Five settings; the reference with four others, and SSL with scratch.
    assert len(frame) == 5 * 5
    assert frame["p_holm"].to_numpy() == pytest.approx(holm(frame["p"].to_numpy()))


def test_effect_is_cohens_d_of_the_losses_per_subject(made_up):
    study = made_up(seeds=2, fractions=(1.0,))
    a, b = paired(study.scores("cardionets"), study.scores("ssl"))
    frame = pd.DataFrame({"subject": a.subject, "gain": losses(b) - losses(a)})
    gain = frame.groupby("subject")["gain"].mean()
    assert effect_of_loss(a, b) == pytest.approx(gain.mean() / gain.std(ddof=1))


def test_delong_is_given_per_seed_where_a_seed_is_one_test_set(made_up):
    study = made_up(seeds=2, fractions=(1.0,))
    frame = study.table(delong_table).frame
    row = frame.query("variant_a == 'cardionets' and variant_b == 'ssl' and seed == 1").iloc[0]
    a, b = (study.scores(name) for name in ("cardionets", "ssl"))
    rows = a.seed == 1
    expected = delong_test(a.y[rows], a.score[rows, 0], b.score[rows, 0])
    assert row["p"] == pytest.approx(expected.p)
    assert row["z"] == pytest.approx(expected.z)


def test_delong_is_left_out_where_folds_are_averaged_over(made_up):
    assert made_up(seeds=1, folds=3).table(delong_table) is None


def test_null_experiment_sets_true_and_shuffled_pairs_against_the_start(made_up):
    study = made_up(seeds=2)
    frame = study.table(control_table).frame
    pairs = list(zip(frame["variant_a"], frame["variant_b"], strict=True))
    assert pairs == [("cardionets", "ssl"), ("shuffled", "ssl"), ("cardionets", "shuffled")]
    gained, left, _ = frame["difference"]
    assert gained > 0.05 > abs(left)
    # The control ran on the first seed alone, so that the others are compared on it alone.
    assert set(frame["records"]) == {len(study.scores("ssl", setting=0)) // 2}
    assert "advantage" in study.findings()


def test_null_experiment_says_when_the_advantage_does_not_vanish(made_up):
    study = made_up({"shuffled": 1.2}, seeds=1)
    share = study.findings().rpartition("With shuffled pairs ")[2].split(" %")[0]
    assert float(share) > 60


def test_counterparts_of_a_control_follow_from_its_stages():
    registry = default_registry()
    specs = {v.spec.name: v.spec for v in registry.variants()}
    assert counterparts(specs["shuffled"], specs) == ("cardionets", "ssl")


def test_order_is_reported_where_it_appears_and_denied_where_it_does_not(made_up, tmp_path):
    study = MadeUp(tmp_path / "a", seeds=2, fractions=(1.0,))
    assert "the order CMR Ref > CardioNets > SSL > Scratch appears" in study.findings()
    reversed_quality = {"scratch": 2.0, "ssl": 1.2, "cardionets": 0.6, "cmr-ref": 0.2}
    other = MadeUp(tmp_path / "b", reversed_quality, seeds=2, fractions=(1.0,))
    assert "does not appear: CMR Ref is not above CardioNets" in other.findings()
    assert "CardioNets \N{MINUS SIGN} Scratch: -" in other.findings()


def test_differences_beyond_and_within_chance_are_told_apart(made_up):
    told = made_up({"ssl": 1.19}, seeds=3, fractions=(1.0,)).findings()
    lines = {name: line for line in told.splitlines() for name in NAMES if f"{name}: " in line}
    assert ", significant after Holm" in lines["CardioNets \N{MINUS SIGN} Scratch"]
    assert "not significant after Holm" in lines["CardioNets \N{MINUS SIGN} SSL"]


def test_label_efficiency_has_a_column_per_label_count(made_up):
    study = made_up(seeds=1)
    plan = study.plan("cm")
    table = extract(study.results, plan, study.table(main_table), by="labels")
    assert len(table.shown.columns) == 1 + 5
    # The control was tested at the smallest share alone.
    control = table.shown.set_index("variant").loc["Shuffled pairs"]
    assert (control.iloc[1:] == "\N{EN DASH}").all()


def test_subtypes_get_confusion_matrices_and_curves_against_the_rest(made_up):
    study = made_up(tasks=("cm-subtype",), seeds=1, fractions=(1.0,), variants=("scratch", "ssl"))
    report_of(study)
    names = {path.name for path in (study.folder / "figures").iterdir()}
    assert {"confusion-cm-subtype.png", "roc-cm-subtype.svg"} <= names
    frame = pd.read_csv(study.folder / "tables" / "main-cm-subtype.csv")
    assert set(frame["metric"]) == {"auc", "balanced_accuracy", "map", "accuracy"}


def report_of(study):
    ended = [Ended(job, "finished") for job in study.jobs]
    report = write_report(
        study.config, ended, study.folder, tasks=study.tasks, registry=default_registry(),
        command="cardionets study", console=Console(quiet=True),
    )  # fmt: skip
    return report.read_text(encoding="utf-8")


def test_report_links_only_files_that_are_there(made_up):
    study = made_up(seeds=1, fractions=(0.5, 1.0))
    text = report_of(study)
    linked = {part.split(")")[0] for part in text.split("](")[1:]}
    assert linked
    assert all((study.folder / name).is_file() for name in linked)


def test_few_people_of_real_data_are_not_told_of(made_up):
    study = made_up(simulated=False, seeds=1, fractions=(1.0,))
    frame = study.table(subgroups).frame
    hidden = frame[frame["note"].str.contains("fewer than 10")]
    assert len(hidden)
    assert hidden[["n", "cases", "estimate"]].isna().all(axis=None)
    assert study.table(main_table).markdown(study.results.stamp).count("simulated") == 0


def test_runs_of_weights_trained_on_simulated_data_are_stamped(made_up):
    study = made_up(seeds=1, fractions=(1.0,))
    study.say(data={"simulated": False})
    assert "**simulated data**" in report_of(study)


def test_few_real_people_are_hidden_though_weights_were_trained_on_simulated_ones(made_up):
    study = made_up(seeds=1, fractions=(1.0,), variants=("scratch", "ssl"))
    report_of(study)
    path = study.folder / "tables" / "subgroups-cm.csv"
    assert not pd.read_csv(path, keep_default_na=False)["note"].str.contains("fewer than 10").any()
    study.say(data={"simulated": False})
    report_of(study)
    frame = pd.read_csv(path)
    hidden = frame[frame["note"].fillna("").str.contains("fewer than 10")]
    assert len(hidden)
    assert hidden[["n", "cases", "estimate"]].isna().all(axis=None)
    assert (frame["stamp"] == "simulated data").all()


def test_runs_that_were_stopped_on_reported_subjects_say_so_on_every_table(made_up):
    study = made_up(seeds=1, fractions=(1.0,), variants=("scratch", "ssl"))
    assert "early stopping and learning rate use the inner validation split" in report_of(study)
    study.say(plan={"protocol": {"select_on": "reported", "threshold": 0.5}})
    text = report_of(study)
    assert "inner validation split" not in text
    assert "Youden" not in text
    assert "; threshold fixed at 0.5" in text
    for path in (study.folder / "tables").glob("*.md"):
        told = path.read_text(encoding="utf-8")
        assert "training was stopped on the very subjects that are reported: optimistic" in told


def test_binary_tables_name_the_prevalence_of_their_probabilities(made_up):
    notes = " ".join(made_up(seeds=1, fractions=(1.0,)).table(main_table).notes)
    assert "Brier score and calibration are at the test prevalence" in notes
    assert "probabilities are those of the training prevalence" in notes


def test_variants_without_a_reference_or_a_place_in_the_order_are_all_compared(made_up):
    names = ("ssl", "phen-sup", "infonce")
    frame = made_up(seeds=1, fractions=(1.0,), variants=names).table(comparison_tables)[0].frame
    found = set(zip(frame["variant_a"], frame["variant_b"], strict=True))
    assert {frozenset(pair) for pair in found} == {
        frozenset(pair) for pair in itertools.combinations(names, 2)
    }
    assert len(frame) == 3


def test_losses_that_differ_by_rounding_alone_have_no_effect_size(made_up):
    study = made_up(tasks=("phenotypes",), seeds=1, labels=(None,), variants=("scratch", "ssl"))
    a = study.scores("ssl", "phenotypes")
    nudged = a.take(np.arange(len(a)))
    object.__setattr__(nudged, "score", a.score * (1 + 1e-15))
    assert not np.array_equal(losses(a), losses(nudged))
    assert np.isnan(effect_of_loss(a, nudged))


def test_undefined_metric_is_a_dash_with_its_reason(made_up):
    study = made_up(seeds=1, fractions=(1.0,))
    scores = study.scores("ssl")
    controls = scores.take(scores.y == 0)
    found = measure("auc", controls, RULES)
    assert np.isnan(found.interval.estimate)
    assert "one class only" in found.note
    row = {"estimate": np.nan, "low": np.nan, "high": np.nan}
    assert with_interval(row) == "\N{EN DASH}"


def test_cells_of_a_markdown_table_cannot_break_it():
    table = Table("x", "X", pd.DataFrame({"a|b": ["c|d"]}))
    assert "| a\\|b |" in table.markdown(Stamp(False, False))
    assert "| c\\|d |" in table.markdown(Stamp(False, False))


def test_scores_of_a_study_keep_each_runs_rows(made_up):
    study = made_up(seeds=1, fractions=(0.5, 1.0), variants=("scratch", "ssl"))
    plan = study.config.tasks[0]
    for setting in plan.settings:
        found = study.results.scores.of("cm", setting)
        assert set(found) == {"scratch", "ssl"}
        assert len(found["ssl"]) == 110
        assert found["ssl"].mean_labels == round(100 * setting.fraction)
