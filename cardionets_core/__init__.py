"""cardionets: teach a 12-lead ECG what a cardiac MRI knows.

The public names below are imported on first use, so that ``import cardionets_core`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cardionets_core.cohort.reader import Cohort as Cohort
    from cardionets_core.cohort.reader import open_cohort as open_cohort
    from cardionets_core.ecg.record import EcgRecord as EcgRecord
    from cardionets_core.evaluate.embedding import embed as embed
    from cardionets_core.evaluate.predicting import load_predictor as load_predictor
    from cardionets_core.evaluate.predicting import predict as predict
    from cardionets_core.hookspecs import hookimpl as hookimpl
    from cardionets_core.interfaces import Diagnosis as Diagnosis
    from cardionets_core.interfaces import Features as Features
    from cardionets_core.interfaces import LossAndLog as LossAndLog
    from cardionets_core.interfaces import Subject as Subject
    from cardionets_core.interfaces import SubjectRef as SubjectRef
    from cardionets_core.options import build as build
    from cardionets_core.reading import read_ecg as read_ecg
    from cardionets_core.spec import ComponentSpec as ComponentSpec
    from cardionets_core.weights.load import load as load

_HOME = {
    "Cohort": "cohort.reader",
    "ComponentSpec": "spec",
    "Diagnosis": "interfaces",
    "EcgRecord": "ecg.record",
    "Features": "interfaces",
    "LossAndLog": "interfaces",
    "Subject": "interfaces",
    "SubjectRef": "interfaces",
    "build": "options",
    "embed": "evaluate.embedding",
    "hookimpl": "hookspecs",
    "load": "weights.load",
    "load_predictor": "evaluate.predicting",
    "open_cohort": "cohort.reader",
    "predict": "evaluate.predicting",
    "read_ecg": "reading",
}
__all__ = sorted(_HOME)  # noqa: PLE0605 - the table above is the one place for the names


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
