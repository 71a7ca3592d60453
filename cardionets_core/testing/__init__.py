"""Conformance checks and made-up data, shipped for the tests of third-party plugins.

pytest is imported only when a test is decorated, and torch only for components that need it.
"""

from __future__ import annotations

from cardionets_core.testing.conformance import Check, ConformanceError, checks_of, conformance
from cardionets_core.testing.made_up import made_up_cine, made_up_ecg, made_up_subject

__all__ = [
    "Check",
    "ConformanceError",
    "checks_of",
    "conformance",
    "made_up_cine",
    "made_up_ecg",
    "made_up_subject",
]
