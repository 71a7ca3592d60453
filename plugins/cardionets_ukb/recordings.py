"""The two recordings of a visit, each with what its file says about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cardionets_core.cmr.geometry import canonical_cine
from cardionets_core.cmr.geometry_config import CineGeometryOptions
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.registry import default_registry
from cardionets_ukb.cine_archive import read_four_chamber
from cardionets_ukb.ecg_facts import EcgFacts, read_ecg_facts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ECG_FORMAT = "cardiosoft-xml"


class Ecg(NamedTuple):
    """The rhythm strip, and what the machine says of it."""

    record: EcgRecord
    facts: EcgFacts


class FourChamber(NamedTuple):
    """The cine (50, 96, 96), and how it came about, as columns of a cohort."""

    frames: NDArray[np.uint8]
    attributes: Mapping[str, str | float]


def read_ecg(path: Path) -> Ecg:
    """Read a 12-lead ECG (field 20205).

    Raises:
        EcgError: If it cannot be read.
    """
    offered = default_registry().ecg_format(ECG_FORMAT)
    record = offered.import_object(offered.spec.target)(path)
    return Ecg(record, read_ecg_facts(path))


def read_cine(path: Path, options: CineGeometryOptions) -> FourChamber:
    """Read the 4-chamber cine out of a zip (field 20208), and bring it to the canonical size.

    Raises:
        SourceError: If the zip is refused.
        CineError: If there is no such cine in it, or it is damaged.
    """
    found = read_four_chamber(path)
    canonical = canonical_cine(found.cine, options)
    series = "third of a mixed series" if found.from_mixed_series else "4-chamber"
    return FourChamber(canonical.frames, {**canonical.geometry.attributes(), "cine_series": series})
