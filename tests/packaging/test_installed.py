"""The built wheel with a third party's wheel beside it, installed as pip does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
RUN = "import sys; from cardionets_cli.main import main; sys.argv[0] = 'cardionets'; main()"


@pytest.fixture(scope="module")
def installed(wheel_file, acme_wheel_file, tmp_path_factory):
    """Run a command with the two wheels in front of whatever is installed here."""
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site)]
    subprocess.run([*pip, str(wheel_file), str(acme_wheel_file)], check=True)

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", RUN, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(site)},
            cwd=site,
            capture_output=True,
            text=True,
            check=False,
        )

    run.site = site
    return run


def test_first_and_third_party_plugins_are_found_in_their_wheels(installed):
    told = installed("plugins", "list")
    assert told.returncode == 0, told.stderr
    lines = {line.split()[0]: line for line in told.stdout.splitlines()}
    assert {"simulated", "wfdb", "encoders", "cmr-align", "zoo", "acme"} <= set(lines)
    assert "cardionets-acme" in lines["acme"]
    assert told.stderr == ""


def test_the_code_that_runs_is_that_of_the_wheel(installed):
    code = "import cardionets_core, cardionets_acme; print(cardionets_core.__file__)"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(installed.site)},
        cwd=installed.site,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.startswith(str(installed.site))


def test_doctor_finds_no_fault_and_prepare_works(installed, tmp_path):
    told = installed("plugins", "doctor")
    assert told.returncode == 0, told.stderr
    out = tmp_path / "x.h5"
    told = installed("prepare", "simulated", "--subjects", 2, "--out", out, "--workers", 1)
    assert told.returncode == 0, told.stderr
    assert "2 records of 2 persons" in told.stdout
