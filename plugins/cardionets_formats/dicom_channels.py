"""One channel of a DICOM waveform: which lead it is, and what its counts are."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from cardionets_core.ecg.leads import lead_name
from cardionets_core.errors import EcgError, LeadError
from cardionets_formats.declared import Declared
from cardionets_formats.lead_codes import LEAD_BY_CODE
from cardionets_formats.strip import StoredLead

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

# SCP-ECG and MDC number the leads alike.
_CODE_VALUE = re.compile(r"(?:5\.6\.3-9-|2:)(\d{1,3})", re.ASCII)
_IN_BRACKETS = re.compile(r"\([^()]*\)")


def lead_of(channel: Dataset) -> str | None:
    """Canonical name of a channel's lead, or None if it is none of the twelve.

    Raises:
        LeadError: If the code says another lead than the words beside it.
    """
    sources = channel.get("ChannelSourceSequence")
    code_value = str(sources[0].get("CodeValue", "")) if sources else ""
    meaning = str(sources[0].get("CodeMeaning", "")) if sources else ""
    code = _CODE_VALUE.fullmatch(code_value.strip())
    by_code = LEAD_BY_CODE.get(int(code.group(1))) if code else None
    by_meaning = _lead_in_words(meaning)
    if by_code and by_meaning and by_code != by_meaning:
        raise LeadError(
            f"a channel has the code of lead {by_code} and the name of {by_meaning}; "
            "correct the file"
        )
    return by_code or by_meaning or _lead_in_words(str(channel.get("ChannelLabel", "")))


def stored_lead(
    name: str, channel: Dataset, counts: NDArray[np.float64], declared: Declared
) -> StoredLead:
    """A channel's counts with what one of them is in mV.

    Args:
        name: Canonical name of its lead.
        channel: Its definition.
        counts: (samples,); NaN where missing.
        declared: What the caller says of the unit.

    Raises:
        EcgError: If sensitivity or unit are missing, or no numbers.
    """
    sensitivity = channel.get("ChannelSensitivity")
    if sensitivity is None:
        raise EcgError(f"lead {name} has no sensitivity; needed one: export it calibrated")
    correction = channel.get("ChannelSensitivityCorrectionFactor")
    units = channel.get("ChannelSensitivityUnitsSequence")
    unit = str(units[0].get("CodeValue", "")).strip() if units else ""
    unit_mv = declared.mv_per_unit(unit or None)
    step_mv = float(sensitivity) * (1.0 if correction is None else float(correction)) * unit_mv
    # In the unit of the sensitivity: where a count of zero lies.
    origin_mv = float(channel.get("ChannelBaseline") or 0.0) * unit_mv
    if not (math.isfinite(step_mv) and math.isfinite(origin_mv)):
        raise EcgError(f"lead {name} has a sensitivity or baseline beyond any number; export again")
    return StoredLead(name, counts, step_mv, origin_mv)


def _lead_in_words(text: str) -> str | None:
    """``Lead I (Einthoven)`` and ``aVR, augmented voltage, right`` to their leads."""
    return lead_name(_IN_BRACKETS.sub(" ", text).split(",")[0])
