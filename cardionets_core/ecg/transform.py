"""The fitted transform between the store's canonical ECG and an encoder's input.

Shapes: B batch, 12 leads, 5000 samples at 500 Hz in, n samples of a whole record at the encoder's
rate, ``crop`` samples of a crop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cardionets_core.ecg.canonical import CANONICAL_LEADS, CANONICAL_RATE_HZ, CANONICAL_SAMPLES
from cardionets_core.ecg.crops import fixed_crop_starts
from cardionets_core.ecg.filters import high_pass, low_pass
from cardionets_core.ecg.gaps import bridge_gaps
from cardionets_core.ecg.lead_sd import LeadSd
from cardionets_core.ecg.resampling import canonicalise, resample_fourier, resample_polyphase
from cardionets_core.ecg.transform_state import (
    describe_transform,
    explain_state_mismatch,
    transform_from_state,
    transform_hash,
    transform_state,
)
from cardionets_core.errors import EcgError, WeightsError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cardionets_core.ecg.record import EcgRecord
    from cardionets_core.ecg.transform_config import EcgTransformConfig

_LEADS = len(CANONICAL_LEADS)
# Records filtered at a time: their float64 copies stay in the processor's cache.
_CHUNK = 16
# A crop that varies by less than a nanovolt is constant, and what varies is rounding.
_CONSTANT_MV = 1e-6


class EcgTransform:
    """Resample, filter, crop and standardise; belongs to the weights trained behind it.

    Immutable: ``fit`` returns a new transform.

    Args:
        config: What to do.
        lead_sd_mv: SD of each lead in the training set in mV, (12,), once fitted.

    Raises:
        WeightsError: If the SDs are not 12 positive numbers.
    """

    def __init__(
        self, config: EcgTransformConfig, lead_sd_mv: NDArray[np.float64] | None = None
    ) -> None:
        self.config = config
        self.lead_sd_mv: NDArray[np.float64] | None = None
        if lead_sd_mv is not None:
            sd_mv = np.array(lead_sd_mv, dtype=np.float64)
            if sd_mv.shape != (_LEADS,) or not (np.isfinite(sd_mv) & (sd_mv > 0)).all():
                raise WeightsError(
                    f"lead SDs of shape {sd_mv.shape}: needed {_LEADS} positive numbers in mV; "
                    "fit the transform again"
                )
            sd_mv.setflags(write=False)
            self.lead_sd_mv = sd_mv

    @property
    def needs_fit(self) -> bool:
        """True if SDs are needed and not there yet."""
        return self.config.standardise == "lead-sd" and self.lead_sd_mv is None

    @property
    def eval_starts(self) -> NDArray[np.int64]:
        """Starts of the evaluation crops in samples, (crops,)."""
        config = self.config
        return fixed_crop_starts(
            config.prepared_samples,
            config.crop_samples,
            config.eval_crops,
            rule=config.eval_crop_rule,
        )

    def prepare(self, signal_mv: ArrayLike) -> NDArray[np.float32]:
        """Do the part that is the same in every epoch, worth caching.

        Missing leads become 0. Gaps are bridged by a straight line; under ``filter-then-crop``
        they are set to 0 after the filter, under ``crop-then-filter`` the bridge stays, because
        a step to 0 would ring in every crop.

        Args:
            signal_mv: Canonical ECGs in mV, (..., 12, 5000) at 500 Hz, NaN where missing.

        Returns:
            Finite signal in mV, (..., 12, n).

        Raises:
            EcgError: If the shape is another.
        """
        canonical = np.asarray(signal_mv, dtype=np.float32)
        if canonical.shape[-2:] != (_LEADS, CANONICAL_SAMPLES):
            raise EcgError(
                f"ECG of shape {canonical.shape}; needed (..., {_LEADS}, {CANONICAL_SAMPLES}) at "
                f"{CANONICAL_RATE_HZ} Hz: canonicalise the record first"
            )
        shape = (*canonical.shape[:-1], self.config.prepared_samples)
        records = canonical.reshape(-1, _LEADS, CANONICAL_SAMPLES)
        prepared = np.empty((len(records), *shape[-2:]), dtype=np.float32)
        for first in range(0, len(records), _CHUNK):
            chunk = slice(first, first + _CHUNK)
            prepared[chunk] = self._resample_and_filter(records[chunk])
        return prepared.reshape(shape)

    def prepare_record(self, record: EcgRecord) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Prepare one record at its own rate.

        Returns:
            Finite signal in mV, (12, n), and which leads are there, (12,).

        Raises:
            EcgError: If the record cannot be brought into canonical form.
        """
        if self.config.assumed_source_rate_hz is not None:
            record = replace(record, sampling_rate_hz=float(self.config.assumed_source_rate_hz))
        canonical = canonicalise(record)
        return self.prepare(canonical.signal_mv), canonical.lead_mask

    def fit(self, prepared: Iterable[NDArray[np.float32]]) -> EcgTransform:
        """Measure the SD of each lead over the training set, in one pass.

        Missing and dead leads count for nothing. A lead that is dead in the whole set gets SD 1:
        it stays 0 whatever it is divided by.

        Args:
            prepared: Outputs of ``prepare`` on the training set, each (..., 12, n) in mV.

        Returns:
            A new transform. The prepared signals are not read if no SD is needed.

        Raises:
            EcgError: If there is no record to fit on.
        """
        if self.config.standardise != "lead-sd":
            return EcgTransform(self.config)
        spread = LeadSd(_LEADS)
        for batch in prepared:
            records = np.asarray(batch, dtype=np.float32).reshape(-1, _LEADS, batch.shape[-1])
            if self.config.filter_order == "crop-then-filter":
                records = self._filter(records).astype(np.float32)
            spread.update(records)
        return EcgTransform(self.config, spread.sd_mv())

    def train_crops(
        self, prepared: NDArray[np.float32], starts: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Cut one crop per record and standardise it.

        Args:
            prepared: Outputs of ``prepare``, (B, 12, n).
            starts: Where each crop starts in samples, (B,).

        Returns:
            Standardised crops, (B, 12, crop).

        Raises:
            WeightsError: If the transform needs SDs and has not been fitted.
            EcgError: If shapes or starts do not fit.
        """
        self._check_prepared(prepared)
        length = self.config.crop_samples
        if len(starts) != len(prepared):
            raise EcgError(f"{len(starts)} crop starts for {len(prepared)} records")
        last = prepared.shape[-1] - length
        if len(starts) and (starts.min() < 0 or starts.max() > last):
            raise EcgError(f"crop starts {starts.min()} to {starts.max()}; needed 0 to {last}")
        crops = np.empty((len(prepared), _LEADS, length), dtype=np.float32)
        for row, start in enumerate(starts.tolist()):
            crops[row] = prepared[row, :, start : start + length]
        return self._finish(crops)

    def eval_crops(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cut the fixed crops of every record and standardise them.

        Args:
            prepared: Outputs of ``prepare``, (B, 12, n).

        Returns:
            Standardised crops, (B, crops, 12, crop).

        Raises:
            WeightsError: If the transform needs SDs and has not been fitted.
            EcgError: If the shape does not fit.
        """
        self._check_prepared(prepared)
        length = self.config.crop_samples
        crops = np.stack(
            [prepared[:, :, start : start + length] for start in self.eval_starts.tolist()], axis=1
        )
        return self._finish(crops.reshape(-1, _LEADS, length)).reshape(crops.shape)

    @property
    def hash(self) -> str:
        """SHA-256 of the options and the SDs to six digits, in hexadecimal."""
        return transform_hash(self.to_state())

    def to_state(self) -> dict[str, Any]:
        """Everything needed to build this transform again, ready for JSON."""
        return transform_state(self.config, self.lead_sd_mv)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> EcgTransform:
        """Build a transform from ``to_state``.

        Raises:
            WeightsError: If the state is not one.
        """
        config, lead_sd_mv = transform_from_state(state)
        return cls(config, None if lead_sd_mv is None else np.array(lead_sd_mv))

    def describe(self) -> str:
        """Return one line for people."""
        return describe_transform(self.to_state())

    def _resample_and_filter(self, records: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, 12, 5000) with NaN to finite (B, 12, n)."""
        config = self.config
        resample = resample_fourier if config.resampling == "fourier" else resample_polyphase
        resampled = resample(records, CANONICAL_RATE_HZ, config.sampling_rate_hz)
        whole, gaps = bridge_gaps(resampled)
        if config.filter_order == "crop-then-filter":
            return whole
        filtered = self._filter(whole).astype(np.float32)
        if gaps is not None:
            filtered[gaps] = 0.0
        return filtered

    def _filter(self, signal_mv: NDArray[np.float32]) -> NDArray[Any]:
        """High-pass, then low-pass: two designs, not one band-pass."""
        config = self.config
        rate_hz, order = config.sampling_rate_hz, config.butterworth_order
        filtered: NDArray[Any] = signal_mv
        if config.high_pass_hz is not None:
            filtered = high_pass(
                filtered, corner_hz=config.high_pass_hz, sampling_rate_hz=rate_hz, order=order
            )
        if config.low_pass_hz is not None:
            filtered = low_pass(
                filtered, corner_hz=config.low_pass_hz, sampling_rate_hz=rate_hz, order=order
            )
        return filtered

    def _finish(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Filter crops if that comes last, and standardise; may work in place on (B, 12, crop)."""
        filter_last = self.config.filter_order == "crop-then-filter"
        if self.lead_sd_mv is not None and not filter_last:
            crops *= (1.0 / self.lead_sd_mv).astype(np.float32)[:, None]
            return crops
        finished = np.empty_like(crops)
        for first in range(0, len(crops), _CHUNK):
            chunk = slice(first, first + _CHUNK)
            filtered = self._filter(crops[chunk]) if filter_last else crops[chunk]
            finished[chunk] = self._standardise(filtered)
        return finished

    def _standardise(self, crops: NDArray[Any]) -> NDArray[Any]:
        if self.lead_sd_mv is not None:
            return crops / self.lead_sd_mv[:, None]
        # Over leads AND time, so that the relative amplitude of the leads survives.
        centred = crops - crops.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
        sd_mv = np.sqrt(np.square(centred).mean(axis=(1, 2), keepdims=True))
        constant = sd_mv < _CONSTANT_MV
        return np.where(constant, 0.0, centred / np.where(constant, 1.0, sd_mv))

    def _check_prepared(self, prepared: NDArray[np.float32]) -> None:
        if self.needs_fit:
            raise WeightsError(
                "the ECG transform divides by one SD per lead and has not been fitted; "
                "call fit() on the training split, or load the checkpoint's transform"
            )
        needed = (_LEADS, self.config.prepared_samples)
        if prepared.ndim != 3 or prepared.shape[1:] != needed:
            raise EcgError(
                f"prepared ECGs of shape {prepared.shape}; needed (batch, {needed[0]}, {needed[1]})"
            )


def explain_mismatch(a: EcgTransform, b: EcgTransform) -> str:
    """Show two transforms side by side, only where they differ; empty if their hashes are equal."""
    return explain_state_mismatch(a.to_state(), b.to_state())
