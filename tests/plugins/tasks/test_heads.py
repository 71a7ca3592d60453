"""Losses, predictions and the scaler, the same for all heads."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

from cardionets_core.errors import ConfigError
from cardionets_tasks.targets_loss import loss_of

NAMES = ("linear", "mlp", "attention")
KINDS = ("binary", "multiclass", "multilabel", "regression")
NAN = math.nan


def test_declarations_import_neither_torch_nor_numpy():
    code = (
        "import sys, cardionets_tasks.plugin, cardionets_tasks.config;"
        "print(sorted({'torch', 'numpy', 'timm', 'h5py', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_binary_cross_entropy_is_the_mean_over_known_labels():
    outputs = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
    target = torch.tensor([[1.0, NAN], [0.0, 1.0]])
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(0.5)) + math.log1p(math.exp(-3))) / 3
    assert loss_of("multilabel", outputs, target).item() == pytest.approx(expected)


def test_cross_entropy_of_classes_is_the_mean_over_known_records():
    outputs = torch.tensor([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0], [5.0, 5.0, 5.0]])
    target = torch.tensor([[0.0], [2.0], [NAN]])
    first = math.log(math.exp(1) + 1 + math.exp(-1)) - 1
    second = math.log(2 + math.exp(2))
    assert loss_of("multiclass", outputs, target).item() == pytest.approx((first + second) / 2)


def test_squared_error_is_the_mean_over_known_quantities_in_sd():
    from cardionets_tasks.heads import TaskHead

    head = TaskHead(outputs=2, target="regression")
    head.fit(torch.tensor([[10.0, 1.0], [30.0, 3.0]]))
    raw = torch.tensor([[0.0, 0.0], [1.0, 0.5]])
    assert head.loss(raw, torch.tensor([[30.0, NAN], [30.0, 3.0]])).item() == pytest.approx(
        (1 + 0 + 0.25) / 3
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_without_a_known_target_costs_0_and_moves_nothing(head, features, name, kind):
    model = head(name, target=kind)
    columns = 3 if kind in {"multilabel", "regression"} else 1
    loss = model.loss(model(features(4)), torch.full((4, columns), NAN))
    loss.backward()
    assert loss.item() == 0
    assert all(not parameter.grad.any() for parameter in model.parameters())


def test_a_half_precision_output_has_a_loss_in_float32():
    loss = loss_of("binary", torch.full((2, 1), 30.0, dtype=torch.bfloat16), torch.zeros(2, 1))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(30)


@pytest.mark.parametrize(
    ("kind", "shape"), [("binary", (4,)), ("multilabel", (4, 1)), ("multiclass", (4, 3))]
)
def test_a_target_of_another_shape_is_refused_and_not_broadcast(kind, shape):
    outputs = torch.zeros(4, 1 if kind == "binary" else 3)
    with pytest.raises(ValueError, match="needed"):
        loss_of(kind, outputs, torch.zeros(shape))


def test_the_scaler_is_that_of_what_is_known(head):
    model = head(target="regression")
    model.fit(torch.tensor([[100.0, 7.0, NAN], [140.0, NAN, NAN], [120.0, 7.0, NAN]]))
    assert model.target_mean.tolist() == [120.0, 7.0, 0.0]
    assert model.target_sd.tolist() == pytest.approx([math.sqrt(800 / 3), 1.0, 1.0])


def test_a_constant_whose_mean_is_rounded_still_has_no_sd(head):
    model = head(target="regression", outputs=1)
    model.fit(torch.full((7, 1), 0.1))
    assert model.target_sd.item() == 1


@pytest.mark.parametrize("name", NAMES)
def test_predictions_of_a_regression_are_in_its_units(head, name):
    model = head(name, target="regression", outputs=2)
    model.fit(torch.tensor([[100.0, 50.0], [140.0, 70.0]]))
    raw = torch.tensor([[0.0, 0.0], [1.0, -1.0]])
    torch.testing.assert_close(model.predict(raw), torch.tensor([[120.0, 60.0], [140.0, 50.0]]))


def test_the_scaler_is_stored_with_the_weights(head):
    model, other = head(target="regression"), head(target="regression")
    model.fit(100 + torch.randn(20, 3))
    other.load_state_dict(model.state_dict())
    assert torch.equal(model.predict(torch.zeros(1, 3)), other.predict(torch.zeros(1, 3)))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_only_a_regression_has_a_scaler(head, kind):
    model = head(target=kind)
    model.fit(torch.ones(4, 1))
    assert not list(model.buffers())


def test_classes_have_probabilities_that_sum_to_1_and_labels_their_own(head):
    raw = torch.tensor([[2.0, 0.0, 0.0]])
    classes = head(target="multiclass").predict(raw)
    assert classes.sum().item() == pytest.approx(1)
    assert head(target="multilabel").predict(raw)[0, 1].item() == 0.5


@pytest.mark.parametrize(
    ("kind", "outputs", "words"),
    [
        ("binary", 3, "several findings are 'multilabel'"),
        ("multiclass", 1, "needed 2 or more"),
        ("survival", 1, "needed binary, multiclass"),
    ],
)
def test_a_kind_that_cannot_have_so_many_outputs_is_refused(head, kind, outputs, words):
    with pytest.raises(ConfigError, match=words):
        head(target=kind, outputs=outputs)


def test_hidden_layers_have_the_widths_of_the_released_code(head):
    model = head("mlp", target="regression", outputs=82, pooled_dim=768)
    shapes = [tuple(layer.weight.shape) for layer in model.layers if hasattr(layer, "weight")]
    assert shapes == [(256, 768), (128, 256), (82, 128)]


def test_attention_does_not_depend_on_the_order_of_tokens_nor_on_the_pooled_feature(head, features):
    model, given = head("attention", target="multilabel").eval(), features(3)
    turned = given._replace(tokens=given.tokens.flip(1), pooled=given.pooled * 0)
    torch.testing.assert_close(model(given), model(turned))


def test_attention_leaves_out_the_tokens_of_absent_leads(head, features):
    model, given = head("attention", target="multilabel").eval(), features(3)
    some = given._replace(tokens=given.tokens[:, :4])
    padded = given._replace(tokens=torch.cat([some.tokens, torch.zeros(3, 2, 8)], dim=1))
    torch.testing.assert_close(model(some), model(padded))
    assert model(given._replace(tokens=given.tokens * 0)).isfinite().all()


def test_attention_heads_that_do_not_divide_the_width_are_refused(head):
    with pytest.raises(ConfigError, match=r"head\.heads = 3 does not divide"):
        head("attention", target="binary", heads=3)


@pytest.mark.parametrize("name", NAMES)
def test_dropout_acts_in_training_only(head, features, name):
    model, given = head(name, target="multilabel", dropout=0.5), features(8)
    assert not torch.equal(model(given), model(given))
    model.eval()
    assert torch.equal(model(given), model(given))
