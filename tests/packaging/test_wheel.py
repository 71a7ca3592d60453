"""The wheel holds every package of ours with its data, and nothing else."""

from __future__ import annotations

import configparser
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

CONTAINERS = ("", "cli", "plugins", "model_zoo")


@pytest.fixture(scope="session")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def packages(root):
    """Folders of our packages, by name."""
    found = [p for part in CONTAINERS for p in (root / part).glob("cardionets_*/__init__.py")]
    return {path.parent.name: path.parent for path in found}


def test_nothing_but_our_packages_lands_in_site_packages(wheel):
    top = {path.partition("/")[0] for path in wheel}
    assert {name for name in top if not name.startswith("cardionets_")} <= {
        name for name in top if name.endswith(".dist-info")
    }
    assert not {"tests", "plugins", "cli", "model_zoo"} & top


def test_every_package_is_in_the_wheel_with_every_module(wheel, packages):
    for name, folder in packages.items():
        for module in folder.rglob("*.py"):
            path = module.relative_to(folder)
            if path.parts[0] != "decisions":
                assert f"{name}/{path.as_posix()}" in wheel


def test_every_package_says_that_it_is_typed(wheel, packages):
    assert {f"{name}/py.typed" for name in packages} <= set(wheel)


@pytest.mark.parametrize(
    "pattern", ["presets/*.toml", "*.json", "cards/*.md", "weights/*.safetensors", "recipes/*.sh"]
)
def test_data_files_are_shipped(wheel, packages, pattern):
    for name, folder in packages.items():
        for file in folder.glob(pattern):
            assert f"{name}/{file.relative_to(folder).as_posix()}" in wheel


def test_decisions_and_caches_are_not_shipped(wheel):
    assert not [path for path in wheel if "decisions" in path or "__pycache__" in path]


def test_the_licence_is_shipped(wheel):
    assert [path for path in wheel if path.endswith("licenses/LICENSE")]


def test_every_plugin_and_the_command_have_their_entry_point(wheel_file, packages):
    parser = configparser.ConfigParser()
    with zipfile.ZipFile(wheel_file) as archive:
        (path,) = [p for p in archive.namelist() if p.endswith("dist-info/entry_points.txt")]
        parser.read_string(archive.read(path).decode())
    modules = set(dict(parser["cardionets.v1"]).values())
    with_plugin = {
        f"{n}.plugin" for n, folder in packages.items() if (folder / "plugin.py").exists()
    }
    assert modules == with_plugin
    assert parser["console_scripts"]["cardionets"] == "cardionets_cli.main:main"


def test_every_package_is_checked_by_mypy_and_import_linter(project, packages):
    assert set(project["tool"]["mypy"]["packages"]) == set(packages)
    assert set(project["tool"]["importlinter"]["root_packages"]) == set(packages)


def test_every_part_of_core_has_its_floor_and_every_plugin_its_place(project, packages):
    house, floors, command_line = project["tool"]["importlinter"]["contracts"]
    listed = {name.strip() for layer in floors["layers"] for name in layer.split("|")}
    core = packages["cardionets_core"]
    modules = {p.stem for p in core.glob("*.py")} | {
        p.parent.name for p in core.glob("*/__init__.py")
    }
    assert listed == modules - {"__init__"}
    assert floors["exhaustive"]
    placed = {name.strip() for layer in house["layers"] for name in layer.split("|")}
    assert placed == set(packages)
    plugins = set(packages) - {"cardionets_core", "cardionets_cli"}
    assert set(command_line["forbidden_modules"]) == plugins


def test_the_floors_are_kept(root):
    lint = Path(sys.executable).parent / "lint-imports"
    if not lint.exists():
        pytest.skip("import-linter is not installed; it comes with the extra dev")
    told = subprocess.run(
        [lint, "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout


def test_every_dependency_says_why_it_is_there(root):
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    block = text.partition("\ndependencies = [\n")[2].partition("\n]")[0]
    assert block.count('"') // 2 == len(block.splitlines())
    for line in block.splitlines():
        assert ">=" in line.partition("#")[0], line
        assert line.partition("#")[2].strip(), line
