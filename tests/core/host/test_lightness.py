"""What starts without torch, timm, h5py, numpy or pandas, and stays so."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from cardionets_core.plugins import ENTRY_POINT_GROUP, FIRST_PARTY
from cardionets_core.registry import default_registry

HEAVY = ("torch", "timm", "h5py", "numpy", "pandas")
COMMANDS = (
    "--help",
    "plugins list",
    "plugins show encoders",
    "show encoder stmem",
    "show encoder",
    "show task cm",
    "show task phenotypes",
    "show variant cardionets",
    "show options protocol",
    "presets list",
    "presets diff paper released-code",
    "prepare --help",
    "prepare simulated --help",
)
RUN = f"""
import sys
from cardionets_cli.main import main
sys.argv = ["cardionets", *sys.argv[1:]]
try:
    main()
finally:
    loaded = [name for name in {HEAVY} if name in sys.modules]
    print("heavy:", *loaded, file=sys.stderr)
"""
# Import each module with the heavy ones out of reach; what fails is told as JSON.
IMPORT = f"""
import importlib, json, sys
for name in {HEAVY}:
    sys.modules[name] = None
failed = {{}}
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except Exception as error:
        failed[module] = repr(error)
print(json.dumps(failed))
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_light_command_starts_without_heavy_libraries(command):
    told = subprocess.run(
        [sys.executable, "-c", RUN, *command.split()], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout
    assert told.stderr.splitlines()[-1].split() == ["heavy:"]


def plugin_and_config_modules():
    plugins = {
        entry_point.value
        for entry_point in distribution(FIRST_PARTY).entry_points
        if entry_point.group == ENTRY_POINT_GROUP
    }
    configs = {
        component.spec.config.partition(":")[0]
        for component in default_registry().components()
        if component.distribution == FIRST_PARTY
    }
    return sorted(plugins | configs)


def test_every_plugin_and_config_file_imports_without_heavy_libraries():
    modules = ["cardionets_core", *plugin_and_config_modules()]
    assert len(modules) > 6
    told = subprocess.run(
        [sys.executable, "-c", IMPORT, *modules], capture_output=True, text=True, check=True
    )
    assert json.loads(told.stdout) == {}


def test_nothing_imports_click_by_itself():
    """Newer typer brings its own click, and another one may not be installed."""
    import cardionets_cli

    for path in Path(cardionets_cli.__file__).parent.glob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        imports = [
            line for line in lines if line.strip().startswith(("import click", "from click"))
        ]
        assert not imports, f"{path.name}: {imports}"
