"""Where a cohort comes from, without anything that could name somebody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from cardionets_core.cohort.provenance import PATH
from cardionets_core.config import Options

_TEXT = "<text>"


@dataclass(frozen=True, slots=True)
class Run:
    """How a cohort was made.

    Attributes:
        seconds: How long it took.
        read: Records read in this run, those left out included.
        workers: What read them, in words.
    """

    seconds: float
    read: int
    workers: str

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        rate = self.read / self.seconds if self.seconds > 0 else None
        return {
            "seconds": round(self.seconds, 2),
            "records_per_second": None if rate is None else float(f"{rate:.4g}"),
            "workers": self.workers,
        }


def shown_options(options: Options) -> dict[str, Any]:
    """A dataset's options as they may be shown.

    Numbers, switches, words of a fixed list and defaults are shown; of any other text, and of every
    path, only that it was given: folders and files of a source may be named after people.
    """
    return {
        name: _shown(getattr(options, name), field.get_default(), _words(field.annotation))
        for name, field in type(options).model_fields.items()
    }


def _words(annotation: Any) -> frozenset[str]:
    """The words that an option can be, where it is one of a fixed list."""
    if get_origin(annotation) is Literal:
        return frozenset(word for word in get_args(annotation) if isinstance(word, str))
    if get_origin(annotation) is None and not isinstance(annotation, UnionType):
        return frozenset()
    return frozenset().union(*(_words(part) for part in get_args(annotation)))


def _shown(value: Any, default: Any, words: frozenset[str]) -> Any:
    if isinstance(value, PurePath):
        return PATH
    if isinstance(value, Options):
        return shown_options(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if value == default or value in words else _TEXT
    if isinstance(value, tuple | list):
        return [_shown(part, part if value == default else None, words) for part in value]
    return _TEXT


def provenance_facts(
    stored: Mapping[str, Any], content_hash: str, options: Options
) -> dict[str, Any]:
    """What a report says of a cohort's origin.

    Args:
        stored: Provenance as the cohort holds it.
        content_hash: Identity of what is stored.
        options: The dataset's options.
    """
    kept = ("dataset", "plugin", "distribution", "seed", "roles", "versions", "created")
    return {
        **{name: stored[name] for name in kept},
        "options": shown_options(options),
        "content_hash": content_hash,
        "extended": bool(stored["extends"]),
    }
