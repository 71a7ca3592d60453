"""Every first-party component keeps its contract: what is registered is tested.

A new component needs a line in the table of its kind below, or its test fails and says so.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

import cardionets_core as cn
from cardionets_core.plugins import FIRST_PARTY
from cardionets_core.registry import default_registry
from cardionets_core.spec import TargetKind
from cardionets_core.testing import conformance, made_up_ecg

REGISTRY = default_registry()


def ours(provided):
    names = [offered.name for offered in provided if offered.distribution == FIRST_PARTY]
    return names or [pytest.param("", marks=pytest.mark.skip("none of ours is registered yet"))]


def small(table, name):
    """Options that make a component small, or a failure that says where they are missing."""
    if name not in table:
        pytest.fail(f"{name!r} is registered and not tested: give it a line in this file")
    return table[name]


# Encoders: options of a small one.
ENCODERS = {
    "stmem": {"size": "tiny", "patch_samples": 50, "num_samples": 250, "sampling_rate_hz": 100},
    "vit-cmr": {
        "size": "tiny", "frame_start": 2, "frame_step": 10, "spatial_pool": 4, "patch": 8,
        "pooling": "flatten",
    },
}  # fmt: skip
# Aligners and heads: likewise.
ALIGNERS = {
    "infonce": {"projection_dim": 16},
    "weighted-infonce": {"projection_dim": 16, "pca_components": 6},
}
# Autoencoders: likewise.
AUTOENCODERS = {
    "vae3d": {
        "frame_start": 2, "frame_step": 5, "spatial_pool": 4, "latent_channels": 4, "channels": 8,
        "multipliers": (1, 2), "groups": 4, "encoder_blocks": 1, "decoder_blocks": 1,
        "attention": False, "attention_heads": 4, "perceptual": "none",
    },
}  # fmt: skip
LATENT = {"latent_channels": 4, "latent_frames": 5, "latent_size": 12}
MAR = {
    **LATENT, "patch_frames": 5, "patch_size": 6, "width": 16, "depth": 1, "heads": 2,
    "decoder_width": 16, "decoder_depth": 1, "decoder_heads": 2, "denoiser_width": 16,
    "denoiser_depth": 1, "iterations": 2, "sample_steps": 4, "sampling_precision": "32",
}  # fmt: skip
SEEN = {"frame_start": 2, "frame_step": 5, "spatial_pool": 4}
# Generators: likewise.
GENERATORS = {
    "mar": MAR,
    "cpgg": {**MAR, "prior_steps": 20, "prior_width": 8, "prior_latent": 2},
    "cross-ae": {**LATENT, "channels": 8, "levels": 1, "hidden": 16, "shared_dim": 8},
    "mean-cine": SEEN,
    "nearest-cine": {**SEEN, "bank_size": 10},
}
HEADS = {"linear": {}, "mlp": {"widths": (16, 8)}, "attention": {"heads": 4}}


@pytest.mark.parametrize("name", ours(REGISTRY.components("encoder")))
@conformance("encoder")
def test_every_encoder_keeps_its_contract(check, name):
    check(partial(cn.build, "encoder", name, **small(ENCODERS, name)))


@pytest.mark.parametrize("name", ours(REGISTRY.components("aligner")))
@conformance("aligner")
def test_every_aligner_keeps_its_contract(check, name):
    check(partial(cn.build, "aligner", name, **small(ALIGNERS, name)))


@pytest.mark.parametrize("name", ours(REGISTRY.components("autoencoder")))
@conformance("autoencoder")
def test_every_autoencoder_keeps_its_contract(check, name):
    check(partial(cn.build, "autoencoder", name, **small(AUTOENCODERS, name)))


def phenotypes():
    """Of simulated subjects, (12, 82)."""
    from cardionets_simulated.subject import SubjectBatch

    return torch.from_numpy(SubjectBatch(5, range(12)).phenotypes)


@pytest.mark.parametrize("name", ours(REGISTRY.components("generator")))
@conformance("generator")
def test_every_generator_keeps_its_contract(check, name):
    build = partial(cn.build, "generator", name, **small(GENERATORS, name))
    needs = {need.role for need in REGISTRY.find("generator", name).spec.needs}
    autoencoder = partial(cn.build, "autoencoder", "vae3d", **small(AUTOENCODERS, "vae3d"))
    check(
        build,
        uses={"autoencoder": autoencoder} if "autoencoder" in needs else {},
        conditions=phenotypes() if name == "cpgg" else None,
    )


@pytest.mark.parametrize("kind", get_args(TargetKind))
@pytest.mark.parametrize("name", ours(REGISTRY.components("head")))
@conformance("head")
def test_every_head_keeps_its_contract(check, name, kind):
    check(partial(cn.build, "head", name, **small(HEADS, name)), kind=kind)


def wfdb_record(folder, name="r1", seed=0):
    import wfdb

    record = made_up_ecg(seed=seed)
    folder.mkdir(exist_ok=True)
    wfdb.wrsamp(
        name,
        fs=record.sampling_rate_hz,
        units=["mV"] * 12,
        sig_name=list(record.leads),
        p_signal=record.signal_mv.T.astype(np.float64),
        fmt=["16"] * 12,
        adc_gain=[200.0] * 12,
        baseline=[0] * 12,
        comments=["Age: 61", "Sex: Female", "Dx: 426783006"],
        write_dir=str(folder),
    )
    return folder / f"{name}.hea"


def wfdb_folder(folder):
    wfdb_record(folder, "r1", seed=1)
    wfdb_record(folder, "r2", seed=2)
    return {"source": folder}


def made_up_release(folder, plugin):
    """A small source by the maker beside the dataset's own tests."""
    maker = f"made_up_{plugin}"
    source = Path(__file__).parent / plugin / f"{maker}.py"
    spec = importlib.util.spec_from_file_location(maker, source)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.write(folder)


