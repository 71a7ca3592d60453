"""Lineage: the steps that weights went through, from the first training to this file."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field

from cardionets_core.config import Options
from cardionets_core.weights.licences import strictest

SimulatedRange = tuple[int, int, int]
Lineage = tuple["LineageStep", ...]

# An argument, or option=value, whose value may itself hold further equals signs (a url's query).
_ASSIGNMENT = re.compile(r"((?:[\w.-]+=)*)(.*)", re.DOTALL)


class LineageStep(Options):
    """One training or conversion. Holds nothing that points to a person or a local folder."""

    command: str = Field(description="the command, as public_command writes it")
    stage: str = Field(description="e.g. ecg-pretraining, alignment, downstream, import")
    preset: str | None = Field(None, description="preset of the stage")
    seed: int | None = Field(None, description="seed of the run")
    dataset: str | None = Field(None, description="name of the dataset plugin")
    data_hash: str | None = Field(None, description="content hash of the cohort")
    simulated: bool = Field(description="whether this step saw simulated subjects")
    simulated_ranges: tuple[SimulatedRange, ...] = Field(
        (), description="seed, first index and index after the last of simulated subjects seen"
    )
    parents: tuple[str, ...] = Field((), description="step ids of what this step started from")
    licence: str = Field(description="SPDX id, the strictest of the data and the parents")

    @property
    def step_id(self) -> str:
        """Hash of the step and, through its parents, of all that came before."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def extend(parents: Iterable[Lineage], step: LineageStep) -> Lineage:
    """The lineage of a child: all steps of its parents, each once, then its own.

    Args:
        parents: Lineages of what the step started from; the last step of each is a parent.
        step: The new step; its parents and licence are set here, the licence to the strictest
            of its own and the parents'.

    Returns:
        Steps, oldest first.
    """
    lineages = [lineage for lineage in parents if lineage]
    steps = {old.step_id: old for lineage in lineages for old in lineage}
    child = step.model_copy(
        update={
            "parents": tuple(dict.fromkeys(lineage[-1].step_id for lineage in lineages)),
            "licence": strictest(step.licence, *(old.licence for old in steps.values())),
        }
    )
    return (*steps.values(), child)


def public_command(argv: Sequence[str]) -> str:
    """A command line with local paths cut to their last name, so that it may be published.

    ``--cohort /home/ann/ukb/cohort.h5`` becomes ``--cohort cohort.h5``.
    """
    return shlex.join(_public_argument(argument) for argument in argv)


def public_url(url: str) -> str:
    """The url without user, password, query and fragment, any of which may be a secret."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _public_argument(argument: str) -> str:
    name, value = _ASSIGNMENT.fullmatch(argument).groups()  # type: ignore[union-attr]
    if "://" in value:
        return f"{name}{public_url(value)}"
    if value.startswith("package:") or not re.search(r"[/\\]", value):
        return argument
    return f"{name}{PurePosixPath(value.replace(chr(92), '/')).name}"
