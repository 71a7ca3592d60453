"""What the tables say about one participant at one visit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, Self


@dataclass(frozen=True)
class Facts:
    """What is known of one participant; None where nothing is.

    Attributes:
        sex: Field 31.
        age_years: Field 21003, in whole years.
        visit_day: Field 53 as a day number.
        phenotypes: Fields 24100 to 24181, those that are there, in their own signs and units.
        dated_codes: ICD-10 codes with day numbers; empty for somebody without any.
    """

    sex: Literal["female", "male"] | None = None
    age_years: float | None = None
    visit_day: int | None = None
    phenotypes: Mapping[int, float] = field(default_factory=dict)
    dated_codes: tuple[tuple[str, int], ...] | None = None

    def with_those_of(self, other: Facts) -> Facts:
        """These, and the other's where it says something."""
        said = {name: value for name, value in vars(other).items() if value is not None}
        return replace(self, **{**said, "phenotypes": {**self.phenotypes, **other.phenotypes}})

    def to_text(self) -> str:
        """As text to be stored."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Out of what ``to_text`` gave."""
        said = json.loads(text)
        said["phenotypes"] = {int(number): value for number, value in said["phenotypes"].items()}
        if said["dated_codes"] is not None:
            said["dated_codes"] = tuple((code, day) for code, day in said["dated_codes"])
        return cls(**said)
