"""The zoo that ships: its index, cards, weights and the recipes that made them."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from cardionets_core.registry import default_registry
from cardionets_core.weights.header import read_header
from cardionets_core.weights.index import read_index
from cardionets_core.weights.sources import package_file
from cardionets_core.weights.zoo import card_text, verify

PACKAGE = Path(str(resources.files("cardionets_zoo")))
ENTRIES = {entry.name: entry for entry in read_index("cardionets_zoo")}
HEADS = "cardionets-tiny-heads-simulated"
GENERATOR = "mar-tiny-simulated"
SHIPPED = (
    HEADS,
    "cardionets-tiny-simulated",
    GENERATOR,
    "stmem-tiny-simulated",
    "vae3d-tiny-simulated",
    "vit-cmr-tiny-simulated",
)
TASKS = ["phenotypes", "cad", "hf", "cm", "ph", "cm-subtype"]
MAX_HEADS_BYTES = 1_000_000
MAX_TOGETHER_BYTES = 25_000_000
# The simulator's seeds from here on are for shipped weights alone.
FIRST_SHIPPED_SEED = 1_000_000


def test_plugin_imports_without_anything_heavy() -> None:
    code = (
        "import sys, cardionets_zoo.plugin as p; "
        "list(p.cardionets_zoo_entries()); list(p.cardionets_weight_converters()); "
        "sys.exit(bool({'torch', 'numpy', 'pandas', 'h5py', 'timm'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_the_entries_of_the_main_run_of_predict_and_of_generate_ship() -> None:
    assert sorted(ENTRIES) == sorted(SHIPPED)


def test_the_heads_serve_predict_by_default_and_know_every_task() -> None:
    assert default_registry().default_zoo_entry("predict").spec == ENTRIES[HEADS]
    assert ENTRIES[HEADS].size_bytes < MAX_HEADS_BYTES
    header = read_header(package_file(ENTRIES[HEADS].sources[0]))
    assert sorted(task.name for task in header.tasks.values()) == sorted(TASKS)
    assert header.simulated
    for task in header.tasks.values():
        assert len(task.threshold) == (task.target == "binary")


def test_the_generator_serves_generate_by_default_with_all_that_drawing_needs() -> None:
    assert default_registry().default_zoo_entry("generate").spec == ENTRIES[GENERATOR]
    header = read_header(package_file(ENTRIES[GENERATOR].sources[0]))
    assert {"encoder", "autoencoder", "generator"} <= set(header.parts)
    assert header.simulated


def test_what_trained_the_heads_is_not_what_trained_their_encoder() -> None:
    lineage = read_header(package_file(ENTRIES[HEADS].sources[0])).lineage
    of_heads = {r for s in lineage if s.stage == "downstream" for r in s.simulated_ranges}
    of_encoder = {
        r for s in lineage if s.stage not in ("downstream", "joining") for r in s.simulated_ranges
    }
    assert {seed for seed, _, _ in of_heads} == {FIRST_SHIPPED_SEED + 2}
    assert not of_heads & of_encoder


def test_every_entry_verifies_without_network() -> None:
    names = [f"zoo:{name}" for name in ENTRIES]
    verdicts = verify(names, offline=True) if names else []
    assert {verdict.name: verdict.problems for verdict in verdicts if verdict.problems} == {}


def test_every_entry_is_packaged_and_all_stay_under_25_megabytes() -> None:
    for name, entry in ENTRIES.items():
        assert entry.sources[0] == f"package:cardionets_zoo/weights/{name}.safetensors"
    shipped = sum(path.stat().st_size for path in PACKAGE.glob("weights/*"))
    assert shipped == sum(entry.size_bytes for entry in ENTRIES.values())
    assert shipped < MAX_TOGETHER_BYTES


def test_index_knows_every_file_that_lies_in_weights() -> None:
    assert {path.stem for path in PACKAGE.glob("weights/*")} == set(ENTRIES)


@pytest.mark.parametrize("name", SHIPPED)
def test_card_names_the_recipe(name: str) -> None:
    card = (PACKAGE / "cards" / f"{name}.md").read_text(encoding="utf-8")
    assert f"recipes/{name}.sh" in card
    assert (PACKAGE / "recipes" / f"{name}.sh").is_file()
    if name in ENTRIES:
        assert card_text(ENTRIES[name]) == card


def recorded_commands(recipe: Path, tmp_path: Path) -> list[list[str]]:
    """Run a recipe with a ``cardionets`` that only writes down how it was called."""
    programs, work = tmp_path / "bin", tmp_path / "work"
    programs.mkdir()
    calls = tmp_path / "calls"
    fake = programs / "cardionets"
    recorder = (
        f"{shlex.quote(sys.executable)} -c 'import shlex, sys; print(shlex.join(sys.argv[1:]))'"
    )
    fake.write_text(f'#!/bin/sh\n{recorder} "$@" >> {shlex.quote(str(calls))}\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    command = ["sh", str(recipe), str(work)]
    subprocess.run(command, check=True, env=environment, timeout=60)
    return [shlex.split(line) for line in calls.read_text().splitlines()]


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


@pytest.mark.parametrize("name", SHIPPED)
def test_recipe_prepares_trains_and_packs_its_entry(name: str, tmp_path: Path) -> None:
    recipe = PACKAGE / "recipes" / f"{name}.sh"
    prepare, *trained, pack = recorded_commands(recipe, tmp_path)
    assert prepare[:2] == ["prepare", "simulated"]
    assert int(option(prepare, "--seed")) >= FIRST_SHIPPED_SEED
    for train in trained:
        assert train[0] == "train"
        assert option(train, "--cohort") == option(prepare, "--out")
    if name == HEADS:
        assert [option(train, "--task") for train in trained] == TASKS
        assert option(pack, "--default-for") == "predict"
    if name == GENERATOR:
        assert option(pack, "--default-for") == "generate"
    runs = [option(train, "--out") for train in trained]
    assert pack[: 2 + len(runs)] == ["zoo", "pack", *runs]
    assert option(pack, "--name") == name
    assert Path(option(pack, "--card")).samefile(PACKAGE / "cards" / f"{name}.md")
    assert Path(option(pack, "--out")).samefile(PACKAGE)


def test_converters_that_the_plugin_names_can_be_imported() -> None:
    converters = [c for c in default_registry().converters() if c.plugin.name == "zoo"]
    assert converters
    for converter in converters:
        assert callable(converter.import_object(converter.spec.target))
