"""III, aVR, aVL and aVF out of I and II, for files that store eight leads."""

from __future__ import annotations

from collections.abc import Sequence

from cardionets_formats.strip import StoredLead


def derived_leads(stored: Sequence[StoredLead]) -> tuple[StoredLead, ...]:
    """Those of the four that are not stored, exact in counts of I and II.

    The augmented leads are half sums: counted in half steps they are whole again. Where I and II
    are counted differently nothing is derived here; the core derives it in mV.

    Source: Einthoven 1913, Goldberger 1942.
    """
    by_name = {lead.name: lead for lead in stored}
    one, two = by_name.get("I"), by_name.get("II")
    if one is None or two is None or (one.step_mv, one.origin_mv) != (two.step_mv, 0.0):
        return ()
    half_mv = one.step_mv / 2
    derived = (
        StoredLead("III", two.counts - one.counts, one.step_mv),
        StoredLead("aVR", -(one.counts + two.counts), half_mv),
        StoredLead("aVL", 2 * one.counts - two.counts, half_mv),
        StoredLead("aVF", 2 * two.counts - one.counts, half_mv),
    )
    return tuple(lead for lead in derived if lead.name not in by_name)
