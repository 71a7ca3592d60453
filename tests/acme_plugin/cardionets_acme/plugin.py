"""What this plugin offers. Imports neither torch nor numpy."""

from __future__ import annotations

from collections.abc import Iterable

from cardionets_core import ComponentSpec, hookimpl


@hookimpl
def cardionets_datasets() -> Iterable[ComponentSpec]:
    """Acme's archive."""
    yield ComponentSpec(
        name="acme-csv",
        kind="dataset",
        summary="Acme's archive: a CSV index and one NPY file per ECG",
        config="cardionets_acme.config:AcmeCsvConfig",
        target="cardionets_acme.dataset:AcmeCsv",
    )


@hookimpl
def cardionets_heads() -> Iterable[ComponentSpec]:
    """Acme's head."""
    yield ComponentSpec(
        name="acme-linear",
        kind="head",
        summary="One linear layer for yes-or-no questions",
        config="cardionets_acme.config:AcmeLinearConfig",
        target="cardionets_acme.head:AcmeLinear",
    )
