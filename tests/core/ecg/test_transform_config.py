from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.errors import WeightsError


def test_options_load_without_numpy_scipy_or_torch():
    code = (
        "import sys, cardionets_core.ecg.transform_config, cardionets_core.ecg.transform_state;"
        "print([name for name in ('numpy', 'scipy', 'torch', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling_rate_hz": 100}, "lower it"),
        ({"sampling_rate_hz": 0}, "greater than 0"),
        ({"low_pass_hz": 125.0}, "below half"),
        ({"high_pass_hz": 50.0}, "must rise"),
        ({"high_pass_hz": 40.0}, "must rise"),
        ({"eval_crops": 0}, "greater than or equal to 1"),
        ({"resampling": "linear"}, "polyphase"),
        ({"crop": 500}, "Extra inputs"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        EcgTransformConfig(**options)


def test_filters_can_be_left_out():
    config = EcgTransformConfig(high_pass_hz=None, low_pass_hz=None)
    assert "no filter" in EcgTransform(config).describe()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"config": {"sampling_rate_hz": "fast"}},
        {"config": None},
        {"lead_sd_mv": ["a"]},
        {"lead_sd_mv": [1.0, 2.0]},
        {"lead_sd_mv": 3},
    ],
)
def test_a_state_that_is_none_is_refused_in_one_error(change):
    state = EcgTransform(EcgTransformConfig()).to_state() | change
    with pytest.raises(WeightsError):
        EcgTransform.from_state(state)
