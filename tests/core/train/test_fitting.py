"""Several learning rates: the inner split keeps the best, and a kill changes nothing."""

from __future__ import annotations

import json
import signal

import pytest
from safetensors.numpy import load_file

from cardionets_core.errors import ConfigError
from cardionets_core.train.checkpoint import CHECKPOINT_NAME
from cardionets_core.train.run_folder import RunFolder

KILLED = -signal.SIGKILL
RESUME = ["train", "--resume", "run"]
RATES = "protocol.lr_candidates=[1e-3, 0.5]"
SAME_FILES = ("weights.safetensors", "fingerprints.npz", "scores.parquet")


def from_ssl(ssl):
    return {"variant": "ssl", "weights": {"encoder": str(ssl.path)}}


def best_loss(folder):
    return min(row["loss"] for row in RunFolder(folder).metrics() if row["phase"] == "val")


@pytest.fixture(scope="module")
def rates(kept_tasks, ssl):
    """A run with two learning rates, and one run with each of them."""

    def run(name, rate):
        request = kept_tasks.head(name, rate, "train.epochs=2", **from_ssl(ssl))
        return kept_tasks.train(request)

    return run("two", RATES), {lr: run(lr, f"train.lr={lr}") for lr in ("0.001", "0.5")}


def better(rates):
    """The rate with the lower inner loss, and those losses."""
    two, single = rates
    losses = {lr: best_loss(two.path / "rates" / lr) for lr in single}
    assert len(set(losses.values())) == 2
    return min(losses, key=losses.__getitem__), losses


def test_the_rate_with_the_lower_inner_loss_is_kept(rates):
    lr, losses = better(rates)
    numbers = json.loads((rates[0].path / "results.json").read_text())["numbers"]
    assert numbers["learning rate"] == float(lr)
    assert numbers["validation loss"] == losses[lr] == min(losses.values())


def test_each_rate_starts_from_the_same_weights_as_if_it_were_alone(rates):
    two, single = rates
    for lr, alone in single.items():
        assert RunFolder(two.path / "rates" / lr).metrics() == alone.metrics()
    runs = two, single[better(rates)[0]]
    kept, alone = (load_file(run.path / "weights.safetensors") for run in runs)
    assert all(kept[name].tobytes() == alone[name].tobytes() for name in alone)
    scores = [(run.path / "scores.parquet").read_bytes() for run in runs]
    assert scores[0] == scores[1]


def test_the_order_of_the_rates_does_not_matter(rates, tasks, ssl):
    turned = "protocol.lr_candidates=[0.5, 1e-3]"
    run = tasks.train(tasks.head("turned", turned, "train.epochs=2", **from_ssl(ssl)))
    kept, other = (load_file(r.path / "weights.safetensors") for r in (rates[0], run))
    assert all(kept[name].tobytes() == other[name].tobytes() for name in kept)


def test_checkpoints_of_tried_rates_are_swept_away(rates):
    assert not [*rates[0].path.rglob(CHECKPOINT_NAME)]


def test_a_rate_that_the_user_names_is_the_only_one(tasks, ssl):
    run = tasks.train(tasks.head("run", "train.lr=3e-4", **from_ssl(ssl)))
    assert not (run.path / "rates").exists()
    assert run.manifest["plan"]["protocol"]["lr_candidates"] == []
    with pytest.raises(ConfigError, match=r"train\.lr and protocol\.lr_candidates are both given"):
        tasks.train(tasks.head("both", "train.lr=3e-4", RATES, **from_ssl(ssl)))


def test_an_encoder_at_random_has_rates_of_its_own(tasks):
    run = tasks.train(tasks.head("run", RATES, "protocol.lr_candidates_random=[1e-2, 1e-4]"))
    assert {folder.name for folder in (run.path / "rates").iterdir()} == {"0.01", "0.0001"}


@pytest.fixture(scope="module")
def command(task_commands, ssl):
    # Some patience, so that a resume has to count on.
    return task_commands.head(
        RATES, "train.epochs=3", "train.patience=2", "train.checkpoint_every_s=0",
        encoder=str(ssl.path),
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(task_commands, command, tmp_path_factory):
    """The run that is never killed."""
    folder = tmp_path_factory.mktemp("whole")
    code, said = task_commands.run(folder, command)
    assert code == 0, said
    return folder / "run"


@pytest.mark.parametrize(
    "kill",
    [
        pytest.param(("checkpoint", 2), id="inside a checkpoint of the first rate"),
        pytest.param(("step", 11), id="in the second rate before its first checkpoint"),
        pytest.param(("checkpoint", 5), id="inside a checkpoint of the second rate"),
    ],
)
def test_a_run_killed_at_either_rate_and_resumed_ends_in_the_same_bits(
    task_commands, command, whole, tmp_path, kill
):
    code, _ = task_commands.run(tmp_path, command, kill=kill)
    assert code == KILLED
    code, said = task_commands.run(tmp_path, RESUME)
    assert code == 0, said
    for name in (*SAME_FILES, "rates/0.001/metrics.jsonl", "rates/0.5/metrics.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes(), name
    assert not [*tmp_path.rglob(CHECKPOINT_NAME), *(tmp_path / "run").rglob(".*")]


def test_two_processes_try_the_rates_together(task_commands, command, tmp_path):
    ended = task_commands.run_two(tmp_path, command)
    assert [code for code, _ in ended] == [0, 0], ended
    losses = {lr: best_loss(tmp_path / "run" / "rates" / lr) for lr in ("0.001", "0.5")}
    numbers = json.loads((tmp_path / "run" / "results.json").read_text())["numbers"]
    assert numbers["learning rate"] == float(min(losses, key=losses.__getitem__))
