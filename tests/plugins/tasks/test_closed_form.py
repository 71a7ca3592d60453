"""The closed-form start of the linear head."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from cardionets_core.errors import TrainingError
from cardionets_tasks.closed_form import closed_form

NAN = np.nan


def made_up(records, width, *, seed=0, outputs=2):
    """Features of unlike scale and offset, and quantities that follow from them with noise."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(records, 5))
    features = hidden @ rng.normal(size=(5, width)) + 0.5 * rng.normal(size=(records, width))
    quantities = hidden @ rng.normal(size=(5, outputs)) + rng.normal(size=(records, outputs))
    return features * np.linspace(0.1, 30, width) + 100, quantities


def standardised(features):
    return (features - features.mean(0)) / features.std(0)


@pytest.mark.parametrize("width", [10, 60], ids=["more-records", "more-features"])
def test_ridge_is_one_of_scikit_learns_and_predicts_as_well_as_its_best(width):
    features, target = made_up(40, width, outputs=1)
    weight, bias = closed_form("regression", features, target, classes=1, seed=0)
    ours = features @ weight.T + bias
    penalties = 40 * width * np.logspace(-7, 1, 49)
    theirs = [Ridge(p).fit(standardised(features), target) for p in penalties]
    distance = [np.abs(m.predict(standardised(features)) - ours[:, 0]).max() for m in theirs]
    assert min(distance) < 1e-6 * np.abs(target).max()
    held_out = [
        r2_score(target, cross_val_predict(Ridge(p), standardised(features), target[:, 0],
                                           cv=LeaveOneOut()))
        for p in penalties
    ]  # fmt: skip
    assert held_out[int(np.argmin(distance))] > max(held_out) - 0.03


def test_columns_have_penalties_of_their_own_and_do_not_touch_each_other():
    features, target = made_up(60, 80)
    target[:, 1] = np.random.default_rng(1).normal(size=60)
    both, _ = closed_form("regression", features, target, classes=2, seed=0)
    alone, _ = closed_form("regression", features, target[:, :1], classes=1, seed=0)
    np.testing.assert_allclose(both[:1], alone, rtol=1e-9, atol=1e-12)
    explained = (standardised(features) @ (both * features.std(0)).T).std(0)
    assert explained[1] < 0.3 * explained[0]


def test_an_unknown_quantity_counts_as_the_mean_of_its_column():
    features, target = made_up(30, 6)
    target[3:9, 0] = NAN
    filled = np.where(np.isnan(target), np.nanmean(target, axis=0), target)
    for ours, theirs in zip(
        closed_form("regression", features, target, classes=2, seed=0),
        closed_form("regression", features, filled, classes=2, seed=0),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs)


def test_a_column_that_nobody_has_or_that_does_not_vary_gets_no_weight():
    features, target = made_up(30, 6)
    target[:, 0], target[:, 1] = NAN, 7.0
    weight, bias = closed_form("regression", features, target, classes=2, seed=0)
    assert not weight.any()
    assert bias.tolist() == [0.0, 7.0]


def test_a_feature_that_does_not_vary_gets_no_weight():
    features, target = made_up(30, 6)
    features[:, 2] = 0.1
    weight, bias = closed_form("regression", features, target, classes=2, seed=0)
    assert np.abs(weight[:, 2]).max() < 1e-12 * np.abs(weight).max()
    assert np.isfinite(bias).all()


@pytest.mark.parametrize("width", [10, 90], ids=["more-records", "more-features"])
def test_logistic_regression_is_scikit_learns_with_a_penalty_that_serves(width):
    features, quantity = made_up(300, width, outputs=1)
    labels = (quantity > 2).astype(float)
    train, test = slice(0, 60), slice(60, 300)
    weight, bias = closed_form("binary", features[train], labels[train], classes=1, seed=0)
    logits = features @ weight.T + bias
    z = (features - features[train].mean(0)) / features[train].std(0)
    theirs = [
        LogisticRegression(C=c / width, max_iter=5000, tol=1e-8).fit(z[train], labels[train, 0])
        for c in np.logspace(-2, 3, 6)
    ]
    distance = [np.abs(m.decision_function(z[train]) - logits[train, 0]).max() for m in theirs]
    assert min(distance) < 0.05
    losses = [log_loss(labels[test], m.predict_proba(z[test])) for m in theirs]
    chosen = int(np.argmin(distance))
    assert losses[chosen] < min(losses) + 0.05


def test_unknown_labels_are_left_out():
    features, quantity = made_up(80, 6, outputs=2)
    labels = (quantity > 0).astype(float)
    labels[50:, 0] = NAN
    both, _ = closed_form("multilabel", features, labels, classes=2, seed=0)
    other = labels.copy()
    other[:, 1] = 1 - labels[:, 1]
    again, _ = closed_form("multilabel", features, other, classes=2, seed=0)
    np.testing.assert_array_equal(both[0], again[0])
    np.testing.assert_allclose(both[1], -again[1], atol=1e-3 * np.abs(both[1]).max())


