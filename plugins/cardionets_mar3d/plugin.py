"""Hook implementations: the autoencoder, the generators and their baselines."""

from __future__ import annotations

from collections.abc import Iterable

from cardionets_core.hookspecs import hookimpl
from cardionets_core.spec import ComponentSpec, Need

ENCODER = Need(
    role="encoder",
    kind="encoder",
    default="stmem",
    zoo={"tiny": "cardionets-tiny-simulated"},
    variant="cardionets",
)
ALIGNER = Need(
    role="aligner",
    kind="aligner",
    default="weighted-infonce",
    only_if=("condition", "ecg-projected"),
    beside="encoder",
)
AUTOENCODER = Need(
    role="autoencoder",
    kind="autoencoder",
    default="vae3d",
    zoo={"tiny": "vae3d-tiny-simulated"},
)


@hookimpl
def cardionets_autoencoders() -> Iterable[ComponentSpec]:
    """The 3D variational autoencoder."""
    yield ComponentSpec(
        name="vae3d",
        kind="autoencoder",
        summary="3D convolutional variational autoencoder of a cine",
        config="cardionets_mar3d.vae_config:Vae3dConfig",
        target="cardionets_mar3d.vae:Vae3d",
        needs=(
            Need(
                role="cmr_encoder",
                kind="encoder",
                default="vit-cmr",
                zoo={"tiny": "vit-cmr-tiny-simulated"},
                only_if=("perceptual", "cmr-encoder"),
            ),
        ),
        default_for="autoencoder",
    )


@hookimpl
def cardionets_generators() -> Iterable[ComponentSpec]:
    """Masked autoregressive generation, and what it has to beat."""
    yield ComponentSpec(
        name="mar",
        kind="generator",
        summary="Masked autoregressive generation of the latent, each token by diffusion or flow",
        config="cardionets_mar3d.mar_config:MarConfig",
        target="cardionets_mar3d.mar:Mar",
        needs=(ENCODER, ALIGNER, AUTOENCODER),
        default_for="generator",
    )
    yield ComponentSpec(
        name="cpgg",
        kind="generator",
        summary="mar conditioned on 82 phenotypes, with a phenotype VAE that draws them",
        config="cardionets_mar3d.mar_config:CpggConfig",
        target="cardionets_mar3d.cpgg:Cpgg",
        needs=(AUTOENCODER,),
    )
    yield ComponentSpec(
        name="cross-ae",
        kind="generator",
        summary="Baseline: a cross-modal autoencoder of ECG feature and cine latent",
        config="cardionets_mar3d.baseline_config:CrossAeConfig",
        target="cardionets_mar3d.cross_ae:CrossAe",
        needs=(ENCODER, ALIGNER, AUTOENCODER),
    )
    yield ComponentSpec(
        name="mean-cine",
        kind="generator",
        summary="Baseline: the mean training cine, whatever the ECG",
        config="cardionets_mar3d.baseline_config:MeanCineConfig",
        target="cardionets_mar3d.mean_cine:MeanCine",
        needs=(ENCODER,),
    )
    yield ComponentSpec(
        name="nearest-cine",
        kind="generator",
        summary="Baseline: the cine of the training subject with the most similar ECG feature",
        config="cardionets_mar3d.baseline_config:NearestCineConfig",
        target="cardionets_mar3d.nearest_cine:NearestCine",
        needs=(ENCODER, ALIGNER),
    )
