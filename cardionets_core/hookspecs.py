"""The hooks a plugin may implement; each docstring is the documentation.

A plugin is a module (or object) named by an entry point in the group ``cardionets.v1``. It marks
its functions with ``hookimpl`` and returns declarations: plain data that says what there is and
where it can be imported from. Nothing here, and nothing in a plugin's ``plugin.py``, may import
torch or numpy.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from cardionets_core.spec import (
    ComponentSpec,
    ConverterSpec,
    EcgFormat,
    TaskSpec,
    VariantSpec,
    ZooEntry,
)

PROJECT = "cardionets"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def cardionets_encoders() -> Iterable[ComponentSpec]:
    """Encoders: a signal or a cine to token embeddings.

    Example::

        @hookimpl
        def cardionets_encoders():
            yield ComponentSpec(
                name="resnet1d", kind="encoder", modality="ecg", summary="A residual CNN",
                config="my_package.config:ResNetConfig", target="my_package.resnet:ResNet",
            )
    """
    return ()


@hookspec
def cardionets_aligners() -> Iterable[ComponentSpec]:
    """Aligners: what draws ECG embeddings to frozen CMR embeddings.

    Example::

        @hookimpl
        def cardionets_aligners():
            yield ComponentSpec(
                name="cosine", kind="aligner", summary="Cosine regression, no negatives",
                config="my_package.config:CosineConfig", target="my_package.cosine:Cosine",
            )
    """
    return ()


@hookspec
def cardionets_autoencoders() -> Iterable[ComponentSpec]:
    """Autoencoders: a cine to a latent and back.

    Example::

        @hookimpl
        def cardionets_autoencoders():
            yield ComponentSpec(
                name="vqvae3d", kind="autoencoder", summary="A vector-quantised 3D autoencoder",
                config="my_package.config:VqVaeConfig", target="my_package.vqvae:VqVae",
            )
    """
    return ()


@hookspec
def cardionets_generators() -> Iterable[ComponentSpec]:
    """Generators: a condition, such as an ECG's feature, to a cine.

    Example::

        @hookimpl
        def cardionets_generators():
            yield ComponentSpec(
                name="flow3d", kind="generator", summary="Flow matching on a whole latent",
                config="my_package.config:Flow3dConfig", target="my_package.flow3d:Flow3d",
                needs=(
                    Need(role="encoder", kind="encoder", default="stmem", variant="cardionets"),
                    Need(role="autoencoder", kind="autoencoder", default="vae3d"),
                ),
            )
    """
    return ()


@hookspec
def cardionets_heads() -> Iterable[ComponentSpec]:
    """Heads: an encoder's features to a task's output.

    Example::

        @hookimpl
        def cardionets_heads():
            yield ComponentSpec(
                name="ordinal", kind="head", summary="Cumulative-link ordinal regression",
                config="my_package.config:OrdinalConfig", target="my_package.ordinal:Ordinal",
            )
    """
    return ()


@hookspec
def cardionets_datasets() -> Iterable[ComponentSpec]:
    """Datasets: what turns a source into the subjects of a cohort.

    The option model's fields become the flags of ``cardionets prepare NAME``.

    Example::

        @hookimpl
        def cardionets_datasets():
            yield ComponentSpec(
                name="ptbxl", kind="dataset", summary="PTB-XL, a folder of WFDB records",
                config="my_package.config:PtbXlConfig", target="my_package.ptbxl:PtbXl",
            )
    """
    return ()


@hookspec
def cardionets_tasks() -> Iterable[TaskSpec]:
    """Tasks: what is predicted, from diagnoses, phenotypes or columns of a cohort.

    Example::

        @hookimpl
        def cardionets_tasks():
            yield TaskSpec(
                name="amyloidosis", summary="Amyloidosis (E85)", target="binary",
                outputs=("amyloidosis",), codes=(("E85",),),
            )
    """
    return ()


@hookspec
def cardionets_variants() -> Iterable[VariantSpec]:
    """Variants: ways to initialise the encoder of a downstream task.

    Example::

        @hookimpl
        def cardionets_variants():
            yield VariantSpec(
                name="sex-sup", label="Sex_sup", summary="Supervised by sex first",
                stages=(
                    LineageStage(
                        name="sex-sup", task="sex",
                        components={"encoder": USERS_ENCODER, "head": "linear"},
                    ),
                ),
            )
    """
    return ()


@hookspec
def cardionets_ecg_formats() -> Iterable[EcgFormat]:
    """ECG file formats that ``cn.read_ecg`` recognises by content.

    Example::

        @hookimpl
        def cardionets_ecg_formats():
            yield EcgFormat(
                name="ishne", sniff=lambda head: head.startswith(b"ISHNE1.0"),
                target="my_package.ishne:read", summary="ISHNE Holter",
            )
    """
    return ()


@hookspec
def cardionets_zoo_entries() -> Iterable[ZooEntry]:
    """Released weights, each with its hash, licence and card.

    Example::

        @hookimpl
        def cardionets_zoo_entries():
            yield ZooEntry(
                name="stmem-mycohort", kind="encoder", summary="ST-MEM, 10,000 of our ECGs",
                sources=("https://example.org/stmem-mycohort.safetensors",),
                sha256="0" * 64, size_bytes=1_000_000, licence="CC-BY-4.0",
                transform_hash=None, card="package:my_package/cards/stmem-mycohort.md",
            )
    """
    return ()


@hookspec
def cardionets_weight_converters() -> Iterable[ConverterSpec]:
    """Converters of other projects' checkpoints, run by ``cardionets zoo import NAME FILE``.

    Example::

        @hookimpl
        def cardionets_weight_converters():
            yield ConverterSpec(
                name="other-model", summary="Published weights of Other (CC BY 4.0)",
                target="my_package.convert:import_other",
            )
    """
    return ()
