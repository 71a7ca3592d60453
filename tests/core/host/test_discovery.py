"""One bad plugin never takes the rest down: it is skipped, and named with its distribution."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from cardionets_core.errors import NameClashError, PluginError, UnknownNameError
from cardionets_core.plugins import FIRST_PARTY, discover

BROKEN = {
    "missing import": ("import no_such_module", "ModuleNotFoundError: No module named"),
    "syntax error": ("def (", "SyntaxError"),
    "exit while importing": ("raise SystemExit('no licence')", "SystemExit: no licence"),
    "wrong hook argument": (
        "@hookimpl\ndef cardionets_encoders(registry):\n    return ()",
        "PluginValidationError",
    ),
    "misspelt hook": (
        "@hookimpl\ndef cardionets_encoder():\n    return ()",
        "PluginError: unknown hook 'cardionets_encoder'; the hooks are cardionets_encoders",
    ),
    "hook that raises": (
        "@hookimpl\ndef cardionets_encoders():\n    raise KeyError('width')",
        "KeyError: 'width'",
    ),
    "hook that exits": (
        "@hookimpl\ndef cardionets_encoders():\n    raise SystemExit(3)",
        "SystemExit: 3",
    ),
    "hook that returns nothing": (
        "@hookimpl\ndef cardionets_encoders():\n    pass",
        "TypeError: 'NoneType'",
    ),
    "no hook at all": ("x = 1", "PluginError: no function is marked as hookimpl"),
    "hook without its mark": (
        "def cardionets_encoders():\n    return ()",
        "PluginError: cardionets_encoders stands without @hookimpl",
    ),
    "wrong type": (
        "@hookimpl\ndef cardionets_ecg_formats():\n    yield 'ishne'",
        "PluginError: cardionets_ecg_formats yields str, not EcgFormat",
    ),
    "wrong kind": (
        """
@hookimpl
def cardionets_encoders():
    yield ComponentSpec(name="x", kind="head", summary="", config="a:B", target="a:C")
""",
        "PluginError: cardionets_encoders yields 'x' of kind 'head'",
    ),
    "duplicate names": (
        """
@hookimpl
def cardionets_heads():
    for _ in range(2):
        yield ComponentSpec(name="x", kind="head", summary="", config="a:B", target="a:C")
""",
        "PluginError: cardionets_heads yields 'x' twice",
    ),
    "name with a colon": (
        """
@hookimpl
def cardionets_heads():
    yield ComponentSpec(name="a:x", kind="head", summary="", config="a:B", target="a:C")
