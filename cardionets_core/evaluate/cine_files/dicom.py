"""DICOM: one multi-frame grayscale Secondary Capture, which says that it is none of a patient's."""

from __future__ import annotations

import hashlib
import io
import uuid
from dataclasses import astuple
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import (
    ExplicitVRLittleEndian,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
)

from cardionets_core.evaluate.cine_files.about import CineAbout
from cardionets_core.evaluate.cine_files.pictures import to_grey

_FRAME_TIME = Tag(0x0018, 0x1063)
_LONG_STRING = 64


def encode(cine: NDArray[np.float32], about: CineAbout) -> bytes:
    """A cine (T, H, W) in [-1, 1] as a DICOM file, 8 bits a pixel as cohorts store them.

    It holds nothing of a patient and no date; its ids follow from its content.
    """
    pixels = to_grey(cine).tobytes()
    content = hashlib.sha256(pixels + repr(astuple(about)).encode()).digest()
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    _identify(dataset, content)
    _say_what_it_is(dataset, about)
    _set_pixels(dataset, cine.shape, pixels, about)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta = meta
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _identify(dataset: Dataset, content: bytes) -> None:
    dataset.SOPClassUID = MultiFrameGrayscaleByteSecondaryCaptureImageStorage
    dataset.SOPInstanceUID = _uid(content, "instance")
    dataset.StudyInstanceUID = _uid(content, "study")
    dataset.SeriesInstanceUID = _uid(content, "series")
    # Required, and empty where nothing is known.
    for keyword in (
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "ReferringPhysicianName",
        "StudyID",
        "PatientBirthDate",
        "PatientSex",
        "PatientOrientation",
    ):
        setattr(dataset, keyword, "")
    dataset.SeriesNumber = dataset.InstanceNumber = 1


def _say_what_it_is(dataset: Dataset, about: CineAbout) -> None:
    kind = about.kind
    dataset.PatientName = dataset.PatientID = kind or "ANONYMOUS"
    if not kind:
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = "pixels alone were taken over"
    dataset.ImageType = ["DERIVED", "SECONDARY", *filter(None, [kind])]
    dataset.SyntheticData = "YES" if kind else "NO"
    dataset.ConversionType = "SYN" if kind else "WSD"
    dataset.Modality = "OT"
    dataset.Manufacturer = "cardionets"
    dataset.SoftwareVersions = version("cardionets")
    dataset.SeriesDescription = f"{about.mark} 4-chamber cine"[:_LONG_STRING].strip()
    dataset.DerivationDescription = about.what[:1024]
    dataset.ImageComments = "; ".join(about.notes)
    dataset.BurnedInAnnotation = "NO"
    dataset.RecognizableVisualFeatures = "NO"
    dataset.LossyImageCompression = "00"


def _set_pixels(dataset: Dataset, shape: tuple[int, ...], pixels: bytes, about: CineAbout) -> None:
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = shape
    dataset.FrameIncrementPointer = _FRAME_TIME
    dataset.FrameTime = f"{about.frame_s(shape[0]) * 1000:.6g}"
    dataset.RecommendedDisplayFrameRate = round(1 / about.frame_s(shape[0]))
    if about.pixel_mm is not None:
        dataset.PixelSpacing = [f"{about.pixel_mm:.6g}"] * 2
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.WindowCenter, dataset.WindowWidth = 128, 256
    # An odd number of bytes is not allowed.
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)


def _uid(content: bytes, what: str) -> str:
    """A UUID of the content as a DICOM UID, under the root 2.25 that is free for these."""
    digest = hashlib.sha256(content + what.encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"
