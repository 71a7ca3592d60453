"""What autoencoders keep of hearts that nothing was trained on.

    python benchmarks/reconstruction.py WEIGHTS... [--seed 1234] [--reader 800] [--subjects 400]

Subjects are simulated with the seed, in the frames and pixels of preset ``tiny``. LV area is read
from the end-diastolic frame by a regression that was taught on the true cines of other subjects and
knows no autoencoder; ``r(EDV)`` correlates what it reads with the true LV end-diastolic volume.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from torch import Tensor

import cardionets_core as cn
from cardionets_core.evaluate.cine_rows import cine_rows
from cardionets_simulated.cine import chamber_areas_cm2, simulate_cine
from cardionets_simulated.cine_time import TEN_FRAMES
from cardionets_simulated.subject import SubjectBatch

BATCH = 32
COMPONENTS = 100
PENALTIES = np.logspace(0, 4, 9)
METRICS = ("ssim", "psnr", "mae", "rmse")


@dataclass(frozen=True, slots=True, eq=False)
class Hearts:
    """Simulated subjects.

    Attributes:
        cines: In [-1, 1], (n, T, H, W).
        areas_cm2: LV area at end-diastole, (n,).
        edv_ml: LV end-diastolic volume, (n,).
    """

    cines: Tensor
    areas_cm2: NDArray[np.float64]
    edv_ml: NDArray[np.float64]


class Kept(NamedTuple):
    """Correlations of the area that was read with truths of the same subjects."""

    edv: float
    area: float


def simulated(seed: int, count: int) -> Hearts:
    """The first subjects of a seed."""
    latents = SubjectBatch(seed, range(count), "demo").latents
    subjects = [latents.subject(index) for index in range(count)]
    cines = [simulate_cine(seed, index, one, TEN_FRAMES) for index, one in enumerate(subjects)]
    pixels = torch.from_numpy(np.stack(cines)).float() / 127.5 - 1
    areas = [
        chamber_areas_cm2(seed, index, one, TEN_FRAMES)["lv"][0]
        for index, one in enumerate(subjects)
    ]
    views = torch.nn.functional.avg_pool2d(pixels, 2)
    return Hearts(views, np.array(areas), np.asarray(latents.heart.lv_edv_ml, np.float64))


@torch.no_grad()
def reconstructed(weights: str, cines: Tensor) -> Tensor:
    """Cines (n, T, H, W) through an autoencoder, without the noise of its latents."""
    autoencoder: Any = cn.load(weights, "autoencoder")
    parts = [
        autoencoder.decode(autoencoder.encode(part[:, None]).mean) for part in cines.split(BATCH)
    ]
    return torch.cat(parts)[:, 0]


def end_diastolic(cines: Tensor) -> NDArray[np.float32]:
    """The first frame of each, in a row."""
    return cines[:, 0].flatten(1).numpy()


def rows(weights: list[str], hearts: Hearts, taught: int) -> Iterator[str]:
    """Lines of the table: true cines, then each autoencoder."""
    reader = make_pipeline(PCA(COMPONENTS, random_state=0), RidgeCV(PENALTIES))
    reader.fit(end_diastolic(hearts.cines[:taught]), hearts.areas_cm2[:taught])
    cines = hearts.cines[taught:]

    def kept(seen: Tensor) -> Kept:
        read = reader.predict(end_diastolic(seen))
        truths = (hearts.edv_ml[taught:], hearts.areas_cm2[taught:])
        return Kept(*(float(np.corrcoef(read, truth)[0, 1]) for truth in truths))

    yield line("true cine", ["-"] * len(METRICS), kept(cines))
    for name in weights:
        seen = reconstructed(name, cines)
        found = {row.name: row for row in cine_rows(seen.numpy(), cines.numpy())}
        texts = [
            f"{row.estimate:.3f} ({row.low:.3f} to {row.high:.3f})"
            for row in (found[metric] for metric in METRICS)
        ]
        yield line(name, texts, kept(seen))


def line(name: str, metrics: list[str], kept: Kept) -> str:
    """One row of the table."""
    return f"| {' | '.join([name, *metrics, f'{kept.edv:.3f}', f'{kept.area:.3f}'])} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", nargs="+", help="runs, zoo ids or files of autoencoders")
    parser.add_argument("--seed", type=int, default=1234, help="of the simulator")
    parser.add_argument("--reader", type=int, default=800, help="subjects that teach the reader")
    parser.add_argument("--subjects", type=int, default=400, help="subjects that are read")
    given = parser.parse_args()
    hearts = simulated(given.seed, given.reader + given.subjects)
    print(f"{given.subjects} simulated subjects; means with 95 % bootstrap intervals\n")
    print(f"| cines | {' | '.join(METRICS)} | r(EDV) | r(area) |")
    print(f"|{'---|' * (len(METRICS) + 3)}")
    for text in rows(given.weights, hearts, given.reader):
        print(text, flush=True)


if __name__ == "__main__":
    main()
