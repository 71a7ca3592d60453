"""Hook implementations: the vendors' ECG formats."""

from __future__ import annotations

from collections.abc import Iterable

from cardionets_core.hookspecs import hookimpl
from cardionets_core.spec import EcgFormat
from cardionets_formats.sniffing import (
    looks_like_aecg,
    looks_like_cardiosoft,
    looks_like_dicom,
    looks_like_muse,
    looks_like_philips,
    looks_like_scp,
)


@hookimpl
def cardionets_ecg_formats() -> Iterable[EcgFormat]:
    """Six formats, each recognised by its content."""
    yield EcgFormat(
        name="dicom-ecg",
        sniff=looks_like_dicom,
        target="cardionets_formats.dicom:read",
        summary="DICOM waveform: 12-lead and general ECG",
        suffixes=(".dcm",),
    )
    yield EcgFormat(
        name="aecg",
        sniff=looks_like_aecg,
        target="cardionets_formats.aecg:read",
        summary="HL7 annotated ECG (XML)",
    )
    yield EcgFormat(
        name="muse-xml",
        sniff=looks_like_muse,
        target="cardionets_formats.muse:read",
        summary="GE MUSE XML",
    )
    yield EcgFormat(
        name="philips-xml",
        sniff=looks_like_philips,
        target="cardionets_formats.philips:read",
        summary="Philips Sierra XML 1.03 and 1.04",
        extra="formats",
    )
    yield EcgFormat(
        name="scp-ecg",
        sniff=looks_like_scp,
        target="cardionets_formats.scp:read",
        summary="SCP-ECG (EN 1064)",
        suffixes=(".scp",),
    )
    yield EcgFormat(
        name="cardiosoft-xml",
        sniff=looks_like_cardiosoft,
        target="cardionets_formats.cardiosoft:read",
        summary="GE CardioSoft XML, as UK Biobank's field 20205",
    )
