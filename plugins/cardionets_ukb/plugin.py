"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Iterable

from cardionets_core.hookspecs import hookimpl
from cardionets_core.spec import ComponentSpec


@hookimpl
def cardionets_datasets() -> Iterable[ComponentSpec]:
    """UK Biobank's bulk files with its tables."""
    yield ComponentSpec(
        name="ukb",
        kind="dataset",
        summary="UK Biobank: 12-lead ECG (20205), 4-chamber cine (20208), 82 phenotypes, diagnoses",
        config="cardionets_ukb.config:UkbConfig",
        target="cardionets_ukb.dataset:UkBiobank",
    )
