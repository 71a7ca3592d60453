"""The wheel as a user would get it, built once from a copy of the tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("cardionets_core", "cli", "plugins", "model_zoo")
FILES = ("pyproject.toml", "README.md", "LICENSE")


def build(source: Path, out: Path) -> Path:
    """Build a wheel with what is installed here."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    told = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def wheel_file(tmp_path_factory):
    """The wheel, built where nothing of an earlier build lies about."""
    copy = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist")
    for part in PARTS:
        shutil.copytree(ROOT / part, copy / part, ignore=ignored)
    for file in FILES:
        shutil.copy(ROOT / file, copy / file)
    # What may not land in site-packages is there to be found.
    shutil.copytree(ROOT / "tests" / "packaging", copy / "tests", ignore=ignored)
    return build(copy, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def acme_wheel_file(tmp_path_factory):
    """The wheel of the example plugin, likewise."""
    copy = tmp_path_factory.mktemp("acme") / "acme"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist")
    shutil.copytree(ROOT / "tests" / "acme_plugin", copy, ignore=ignored)
    return build(copy, tmp_path_factory.mktemp("acme-wheel"))


@pytest.fixture(scope="session")
def wheel(wheel_file):
    """Paths in the wheel."""
    with zipfile.ZipFile(wheel_file) as archive:
        return archive.namelist()


@pytest.fixture(scope="session")
def root():
    return ROOT
