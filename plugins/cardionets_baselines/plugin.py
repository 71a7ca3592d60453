"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Iterable

from cardionets_baselines.variants import VARIANTS
from cardionets_core.hookspecs import hookimpl
from cardionets_core.spec import VariantSpec


@hookimpl
def cardionets_variants() -> Iterable[VariantSpec]:
    """The paper's five, then what only the phenotype table and the controls need."""
    return VARIANTS
