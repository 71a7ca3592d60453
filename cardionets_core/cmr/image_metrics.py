"""How alike a cine is to another: MAE, RMSE, PSNR and SSIM, with every parameter in the open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.metrics import structural_similarity

from cardionets_core.errors import ConfigError, EvaluationError

# What scikit-image cuts a Gaussian off at, in standard deviations.
_GAUSSIAN_REACH = 3.5
# Annotated in some of its versions and not in others.
_structural_similarity: Any = structural_similarity


@dataclass(frozen=True, slots=True)
class ImageMetricOptions:
    """Everything that the numbers depend on; images are in [-1, 1].

    Attributes:
        clamp: Whether values outside [-1, 1] are first brought to its ends.
        to_unit: Whether images are mapped to [0, 1]. It halves MAE and RMSE, leaves PSNR as it is
            and changes SSIM, whose luminance term is not shift invariant.
        sigma_pixels: SD of SSIM's Gaussian window; None for a uniform one.
        window_pixels: Side of SSIM's window; that of a Gaussian follows from its SD.
        sample_covariance: Whether SSIM's variances are divided by N - 1 instead of N.
        border_pixels: Width of the border that SSIM's mean leaves out.
        k1: Constant of SSIM's luminance term.
        k2: Constant of SSIM's contrast term.
        mse_offset: What is added to the mean square before PSNR is taken of it; without, the PSNR
            of equal images is infinite.

    Raises:
        ConfigError: If the window is even, or not that of the Gaussian.
    """

    clamp: bool = True
    to_unit: bool = True
    sigma_pixels: float | None = 1.5
    window_pixels: int = 11
    sample_covariance: bool = False
    border_pixels: int = 5
    k1: float = 0.01
    k2: float = 0.03
    mse_offset: float = 0.0

    def __post_init__(self) -> None:
        if self.window_pixels < 3 or self.window_pixels % 2 == 0 or self.border_pixels < 0:
            raise ConfigError(
                f"SSIM window of {self.window_pixels} and border of {self.border_pixels} pixels; "
                "needed an odd window of 3 or more and a border of 0 or more"
            )
        if self.sigma_pixels is None:
            return
        wanted = 2 * int(_GAUSSIAN_REACH * self.sigma_pixels + 0.5) + 1
        if self.window_pixels != wanted:
            raise ConfigError(
                f"SSIM window of {self.window_pixels} pixels; a Gaussian of SD {self.sigma_pixels} "
                f"is cut off at {_GAUSSIAN_REACH} SD and takes {wanted}: set window_pixels={wanted}"
            )

    @property
    def data_range(self) -> float:
        """Distance between the lowest and the highest value that an image can have."""
        return 1.0 if self.to_unit else 2.0

    def describe(self) -> str:
        """All of this in one line, for reports and footnotes."""
        scale = "[0, 1]" if self.to_unit else "[-1, 1]"
        window = (
            f"uniform window of {self.window_pixels} x {self.window_pixels}"
            if self.sigma_pixels is None
            else f"Gaussian window of SD {self.sigma_pixels:g} in {self.window_pixels} x "
            f"{self.window_pixels}"
        )
        parts = (
            f"{'clamped to [-1, 1], ' if self.clamp else ''}on the scale {scale}",
            f"SSIM: {window} pixels, {'sample' if self.sample_covariance else 'population'} "
            f"covariance, range {self.data_range:g}, K1 {self.k1:g}, K2 {self.k2:g}, border of "
            f"{self.border_pixels} pixels left out",
            f"PSNR: range {self.data_range:g}"
            + (f", {self.mse_offset:g} added to the mean square" if self.mse_offset else ""),
            "per frame, then the mean over frames",
        )
        return "; ".join(parts)


DEFAULT_METRICS = ImageMetricOptions()
# The metric functions of the public CPGG code; SSIM comes out as by default.
CPGG_METRICS = ImageMetricOptions(clamp=False, mse_offset=1e-8)


class ImageMetrics(NamedTuple):
    """Mean absolute and root mean square difference, PSNR in dB, and SSIM."""

    mae: float
    rmse: float
    psnr: float
    ssim: float


class CineMetrics(NamedTuple):
    """The same for many cines: arrays (n,), or (n, T) frame by frame."""

    mae: NDArray[np.float64]
    rmse: NDArray[np.float64]
    psnr: NDArray[np.float64]
    ssim: NDArray[np.float64]

    def mean_of_frames(self) -> CineMetrics:
        """Means over the last axis.

        Frames that are equal, whose PSNR is infinite, do not count for PSNR unless all are.
        """
        finite = np.isfinite(self.psnr)
        count = finite.sum(axis=-1)
        total = np.where(finite, self.psnr, 0.0).sum(axis=-1)
        psnr = np.where(count > 0, total / np.maximum(count, 1), np.inf)
        return CineMetrics(
            self.mae.mean(axis=-1), self.rmse.mean(axis=-1), psnr, self.ssim.mean(axis=-1)
        )


def image_metrics(
    image: ArrayLike, truth: ArrayLike, options: ImageMetricOptions = DEFAULT_METRICS
) -> ImageMetrics:
    """Compare two images (H, W), or two cines (T, H, W) as volumes with a window in time, too.

    Args:
        image: Values in [-1, 1].
        truth: What it should be, of the same shape.
        options: Parameters.

    Raises:
        EvaluationError: If shapes differ, values are no finite floats, or SSIM's window is larger.

    Source: Wang et al. 2004 for SSIM, computed by scikit-image in double precision.
    """
    first, second = np.asarray(image), np.asarray(truth)
    _check_shapes(first.shape, second.shape, (2, 3))
    _check_sides(first.shape, options)
    return _compare(_scaled(first, options), _scaled(second, options), options)


def frame_metrics(
    cines: ArrayLike, truth: ArrayLike, options: ImageMetricOptions = DEFAULT_METRICS
) -> CineMetrics:
    """Compare cines frame by frame.

    Args:
        cines: Values in [-1, 1], (n, T, H, W).
        truth: What they should be, likewise.
        options: Parameters.

    Returns:
        Arrays (n, T).

    Raises:
        EvaluationError: If shapes differ, values are no finite floats, or SSIM's window is larger.
    """
    first, second = np.asarray(cines), np.asarray(truth)
    _check_shapes(first.shape, second.shape, (4,))
    _check_sides(first.shape[2:], options)
    found = np.empty((4, *first.shape[:2]))
    # One cine at a time in double precision: thousands of them would not fit.
    for row in range(len(first)):
        cine, its_truth = _scaled(first[row], options), _scaled(second[row], options)
        for frame in range(len(cine)):
            found[:, row, frame] = _compare(cine[frame], its_truth[frame], options)
    return CineMetrics(*found)


def cine_metrics(
    cines: ArrayLike, truth: ArrayLike, options: ImageMetricOptions = DEFAULT_METRICS
) -> CineMetrics:
    """Compare cines: per frame, then the mean over frames; arrays (n,). See ``frame_metrics``."""
    return frame_metrics(cines, truth, options).mean_of_frames()


def _compare(
    image: NDArray[np.float64], truth: NDArray[np.float64], options: ImageMetricOptions
) -> ImageMetrics:
    difference = image - truth
    mean_square = float(np.square(difference).mean())
    noise = mean_square + options.mse_offset
    psnr = 10 * np.log10(options.data_range**2 / noise) if noise else np.inf
    return ImageMetrics(
        mae=float(np.abs(difference).mean()),
        rmse=float(np.sqrt(mean_square)),
        psnr=float(psnr),
        ssim=_ssim(image, truth, options),
    )


def _ssim(
    image: NDArray[np.float64], truth: NDArray[np.float64], options: ImageMetricOptions
) -> float:
    _, similarity = _structural_similarity(
        image,
        truth,
        win_size=options.window_pixels,
        data_range=options.data_range,
        gaussian_weights=options.sigma_pixels is not None,
        use_sample_covariance=options.sample_covariance,
        full=True,
        K1=options.k1,
        K2=options.k2,
        **({} if options.sigma_pixels is None else {"sigma": options.sigma_pixels}),
    )
    border = options.border_pixels
    inner = tuple(slice(border, side - border) for side in similarity.shape)
    return float(similarity[inner].mean())


def _check_shapes(
    first: tuple[int, ...], second: tuple[int, ...], dimensions: tuple[int, ...]
) -> None:
    if first != second or len(first) not in dimensions or 0 in first:
        names = {2: "(H, W)", 3: "(T, H, W)", 4: "(n, T, H, W)"}
        raise EvaluationError(
            f"images of shape {first} and {second}, but two of one shape are needed, "
            f"{' or '.join(names[count] for count in dimensions)}; bring one to the other's frames "
            "and pixels"
        )


def _check_sides(shape: tuple[int, ...], options: ImageMetricOptions) -> None:
    least = max(options.window_pixels, 2 * options.border_pixels + 1)
    if min(shape) < least:
        raise EvaluationError(
            f"images of shape {shape}, but SSIM's window and border take {least} on each side; "
            "compare larger images, or with other options"
        )


def _scaled(values: NDArray[Any], options: ImageMetricOptions) -> NDArray[np.float64]:
    """Values on the scale that is compared, in double precision."""
    if not np.issubdtype(values.dtype, np.floating) or not np.isfinite(values).all():
        raise EvaluationError(
            f"an image holds {values.dtype}, or values that are not finite; needed numbers in "
            "[-1, 1]: x / 127.5 - 1 of a stored cine"
        )
    scaled: NDArray[np.float64] = values.astype(np.float64)
    if options.clamp:
        scaled = scaled.clip(-1.0, 1.0)
    return (scaled + 1) / 2 if options.to_unit else scaled
