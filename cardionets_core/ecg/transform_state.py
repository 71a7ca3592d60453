"""The ECG transform as plain data: state, hash, one line, and what differs. Needs no numpy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.errors import WeightsError

_STATE_VERSION = 1
_SD_DIGITS = 6


def transform_state(
    config: EcgTransformConfig, lead_sd_mv: Iterable[float] | None
) -> dict[str, Any]:
    """Options and lead SDs in mV, ready for JSON."""
    return {
        "version": _STATE_VERSION,
        "config": config.model_dump(mode="json"),
        "lead_sd_mv": None if lead_sd_mv is None else [float(sd) for sd in lead_sd_mv],
    }


def transform_from_state(
    state: Mapping[str, Any],
) -> tuple[EcgTransformConfig, list[float] | None]:
    """Options and lead SDs in mV of a state.

    Raises:
        WeightsError: If the state is of another version or not a transform's.
    """
    if state.get("version") != _STATE_VERSION:
        raise WeightsError(
            f"ECG transform of state version {state.get('version')!r}; needed {_STATE_VERSION}: "
            "it was written by another release of cardionets"
        )
    try:
        config = EcgTransformConfig.model_validate(state.get("config"))
        values = state.get("lead_sd_mv")
        lead_sd_mv = None if values is None else [float(value) for value in values]
    except (ValidationError, TypeError, ValueError) as error:
        first_line = "; ".join(str(error).splitlines()[:3])
        raise WeightsError(
            f"the checkpoint's ECG transform cannot be read: {first_line}"
        ) from error
    return config, lead_sd_mv


def transform_hash(state: Mapping[str, Any]) -> str:
    """SHA-256 over the state as canonical JSON, in hexadecimal.

    SDs count to six digits, so that another summation order does not make another transform.
    """
    return hashlib.sha256(
        json.dumps(_rounded(state), sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()


def describe_transform(state: Mapping[str, Any]) -> str:
    """One line for people."""
    config = EcgTransformConfig.model_validate(state["config"])
    filters = [
        f"{hz:g} Hz {kind}"
        for hz, kind in ((config.high_pass_hz, "high-pass"), (config.low_pass_hz, "low-pass"))
        if hz is not None
    ]
    fitted = (
        "" if state["lead_sd_mv"] is not None or config.standardise != "lead-sd" else " (unfitted)"
    )
    return (
        f"{config.sampling_rate_hz} Hz {config.resampling}, crop {config.crop_samples}, "
        f"{' then '.join(filters) or 'no filter'}, {config.filter_order}, "
        f"{config.standardise}{fitted} [{transform_hash(state)[:12]}]"
    )


def explain_state_mismatch(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """Show two transforms side by side, only where they differ.

    Args:
        a: State of the first, from ``EcgTransform.to_state``.
        b: State of the second.

    Returns:
        One line per difference, or an empty text if the hashes are equal.
    """
    left, right = _flat(a), _flat(b)
    names = [name for name in {**left, **right} if left.get(name) != right.get(name)]
    if not names:
        return ""
    width = max(len(name) for name in names)
    column = max(len(str(left.get(name))) for name in names)
    return "\n".join(
        f"{name:<{width}}  {left.get(name)!s:<{column}}  {right.get(name)}" for name in names
    )


def _rounded(state: Mapping[str, Any]) -> dict[str, Any]:
    sds = state["lead_sd_mv"]
    rounded = None if sds is None else [float(f"{sd:.{_SD_DIGITS}g}") for sd in sds]
    return {**state, "lead_sd_mv": rounded}


def _flat(state: Mapping[str, Any]) -> dict[str, Any]:
    """Option name or ``SD of LEAD in mV`` to value."""
    rounded = _rounded(state)
    flat = dict(rounded["config"])
    sds = rounded["lead_sd_mv"] or [None] * len(CANONICAL_LEADS)
    flat |= {f"SD of {lead} in mV": sd for lead, sd in zip(CANONICAL_LEADS, sds, strict=True)}
    return flat
