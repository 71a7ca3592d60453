"""How training was stopped and thresholds were set, told from the runs' own protocols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cardionets_core.study.tables.table import OPTIMISTIC

_SELECTED = {
    "inner": "early stopping and learning rate use the inner validation split alone",
    "reported": OPTIMISTIC,
}
Protocols = Iterable[Mapping[str, Any]]


def on_reported(protocols: Protocols) -> bool:
    """Whether any training was stopped on the subjects that are reported."""
    return any(_select_on(protocol) == "reported" for protocol in protocols)


def selection(protocols: Protocols) -> str:
    """What training was stopped on; empty without a run."""
    return _joined(_SELECTED[_select_on(protocol)] for protocol in protocols)


def threshold(protocols: Protocols) -> str:
    """Where the thresholds come from; empty without a run."""
    return _joined(_threshold(protocol) for protocol in protocols)


def _select_on(protocol: Mapping[str, Any]) -> str:
    return str(protocol.get("select_on", "inner"))


def _threshold(protocol: Mapping[str, Any]) -> str:
    rule = protocol.get("threshold", "inner")
    if rule == "inner":
        return "thresholds set on the inner validation split of each run (best Youden index)"
    return f"threshold fixed at {rule:g}"


def _joined(said: Iterable[str]) -> str:
    """What all runs say, or what some say and what others."""
    different = sorted(set(said))
    if len(different) < 2:
        return "".join(different)
    return "; ".join(f"in some runs {text}" for text in different)
