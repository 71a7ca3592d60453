"""Declarations, options and presets of the aligners."""

import subprocess
import sys
import tomllib
from importlib import resources

import pytest
from pydantic import ValidationError

from cardionets_cmr_align.config import InfoNceConfig, WeightedInfoNceConfig
from cardionets_cmr_align.plugin import cardionets_aligners
from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.train.config import TrainConfig

MODELS = {"weighted-infonce": WeightedInfoNceConfig, "infonce": InfoNceConfig}
PRESETS = ("paper", "released-code", "recommended", "tiny")


def preset(name):
    file = resources.files("cardionets_cmr_align") / "presets" / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def options_of(table):
    return {key: value for key, value in table.items() if not isinstance(value, dict)}


def test_declarations_import_neither_torch_nor_numpy():
    code = (
        "import sys, cardionets_cmr_align.plugin, cardionets_cmr_align.config;"
        "print(sorted({'torch', 'numpy', 'timm', 'h5py', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_weighted_infonce_is_the_default_and_both_name_what_they_need():
    specs = {spec.name: spec for spec in cardionets_aligners()}
    assert specs.keys() == MODELS.keys()
    assert [s.name for s in specs.values() if s.default_for == "aligner"] == ["weighted-infonce"]
    for spec in specs.values():
        assert {need.role for need in spec.needs} == {"encoder", "cmr_encoder"}


@pytest.mark.parametrize("component", MODELS)
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_complete_and_valid(name, component):
    table = preset(name)[component]
    MODELS[component].model_validate(options_of(table))
    TrainConfig.model_validate(table["train"])
    EcgTransformConfig.model_validate(table["data"])


@pytest.mark.parametrize("name", PRESETS)
def test_both_aligners_share_every_number_they_have_in_common(name):
    tables = preset(name)
    weighted, plain = tables["weighted-infonce"], tables["infonce"]
    own = {"pca_components", "whiten", "sigma"}
    assert {k: v for k, v in weighted.items() if k not in own} == plain


@pytest.mark.parametrize("name", PRESETS)
def test_every_number_of_a_preset_has_a_source_and_every_source_a_number(name):
    tables = preset(name)
    sources = tables.pop("source")
    assert tables.keys() <= sources.keys()
    for key in sources:
        place = tables
        for part in key.split("."):
            place = place[part]


def test_paper_and_released_code_differ_where_the_method_says():
    paper, code = preset("paper")["weighted-infonce"], preset("released-code")["weighted-infonce"]
    assert options_of(paper) == options_of(code)
    differing = {k for k in paper["train"] if paper["train"][k] != code["train"][k]}
    assert differing == {"epochs", "warmup_epochs", "lr_per_256"}
    assert code["data"].keys() - paper["data"].keys() == {
        "assumed_source_rate_hz",
        "eval_crop_rule",
    }


def test_a_learnable_temperature_has_to_start_above_its_floor():
    with pytest.raises(ValidationError, match="temperature_floor"):
        InfoNceConfig(temperature=0.01, temperature_floor=0.01)
    assert InfoNceConfig(temperature=0.01, learnable_temperature=False).temperature == 0.01


@pytest.mark.parametrize("sigma", [0, -1.0, "mean"])
def test_sigma_is_above_0_or_the_median(sigma):
    with pytest.raises(ValidationError):
        WeightedInfoNceConfig(sigma=sigma)
