"""Errors a user can cause: each says what was found, what was needed and the remedy."""

from __future__ import annotations


class CardionetsError(Exception):
    """Base of every error that the command line shows as one line.

    Attributes:
        exit_code: What the command line exits with; 1 for data, 2 for usage.
    """

    exit_code = 1


class UsageError(CardionetsError):
    """A wrong command, name or option: nothing was read or written."""

    exit_code = 2


class UnknownNameError(UsageError):
    """No component, preset, option or zoo entry of that name."""


class NameClashError(UsageError):
    """Two plugins offer the same short name."""


class PluginError(CardionetsError):
    """A plugin could not be loaded, or what it declares does not hold."""


class ConfigError(UsageError):
    """An option that is unknown, out of range or given twice."""


class EcgError(CardionetsError):
    """An ECG that cannot be read or used as it is."""


class LeadError(EcgError):
    """Leads that are missing, doubled or unknown."""


class SamplingRateError(EcgError):
    """A sampling rate that is missing, zero or not the one needed."""


class CineError(CardionetsError):
    """A cine CMR that cannot be read or used as it is."""


class SourceError(CardionetsError):
    """A file, archive or table of a source that cannot be read, or must not be."""


class CohortError(CardionetsError):
    """A cohort file that is missing, broken or of another layout version."""


class LabelsError(CardionetsError):
    """Labels that are missing, contradict each other, or do not tell records apart."""


class LeakageError(CardionetsError):
    """A subject or signal would be on both sides of a training and test border."""


class WeightsError(CardionetsError):
    """Weights that are missing, altered, untrusted or of another shape."""


class TransformMismatchError(WeightsError):
    """The checkpoint was trained with another preprocessing."""


class TrainingError(CardionetsError):
    """Training cannot go on: a non-finite loss, or a run that does not fit the resume."""


class EvaluationError(CardionetsError):
    """Numbers that cannot be evaluated: empty, not paired up or not finite."""


class StudyError(CardionetsError):
    """Runs of a study failed; what the others gave is there."""
