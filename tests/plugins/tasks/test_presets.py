"""The presets of the heads."""

import tomllib
from importlib import resources

import pytest

from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.train.config import TrainConfig
from cardionets_core.train.protocol import ProtocolConfig
from cardionets_tasks.config import AttentionConfig, LinearConfig, MlpConfig

MODELS = {"linear": LinearConfig, "mlp": MlpConfig, "attention": AttentionConfig}
PRESETS = ("paper", "released-code", "recommended", "tiny")


def preset(name):
    file = resources.files("cardionets_tasks") / "presets" / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def options_of(table):
    return {key: value for key, value in table.items() if not isinstance(value, dict)}


@pytest.mark.parametrize("component", MODELS)
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_complete_and_valid(name, component):
    table = preset(name)[component]
    MODELS[component].model_validate(options_of(table))
    TrainConfig.model_validate(table["train"])
    EcgTransformConfig.model_validate(table["data"])
    ProtocolConfig.model_validate(table["protocol"])
    assert options_of(table).keys() == MODELS[component].model_fields.keys()


@pytest.mark.parametrize("name", PRESETS)
def test_heads_differ_in_their_start_alone(name):
    tables = preset(name)
    for part in ("train", "data", "protocol"):
        first = {**tables["linear"][part], "head_start": None}
        assert all({**tables[head][part], "head_start": None} == first for head in MODELS)


@pytest.mark.parametrize("name", PRESETS)
def test_every_number_of_a_preset_has_a_source_and_every_source_a_number(name):
    tables = preset(name)
    sources = tables.pop("source")
    assert tables.keys() <= sources.keys()
    for key in sources:
        place = tables
        for part in key.split("."):
            place = place[part]


def test_the_source_tells_the_batch_that_a_preset_cannot_hold():
    sources = preset("released-code")["source"]
    assert "128 for regression" in sources["linear.train.batch_size"]