""",
        "PluginError: cardionets_heads yields the name 'a:x'",
    ),
}


def names(plugins):
    return {plugin.name for plugin in plugins}


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_broken_plugin_is_skipped_and_named_and_the_others_load(mistake, install, dataset):
    source, reason = BROKEN[mistake]
    install("acme-broken", source)
    install("acme-data", dataset("acme-data"))
    found = discover()
    assert "acme-broken" not in names(found.loaded)
    assert {"acme-data", "encoders", "simulated"} <= names(found.loaded)
    (failed,) = [plugin for plugin in found.failed if plugin.name == "acme-broken"]
    assert str(failed).startswith("not loaded: acme-broken (acme-broken 0.3.1): ")
    assert reason in failed.reason


def test_broken_plugins_do_not_hide_each_other(install, dataset):
    for number, (source, _) in enumerate(BROKEN.values()):
        install(f"acme-broken-{number}", source)
    install("acme-data", dataset("acme-data"))
    found = discover()
    assert {f"acme-broken-{number}" for number in range(len(BROKEN))} <= names(found.failed)
    assert "acme-data" in names(found.loaded)


def test_a_keyboard_interrupt_is_not_swallowed(install):
    install("acme-slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        discover()


def test_a_third_party_cannot_take_the_name_of_a_first_party_plugin(install, dataset):
    install("aaa-first", dataset("mine", "aaa_first"), entry_point="encoders")
    found = discover()
    (kept,) = [plugin for plugin in found.loaded if plugin.name == "encoders"]
    assert kept.distribution == FIRST_PARTY
    (failed,) = [plugin for plugin in found.failed if plugin.name == "encoders"]
    assert failed.distribution == "aaa-first"
    assert "another plugin is called 'encoders'" in failed.reason


def test_a_wrong_argument_does_not_keep_the_name_taken(install, dataset):
    install("acme-a", BROKEN["wrong hook argument"][0], entry_point="acme")
    install("acme-b", dataset("acme-data", "acme_b"), entry_point="acme")
    found = discover()
    assert ("acme", "acme-b") in {(p.name, p.distribution) for p in found.loaded}


def test_two_plugins_of_one_name_bring_their_shared_component_to_neither(
    install, dataset, registry
):
    install("acme-a", dataset("ptbxl", "acme_a"), version="1.0")
    install("acme-b", dataset("ptbxl", "acme_b"), version="2.5")
    found = registry()
    with pytest.raises(NameClashError) as clash:
        found.find("dataset", "ptbxl")
    assert str(clash.value) == (
        "2 plugins bring a dataset 'ptbxl'; name one: "
        "acme-a:ptbxl (acme-a 1.0); acme-b:ptbxl (acme-b 2.5)"
    )
    assert found.find("dataset", "acme-a:ptbxl").distribution == "acme-a"
    assert found.find("dataset", "acme-b:ptbxl").distribution == "acme-b"


def test_a_clash_with_a_first_party_component_displaces_neither(install, dataset, registry):
    install("acme-a", dataset("simulated", "acme_a"))
    found = registry()
    with pytest.raises(NameClashError, match=r"simulated:simulated \(cardionets .*acme-a:simul"):
        found.find("dataset", "simulated")
    assert found.find("dataset", "simulated:simulated").distribution == FIRST_PARTY


def test_the_same_name_in_another_kind_is_no_clash(install, dataset, registry):
    install("acme-a", dataset("stmem", "acme_a"))
    assert registry().find("dataset", "stmem").distribution == "acme-a"
    assert registry().find("encoder", "stmem").distribution == FIRST_PARTY


def test_an_unknown_name_gets_the_nearest_one_the_list_and_the_failed_plugins(install, registry):
    install("acme-broken", "import no_such_module")
    with pytest.raises(UnknownNameError) as unknown:
        registry().find("encoder", "stmen")
    first, *rest = str(unknown.value).splitlines()
    assert first.startswith("no encoder 'stmen'. Did you mean 'stmem'? Available: ")
    assert "vit-cmr" in first
    (line,) = [line for line in rest if "acme-broken" in line]
    assert line.startswith("not loaded: acme-broken (acme-broken 0.3.1): ModuleNotFoundError")


def test_another_interface_version_is_not_imported(install, registry):
    install("acme-later", "raise RuntimeError('imported')", group="cardionets.v2")
    discovery = registry().discovery
    assert "acme-later" not in names(discovery.loaded) | names(discovery.failed)


def test_an_entry_point_of_no_distribution_is_told_apart():
    found = discover([EntryPoint("stray", "no_such_module", "cardionets.v1")])
    assert str(found.failed[0]).startswith("not loaded: stray (unknown distribution ?): Module")


def test_a_target_that_cannot_be_imported_names_plugin_and_distribution(install, dataset, registry):
    install("acme-data", dataset("acme-data"))
    with pytest.raises(PluginError) as error:
        registry().find("dataset", "acme-data").load()
    assert "'acme-data' of plugin acme-data (acme-data 0.3.1) cannot be imported" in str(
        error.value
    )
    assert "ModuleNotFoundError" in str(error.value)


def test_there_is_one_default_dataset_and_a_second_is_refused(install, registry):
    assert registry().default("dataset").name == "simulated"
    install(
        "acme-data",
        """
        @hookimpl
        def cardionets_datasets():
            yield ComponentSpec(
                name="mine", kind="dataset", summary="", config="a:B", target="a:C",
                default_for="dataset",
            )
        """,
    )
    with pytest.raises(PluginError, match="one default dataset is needed, found simulated:sim"):
        registry().default("dataset")
