"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Iterable

from cardionets_core.hookspecs import hookimpl
from cardionets_core.spec import ComponentSpec


@hookimpl
def cardionets_datasets() -> Iterable[ComponentSpec]:
    """A hospital's archive."""
    yield ComponentSpec(
        name="hospital",
        kind="dataset",
        summary="A hospital's archive: ECG files of any known format, a labels CSV, paired CMR",
        config="cardionets_hospital.config:HospitalConfig",
        target="cardionets_hospital.dataset:Hospital",
    )
