from __future__ import annotations

from types import SimpleNamespace

import pytest

from cardionets_core.weights.lineage import extend, public_command, public_url


def test_child_takes_the_strictest_licence_of_its_lineage(helpers: SimpleNamespace) -> None:
    imported = extend([], helpers.step(stage="import", licence="CC-BY-NC-4.0"))
    aligned = extend([imported, extend([], helpers.step(seed=8))], helpers.step(stage="alignment"))
    assert aligned[-1].licence == "CC-BY-NC-4.0"
    assert extend([aligned], helpers.step(stage="downstream"))[-1].licence == "CC-BY-NC-4.0"


def test_lineage_holds_each_ancestor_once_and_names_direct_parents(
    helpers: SimpleNamespace,
) -> None:
    root = extend([], helpers.step())
    left = extend([root], helpers.step(stage="left"))
    right = extend([root], helpers.step(stage="right"))
    child = extend([left, right], helpers.step(stage="child"))
    assert [step.stage for step in child] == ["ecg-pretraining", "left", "right", "child"]
    assert child[-1].parents == (left[-1].step_id, right[-1].step_id)


def test_step_id_changes_with_anything_before_it(helpers: SimpleNamespace) -> None:
    one = extend([extend([], helpers.step(seed=1))], helpers.step(stage="child"))
    other = extend([extend([], helpers.step(seed=2))], helpers.step(stage="child"))
    assert one[-1].step_id != other[-1].step_id
    assert one[-1].step_id == extend([one[:1]], helpers.step(stage="child"))[-1].step_id


@pytest.mark.parametrize(
    ("argument", "public"),
    [
        ("--cohort=/home/ann/ukb/cohort.h5", "--cohort=cohort.h5"),
        ("/home/ann/ukb/cohort.h5", "cohort.h5"),
        ("C:\\Users\\ann\\cohort.h5", "cohort.h5"),
        ("encoder=../runs/ssl/", "encoder=ssl"),
        ("~/runs/ssl", "ssl"),
        ("https://ann:secret@host.org/w.safetensors?token=a=b", "https://host.org/w.safetensors"),
        ("encoder=hf://org/repo/w.safetensors", "encoder=hf://org/repo/w.safetensors"),
        (
            "encoder=https://host.org/w.safetensors?token=a=b",
            "encoder=https://host.org/w.safetensors",
        ),
        ("train.lr=1e-3", "train.lr=1e-3"),
        ("stmem-tiny-simulated", "stmem-tiny-simulated"),
        ("package:my_zoo/weights/a.safetensors", "package:my_zoo/weights/a.safetensors"),
        ("made-up:tiny", "made-up:tiny"),
    ],
)
def test_public_command_holds_no_local_path_and_no_secret(argument: str, public: str) -> None:
    assert public_command(["cardionets", argument]) == f"cardionets {public}"


def test_public_url_drops_user_password_and_query() -> None:
    assert public_url("https://u:p@host:8443/a/b?sig=1#x") == "https://host:8443/a/b"
