"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Iterable

from cardionets_core.hookspecs import hookimpl
from cardionets_core.spec import ComponentSpec, EcgFormat
from cardionets_wfdb.sniffing import looks_like_npy, looks_like_wfdb, never


@hookimpl
def cardionets_datasets() -> Iterable[ComponentSpec]:
    """A folder of WFDB records."""
    yield ComponentSpec(
        name="wfdb",
        kind="dataset",
        summary="A folder of WFDB records (PhysioNet layout): ECG, age, sex and SNOMED CT codes",
        config="cardionets_wfdb.config:WfdbFolderConfig",
        target="cardionets_wfdb.dataset:WfdbFolder",
    )


@hookimpl
def cardionets_ecg_formats() -> Iterable[EcgFormat]:
    """WFDB, and the two table formats that need units, rate and leads declared."""
    yield EcgFormat(
        name="wfdb",
        sniff=looks_like_wfdb,
        target="cardionets_wfdb.wfdb_reader:read",
        summary="WFDB header with its signal file (.hea with .dat or .mat)",
        suffixes=(".hea", ".dat", ".mat"),
    )
    yield EcgFormat(
        name="npy",
        sniff=looks_like_npy,
        target="cardionets_wfdb.table_reader:read_npy",
        summary="NumPy array (leads, samples) or (samples, leads); units, rate and leads declared",
        suffixes=(".npy",),
    )
    yield EcgFormat(
        name="csv",
        sniff=never,
        target="cardionets_wfdb.table_reader:read_csv",
        summary="Table with one column per lead, named in the first row; units and rate declared",
        suffixes=(".csv", ".tsv"),
    )
