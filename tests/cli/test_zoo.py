"""``cardionets zoo`` as a user meets it, without network."""

from __future__ import annotations

from pathlib import Path

import pytest

from cardionets_core.weights.header import read_header

SHIPPED = ("stmem-tiny-simulated", "vit-cmr-tiny-simulated", "cardionets-tiny-simulated",
           "cardionets-tiny-heads-simulated", "vae3d-tiny-simulated",
           "mar-tiny-simulated")  # fmt: skip
CARDS = Path(__file__).parents[2] / "model_zoo" / "cardionets_zoo" / "cards"
SMALL = ("dataset.subjects=6", "dataset.pretrain_subjects=6", "encoder.width=8",
         "encoder.depth=1", "encoder.heads=1", "train.accelerator=cpu")  # fmt: skip


def test_every_shipped_entry_is_listed_shown_pulled_and_sound(command):
    told = command("zoo", "list")
    assert told.code == 0
    for name in SHIPPED:
        assert name in told.out
        shown = command("zoo", "show", name)
        assert shown.code == 0, shown.err
        for said in ("MIT", "sha256", "imulated"):
            assert said in shown.out
        pulled = command("zoo", "pull", name)
        assert Path(pulled.out.splitlines()[0]).is_file()
    verified = command("zoo", "verify")
    assert verified.code == 0, verified.err
    assert verified.out.count(": sound") == len(SHIPPED)


def test_a_run_is_packed_with_its_lineage_and_licence(command):
    sets = [f"--set={item}" for item in SMALL]
    train = ["train", "--encoder", "stmem", "--preset", "tiny", "--epochs", 1, "--out", "run"]
    assert command(*train, *sets).code == 0
    told = command("zoo", "pack", "run", "--card", CARDS / "stmem-tiny-simulated.md",
                   "--out", "entry", "--name", "mine")  # fmt: skip
    assert told.code == 0, told.err
    assert told.out.startswith("mine: ")
    (weights,) = Path("entry").rglob("*.safetensors")
    header = read_header(weights)
    assert [step.stage for step in header.lineage] == ["ecg-pretraining"]
    assert header.licence == "MIT"
    assert not [*Path("entry").rglob("fingerprints*")]


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["show", "stmem-tiny-simulatd"], "Did you mean 'stmem-tiny-simulated'?", 2),
        (["pull", "https://example.org/w.safetensors"], "offline", 1),
        (["import", "st-men", "x.pth", "--out", "y"], "st-mem", 2),
        (["import", "st-mem", "none.pth", "--out", "y.safetensors"], "none.pth", 1),
        (["pack", "nowhere", "--card", "none.md", "--out", "entry"], "nowhere", 1),
    ],
)
def test_a_mistake_is_one_line_and_makes_nothing(command, arguments, said, code):
    told = command("zoo", *arguments)
    assert told.code == code, told
    assert said in told.err
    assert "Traceback" not in told.err
    assert not [*Path().glob("*.safetensors"), *Path().glob("entry*")]
