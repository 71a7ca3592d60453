"""Made-up distributions: a dist-info folder and a module on the path, as pip would leave them."""

from __future__ import annotations

import importlib
import sys
import textwrap

import pytest

from cardionets_core import registry as registry_module
from cardionets_core.plugins import discover
from cardionets_core.registry import Registry


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a made-up distribution whose one plugin has this source."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = []

    def install(
        name, source, *, version="0.3.1", entry_point=None, group="cardionets.v1", files=()
    ):
        module = name.replace("-", "_")
        package = tmp_path / module
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "plugin.py").write_text(PREAMBLE + textwrap.dedent(source))
        for path, content in dict(files).items():
            (package / path).parent.mkdir(exist_ok=True)
            (package / path).write_text(textwrap.dedent(content))
        info = tmp_path / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        key = entry_point or name
        (info / "entry_points.txt").write_text(f"[{group}]\n{key} = {module}.plugin\n")
        modules.append(module)
        importlib.invalidate_caches()

    yield install
    for loaded in [m for m in sys.modules if m.partition(".")[0] in modules]:
        del sys.modules[loaded]
    # Presets are kept by package name, which the next test's package may share.
    registry_module._package_presets.cache_clear()


@pytest.fixture
def registry():
    """What a fresh process would find."""
    return lambda: Registry(discover())


@pytest.fixture
def dataset():
    """Source of a plugin with one dataset of this name."""

    def dataset(name, module="acme_data", hook="cardionets_datasets", kind="dataset"):
        return f"""
            @hookimpl
            def {hook}():
                yield ComponentSpec(
                    name={name!r}, kind={kind!r}, summary="made up",
                    config="{module}.parts:Config", target="{module}.parts:Data",
                )
        """

    return dataset


PREAMBLE = """
from cardionets_core import ComponentSpec, hookimpl
from cardionets_core.spec import EcgFormat
"""
