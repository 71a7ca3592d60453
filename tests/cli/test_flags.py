"""Flags made from option models."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, PositiveFloat

from cardionets_cli.flags import flags_of, make_command
from cardionets_core.config import Options


class Made(Options):
    count: int = Field(1, description="how many", json_schema_extra={"unit": "samples"})
    ratio: float | None = Field(None, description="share")
    source: Path = Field(description="folder")
    fast: bool = False
    mode: Literal["a", "b"] = "a"
    sigma: PositiveFloat | Literal["median"] = "median"
    leads: tuple[str, ...] = ("I",)


FLAGS = flags_of(Made)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("count", int), ("ratio", float), ("source", Path), ("fast", bool), ("mode", str),
        ("sigma", str), ("leads", str),
    ],
)  # fmt: skip
def test_plain_types_are_read_by_typer_and_others_as_text(name, kind):
    assert FLAGS[name].kind is kind


def test_help_tells_unit_default_choices_and_what_is_required():
    assert FLAGS["count"].text == "how many (samples; default 1)"
    assert FLAGS["ratio"].text == "share"
    assert FLAGS["source"].text == "folder (required)"
    assert FLAGS["mode"].text == " (a | b; default a)"


def test_only_flags_that_were_given_arrive_and_text_is_read_as_toml_where_it_has_to_be():
    arrived = {}
    command = make_command(FLAGS, arrived.update)
    command(count=2, sigma="2.5", leads='["I", "II"]', mode="true", ratio=None)
    assert arrived == {"count": 2, "sigma": 2.5, "leads": ["I", "II"], "mode": "true"}
    arrived.clear()
    command(sigma="median")
    assert arrived == {"sigma": "median"}
