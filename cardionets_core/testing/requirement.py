"""What a check says when a component does not keep its contract."""

from __future__ import annotations


class ConformanceError(AssertionError):
    """A component does not keep its contract: found, needed and where to look."""


def require(holds: bool, message: str) -> None:
    """Fail a check.

    Raises:
        ConformanceError: With the message, unless ``holds``.
    """
    if not holds:
        raise ConformanceError(message)
