"""``cardionets evaluate-generator``: what it refuses, in one line each."""

from __future__ import annotations

import pytest

from cardionets_cli.evaluate_generator import evaluate_generator
from cardionets_core.errors import CardionetsError, UsageError


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CARDIONETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CARDIONETS_OFFLINE", "1")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, "needed --weights RUN and --cohort FILE"),
        ({"weights": ["run"]}, "needed --weights RUN and --cohort FILE"),
        ({"combine": ["a", "b"], "weights": ["run"]}, "--combine reads finished evaluations"),
        ({"combine": ["a"]}, "1 evaluation to combine; name two or more"),
    ],
)
def test_a_command_that_lacks_or_mixes_its_parts_is_refused(tmp_path, given, wanted):
    combine = [tmp_path / name for name in given.pop("combine", [])] or None
    with pytest.raises(UsageError, match=wanted):
        evaluate_generator(out=tmp_path / "out", combine=combine, **given)


@pytest.mark.parametrize("baselines", ["mean-cine,", "mean-cine,mean-cine"])
def test_empty_and_doubled_baselines_are_refused(tmp_path, baselines):
    with pytest.raises(UsageError, match="names joined by commas, each once"):
        evaluate_generator(
            out=tmp_path / "out", weights=["run"], cohort=tmp_path / "c.h5", baselines=baselines
        )


def test_weights_without_a_generator_are_refused_before_the_cohort_is_opened(tmp_path):
    with pytest.raises(CardionetsError, match="no generator; name a run of"):
        evaluate_generator(
            out=tmp_path / "out", weights=["stmem-tiny-simulated"], cohort=tmp_path / "none.h5"
        )
    assert not (tmp_path / "out").exists()
