"""Made-up files of each XML format, and the real ones at hand."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _loaded(name: str) -> ModuleType:
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def made_up() -> ModuleType:
    """Makers of XML files: the module ``made_up_xml``."""
    return _loaded("made_up_xml")


@pytest.fixture(scope="session")
def mutating() -> ModuleType:
    """Mutations of XML files: the module ``mutating_xml``."""
    return _loaded("mutating_xml")


@pytest.fixture(scope="session")
def vendor_folder() -> Path:
    """Folder of the real vendors' files."""
    root = os.environ.get("CARDIONETS_SAMPLE_DATA")
    if not root:
        pytest.skip("CARDIONETS_SAMPLE_DATA is unset: no real files to read")
    return Path(root) / "ecg_vendor"
