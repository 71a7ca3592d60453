"""The variants that the paper compares, and a negative control.

Stages of one name are one run: what several variants share is trained once.
"""

from __future__ import annotations

from cardionets_core.spec import USERS_ENCODER, LineageStage, VariantSpec

_SSL = LineageStage(name="ssl", components={"encoder": USERS_ENCODER})
_CMR_SSL = LineageStage(name="cmr-ssl", components={"encoder": "vit-cmr"})


def _phenotypes_first(name: str, **starts: str) -> LineageStage:
    """Supervised by the phenotypes, from random weights or from an earlier stage."""
    return LineageStage(
        name=name,
        components={"encoder": USERS_ENCODER, "head": "linear"},
        starts=starts,
        task="phenotypes",
    )


def _aligned(name: str, aligner: str, *, shuffle_pairs: bool = False) -> tuple[LineageStage, ...]:
    """Both encoders self-supervised, then the ECG's drawn to the frozen CMR's."""
    alignment = LineageStage(
        name=name,
        components={"encoder": USERS_ENCODER, "aligner": aligner},
        starts={"encoder": _SSL.name, "cmr_encoder": _CMR_SSL.name},
        shuffle_pairs=shuffle_pairs,
    )
    return (_SSL, _CMR_SSL, alignment)


VARIANTS: tuple[VariantSpec, ...] = (
    VariantSpec(name="scratch", label="Scratch", summary="Random weights"),
    VariantSpec(
        name="ssl",
        label="SSL",
        summary="Self-supervised on ECGs alone",
        stages=(_SSL,),
        zoo={"tiny": "stmem-tiny-simulated"},
    ),
    VariantSpec(
        name="phen-sup",
        label="Phen_sup",
        summary="Supervised by the 82 phenotypes first, from random weights",
        stages=(_phenotypes_first("phen-sup"),),
        not_for=("phenotypes",),
    ),
    VariantSpec(
        name="cardionets",
        label="CardioNets",
        summary="Self-supervised, then aligned with frozen CMR embeddings by weighted InfoNCE",
        stages=_aligned("weighted-infonce", "weighted-infonce"),
        zoo={"tiny": "cardionets-tiny-simulated"},
    ),
    VariantSpec(
        name="cmr-ref",
        label="CMR Ref",
        summary="The CMR encoder itself, for subjects with a cine: what CMR can tell",
        modality="cmr",
        stages=(_CMR_SSL,),
        zoo={"tiny": "vit-cmr-tiny-simulated"},
        encoder="vit-cmr",
    ),
    VariantSpec(
        name="phen-sup-ssl",
        label="Phen_sup (SSL)",
        summary="Supervised by the 82 phenotypes first, from self-supervised weights",
        stages=(_SSL, _phenotypes_first("phen-sup-ssl", encoder=_SSL.name)),
        not_for=("phenotypes",),
    ),
    VariantSpec(
        name="infonce",
        label="InfoNCE",
        summary="As cardionets, aligned by plain InfoNCE",
        stages=_aligned("infonce", "infonce"),
    ),
    VariantSpec(
        name="shuffled",
        label="Shuffled pairs",
        summary="As cardionets, every ECG aligned with another subject's CMR: must gain nothing",
        stages=_aligned("weighted-infonce-shuffled", "weighted-infonce", shuffle_pairs=True),
        control=True,
    ),
)
