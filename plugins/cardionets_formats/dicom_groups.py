"""Multiplex groups of a DICOM waveform: which one is the rhythm, and its leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cardionets_core.errors import EcgError, LeadError
from cardionets_formats.declared import Declared
from cardionets_formats.dicom_channels import lead_of, stored_lead
from cardionets_formats.strip import Strip

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_SIGNED = {8: "SB", 16: "SS", 32: "SL"}
_UNSIGNED = {8: "UB", 16: "US", 32: "UL"}
_MEDIAN_WORDS = ("MEDIAN", "AVERAGE", "BEAT", "TEMPLATE")
# A median beat takes 1.2 s in the files seen; nobody calls less than this a rhythm strip.
_SHORTEST_DERIVED_S = 2.0
_MOST_SAMPLES = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """One multiplex group; ``leads`` has a canonical name or None for each of its channels."""

    item: Dataset
    channels: list[Dataset]
    leads: list[str | None]
    samples: int
    rate_hz: float | None
    dtype: np.dtype[Any]


def rhythm_strip(dataset: Dataset, declared: Declared) -> Strip:
    """The leads of the multiplex group that holds the recorded rhythm.

    Median beats are left out. Of the other groups the one with most of the twelve leads is taken,
    of those one labelled RHYTHM, then an original one, then the longest.

    Raises:
        LeadError: If none of its channels is one of the twelve leads.
        EcgError: If there is no such group, or it is damaged.
    """
    items = list(dataset.get("WaveformSequence") or [])
    little_endian = dataset.original_encoding[1] is not False
    rhythms = [_group(item, little_endian=little_endian) for item in items if not _is_median(item)]
    if not any(group.samples for group in rhythms):
        raise EcgError(
            f"{len(items)} waveform groups, none of them a recorded rhythm; needed one: export "
            "the rhythm and not the median beat alone"
        )
    return _strip(max(rhythms, key=_rank), declared)


def _strip(group: _Group, declared: Declared) -> Strip:
    if not any(group.leads):
        raise LeadError(
            f"{len(group.leads)} channels, none of them one of the 12 leads; needed channel "
            "sources named I, II, ... V6 or coded by SCP-ECG or MDC"
        )
    rate_hz = declared.rate_hz(group.rate_hz)
    wanted = group.samples * len(group.channels)
    flat = np.frombuffer(group.item.WaveformData, dtype=group.dtype, count=wanted)
    counts = flat.reshape(group.samples, len(group.channels)).T.astype(np.float64)
    counts[np.isin(counts, _missing(group))] = np.nan
    leads = zip(group.leads, group.channels, counts, strict=True)
    return Strip(
        tuple(stored_lead(name, channel, row, declared) for name, channel, row in leads if name),
        rate_hz,
    )


def _missing(group: _Group) -> list[int]:
    """Counts that stand for no measurement.

    That is the lowest signed count, whether declared or not, and a declared padding value at the
    other end of the range. Any other padding value is a true sample, too: real files declare 0.
    """
    ends = np.iinfo(group.dtype)
    missing = [ends.min] if group.dtype.kind == "i" else []
    padding = group.item.get("WaveformPaddingValue")
    if isinstance(padding, bytes) and len(padding) >= group.dtype.itemsize:
        value = int(np.frombuffer(padding, dtype=group.dtype, count=1)[0])
        missing += [value] if value in (ends.min, ends.max) else []
    return missing


def _rank(group: _Group) -> tuple[int, bool, bool, float]:
    known = sum(lead is not None for lead in group.leads) if group.samples else 0
    seconds = group.samples / group.rate_hz if group.rate_hz else 0.0
    return known, "RHYTHM" in _label(group.item), _is_original(group.item), seconds


def _is_median(item: Dataset) -> bool:
    label = _label(item)
    if "RHYTHM" in label:
        return False
    if any(word in label for word in _MEDIAN_WORDS):
        return True
    shortest = _SHORTEST_DERIVED_S * (_rate_hz(item) or 0.0)
    return not _is_original(item) and _samples(item) < shortest


def _label(item: Dataset) -> str:
    return str(item.get("MultiplexGroupLabel") or "").upper()


def _is_original(item: Dataset) -> bool:
    return str(item.get("WaveformOriginality") or "ORIGINAL").strip().upper() == "ORIGINAL"


def _samples(item: Dataset) -> int:
    return int(item.get("NumberOfWaveformSamples") or 0)


def _rate_hz(item: Dataset) -> float | None:
    found_hz = item.get("SamplingFrequency")
    return None if found_hz is None else float(found_hz)


def _group(item: Dataset, *, little_endian: bool) -> _Group:
    """A group whose announced size is that of its data."""
    channels = list(item.get("ChannelDefinitionSequence") or [])
    announced = int(item.get("NumberOfWaveformChannels") or 0)
    if announced != len(channels):
        raise EcgError(
            f"announces {announced} channels and describes {len(channels)}; export it again"
        )
    samples = _samples(item)
    if samples > _MOST_SAMPLES:
        raise EcgError(f"{samples} samples a channel; needed one resting ECG")
    dtype = _dtype(item).newbyteorder("<" if little_endian else ">")
    stored = len(item.get("WaveformData") or b"")
    a_moment = len(channels) * dtype.itemsize
    needed = samples * a_moment
    # Values are padded to an even length; some writers pad to more.
    if not needed <= stored <= needed + max(a_moment, 2):
        raise EcgError(
            f"{stored} bytes of signal, needed {needed} for {samples} samples of "
            f"{len(channels)} channels; is the file cut off? copy it again"
        )
    return _Group(
        item=item,
        channels=channels,
        leads=[lead_of(channel) for channel in channels],
        samples=samples,
        rate_hz=_rate_hz(item),
        dtype=dtype,
    )


def _dtype(item: Dataset) -> np.dtype[Any]:
    bits = int(item.get("WaveformBitsAllocated") or 0)
    kind = str(item.get("WaveformSampleInterpretation") or "").strip()
    if kind and kind == _SIGNED.get(bits):
        return np.dtype(f"i{bits // 8}")
    if kind and kind == _UNSIGNED.get(bits):
        return np.dtype(f"u{bits // 8}")
    raise EcgError(
        f"samples of {bits} bits in an encoding that is not read; needed whole numbers of 8, 16 "
        "or 32 bits (SB, UB, SS, US, SL, UL)"
    )
