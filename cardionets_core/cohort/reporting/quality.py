"""Record-quality verdicts, and signals that are stored more than once."""

from __future__ import annotations

import numpy as np

from cardionets_core.cohort.layout import NO_FINGERPRINT
from cardionets_core.cohort.reporting.disclosure import Count, Share
from cardionets_core.cohort.reporting.people import People, Tally
from cardionets_core.cohort.reporting.tables import Cell, Column, Table, Whole, enter
from cardionets_core.cohort.reporting.window import CohortWindow

_USABLE, _NOT_USABLE = 0, 1


class Quality:
    """Records by verdict and flag.

    Args:
        people: Whom the rows belong to.
        flags: Kinds of flags, in the order of their bits.
    """

    def __init__(self, people: People, flags: tuple[str, ...]) -> None:
        self._flags = flags
        self._verdicts = Tally(people, 2)
        self._flagged = Tally(people, len(flags))
        self._unusable = Tally(people, len(flags))

    def add(self, window: CohortWindow) -> None:
        """Take note of some rows."""
        usable = window.usable
        self._verdicts.add(window, _USABLE, usable)
        self._verdicts.add(window, _NOT_USABLE, window.has_ecg & ~usable)
        for bit in range(len(self._flags)):
            flagged = window.quality_bits >> np.uint32(bit) & np.uint32(1) == 1
            self._flagged.add(window, bit, flagged)
            self._unusable.add(window, bit, flagged & ~usable)

    def tables(self, whole: Whole) -> tuple[Table, ...]:
        """One table: the verdict first, then flag by flag."""
        ledger = whole.ledger
        verdicts = [enter(ledger, self._verdicts, place) for place in (_USABLE, _NOT_USABLE)]
        ledger.counts_add_up(whole.with_ecg, verdicts)
        rows: list[tuple[Cell, ...]] = [
            ("usable", verdicts[0].records, None, _share(verdicts[0], whole)),
            ("not usable", verdicts[1].records, verdicts[1].records, _share(verdicts[1], whole)),
        ]
        for bit, name in enumerate(self._flags):
            if self._flagged.records(bit):
                flagged = enter(ledger, self._flagged, bit)
                unusable = enter(ledger, self._unusable, bit)
                ledger.within(whole.with_ecg.records, flagged.records)
                ledger.within(flagged.records, unusable.records)
                rows.append((name, flagged.records, unusable.records, _share(flagged, whole)))
        columns = (
            Column("verdict", "Verdict or flag"),
            Column("records", "Records"),
            Column("not_usable", "of these not usable"),
            Column("share", "Share of ECGs"),
        )
        note = (
            "Flags drop nobody: training leaves out what is not usable. A record may have several."
        )
        return (Table("quality", "Quality of the ECGs", note, columns, tuple(rows)),)


def _share(count: Count, whole: Whole) -> Share:
    return Share(count.records, whole.with_ecg.records)


class Duplicates:
    """Identical signals, by their fingerprints.

    Args:
        people: Whom the rows belong to.
    """

    def __init__(self, people: People) -> None:
        self._people = people
        self._fingerprints = np.zeros(len(people.person), dtype=np.uint64)

    def add(self, window: CohortWindow) -> None:
        """Take note of some rows."""
        self._fingerprints[window.rows] = window.fingerprints

    def tables(self, whole: Whole) -> tuple[Table, ...]:
        """Signals stored under several persons, and more than once under one."""
        rows = np.flatnonzero(self._fingerprints != NO_FINGERPRINT)
        _, signal = np.unique(self._fingerprints[rows], return_inverse=True)
        copies = np.bincount(signal) if len(signal) else np.zeros(0, dtype=np.int64)
        person = self._people.person[rows]
        pairs = np.unique(np.stack([signal, person]), axis=1)
        persons = np.bincount(pairs[0], minlength=len(copies))
        told: list[tuple[Cell, ...]] = []
        for name, of_kind in (
            ("under several persons", persons > 1),
            ("several times under one person", (persons == 1) & (copies > 1)),
        ):
            chosen = of_kind[signal] if len(signal) else np.zeros(0, dtype=bool)
            people = len(np.unique(person[chosen]))
            count = whole.ledger.count(int(chosen.sum()), people)
            signals = whole.ledger.number(int(of_kind.sum()), people=people)
            told.append((name, signals, count.records, count.persons))
        columns = (
            Column("stored", "Identical ECG stored"),
            Column("signals", "Signals"),
            Column("records", "Records"),
            Column("persons", "Persons"),
        )
        note = (
            "Compared in whole microvolts. People who share a signal stand on one side; a record "
            "for which that was no longer possible is in the quarantine."
        )
        return (Table("duplicates", "Duplicates", note, columns, tuple(told)),)
