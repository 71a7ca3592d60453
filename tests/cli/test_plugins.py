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
    ("arguments", "words"),
    [
        (("encodr",), "no kind 'encodr'. Did you mean 'encoder'?"),
        (("encoder", "stmen"), "no encoder 'stmen'. Did you mean 'stmem'?"),
    ],
)
def test_show_of_an_unknown_name_gives_the_nearest(command, arguments, words):
    told = command("show", *arguments)
    assert words in told.err
    assert told.code == 2
    assert told.out == ""
