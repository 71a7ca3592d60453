"""When a DICOM ECG was taken."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_DATE_TIME = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})?(?:\.\d*)?(?:[+-]\d{4})?")


def acquired_at(dataset: Dataset) -> datetime | None:
    """Local time of the acquisition to the second, or None if the file does not say."""
    said = (
        str(dataset.get("AcquisitionDateTime") or ""),
        f"{dataset.get('ContentDate') or ''}{dataset.get('ContentTime') or ''}",
        f"{dataset.get('StudyDate') or ''}{dataset.get('StudyTime') or ''}",
    )
    return next((found for text in said if (found := _parsed(text))), None)


def _parsed(text: str) -> datetime | None:
    match = _DATE_TIME.fullmatch(text.strip())
    if match is None:
        return None
    try:
        return datetime(*(int(part or 0) for part in match.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None
