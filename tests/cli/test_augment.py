"""``cardionets augment`` on the command line."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from cardionets_cli import augment
from cardionets_core.cohort.augmenting import AugmentReport
from cardionets_core.generate import augmenting, loading


class Header:
    simulated = True


class Loaded:
    header = Header()

    def to(self, device):
        return self


@pytest.fixture
def asked(monkeypatch):
    """What the command asks for; nothing is drawn."""
    found = {}

    def remember(loaded, cohort, out, request, *, progress):
        found.update(cohort=cohort, out=out, request=request)
        progress(1, 2)
        return AugmentReport(out, 10, 20, 5, "ab", 3.0, ("could not be checked",))

    monkeypatch.setattr(loading, "load_generator", lambda name, offline: Loaded())
    monkeypatch.setattr(augmenting, "augment", remember)
    return found


def invoke(*arguments):
    app = typer.Typer()
    app.command()(augment.augment)
    return CliRunner().invoke(app, list(arguments))


def test_the_paper_s_factor_is_the_default(asked):
    found = invoke("--weights", "run", "--cohort", "c.h5", "--out", "b.h5")
    assert found.exit_code == 0, found.output
    assert asked["request"] == augmenting.AugmentRequest(5, 0, None, None, 64)


def test_every_number_reaches_the_draw_and_the_report_says_what_was_made(asked, tmp_path):
    (tmp_path / "c.h5.key").write_text("")
    found = invoke(
        "--weights", "run", "--cohort", str(tmp_path / "c.h5"), "--out", "b.h5", "--factor", "2",
        "--seed", "3", "--steps", "4", "--guidance", "1.5", "--batch-size", "6",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    assert asked["request"] == augmenting.AugmentRequest(2, 3, 4, 1.5, 6)
    assert "10 real and 20 synthetic records in 3 s: b.h5" in found.output
    assert "training split of the role pretrain only" in found.output
    assert "could not be checked" in found.output
    assert "5 of the synthetic ones were there" in found.output
    assert "copy c.h5.key to b.h5.key" in found.output
    assert "say nothing of patients" in found.output


def test_factors_below_one_are_refused(asked):
    assert invoke("--weights", "r", "--cohort", "c", "--out", "b", "--factor", "0").exit_code == 2
    assert not asked
