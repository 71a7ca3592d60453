"""Every command in README, docs and recipes exists, with its flags and names."""

from __future__ import annotations

import itertools
import re
import shlex
from functools import partial
from pathlib import Path

import pytest
from typer.main import get_command

from cardionets_cli import prepare
from cardionets_cli.main import app
from cardionets_core.errors import UnknownNameError
from cardionets_core.registry import default_registry

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "model_zoo").glob("*/recipes/*.sh")),
]
# Flags and places whose value is the name of a component.
KINDS = {"--encoder": "encoder", "--cmr-encoder": "encoder", "--aligner": "aligner"}
KINDS |= {"--dataset": "dataset", "--head": "head"}


def commands(document):
    """Words of each ``cardionets ...`` command of a document."""
    text = document.read_text(encoding="utf-8")
    blocks = [text] if document.suffix == ".sh" else re.findall(r"```bash\n(.*?)```", text, re.S)
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||;", line):
            if part.strip().startswith("cardionets "):
                yield shlex.split(part, comments=True)[1:]


ALL = [
    pytest.param(words, id=f"{document.name}: {' '.join(words)}")
    for document in DOCUMENTS
    for words in commands(document)
]


def find(words):
    """The command that these words start with, and the words that are left for it."""
    if words[0] == "prepare":
        prepare.add_commands(words[1:])
    command, rest = get_command(app), list(words)
    while rest and hasattr(command, "commands"):
        assert rest[0] in command.commands, f"no command {rest[0]!r}"
        command = command.commands[rest.pop(0)]
    return command, rest


def test_there_are_commands_to_check():
    assert len(ALL) >= 20


@pytest.mark.parametrize("words", ALL)
def test_a_documented_command_exists_with_its_flags(words):
    try:
        command, rest = find(words)
    except UnknownNameError:
        if "acme-csv" in words:
            pytest.skip("cardionets-acme is not installed; run pip install -e tests/acme_plugin")
        raise
    known = {flag for p in command.params for flag in (*p.opts, *p.secondary_opts)} | {"--help"}
    given = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert given <= known, f"no flag {', '.join(sorted(given - known))}"
    required = [p for p in command.params if p.required and p.param_type_name == "option"]
    if "--help" not in given:
        assert not [p.name for p in required if not given & set(p.opts)]


@pytest.mark.parametrize("words", ALL)
def test_a_documented_command_names_components_and_presets_that_exist(words):
    registry = default_registry()
    for flag, value in itertools.pairwise(words):
        if flag in KINDS:
            registry.find(KINDS[flag], value)
        if flag == "--variant":
            registry.variant(value.partition("=")[0])
        if flag == "--preset":
            assert any(value in c.preset_names() for c in registry.components())
    if words[:1] == ["show"] and len(words) == 3 and "acme" not in words[2]:
        look_up = {"task": registry.task, "variant": registry.variant}
        look_up.get(words[1], partial(registry.find, words[1]))(words[2])
