"""Every hook is documented where it stands and in the tutorial, and used by a real plugin."""

from __future__ import annotations

import ast
import inspect
import textwrap
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from cardionets_core import hookspecs
from cardionets_core.plugins import HOOKS
from cardionets_core.registry import default_registry

TUTORIAL = Path(__file__).parents[3] / "docs" / "plugins.md"
SPECS = {
    name: function
    for name, function in vars(hookspecs).items()
    if name.startswith("cardionets_") and inspect.isfunction(function)
}


def test_the_host_calls_exactly_the_specified_hooks():
    assert set(SPECS) == set(HOOKS)


@pytest.mark.parametrize("name", SPECS)
def test_a_hook_has_a_docstring_with_an_example_that_implements_it(name):
    told, _, example = (inspect.getdoc(SPECS[name]) or "").partition("Example::")
    assert told.strip().endswith(".")
    parsed = ast.parse(textwrap.dedent(example))
    (function,) = parsed.body
    assert function.name == name
    assert [decorator.id for decorator in function.decorator_list] == ["hookimpl"]
    assert len(function.args.args) == len(inspect.signature(SPECS[name]).parameters)


@pytest.mark.parametrize("name", SPECS)
def test_a_hook_has_its_section_in_the_tutorial(name):
    sections = TUTORIAL.read_text(encoding="utf-8").split("\n### ")
    (section,) = [section for section in sections if section.startswith(f"`{name}`")]
    assert f"def {name}(" in section


@pytest.mark.parametrize("name", SPECS)
def test_a_hook_is_used_by_a_real_plugin(name):
    try:
        version("cardionets-acme")
    except PackageNotFoundError:
        pytest.skip("cardionets-acme is not installed; run pip install -e tests/acme_plugin")
    plugins = default_registry().discovery.loaded
    assert any(name in plugin.declarations for plugin in plugins)


ACME = Path(__file__).parents[2] / "acme_plugin"
FILES = ("plugin.py", "config.py", "dataset.py", "head.py")


@pytest.mark.parametrize("file", FILES)
def test_the_tutorial_shows_the_example_plugin_as_it_is(file):
    """A reader who copies the tutorial gets what is tested here."""
    code = (ACME / "cardionets_acme" / file).read_text(encoding="utf-8").strip()
    assert code in TUTORIAL.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", ["pyproject.toml", "cardionets_acme/presets/recommended.toml"])
def test_the_tutorial_shows_the_example_tables_as_they_are(file):
    assert (ACME / file).read_text(encoding="utf-8").strip() in TUTORIAL.read_text(encoding="utf-8")
