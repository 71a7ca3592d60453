"""What all tests share: the count of parity tests that CI looks at."""

from __future__ import annotations

import pytest

_passed: dict[str, int] = {}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    marker = item.get_closest_marker("parity")
    if marker is not None and report.when == "call" and report.passed:
        name = marker.args[0]
        _passed[name] = _passed.get(name, 0) + 1


def pytest_terminal_summary(terminalreporter):
    total = sum(_passed.values())
    terminalreporter.write_line(f"parity tests passed: {total} in {', '.join(sorted(_passed))}")