def test_classes_are_told_apart():
    features, quantities = made_up(150, 8, outputs=3)
    target = quantities.argmax(1)[:, None].astype(float)
    target[:5] = NAN
    weight, bias = closed_form("multiclass", features, target, classes=3, seed=0)
    found = (features @ weight.T + bias).argmax(1)
    assert (found[5:] == target[5:, 0]).mean() > 0.6


@pytest.mark.parametrize("seen", [(0, 2), (1, 2, 3)])
def test_a_class_without_a_training_record_gets_the_probability_of_half_a_one(seen):
    features, quantities = made_up(120, 8, outputs=len(seen))
    target = np.array(seen)[quantities.argmax(1)][:, None].astype(float)
    weight, bias = closed_form("multiclass", features, target, classes=4, seed=0)
    unseen = sorted(set(range(4)) - set(seen))
    assert not weight[unseen].any()
    logits = torch.from_numpy(features.mean(0) @ weight.T + bias)
    assert logits.softmax(0)[unseen[0]].item() == pytest.approx(0.5 / 120, rel=0.05)
    found = (features @ weight.T + bias).argmax(1)
    assert (found == target[:, 0]).mean() > 0.6


@pytest.mark.parametrize(
    ("kind", "labels", "words"),
    [
        ("binary", np.ones((6, 1)), "6 training labels of output 0 are all 1"),
        ("binary", np.full((6, 1), NAN), "0 training labels of output 0 are all unknown"),
        ("multiclass", np.full((6, 1), 2.0), "classes of the training records are all 2"),
        ("multilabel", np.array([[0.0, 0.0], [1.0, 0.0]] * 3), "labels of output 1 are all 0"),
    ],
)
def test_one_class_only_is_one_clear_line(kind, labels, words):
    features = np.random.default_rng(0).normal(size=(6, 4))
    with pytest.raises(TrainingError, match=words) as caught:
        closed_form(kind, features, labels, classes=3, seed=0)
    assert "protocol.head_start=random" in str(caught.value)


@pytest.mark.parametrize(
    ("features", "words"),
    [(np.ones((6, 4)), "6 records do not vary"), (np.full((6, 4), NAN), "24 pooled features")],
)
def test_features_that_tell_nothing_are_one_clear_line(features, words):
    with pytest.raises(TrainingError, match=words):
        closed_form("regression", features, np.arange(6.0)[:, None], classes=1, seed=0)


def test_one_case_is_enough_to_start():
    features, _ = made_up(10, 4)
    labels = np.zeros((10, 1))
    labels[3] = 1
    weight, bias = closed_form("binary", features, labels, classes=1, seed=0)
    assert int(np.argmax(features @ weight.T + bias)) == 3


def test_the_start_depends_on_its_seed_alone():
    features, quantity = made_up(60, 70, outputs=1)
    labels = (quantity > 1).astype(float)
    first, again = (closed_form("binary", features, labels, classes=1, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])


def test_a_started_head_predicts_in_units_from_the_features_themselves(head, features):
    pooled, quantities = made_up(200, 12, outputs=3)
    target = torch.from_numpy(140 + 30 * quantities).float()
    target[:20, 1] = torch.nan
    model, given = head(target="regression"), features(200, pooled=torch.from_numpy(pooled).float())
    model.fit(target)
    model.start(given.pooled, target, seed=0)
    predicted = model.predict(model(given)).detach().numpy()
    known = ~target.isnan().numpy()
    for column in range(3):
        rows = known[:, column]
        assert r2_score(target[rows, column], predicted[rows, column]) > 0.4


def test_a_started_head_can_be_trained_on(head, features):
    pooled, quantity = made_up(60, 12, outputs=1)
    model, given = head(target="binary"), features(60, pooled=torch.from_numpy(pooled).float())
    labels = torch.from_numpy(quantity > 0).float()
    model.start(given.pooled, labels, seed=0)
    model.loss(model(given), labels).backward()
    assert model.linear.weight.dtype == torch.float32
    assert model.linear.weight.grad.any()


@pytest.mark.parametrize("kind", ["regression", "binary"])
def test_many_features_are_never_paired_with_each_other(kind):
    """What makes it fit for few records of many features: no matrix of features by features."""
    width = 3000
    features, target = made_up(60, width, outputs=1)
    if kind == "binary":
        target = (target > 0).astype(float)
    tracemalloc.start()
    try:
        closed_form(kind, features, target, classes=1, seed=0)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < width * width * features.itemsize / 2
