"""Options and presets, read without torch."""

import subprocess
import sys
import tomllib
from importlib.resources import files

import pytest
from pydantic import ValidationError

from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.train.config import TrainConfig
from cardionets_encoders.config import StMemConfig, VitCmrConfig

PRESETS = ("paper", "recommended", "released-code", "tiny")
MODELS = {"stmem": StMemConfig, "vit-cmr": VitCmrConfig}


def preset(name):
    return tomllib.loads((files("cardionets_encoders") / "presets" / f"{name}.toml").read_text())


def options_of(table):
    return {key: value for key, value in table.items() if not isinstance(value, dict)}


def test_a_size_fills_what_is_not_given():
    assert StMemConfig(size="small").width == 384
    assert StMemConfig(size="small", width=96).width == 96
    assert StMemConfig(size="small", width=96).depth == 12


def test_resolved_options_survive_being_written_and_read():
    config = StMemConfig(size="tiny", heads=4)
    assert StMemConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 100}, "num_samples=100 is not a multiple of patch_samples=75"),
        ({"mask_ratio": 0.99}, "mask_ratio=0.99 keeps 0 of 30 patches"),
        ({"leads": ("I", "I")}, "names a lead twice"),
        ({"size": "huge"}, "'tiny', 'small' or 'base'"),
        ({"widht": 64}, "Extra inputs are not permitted"),
    ],
)
def test_nonsense_for_stmem_is_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        StMemConfig(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch": 20}, "image_size over spatial_pool x patch: 96 is not a multiple of 20"),
        ({"heads": 5}, "width over heads: 768 is not a multiple of 5"),
        ({"frame_start": 50}, "frame_start=50, but a cine has 50 frames"),
        ({"mask_ratio": 0.98}, "mask_ratio=0.98 keeps 0 of 36 patches"),
    ],
)
def test_nonsense_for_vit_cmr_is_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        VitCmrConfig(**options)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("component", MODELS)
def test_presets_hold_valid_options(name, component):
    table = preset(name)[component]
    MODELS[component].model_validate(options_of(table))
    TrainConfig.model_validate(table["train"])


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_feeds_the_encoder_what_its_transform_makes(name):
    table = preset(name)["stmem"]
    encoder = StMemConfig.model_validate(options_of(table))
    transform = EcgTransformConfig.model_validate(table["data"])
    assert encoder.num_samples == transform.crop_samples
    assert encoder.sampling_rate_hz == transform.sampling_rate_hz


@pytest.mark.parametrize("name", PRESETS)
def test_every_number_of_a_preset_has_a_source(name):
    tables = preset(name)
    sources = tables.pop("source")
    keys = set()
    for component, table in tables.items():
        for key, value in table.items():
            inner = value if isinstance(value, dict) else {None: value}
            keys |= {".".join(filter(None, (component, key, option))) for option in inner}
    covered = {key for key in keys if any(f"{key}.".startswith(f"{s}.") for s in sources)}
    assert covered == keys
    assert all(any(f"{key}.".startswith(f"{s}.") for key in keys) for s in sources)


def test_the_tiny_stmem_is_the_one_of_the_method():
    config = StMemConfig.model_validate(options_of(preset("tiny")["stmem"]))
    assert (config.width, config.depth, config.heads) == (64, 2, 2)
    assert config.patches_per_lead == 10


def test_the_tiny_cine_encoder_sees_ten_frames_of_48_pixels():
    config = VitCmrConfig.model_validate(options_of(preset("tiny")["vit-cmr"]))
    assert (config.view_frames, config.view_size, config.patches_per_side) == (10, 48, 6)


def test_declarations_and_options_import_without_torch():
    code = (
        "import sys, cardionets_encoders.plugin as p, cardionets_encoders.config\n"
        "assert [s.name for s in p.cardionets_encoders()] == ['stmem', 'vit-cmr']\n"
        "heavy = {'torch', 'timm', 'numpy', 'pandas', 'h5py'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
