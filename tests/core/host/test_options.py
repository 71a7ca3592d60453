"""Options: defaults < preset < file < --set and flags; a mistake is one clear line."""

from __future__ import annotations

import re

import pytest
from pydantic import Field

import cardionets_core as cn
from cardionets_core.config import Options
from cardionets_core.errors import ConfigError, PluginError, UnknownNameError
from cardionets_core.interfaces import Autoencoder, missing_members
from cardionets_core.options import (
    check_preset,
    component_options,
    given,
    make_options,
    stage_options,
)
from cardionets_core.registry import default_registry

PARTS = """
    from pydantic import Field
    from cardionets_core.config import Options

    class Config(Options):
        width: int = Field(1, ge=1, description="width of it")
        depth: int = 1

    class Train(Options):
        epochs: int = 1
        batch_size: int = 1

    class Data:
        def __init__(self, config):
            self.config = config
        def subjects(self):
            return ()
        def read(self, ref):
            raise NotImplementedError

    class NoData:
        def __init__(self, config):
            pass
"""
PRESET = """
    [ours]
    width = 2
    depth = 2
    [ours.train]
    epochs = 2
    [source]
    "ours" = "our default"
    "ours.train" = "paper, Methods"
    "ours.train.epochs" = "paper, Table 1"
"""


@pytest.fixture
def ours(install, dataset, registry):
    files = {"parts.py": PARTS, "presets/small.toml": PRESET}
    install("acme-data", dataset("ours"), files=files)
    return registry().find("dataset", "ours")


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[dataset]\nwidth = 3\ndepth = 3\n[train]\nepochs = 3\n")
    return path


def test_preset_file_and_flag_each_win_over_what_is_below(ours, config_file):
    assert component_options(ours, "dataset", given("small")).width == 2
    from_file = component_options(ours, "dataset", given("small", config_file=config_file))
    assert (from_file.width, from_file.depth) == (3, 3)
    user = given("small", config_file=config_file, sets=["dataset.width=4"])
    both = component_options(ours, "dataset", user)
    assert (both.width, both.depth) == (4, 3)
    flag = given("small", config_file=config_file, flags={"dataset.width": 5})
    assert component_options(ours, "dataset", flag).width == 5


def test_a_preset_does_not_touch_options_that_it_does_not_name(ours):
    train = ours.load_config().__module__
    model = getattr(__import__(train, fromlist=["Train"]), "Train")  # noqa: B009 - made up
    options = stage_options(model, ours, "train", given("small"))
    assert (options.epochs, options.batch_size) == (2, 1)


def test_the_same_option_given_twice_with_one_value_is_taken(ours):
    user = given("small", sets=["dataset.width=4"], flags={"dataset.width": 4})
    assert component_options(ours, "dataset", user).width == 4


@pytest.mark.parametrize(
    "twice",
    [
        {"sets": ["train.epochs=3", "train.epochs=4"]},
        {"sets": ["train.epochs=3"], "flags": {"train.epochs": 4}},
    ],
)
def test_the_same_option_given_twice_with_two_values_is_an_error(twice):
    with pytest.raises(ConfigError, match=re.escape("train.epochs is given twice, as 3 and 4")):
        given("tiny", **twice)


def test_flags_that_were_not_given_are_none():
    assert given("tiny", flags={"train.epochs": None}).options("train") == {}


def test_values_of_set_are_toml_or_else_text():
    sets = ["a.b=1e-3", "a.c=true", "a.d=[1, 2]", "a.e=ukb", 'a.f="7"']
    assert given("tiny", sets=sets).options("a") == {
        "b": 1e-3, "c": True, "d": [1, 2], "e": "ukb", "f": "7",
    }  # fmt: skip


@pytest.mark.parametrize("item", ["epochs=3", "train.epochs"])
def test_a_set_without_namespace_or_value_says_what_is_needed(item):
    with pytest.raises(ConfigError, match=r"NAMESPACE\.OPTION=VALUE"):
        given("tiny", sets=[item])


def test_an_unknown_namespace_gets_the_nearest_one():
    user = given("tiny", sets=["encoderr.width=3"])
    with pytest.raises(
        ConfigError, match=r"no option namespace 'encoderr'. Did you mean 'encoder'"
    ):
        user.refuse_unknown({"encoder", "train", "data"})


def test_an_unknown_option_gets_the_nearest_one_and_the_list():
    config = default_registry().find("encoder", "stmem").load_config()
    with pytest.raises(ConfigError) as error:
        make_options(config, {"widht": 96}, "encoder")
    assert str(error.value).startswith("no encoder option 'widht'. Did you mean 'width'? Available")