def hospital_archive(folder):
    """A WFDB record, a table, a DICOM ECG and a cine, with labels of all that may be known."""
    wfdb_record(folder, "r1", seed=1)
    csv_file(folder)
    (folder / "dicom").mkdir()
    vendor_file(folder / "dicom", "made_up_dicom")
    makers = Path(__file__).parents[1] / "core" / "cmr" / "made_up_cine_dicom.py"
    spec = importlib.util.spec_from_file_location("made_up_cine_dicom", makers)
    cines = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cines)
    (folder / "cmr").mkdir()
    for number, content in enumerate(cines.files_of(cines.phantom())):
        (folder / "cmr" / str(number)).write_bytes(content)
    labels = folder.with_name("labels.csv")
    labels.write_text(
        "file,patient_id,label,acquired_at,split,cmr_path,sex,age_years,icd10,24100\n"
        "r1.hea,p1,2,2024-03-14,,,female,61,I42.0;I50,150\n"
        "dicom/r1.dcm,p2,1,2024-03-14,test,cmr,male,,-,\n"
        "r1.csv,p1,,,,,,,,\n"
    )
    return {"source": folder, "labels": labels, "table_units": "mV", "table_rate_hz": 500.0}


# Datasets: what makes a small source in a folder and gives the options to read it.
DATASETS = {
    "simulated": lambda _: {"subjects": 4},
    "wfdb": wfdb_folder,
    "mimic": partial(made_up_release, plugin="mimic"),
    "ukb": partial(made_up_release, plugin="ukb"),
    "hospital": hospital_archive,
}


@pytest.mark.parametrize("name", ours(REGISTRY.components("dataset")))
@conformance("dataset")
def test_every_dataset_keeps_its_contract(check, name, tmp_path):
    check(cn.build("dataset", name, **small(DATASETS, name)(tmp_path / "source")))


def npy_file(folder):
    np.save(folder / "r1.npy", made_up_ecg().signal_mv)
    return folder / "r1.npy"


def csv_file(folder):
    record = made_up_ecg(seconds=2)
    header = ",".join(record.leads)
    np.savetxt(folder / "r1.csv", record.signal_mv.T, "%.3f", ",", header=header, comments="")
    return folder / "r1.csv"


def vendor_file(folder, maker, **options):
    """A file of the made-up ECG, by the maker of that name beside the formats' own tests."""
    source = Path(__file__).parent / "formats" / f"{maker}.py"
    spec = importlib.util.spec_from_file_location(maker, source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    counts = np.round(made_up_ecg().signal_mv / 0.0025).astype(np.int16)
    return module.write(folder, counts, **options)


DECLARED = {"units": "mV", "sampling_rate_hz": 500.0}
# ECG formats: what makes a file in a folder, and what has to be declared about it.
ECG_FORMATS = {
    "wfdb": (wfdb_record, {}),
    "npy": (npy_file, {**DECLARED, "leads": made_up_ecg(seconds=1).leads}),
    "csv": (csv_file, DECLARED),
    "dicom-ecg": (partial(vendor_file, maker="made_up_dicom"), {}),
    "scp-ecg": (partial(vendor_file, maker="made_up_scp"), {}),
    "aecg": (partial(vendor_file, maker="made_up_xml", kind="aecg"), {}),
    "muse-xml": (partial(vendor_file, maker="made_up_xml", kind="muse"), {}),
    "philips-xml": (partial(vendor_file, maker="made_up_xml", kind="philips"), {}),
    "cardiosoft-xml": (partial(vendor_file, maker="made_up_xml", kind="cardiosoft"), {}),
}


@pytest.mark.parametrize("name", ours(REGISTRY.ecg_formats()))
@conformance("ecg-format")
def test_every_ecg_format_keeps_its_contract(check, name, tmp_path):
    make, declared = small(ECG_FORMATS, name)
    check(REGISTRY.ecg_format(name).spec, make(tmp_path), **declared)


@pytest.mark.parametrize("name", ours(REGISTRY.tasks()))
@conformance("task")
def test_every_task_keeps_its_contract(check, name):
    check(REGISTRY.task(name).spec)


@pytest.mark.parametrize("name", ours(REGISTRY.variants()))
@conformance("variant")
def test_every_variant_keeps_its_contract(check, name):
    check(REGISTRY.variant(name).spec)


def test_every_kind_that_is_registered_has_conformance_checks():
    from cardionets_core.testing import checks_of

    for kind in {component.spec.kind for component in REGISTRY.components()}:
        assert checks_of(kind)
