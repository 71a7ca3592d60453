from dataclasses import replace
from pathlib import Path

import pytest

from cardionets_core.errors import ConfigError, UsageError
from cardionets_core.registry import default_registry
from cardionets_core.spec import LineageStage, VariantSpec
from cardionets_core.study.asked import Asked, make_config
from cardionets_core.study.config import OwnRun
from cardionets_core.study.jobs import Job, Place, by_urgency, plan_jobs

KINDS = {
    "phenotypes": "regression", "cm": "binary", "cad": "binary", "hf": "binary", "ph": "binary",
    "cm-subtype": "multiclass",
}  # fmt: skip
PLACE = Place(Path("/study"), Path("/cohort.h5"), {"threads": 1, "accelerator": "cpu"})


class OneMore:
    """The installed registry with one variant more."""

    def __init__(self, spec):
        self._registry, self._spec = default_registry(), spec

    def __getattr__(self, name):
        return getattr(self._registry, name)

    def variant(self, name):
        if name != self._spec.name:
            return self._registry.variant(name)
        return replace(self._registry.variant("ssl"), spec=self._spec)


def config_of(**asked):
    return make_config(Asked(preset="tiny", **asked), KINDS, default_registry())


def jobs_of(config, registry=None):
    return {job.name: job for job in plan_jobs(config, PLACE, registry or default_registry())}


def fits_of(jobs):
    return [job.fit for job in jobs.values() if job.fit is not None]


def test_default_study_has_five_variants_three_seeds_and_the_null_on_the_first():
    config = config_of()
    phenotypes, cm = config.tasks
    assert set(config.variants) == {
        "scratch", "ssl", "phen-sup", "cardionets", "cmr-ref", "infonce",
    }  # fmt: skip
    assert "phen-sup" not in phenotypes.variants
    assert "infonce" not in cm.variants
    assert [s.text for s in phenotypes.settings] == ["100 labels", "300 labels", "all labels"]
    assert [s.fraction for s in cm.settings] == [0.1, 0.25, 0.5, 0.75, 1.0]
    assert {s.negatives for s in cm.settings} == {1.0}
    assert config.seeds == (0, 1, 2)
    assert config.folds == (0,)
    fits = fits_of(jobs_of(config))
    null = [fit for fit in fits if fit.variant == "shuffled"]
    assert {fit.seed for fit in null} == {0}
    assert {(fit.task, fit.setting.key) for fit in null} == {
        ("phenotypes", "100-labels"), ("phenotypes", "300-labels"), ("cm", "0.1-1to1"),
    }  # fmt: skip


def test_full_study_adds_tasks_ratios_and_folds():
    config = config_of(full=True)
    assert [plan.task for plan in config.tasks] == list(KINDS)
    assert config.folds == (0, 1, 2, 3, 4)
    cm = config.tasks[1]
    assert [s.negatives for s in cm.settings if s.fraction == 1] == [1.0, 2.0, 5.0, 10.0]
    cad = config.tasks[2]
    assert [(s.fraction, s.negatives) for s in cad.settings] == [(0.1, 1.0), (1.0, 1.0)]
    subtypes = config.tasks[-1]
    assert {s.negatives for s in subtypes.settings} == {None}


def test_variants_that_share_a_stage_share_its_run():
    jobs = jobs_of(config_of(tasks=("cm",), seeds=2))
    stages = [name for name, job in jobs.items() if job.fit is None]
    # ssl, cmr-ssl, phen-sup and the alignment for each seed, and the shuffled one for the first.
    assert len(stages) == len(set(stages)) == 2 * 4 + 1
    aligned = jobs["lineage/seed1/weighted-infonce"]
    assert set(aligned.needs) == {"lineage/seed1/ssl", "lineage/seed1/cmr-ssl"}
    assert aligned.request.weights["encoder"] == "/study/lineage/seed1/ssl"
    fit = jobs["fits/cm/0.1-1to1/cardionets/seed1-fold0"]
    assert fit.needs == ("lineage/seed1/weighted-infonce",)
    assert fit.request.weights == {"encoder": "/study/lineage/seed1/weighted-infonce"}
    assert jobs["fits/cm/0.1-1to1/scratch/seed1-fold0"].request.weights == {"encoder": "random"}


def test_needs_stand_before_what_needs_them():
    seen = set()
    for name, job in jobs_of(config_of()).items():
        assert set(job.needs) <= seen
        seen.add(name)


def test_stages_of_one_name_that_differ_are_refused():
    stage = LineageStage(name="ssl", components={"encoder": "vit-cmr"})
    other = VariantSpec(name="other", label="Other", summary="", stages=(stage,))
    registry = OneMore(other)
    config = make_config(
        Asked(preset="tiny", tasks=("cm",), variants=("ssl", "other")), KINDS, registry
    )
    with pytest.raises(UsageError, match="'other' has a stage 'ssl' that differs"):
        plan_jobs(config, PLACE, registry)


def test_own_run_serves_all_seeds_and_nothing_is_trained_for_it():
    config = config_of(tasks=("cm",), variants=("scratch", "cardionets"), seeds=2)
    own = OwnRun(weights="/mine/weights.safetensors", sha256="0")
    config = config.model_copy(update={"runs": {"cardionets": own}})
    jobs = jobs_of(config)
    assert not [name for name, job in jobs.items() if job.fit is None]
    starts = {j.request.weights["encoder"] for j in jobs.values() if j.fit.variant == "cardionets"}
    assert starts == {"/mine/weights.safetensors"}


def test_cmr_variant_keeps_its_own_encoder_whatever_the_user_names():
    jobs = jobs_of(config_of(tasks=("cm",), variants=("cmr-ref",), encoder="stmem", seeds=1))
    fit = jobs["fits/cm/all-1to1/cmr-ref/seed0-fold0"]
    assert fit.request.components == {"encoder": "vit-cmr", "head": "linear"}


def test_options_of_the_user_reach_stages_and_fits():
    options = {"train": {"epochs": 7}, "protocol": {"probe": True}}
    jobs = jobs_of(config_of(tasks=("cm",), variants=("ssl",), seeds=1, options=options))
    for job in jobs.values():
        assert job.request.given.explicit["train"] == {
            "epochs": 7, "threads": 1, "accelerator": "cpu",
        }  # fmt: skip
        if job.fit is not None:
            assert job.request.given.explicit["protocol"]["probe"]


@pytest.mark.parametrize("name", ["encoder", "aligner", "data"])
def test_options_that_no_stage_would_read_are_refused(name):
    with pytest.raises(ConfigError, match="a study reads the tables train, protocol"):
        config_of(options={name: {"width": 3}})


def test_two_folds_are_refused():
    with pytest.raises(UsageError, match="--folds 2"):
        config_of(folds=2)


def test_task_without_a_valid_variant_is_refused():
    with pytest.raises(UsageError, match="no variant is left"):
        config_of(tasks=("phenotypes",), variants=("phen-sup",))


def test_folds_are_pooled_under_the_paper_alone():
    registry = default_registry()
    pooled = {p: make_config(Asked(preset=p), KINDS, registry).pooled for p in ("paper", "tiny")}
    assert pooled == {"paper": True, "tiny": False}


def test_the_longest_chain_is_started_first():
    request = plan_jobs(config_of(tasks=("cm",)), PLACE, default_registry())[0].request
    jobs = [
        Job("short", request, cost=5),
        Job("first", request, cost=1),
        Job("second", request, needs=("first",), cost=6),
        Job("long", request, cost=6.5),
    ]
    assert [job.name for job in by_urgency(jobs)] == ["first", "long", "second", "short"]
