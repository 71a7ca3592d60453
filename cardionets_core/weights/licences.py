"""Which of several licences is the strictest: a child takes it from its lineage.

This orders what a user may do; it is no legal advice. An id that is not in the table counts as
stricter than all of them, because nothing is known about what it allows.
"""

from __future__ import annotations

from cardionets_core.errors import WeightsError

UNKNOWN = "LicenseRef-unknown"

_NAME, _SHARE_ALIKE, _NON_COMMERCIAL, _NO_DERIVATIVES, _ACCESS, _CLOSED = range(6)

# SPDX ids from the freest to the strictest, each with what it asks of whoever passes the work on.
_OBLIGATIONS: dict[str, frozenset[int]] = {
    "CC0-1.0": frozenset(),
    "MIT": frozenset({_NAME}),
    "BSD-2-Clause": frozenset({_NAME}),
    "BSD-3-Clause": frozenset({_NAME}),
    "Apache-2.0": frozenset({_NAME}),
    "ODC-By-1.0": frozenset({_NAME}),
    "CC-BY-4.0": frozenset({_NAME}),
    "ODbL-1.0": frozenset({_NAME, _SHARE_ALIKE}),
    "CC-BY-SA-4.0": frozenset({_NAME, _SHARE_ALIKE}),
    "CC-BY-NC-4.0": frozenset({_NAME, _NON_COMMERCIAL}),
    "CC-BY-NC-SA-4.0": frozenset({_NAME, _NON_COMMERCIAL, _SHARE_ALIKE}),
    "CC-BY-NC-ND-4.0": frozenset({_NAME, _NON_COMMERCIAL, _SHARE_ALIKE, _NO_DERIVATIVES}),
    # Data that only approved people may hold, such as UK Biobank and credentialed PhysioNet.
    "LicenseRef-credentialed": frozenset(
        {_NAME, _NON_COMMERCIAL, _SHARE_ALIKE, _NO_DERIVATIVES, _ACCESS}
    ),
    "LicenseRef-proprietary": frozenset(range(6)),
}
_ORDER = tuple(_OBLIGATIONS)
_CANONICAL = {known.casefold(): known for known in _ORDER}


def canonical(licence: str) -> str:
    """The id as SPDX spells it; an unknown one unchanged.

    Raises:
        WeightsError: If there is no id at all.
    """
    if not licence.strip():
        raise WeightsError("a licence is missing; name its SPDX id, e.g. MIT or CC-BY-NC-4.0")
    return _CANONICAL.get(licence.strip().casefold(), licence.strip())


def strictest(*licences: str) -> str:
    """The licence that a work made from works under these licences takes.

    It asks for everything that any of them asks for: CC-BY-SA-4.0 with CC-BY-NC-4.0 gives
    CC-BY-NC-SA-4.0. One unknown id wins over all known ones; two different ones give
    ``LicenseRef-unknown``.

    Raises:
        WeightsError: If an id is empty or none is given.
    """
    ids = {canonical(licence) for licence in licences}
    if not ids:
        raise WeightsError("no licence is given; name the SPDX id of the data or the code")
    unknown = ids - _OBLIGATIONS.keys()
    if unknown:
        return unknown.pop() if len(unknown) == 1 else UNKNOWN
    asked = frozenset().union(*(_OBLIGATIONS[licence] for licence in ids))
    start = max(_ORDER.index(licence) for licence in ids)
    # The last of the table asks for everything, so there is always one.
    return next(licence for licence in _ORDER[start:] if _OBLIGATIONS[licence] >= asked)


def is_at_least_as_strict(licence: str, *others: str) -> bool:
    """Whether a work under these other licences may be passed on under ``licence``."""
    return strictest(licence, *others) == canonical(licence)
