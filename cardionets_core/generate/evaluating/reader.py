"""What a CMR encoder, and where there is one a phenotype head, make of cines in the frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cardionets_core.cmr.phenotypes import PHENOTYPES
from cardionets_core.errors import WeightsError
from cardionets_core.generate.evaluating.frame import Frame, view_digest
from cardionets_core.registry import Registry
from cardionets_core.weights.atomic import sha256_of
from cardionets_core.weights.header import WeightsHeader, read_header
from cardionets_core.weights.load import load_part

Show = Callable[[Tensor], Tensor]


def shown_to(encoder: Any, frame: Frame) -> Show:
    """How views in the frame are shown to a CMR encoder.

    Real and generated cines go the same way: as they are where the encoder's own view of a cine
    is the frame's, and as canonical cines otherwise.
    """
    if view_digest(encoder) == frame.digest:
        return lambda views: views
    return lambda views: torch.as_tensor(encoder.view(frame.restore(views)))


class PhenotypeHead:
    """A downstream run that predicts the 82 phenotypes from a cine.

    Args:
        path: Its weights file.
        name: What to call it.
        registry: The plugins.

    Raises:
        WeightsError: If it predicts something else, or not from a cine.
    """

    def __init__(self, path: Path, name: str, registry: Registry) -> None:
        self.header: WeightsHeader = read_header(path)
        role = self._role(name)
        task = self.header.tasks[role]
        self._order = [task.outputs.index(phenotype.name) for phenotype in PHENOTYPES]
        self.encoder: Any = load_part(path, task.encoder, registry=registry)
        self.head: Any = load_part(path, role, registry=registry)
        self.encoder.eval()
        self.head.eval()
        modality = str(self.encoder.modality)
        if modality != "cmr":
            raise WeightsError(
                f"--regressor {name} reads {modality.upper()}; name a run of "
                "`cardionets train --variant cmr-ref --task phenotypes`"
            )
        self.sha256 = sha256_of(path)

    def _role(self, name: str) -> str:
        wanted = {phenotype.name for phenotype in PHENOTYPES}
        for role, task in self.header.tasks.items():
            if wanted <= set(task.outputs):
                return role
        found = ", ".join(task.name for task in self.header.tasks.values()) or "no task"
        raise WeightsError(
            f"--regressor {name} predicts {found}, and the 82 phenotypes are needed; name a run "
            "of `cardionets train --variant cmr-ref --task phenotypes`, or leave it out"
        )

    def to(self, device: torch.device) -> None:
        """Compute on another device."""
        self.encoder.to(device)
        self.head.to(device)

    def predict(self, shown: Tensor) -> Tensor:
        """What the encoder is shown, (b, ...), to phenotypes in field order and units, (b, 82)."""
        outputs = self.head(self.encoder(shown)).float()
        return torch.as_tensor(self.head.predict(outputs))[:, self._order]


class CineReader:
    """Reads cines in the frame: a row of numbers each.

    Args:
        encoder: The CMR encoder whose pooled features are read, in evaluation mode.
        identity: Hash of its weights.
        frame: What cines are shown in.
        device: Where to compute; modules are moved there.
        head: What predicts phenotypes besides, or None.
    """

    def __init__(
        self,
        encoder: Any,
        identity: str,
        frame: Frame,
        device: torch.device,
        head: PhenotypeHead | None = None,
    ) -> None:
        self._encoder, self._device, self._head = encoder.to(device), device, head
        self._show, self._show_head = shown_to(encoder, frame), None
        self.key = [identity, frame.digest, None if head is None else head.sha256]
        self._width = int(encoder.pooled_dim)
        if head is not None:
            head.to(device)
            self._show_head = shown_to(head.encoder, frame)

    @property
    def width(self) -> int:
        """Numbers per cine."""
        return self._width + (0 if self._head is None else len(PHENOTYPES))

    @torch.no_grad()
    def read(self, views: Tensor) -> NDArray[np.float32]:
        """Views (b, T, H, W) to rows (b, width)."""
        parts = [self._encoder(self._show(views).to(self._device)).pooled.float()]
        if self._head is not None and self._show_head is not None:
            parts.append(self._head.predict(self._show_head(views).to(self._device)).float())
        found: NDArray[np.float32] = torch.cat(parts, dim=1).cpu().numpy()
        return found

    def features(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The encoder's features in rows (n, width): (n, P)."""
        return rows[:, : self._width]

    def phenotypes(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The head's phenotypes in rows (n, width): (n, 82)."""
        return rows[:, self._width :]

    @property
    def has_head(self) -> bool:
        """Whether phenotypes come from a head, and need no regression on the features."""
        return self._head is not None
