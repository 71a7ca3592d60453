"""``cardionets plugins`` and ``cardionets show``."""

from __future__ import annotations

import pytest

from cardionets_core.registry import default_registry


def test_list_names_every_plugin_with_distribution_version_and_what_it_brings(command):
    told = command("plugins", "list")
    (line,) = [line for line in told.out.splitlines() if line.startswith("encoders ")]
    assert line.split()[1] == "cardionets"
    assert line.rstrip().endswith("encoders stmem, vit-cmr")
    assert told.code == 0


def test_list_names_what_did_not_load_and_goes_on(command, failing_plugin):
    told = command("plugins", "list")
    assert "stmem" in told.out
    assert failing_plugin in told.err
    assert told.code == 0


def test_show_prints_everything_that_a_plugin_brings(command):
    told = command("plugins", "show", "wfdb")
    assert "wfdb (cardionets 0" in told.out
    assert [line.split()[:3] for line in told.out.splitlines() if "formats" in line] == [
        ["ecg", "formats", "wfdb"],
        ["ecg", "formats", "npy"],
        ["ecg", "formats", "csv"],
    ]


def test_show_of_an_unknown_or_failed_plugin_is_told(command, failing_plugin):
    told = command("plugins", "show", "encoder")
    assert "no plugin 'encoder'. Did you mean 'encoders'?" in told.err
    assert told.code == 2
    assert failing_plugin in command("plugins", "show", "broken").err


def test_doctor_imports_everything_and_finds_no_fault_with_us(command):
    told = command("plugins", "doctor")
    assert told.err == ""
    assert told.code == 0
    assert "0 not" in told.out
    assert told.out.strip().endswith("0 problems")


def test_doctor_names_a_plugin_that_did_not_load_and_fails(command, failing_plugin):
    told = command("plugins", "doctor")
    assert failing_plugin in told.err
    assert "1 problems" in told.out
    assert told.code == 1


def test_doctor_names_a_declaration_that_cannot_be_imported(command, monkeypatch):
    monkeypatch.setattr("cardionets_encoders.stmem.StMem", None)
    monkeypatch.delattr("cardionets_encoders.stmem.StMem")
    told = command("plugins", "doctor")
    assert "'stmem' of plugin encoders (cardionets 0" in told.err
    assert "cannot be imported from 'cardionets_encoders.stmem:StMem'" in told.err
    assert told.code == 1


def test_show_lists_every_option_with_type_default_unit_and_meaning(command):
    told = command("show", "encoder", "stmem")
    lines = {line.split()[0]: line for line in told.out.splitlines() if line.strip()}
    for option in default_registry().find("encoder", "stmem").load_config().model_fields:
        assert option in lines
    assert lines["patch_samples"].split()[:4] == ["patch_samples", "int", "75", "samples"]
    assert "samples of one lead per patch (> 1)" in lines["patch_samples"]
    assert "tiny | small | base" in lines["size"]
    assert "paper, recommended, released-code, tiny" in lines["presets:"]


def test_show_says_what_a_component_needs_and_which_options_are_required(command):
    assert "needs cmr_encoder: encoder vit-cmr" in command("show", "aligner", "infonce").out
    source = command("show", "dataset", "wfdb").out.partition("\nsource")[2]
    assert source.split()[:2] == ["Path", "required"]


def test_show_of_a_kind_lists_its_components(command):
    told = command("show", "encoder")
    assert {"stmem", "vit-cmr"} <= {line.split()[0] for line in told.out.splitlines()}


@pytest.mark.parametrize(
    ("name", "option"), [("train", "weight_decay"), ("data", "crop_samples"), ("protocol", "probe")]
)
def test_show_lists_the_options_of_stages_which_no_component_has(command, name, option):
    assert name in command("show", "options").out
    ended = command("show", "options", name)
    assert ended.code == 0
    assert option in ended.out
    ended = command("show", "options", f"{name}s")
    assert ended.code == 2
    assert f"Did you mean '{name}'?" in ended.err


def test_list_and_show_name_tasks_and_variants(command):
    assert "tasks phenotypes, cad, hf, cm, ph, cm-subtype" in command("plugins", "list").out
    told = {line.split()[0] for line in command("show", "variant").out.splitlines()}
    assert {"scratch", "ssl", "phen-sup", "cardionets", "cmr-ref"} <= told
    assert "cm-subtype  tasks" in command("show", "task").out


def test_show_says_where_a_task_s_targets_come_from(command):
    told = command("show", "task", "cm").out
    assert "target: binary" in told
    assert "dated on or before the visit or undated count" in told
    assert "ICD-10 I42, I43" in told
    lines = command("show", "task", "phenotypes").out.splitlines()
    assert len([line for line in lines if "UK Biobank field 24" in line]) == 82
    (line,) = [line for line in lines if line.startswith("LV ejection fraction")]
    assert line.split()[-2:] == ["24103", "%"]


def test_show_says_how_a_variant_s_encoder_is_made(command):
    told = command("show", "variant", "cardionets").out
    assert "in tables: CardioNets; reads ecg" in told
    assert "preset tiny: weights from zoo entry cardionets-tiny-simulated" in told
    (line,) = [line for line in told.splitlines() if line.startswith("weighted-infonce ")]
    assert "encoder of ssl, cmr_encoder of cmr-ssl" in line
    assert "a negative control" in command("show", "variant", "shuffled").out
    assert "not for: phenotypes" in command("show", "variant", "phen-sup").out
    assert "no stages: random weights" in command("show", "variant", "scratch").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("task", "cms"), "no task 'cms'. Did you mean 'cm'?"),
        (("variant", "cardionet"), "no variant 'cardionet'. Did you mean 'cardionets'?"),
        (("encodr",), "no kind 'encodr'. Did you mean 'encoder'?"),
        (("encoder", "stmen"), "no encoder 'stmen'. Did you mean 'stmem'?"),
    ],
)
def test_show_of_an_unknown_name_gives_the_nearest(command, arguments, words):
    told = command("show", *arguments)
    assert words in told.err
    assert told.code == 2
    assert told.out == ""
