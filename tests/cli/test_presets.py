"""``cardionets presets``: the numbers, with their source."""

from __future__ import annotations

from cardionets_core.registry import default_registry


def rows(told):
    return [line.split() for line in told.out.splitlines()[1:]]


def test_list_names_every_preset_and_who_has_numbers_in_it(command):
    told = command("presets", "list")
    listed = {row[0]: row for row in rows(told)}
    assert {"paper", "recommended", "released-code", "tiny", "study"} <= set(listed)
    assert listed["study"][1:] == ["simulated"]


def test_show_prints_every_number_with_its_source(command):
    told = command("presets", "show", "tiny", "--component", "stmem")
    shown = {row[1]: row for row in rows(told)}
    assert shown["patch_samples"][:3] == ["stmem", "patch_samples", "50"]
    assert shown["train.betas"][2:] == ["[0.9,", "0.95]", "ST-MEM", "repository"]
    assert {row[0] for row in rows(told)} == {"stmem"}


def test_show_of_study_prints_its_counts(command):
    shown = {row[1]: row[2] for row in rows(command("presets", "show", "study"))}
    assert shown["subjects"] == "6000"
    assert shown["pretrain_subjects"] == "3000"
    assert shown["enriched_subjects"] == "1800"


def test_diff_of_paper_and_released_code_shows_what_differs_with_both_sources(command):
    told = command("presets", "diff", "paper", "released-code")
    (line,) = [
        line for line in told.out.splitlines() if line.startswith("weighted-infonce  train.epochs")
    ]
    assert line.split()[2:4] == ["400", "100"]
    assert "paper, Methods" in line
    assert line.rstrip().endswith("released code")


def test_diff_shows_nothing_that_is_the_same_and_everything_that_is_not(command):
    shown = {tuple(row[:2]) for row in rows(command("presets", "diff", "paper", "tiny"))}
    for name, kind in (("stmem", "encoder"), ("weighted-infonce", "aligner")):
        component = default_registry().find(kind, name)
        paper, tiny = component.preset("paper")["train"], component.preset("tiny")["train"]
        for key in paper.keys() | tiny.keys():
            differs = paper.get(key) != tiny.get(key)
            assert ((name, f"train.{key}") in shown) == differs, key


def test_a_preset_does_not_differ_from_itself(command):
    assert rows(command("presets", "diff", "paper", "paper")) == []


def test_an_unknown_preset_gets_the_nearest_one(command):
    for arguments in (("show", "papr"), ("diff", "paper", "papr")):
        told = command("presets", *arguments)
        assert "no preset 'papr'. Did you mean 'paper'?" in told.err
        assert told.code == 2
