"""Which visits are listed, and how many fall out on the way."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence

from cardionets_core.errors import ConfigError, SourceError
from cardionets_core.interfaces import SelectionStep
from cardionets_ukb.bulk_files import find_files
from cardionets_ukb.columns import PHENOTYPE_FIELDS
from cardionets_ukb.config import UkbConfig
from cardionets_ukb.database import Database, Listed
from cardionets_ukb.facts import Facts
from cardionets_ukb.participants import read_tables
from cardionets_ukb.visits import Visit, visit_of
from cardionets_ukb.withdrawn import read_withdrawn

_log = logging.getLogger(__name__)
_NEEDED_FILES = {"any": (), "ecg": ("ecg",), "cine": ("cine",), "both": ("ecg", "cine")}


class Listing:
    """Files and tables, read once.

    Args:
        config: Where they are, and what is wanted.

    Raises:
        ConfigError: If there is no folder, or none of the files in it.
        SourceError: If a table or the list of withdrawals cannot be relied on.
    """

    def __init__(self, config: UkbConfig) -> None:
        self._config = config
        self._criteria = _criteria_of(config)
        self._refused: Counter[str] = Counter()
        self._database = Database()
        self._files = self._database.put_files(find_files(config.source, self._refused))
        if not self._files:
            raise ConfigError(
                f"source {config.source}: no file named as EID_20205_2_0.xml or "
                "EID_20208_2_0.zip at any depth; needed at least one: is it the right folder?"
            )
        if config.withdrawn is not None:
            self._database.put_withdrawn(read_withdrawn(config.withdrawn))
        if config.table:
            self._read_tables()

    def visits(self) -> Iterator[tuple[int, Visit]]:
        """Ids with what is to be read, in the order of the ids."""
        for listed in self._database.listed(self._config.instance):
            if self._why_not(listed) is None:
                yield (
                    listed.participant,
                    visit_of(listed.ecg, listed.cine, listed.facts or Facts()),
                )

    def withdrawn(self) -> Iterator[int]:
        """Ids of who withdrew."""
        return self._database.withdrawn()

    def steps(self) -> Sequence[SelectionStep]:
        """From the files in the tree to the visits that are listed."""
        reasons = Counter(
            self._why_not(listed) for listed in self._database.listed(self._config.instance)
        )
        visits, left = self._database.visits(), reasons.total()
        steps = [
            SelectionStep(
                "files of fields 20205 and 20208 in the tree",
                self._files,
                self._database.people(),
                dict(self._refused),
            ),
            SelectionStep(
                "visits that they belong to",
                visits,
                self._database.people(),
                {"files of a visit that has both, counted as one": self._files - visits},
            ),
            SelectionStep(
                f"visits of instance {self._config.instance}",
                left,
                left,
                {"visit of another instance": visits - left},
            ),
        ]
        for label, why in self._criteria:
            left -= reasons[why]
            steps.append(SelectionStep(label, left, left, {why: reasons[why]}))
        return steps

    def _why_not(self, listed: Listed) -> str | None:
        """The first reason why a visit is not listed, or None if it is."""
        facts = listed.facts or Facts()
        fails = {
            "withdrawn": listed.withdrawn,
            "no ecg": listed.ecg is None,
            "no cine": listed.cine is None,
            "no visit date": facts.visit_day is None,
            "phenotypes incomplete": len(facts.phenotypes) < len(PHENOTYPE_FIELDS),
        }
        return next((why for _, why in self._criteria if fails[why]), None)

    def _read_tables(self) -> None:
        config, database = self._config, self._database
        database.put_facts(
            read_tables(
                config.table,
                config.instance,
                lambda each: database.has_visit(each, config.instance),
            )
        )
        visits = sum(1 for _ in database.listed(config.instance))
        known = database.known()
        if visits and not known:
            raise SourceError(
                f"none of {visits} participants with files has a row in the tables; needed tables "
                "of the same application, for each has ids of its own"
            )
        if known < visits:
            _log.warning(
                "%d of %d participants with files have no row in the tables", visits - known, visits
            )


def _criteria_of(config: UkbConfig) -> list[tuple[str, str]]:
    """What the options ask for: who is left, and why others are not; in this order."""
    criteria = [("participants who did not withdraw", "withdrawn")] if config.withdrawn else []
    needed = _NEEDED_FILES[config.require]
    criteria += [(f"visits with a file of the {kind}", f"no {kind}") for kind in needed]
    if config.require_visit_date:
        criteria.append(("visits with a date in the table", "no visit date"))
    if config.phenotypes == "complete":
        criteria.append(
            (f"visits with all {len(PHENOTYPE_FIELDS)} phenotypes", "phenotypes incomplete")
        )
    return criteria
