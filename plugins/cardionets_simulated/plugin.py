"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Iterable

from cardionets_core.hookspecs import hookimpl
from cardionets_core.spec import ComponentSpec


@hookimpl
def cardionets_datasets() -> Iterable[ComponentSpec]:
    """The simulated cohort, which serves where no data are named."""
    yield ComponentSpec(
        name="simulated",
        kind="dataset",
        summary="Simulated subjects: ECG, cine, 82 phenotypes and diagnoses; no patient data",
        config="cardionets_simulated.config:SimulatedConfig",
        target="cardionets_simulated.dataset:SimulatedDataset",
        default_for="dataset",
    )
