from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cardionets_core.ecg.transform import EcgTransform
from cardionets_core.errors import TransformMismatchError, UnknownNameError, WeightsError
from cardionets_core.plugins import Discovery
from cardionets_core.registry import Registry
from cardionets_core.weights.file import WeightsHeader, save_weights, tensors_of
from cardionets_core.weights.load import check_transform, fill, load, load_part, transform_of


def test_loaded_encoder_gives_the_same_features_and_brings_its_preprocessing(
    weights: Path, made_up: Any, encoder: nn.Module, helpers: Any
) -> None:
    loaded = load(weights, registry=made_up.registry)
    x = torch.randn(2, 12, 20)
    assert torch.equal(loaded(x).pooled, encoder(x).pooled)
    assert not loaded.training
    assert loaded.transform.to_state() == helpers.transform()
    assert loaded.header.parts["encoder"].component == "made-up:tiny"
    assert loaded.state_dict().keys() == encoder.state_dict().keys()


def test_every_part_of_an_alignment_checkpoint_can_be_loaded(
    tmp_path: Path, made_up: Any, make_header: Callable[..., WeightsHeader], encoder: nn.Module
) -> None:
    header = make_header(aligner=True)
    part = header.parts["aligner"]
    aligner = made_up.registry.find("aligner", "pull").load()(_config(made_up), **part.arguments)
    path = tmp_path / "aligned.safetensors"
    save_weights(path, tensors_of({"encoder": encoder, "aligner": aligner}), header)
    assert type(load(path, registry=made_up.registry)) is type(encoder)
    loaded = load(path, "aligner", registry=made_up.registry)
    assert torch.equal(loaded.cmr.weight, aligner.cmr.weight)
    assert load_part(path, "aligner", registry=made_up.registry).training


def _config(made_up: Any) -> Any:
    return made_up.registry.find("aligner", "pull").load_config()()


def test_first_misfits_are_named(encoder: nn.Module) -> None:
    state = encoder.state_dict()
    state["layer.bias"] = torch.zeros(9)
    state["extra"] = torch.zeros(1)
    del state["seen"]
    with pytest.raises(WeightsError) as caught:
        fill(encoder, state, "x.safetensors")
    message = str(caught.value)
    assert "1 missing: seen; 1 not known: extra" in message
    assert "1 of another shape: layer.bias is (9,), needed (4,)" in message


def test_missing_plugin_is_named_with_its_distribution(weights: Path) -> None:
    nothing = Registry(Discovery((), ()))
    with pytest.raises(UnknownNameError, match=r"'made-up:tiny' of cardionets-made-up 1\.2"):
        load(weights, registry=nothing)


def test_other_preprocessing_than_expected_is_refused(weights: Path, made_up: Any) -> None:
    found = load(weights, registry=made_up.registry).header.transform_hash
    load(weights, expect_transform_hash=found, registry=made_up.registry)
    with pytest.raises(TransformMismatchError, match=f"{found} found, {'0' * 64} expected"):
        load(weights, expect_transform_hash="0" * 64, registry=made_up.registry)


def test_two_transforms_are_shown_side_by_side_unless_overridden(helpers: Any) -> None:
    theirs = EcgTransform.from_state(helpers.transform())
    ours = EcgTransform.from_state(helpers.transform(low_pass_hz=100.0))
    check_transform(theirs, EcgTransform.from_state(theirs.to_state()))
    with pytest.raises(TransformMismatchError, match=r"low_pass_hz +40.0 +100.0"):
        check_transform(theirs, ours)
    check_transform(theirs, ours, new_transform=True)


def test_weights_without_an_ecg_transform_say_so(
    tmp_path: Path, make_header: Callable[..., WeightsHeader], encoder: nn.Module, made_up: Any
) -> None:
    header = make_header().model_copy(update={"transform": None, "transform_hash": None})
    save_weights(tmp_path / "cmr", tensors_of({"encoder": encoder}), header)
    assert load(tmp_path / "cmr", registry=made_up.registry).transform is None
    with pytest.raises(WeightsError, match="--new-transform"):
        transform_of(header)
