"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Iterable

from cardionets_core.hookspecs import hookimpl
from cardionets_core.spec import ComponentSpec


@hookimpl
def cardionets_encoders() -> Iterable[ComponentSpec]:
    """The ECG encoder and the CMR encoder."""
    yield ComponentSpec(
        name="stmem",
        kind="encoder",
        summary="ST-MEM: a transformer over patches of single leads, any subset of the 12",
        config="cardionets_encoders.config:StMemConfig",
        target="cardionets_encoders.stmem:StMem",
        default_for="ecg_encoder",
        modality="ecg",
    )
    yield ComponentSpec(
        name="vit-cmr",
        kind="encoder",
        summary="Vision transformer over spatial patches of a cine, its frames as channels",
        config="cardionets_encoders.config:VitCmrConfig",
        target="cardionets_encoders.vit_cmr:VitCmr",
        modality="cmr",
    )
