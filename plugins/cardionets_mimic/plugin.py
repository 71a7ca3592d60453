"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Iterable

from cardionets_core.hookspecs import hookimpl
from cardionets_core.spec import ComponentSpec


@hookimpl
def cardionets_datasets() -> Iterable[ComponentSpec]:
    """MIMIC-IV-ECG, the PhysioNet release."""
    yield ComponentSpec(
        name="mimic",
        kind="dataset",
        summary="MIMIC-IV-ECG 1.0: ECGs, machine measurements, ICD-10 codes of the Ext-ICD labels",
        config="cardionets_mimic.config:MimicConfig",
        target="cardionets_mimic.dataset:MimicEcg",
    )
