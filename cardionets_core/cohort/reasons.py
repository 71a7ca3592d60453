"""Why a record was left out, told without giving the person away."""

from __future__ import annotations

import re
import traceback

from cardionets_core.errors import CardionetsError
from cardionets_core.interfaces import SubjectRef

_LONGEST = 300
_SCRUBBED = (
    (re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"), "<date>"),
    (re.compile(r"(?:[A-Za-z]:)?[^\s'\"(),;:]*[/\\][^\s'\"(),;]*[^\s'\"(),;:.]"), "<path>"),
    # File names without a folder, and numbers long enough to be somebody's.
    (
        re.compile(r"\b[\w-]+\.(?:hea|dat|xml|dcm|zip|csv|npy|mat|ecg|scp|json|gz|txt)\b", re.I),
        "<file>",
    ),
    (re.compile(r"\d{6,}"), "<number>"),
)


def quarantine_reason(error: Exception, ref: SubjectRef) -> str:
    """One line that says why a record could not be read.

    Messages of our own errors are kept after ids, paths, dates and long numbers are taken out of
    them. Messages of foreign errors may hold anything, so only the type and the place are kept.

    Args:
        error: What reading the record raised.
        ref: The record; its own ids are taken out wherever they stand.
    """
    name = type(error).__name__
    if not isinstance(error, CardionetsError):
        frame = traceback.extract_tb(error.__traceback__)[-1]
        module = re.split(r"[/\\]", frame.filename)[-1]
        return f"{name} in {frame.name} ({module}, line {frame.lineno})"
    return f"{name}: {scrub(str(error), ref)}"[:_LONGEST]


def scrub(message: str, ref: SubjectRef) -> str:
    """The first line of a message without ids, paths, dates and long numbers."""
    text = message.splitlines()[0] if message else ""
    for key in sorted({ref.subject_key, ref.record_key} - {""}, key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(key)}(?![A-Za-z0-9])", "<id>", text)
    for pattern, replacement in _SCRUBBED:
        text = pattern.sub(replacement, text)
    return text
