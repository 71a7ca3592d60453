"""What cines are measured with: a CMR encoder, and a phenotype head where one is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from cardionets_core.cohort.guard import Fingerprints
from cardionets_core.errors import UsageError, WeightsError
from cardionets_core.generate.evaluating.frame import Frame
from cardionets_core.generate.evaluating.reader import CineReader, PhenotypeHead
from cardionets_core.generate.evaluating.request import EvaluationRequest
from cardionets_core.generate.loading import LoadedGenerator
from cardionets_core.registry import Registry
from cardionets_core.weights.ancestry import ancestry_of
from cardionets_core.weights.atomic import sha256_of
from cardionets_core.weights.fetch import resolve
from cardionets_core.weights.header import WeightsHeader, read_header
from cardionets_core.weights.lineage import public_command
from cardionets_core.weights.load import load

_TINY = "tiny"
SHIPPED_ENCODER = "vit-cmr-tiny-simulated"


@dataclass(frozen=True, slots=True, eq=False)
class Instruments:
    """Frozen models that look at real and generated cines alike.

    Attributes:
        encoder: CMR encoder whose features are compared.
        encoder_name: What to call it.
        sha256: Of its weights.
        head: What predicts phenotypes from cines, or None for a ridge regression.
        head_name: What to call it, or an empty text.
        headers: Of all their weights.
        seen: Name to what its lineage was trained on.
    """

    encoder: Any
    encoder_name: str
    sha256: str
    head: PhenotypeHead | None
    head_name: str
    headers: list[WeightsHeader]
    seen: dict[str, Fingerprints]

    def reader(self, frame: Frame, device: torch.device) -> CineReader:
        """What reads cines in the frame."""
        return CineReader(self.encoder, self.sha256, frame, device, self.head)


def find_instruments(
    request: EvaluationRequest, first: LoadedGenerator, registry: Registry
) -> Instruments:
    """Load them.

    Args:
        request: What is asked.
        first: The generator that is evaluated; its preset says whether the shipped encoder serves.
        registry: The plugins.

    Raises:
        UsageError: If no encoder is named and the shipped one does not serve.
        WeightsError: If weights are of another kind than needed.
    """
    name = request.cmr_encoder or _shipped(first)
    path = resolve(name, offline=request.offline, registry=registry)
    role = _encoder_role(name, read_header(path), registry)
    encoder = load(path, role, registry=registry)
    headers, seen = [encoder.header], {name: ancestry_of(path, encoder.header)}
    head = None
    if request.regressor is not None:
        found = resolve(request.regressor, offline=request.offline, registry=registry)
        head = PhenotypeHead(found, request.regressor, registry)
        headers.append(head.header)
        seen[request.regressor] = ancestry_of(found, head.header)
    return Instruments(
        encoder=encoder,
        encoder_name=f"pooled features of {public_command([name])}",
        sha256=sha256_of(path),
        head=head,
        head_name=public_command([request.regressor]) if request.regressor else "",
        headers=headers,
        seen=seen,
    )


def _shipped(first: LoadedGenerator) -> str:
    """The shipped CMR encoder, where the generator is one of the small preset."""
    preset = first.header.lineage[-1].preset if first.header.lineage else None
    if preset == _TINY:
        return SHIPPED_ENCODER
    raise UsageError(
        f"{first.name} was trained with preset {preset or 'unknown'}, and the shipped CMR encoder "
        f"serves {_TINY} alone; name one with --cmr-encoder RUN, of `cardionets train --encoder "
        "vit-cmr`"
    )


def _encoder_role(name: str, header: WeightsHeader, registry: Registry) -> str:
    """Role of the CMR encoder in a weights file."""
    for role, part in header.parts.items():
        if part.kind == "encoder" and _modality(part.component, registry) == "cmr":
            return role
    raise WeightsError(
        f"--cmr-encoder {name} holds {', '.join(header.parts)} and no CMR encoder; name a run of "
        "`cardionets train --encoder vit-cmr`"
    )


def _modality(component: str, registry: Registry) -> str | None:
    return registry.find("encoder", component).spec.modality
