"""What this plugin offers: the entries of ``index.json`` and the converters."""

from __future__ import annotations

from collections.abc import Iterable

from cardionets_core.hookspecs import hookimpl
from cardionets_core.spec import ConverterSpec, ZooEntry
from cardionets_core.weights.index import read_index


@hookimpl
def cardionets_zoo_entries() -> Iterable[ZooEntry]:
    """The weights that ship with the toolkit."""
    return read_index("cardionets_zoo")


@hookimpl
def cardionets_weight_converters() -> Iterable[ConverterSpec]:
    """The published ST-MEM checkpoints."""
    yield ConverterSpec(
        name="st-mem",
        summary="published ST-MEM checkpoints (CC BY-NC 4.0)",
        target="cardionets_zoo.convert.st_mem_import:import_st_mem",
    )