class Made(Options):
    width: int = Field(1, ge=1, le=9, description="width of it")
    sigma: float | str = 1.0
    source: str = Field(description="folder to read")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"width": 0, "source": ""}, "made.width = 0: Input should be greater than or equal to 1"),
        ({"width": "x", "source": ""}, "made.width = 'x': Input should be a valid integer"),
        ({"sigma": [], "source": ""}, "made.sigma = []: Input should be a valid number or Input"),
        ({}, "made.source is not given, but needed: folder to read"),
    ],
)
def test_a_value_out_of_range_is_one_line_with_option_value_and_limit(values, words):
    with pytest.raises(ConfigError) as error:
        make_options(Made, values, "made")
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)
    assert "`cardionets show`" in str(error.value)


def test_a_limit_between_options_is_told_without_pydantics_words():
    with pytest.raises(ConfigError) as error:
        cn.build("dataset", "simulated", subjects=3, enriched_subjects=4)
    assert str(error.value).startswith("dataset: pretrain_subjects and enriched_subjects are 4")


def test_a_broken_or_bare_config_file_is_refused_with_its_name(tmp_path):
    for content, words in (("[train", "mine.toml"), ("epochs = 3", "outside a table")):
        path = tmp_path / "mine.toml"
        path.write_text(content)
        with pytest.raises(ConfigError, match=words):
            given("tiny", config_file=path)
    with pytest.raises(ConfigError, match=r"absent.toml"):
        given("tiny", config_file=tmp_path / "absent.toml")


def test_an_unknown_preset_gets_the_nearest_one():
    stmem = default_registry().find("encoder", "stmem")
    with pytest.raises(UnknownNameError, match=r"no preset 'papr'. Did you mean 'paper'"):
        stmem.preset("papr")


def test_the_source_of_a_number_is_the_longest_noted_prefix(ours):
    assert ours.preset_source("small", "width") == "our default"
    assert ours.preset_source("small", "train.batch_size") == "paper, Methods"
    assert ours.preset_source("small", "train.epochs") == "paper, Table 1"


def test_a_preset_with_a_wrong_number_or_name_is_refused_although_options_are_missing(
    install, dataset, registry
):
    files = {
        "parts.py": PARTS.replace("depth: int = 1", "source: str"),
        "presets/good.toml": "[ours]\nwidth = 2",
        "presets/low.toml": "[ours]\nwidth = 0",
        "presets/typo.toml": "[ours]\nwidht = 2",
    }
    install("acme-data", dataset("ours"), files=files)
    component = registry().find("dataset", "ours")
    check_preset(component, "good")
    with pytest.raises(ConfigError, match=r"preset 'low' of acme-data:ours\.width = 0"):
        check_preset(component, "low")
    with pytest.raises(ConfigError, match=r"Did you mean 'width'\?"):
        check_preset(component, "typo")


PRESETS = [
    pytest.param(component, preset, id=f"{component.name}-{preset}")
    for component in default_registry().components()
    for preset in component.preset_names()
]


@pytest.mark.parametrize(("component", "preset"), PRESETS)
def test_every_number_of_every_preset_is_an_option_and_has_a_source(component, preset):
    check_preset(component, preset)
    for key, value in component.preset(preset).items():
        keys = [f"{key}.{inner}" for inner in value] if isinstance(value, dict) else [key]
        for name in keys:
            assert component.preset_source(preset, name), name


def test_build_makes_a_component_and_checks_its_options():
    encoder = cn.build("encoder", "stmem", size="tiny", num_samples=250, patch_samples=50)
    assert encoder.pooled_dim == 64
    with pytest.raises(ConfigError, match=r"encoder.depth = 0"):
        cn.build("encoder", "stmem", depth=0)
    aligner = cn.build("aligner", "infonce", ecg_dim=4, cmr_dim=6, projection_dim=5)
    assert aligner.cmr_dim == 6


def test_what_does_not_keep_the_contract_is_refused_and_named(install, dataset, registry):
    source = dataset("hollow").replace(":Data", ":NoData")
    install("acme-data", source, files={"parts.py": PARTS})
    with pytest.raises(PluginError) as error:
        cn.build("dataset", "hollow", registry=registry())
    assert str(error.value) == (
        "dataset 'acme-data:hollow' of acme-data (acme-data 0.3.1) does not keep the contract "
        "cardionets_core.interfaces.Dataset: it lacks read, subjects"
    )


def test_a_buffer_keeps_a_contract_as_any_attribute_does():
    autoencoder = cn.build("autoencoder", "vae3d", size="tiny", frame_step=5, spatial_pool=2)
    assert "latent_scale" in dict(autoencoder.named_buffers())
    assert missing_members(autoencoder, Autoencoder) == []
    del autoencoder.latent_scale
    assert missing_members(autoencoder, Autoencoder) == ["latent_scale"]
