"""The rhythm strip that a file stores, and the record made of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from cardionets_core.ecg.record import EcgRecord
from cardionets_core.errors import EcgError, LeadError
from cardionets_formats.declared import Declared

if TYPE_CHECKING:
    from numpy.typing import NDArray

# No electrocardiograph counts in steps as coarse as a QRS complex: the unit must be wrong.
_COARSEST_STEP_MV = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class StoredLead:
    """One lead as a file counts it.

    Attributes:
        name: Canonical name.
        counts: Whole numbers, (samples,); NaN where missing.
        step_mv: What one count is.
        origin_mv: What a count of zero is.
    """

    name: str
    counts: NDArray[np.float64]
    step_mv: float
    origin_mv: float = 0.0

    def signal_mv(self) -> NDArray[np.float64]:
        """The lead in mV, (samples,)."""
        return self.origin_mv + self.counts * self.step_mv

    def lsb_mv(self) -> float:
        """The step, NaN where the samples are no multiples of it."""
        rest = abs(math.remainder(self.origin_mv, self.step_mv))
        return self.step_mv if rest < 1e-6 * self.step_mv else math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Leads recorded at the same time; those that are none of the twelve are left out."""

    leads: tuple[StoredLead, ...]
    rate_hz: float

    def __post_init__(self) -> None:
        """Refuse leads that cannot be one recording."""
        names = [lead.name for lead in self.leads]
        doubled = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if doubled:
            raise LeadError(f"lead {', '.join(doubled)} is there twice; needed each once")
        lengths = {len(lead.counts) for lead in self.leads}
        if len(lengths) > 1 or lengths == {0}:
            raise EcgError(
                f"leads of {', '.join(map(str, sorted(lengths)))} samples; needed the same number "
                "for all, at least one: is the file damaged?"
            )
        for lead in self.leads:
            if not 0 < lead.step_mv <= _COARSEST_STEP_MV:
                raise EcgError(
                    f"a step of {lead.step_mv:g} mV for lead {lead.name}; needed a positive one up "
                    f"to {_COARSEST_STEP_MV:g} mV: its unit or resolution is wrong"
                )


def longest(strips: Sequence[Strip]) -> Strip:
    """The strip with the most of the twelve leads, and of those the longest.

    Raises:
        LeadError: If there is none with one of the twelve leads.
    """
    named = [strip for strip in strips if strip.leads]
    if not named:
        raise LeadError(
            "no rhythm strip with one of the 12 leads; needed leads named I, II, ... V6"
        )
    return max(named, key=lambda one: (len(one.leads), len(one.leads[0].counts) / one.rate_hz))


def to_record(
    strip: Strip,
    declared: Declared,
    *,
    acquired_at: datetime | None = None,
    derived: Sequence[StoredLead] = (),
) -> EcgRecord:
    """Turn a strip into a record in mV, checked against what was declared about leads.

    Args:
        strip: What the file stores.
        declared: Unit and rate have been checked when the strip was read.
        acquired_at: When the ECG was taken.
        derived: Leads computed from those of the strip.

    Raises:
        LeadError: If other leads are declared.
        EcgError: If a sample is too large to be stored.
    """
    leads = (*strip.leads, *derived)
    names = tuple(lead.name for lead in leads)
    derived_names = tuple(lead.name for lead in derived)
    declared.check_leads(names, derived_names)
    physical_mv = np.stack([lead.signal_mv() for lead in leads])
    if not np.nanmax(np.abs(physical_mv), initial=0.0) < np.finfo(np.float32).max:
        raise EcgError("samples beyond any voltage; is the file damaged?")
    return EcgRecord(
        signal_mv=np.ascontiguousarray(physical_mv, dtype=np.float32),
        leads=names,
        sampling_rate_hz=strip.rate_hz,
        derived_leads=derived_names,
        acquired_at=acquired_at,
        lsb_mv=np.array([lead.lsb_mv() for lead in leads]),
    )
