"""Figures: written in full, readable, and marked where subjects were simulated."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from cardionets_core.errors import EvaluationError
from cardionets_core.evaluate.figures import loss_figure, similarity_figure, similarity_order

ROWS = [
    {"phase": phase, "epoch": epoch, "step": epoch, "loss": loss}
    for epoch, losses in enumerate([(3.0, 3.1), (2.0, 2.2), (1.5, 2.4)])
    for phase, loss in zip(("train", "val"), losses, strict=True)
]


@pytest.fixture
def drawn(monkeypatch):
    """Every text on the figures that are saved."""
    texts, save = [], Figure.savefig

    def spy(figure, *args, **options):
        texts.extend(text.get_text() for text in figure.findobj(mpl.text.Text))
        return save(figure, *args, **options)

    monkeypatch.setattr(Figure, "savefig", spy)
    return texts


@pytest.fixture
def similarity():
    return np.random.default_rng(0).uniform(-1, 1, size=(12, 12))


def assert_picture(path):
    assert imread(path).std() > 0.01
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_loss_figure_names_axes_curves_and_the_epoch_kept(tmp_path, drawn):
    loss_figure(ROWS, tmp_path / "loss.png", simulated=True, title="Alignment")
    assert_picture(tmp_path / "loss.png")
    assert {"Alignment", "epoch", "loss", "training", "validation"} <= set(drawn)
    assert "lowest validation 2.2 (epoch 2)" in drawn


def test_loss_figure_of_one_epoch_or_of_training_alone_is_drawn(tmp_path):
    loss_figure(ROWS[:2], tmp_path / "loss.png", simulated=False)
    loss_figure([r for r in ROWS if r["phase"] == "train"], tmp_path / "loss.png", simulated=False)
    assert_picture(tmp_path / "loss.png")


def test_loss_figure_without_losses_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(EvaluationError, match="none of 1 metrics rows has a loss"):
        loss_figure([{"phase": "test", "epoch": 0}], tmp_path / "loss.png", simulated=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("simulated", [True, False])
def test_simulated_is_printed_exactly_when_subjects_were(tmp_path, drawn, similarity, simulated):
    loss_figure(ROWS, tmp_path / "figure.png", simulated=simulated)
    similarity_figure(similarity, tmp_path / "figure.png", simulated=simulated)
    assert sum("simulated" in text for text in drawn) == (2 if simulated else 0)


def test_similarity_figure_counts_own_pairs(tmp_path, drawn):
    matrix = np.eye(5)
    matrix[0, 1] = 2.0
    similarity_figure(matrix, tmp_path / "similarity.png", simulated=False)
    assert_picture(tmp_path / "similarity.png")
    assert {"cosine similarity", "ECG of subject (same order)"} <= set(drawn)
    assert "4 of 5 ECGs are closest to their own CMR; guessing finds 1" in drawn


@pytest.mark.parametrize("matrix", [np.zeros((1, 1)), np.zeros((3, 3)), np.ones((64, 64))])
def test_similarity_figure_of_degenerate_matrices_is_drawn(tmp_path, matrix):
    similarity_figure(matrix, tmp_path / "similarity.png", simulated=False)
    assert_picture(tmp_path / "similarity.png")


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((3, 4)), r"shape \(3, 4\)"),
        (np.zeros((65, 65)), "1 to 64 subjects"),
        (np.zeros((0, 0)), "1 to 64 subjects"),
        (np.full((2, 2), np.nan), "not finite"),
    ],
)
def test_similarities_that_cannot_be_drawn_are_refused(tmp_path, matrix, message):
    with pytest.raises(EvaluationError, match=message):
        similarity_figure(matrix, tmp_path / "similarity.png", simulated=False)
    assert not list(tmp_path.iterdir())


def test_subjects_of_two_groups_lie_side_by_side():
    group = np.array([0, 1, 0, 1, 1, 0, 0, 1])
    similarity = np.where(group[:, None] == group, 0.9, -0.5)
    ordered = group[similarity_order(similarity)]
    assert (np.diff(ordered) != 0).sum() == 1


def test_order_of_subjects_is_the_same_whatever_order_they_come_in():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(10, 3))
    similarity, shuffle = features @ features.T, rng.permutation(10)
    again = shuffle[similarity_order(similarity[np.ix_(shuffle, shuffle)])]
    np.testing.assert_array_equal(again, similarity_order(similarity))


def test_matplotlib_is_imported_only_when_a_figure_is_drawn():
    code = "import sys, cardionets_core.evaluate.figures; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
