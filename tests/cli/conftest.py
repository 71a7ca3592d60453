"""The command line in this process, in an empty folder and with an empty cache."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch

from cardionets_cli import console
from cardionets_cli.main import main
from cardionets_core.registry import default_registry


class Ended(NamedTuple):
    """How a command ended: its exit code, what it printed and what it complained of."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(tmp_path, monkeypatch, capfd) -> Callable[..., Ended]:
    """Run ``cardionets`` with the given arguments in ``tmp_path``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CARDIONETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CARDIONETS_OFFLINE", "1")
    for stream in (console.out, console.err):
        monkeypatch.setattr(stream, "_width", 200)

    def run(*argv: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["cardionets", *map(str, argv)])
        code = 0
        before, threads = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            signal.signal(signal.SIGTERM, before)
            torch.set_num_threads(threads)
        return Ended(code, *capfd.readouterr())

    return run


@pytest.fixture
def failing_plugin(tmp_path, monkeypatch):
    """A distribution on the path whose plugin cannot be imported, and what is said of it."""
    site = tmp_path / "site"
    info = site / "acme_broken-0.3.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-broken\nVersion: 0.3.1\n")
    (info / "entry_points.txt").write_text("[cardionets.v1]\nbroken = no_such_module\n")
    monkeypatch.syspath_prepend(str(site))
    default_registry.cache_clear()
    yield "not loaded: broken (acme-broken 0.3.1): ModuleNotFoundError: No module named"
    default_registry.cache_clear()
