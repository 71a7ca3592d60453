"""Hook implementations: the aligners."""

from __future__ import annotations

from collections.abc import Iterable

from cardionets_core.hookspecs import hookimpl
from cardionets_core.spec import ComponentSpec, Need

NEEDS = (
    Need(role="encoder", kind="encoder", default="stmem", zoo={"tiny": "stmem-tiny-simulated"}),
    Need(
        role="cmr_encoder",
        kind="encoder",
        default="vit-cmr",
        zoo={"tiny": "vit-cmr-tiny-simulated"},
    ),
)


@hookimpl
def cardionets_aligners() -> Iterable[ComponentSpec]:
    """Plain and weighted InfoNCE."""
    yield ComponentSpec(
        name="weighted-infonce",
        kind="aligner",
        summary="InfoNCE in which subjects with similar hearts are weaker negatives",
        config="cardionets_cmr_align.config:WeightedInfoNceConfig",
        target="cardionets_cmr_align.aligner:WeightedInfoNce",
        needs=NEEDS,
        default_for="aligner",
    )
    yield ComponentSpec(
        name="infonce",
        kind="aligner",
        summary="InfoNCE in which all other subjects are negatives in full",
        config="cardionets_cmr_align.config:InfoNceConfig",
        target="cardionets_cmr_align.aligner:InfoNce",
        needs=NEEDS,
    )
