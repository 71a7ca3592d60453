"""What the caller declares about a file, held against what the file itself says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cardionets_core.ecg.leads import lead_name
from cardionets_core.ecg.units import mv_per
from cardionets_core.errors import EcgError, LeadError, SamplingRateError

# Below, no QRS complex can be seen; above, no electrocardiograph records.
_LOWEST_HZ = 10.0
_HIGHEST_HZ = 100_000.0


@dataclass(frozen=True, slots=True)
class Declared:
    """Declarations of a caller; None where there is none.

    A declaration fills in what the file leaves open, and must agree with what it says.

    Attributes:
        units: Unit of the samples.
        sampling_rate_hz: Samples per second.
        leads: Names of the leads, in any order: these formats name each.
    """

    units: str | None = None
    sampling_rate_hz: float | None = None
    leads: Sequence[str] | None = None

    def rate_hz(self, found_hz: float | None) -> float:
        """The sampling rate.

        Raises:
            SamplingRateError: If it is missing, impossible, or not the declared one.
        """
        declared_hz = self.sampling_rate_hz
        rate_hz = declared_hz if found_hz is None else found_hz
        if rate_hz is None:
            raise SamplingRateError(
                "states no sampling rate; needed one: declare sampling_rate_hz=..."
            )
        if not _LOWEST_HZ <= rate_hz <= _HIGHEST_HZ:
            raise SamplingRateError(
                f"a sampling rate of {rate_hz:g} Hz; needed {_LOWEST_HZ:g} to {_HIGHEST_HZ:g} Hz: "
                "is the file damaged?"
            )
        if declared_hz is not None and not math.isclose(rate_hz, declared_hz, rel_tol=1e-6):
            raise SamplingRateError(
                f"states {rate_hz:g} Hz, declared are {declared_hz:g} Hz; "
                "leave the declaration out or correct it"
            )
        return rate_hz

    def mv_per_unit(self, found: str | None) -> float:
        """How many mV one of the file's units is.

        Raises:
            EcgError: If the unit is missing, unknown, or not the declared one.
        """
        if not found and self.units is None:
            raise EcgError("states no unit; needed one: declare units='uV' or the like")
        if not found:
            return mv_per(str(self.units))
        try:
            factor = mv_per(found)
        except EcgError:
            # The core's message quotes the unit; here it is text out of a patient's file.
            raise EcgError(
                "states a unit that is none of mV, uV, V and nV; is the file damaged?"
            ) from None
        if self.units is not None and mv_per(self.units) != factor:
            raise EcgError(
                f"states another unit (of {factor:g} mV) than the declared {self.units}; "
                "leave the declaration out or correct it"
            )
        return factor

    def check_leads(self, found: Sequence[str], derived: Sequence[str] = ()) -> None:
        """Check the leads of a record; derived ones may be declared or not.

        Raises:
            LeadError: If others are declared.
        """
        if self.leads is None:
            return
        wanted = [lead_name(name) for name in self.leads]
        stored = set(found) - set(derived)
        if len(set(wanted)) != len(wanted) or set(wanted) not in (set(found), stored):
            raise LeadError(
                f"declared leads {', '.join(self.leads)}, but it has {', '.join(found)}; "
                "leave them out or correct them"
            )


@contextmanager
def shown_as(shown: str) -> Iterator[None]:
    """Put the name under which a file may be shown before every message about it."""
    try:
        yield
    except EcgError as error:
        raise type(error)(f"{shown}: {error}") from error
