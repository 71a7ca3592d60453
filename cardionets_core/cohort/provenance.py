"""Where a cohort came from, as it is stored in the cohort."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PATH = "<path>"
_LIBRARIES = ("cardionets", "h5py", "neurokit2", "numpy", "pydicom", "scipy", "wfdb")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the caller of ``prepare`` knows about the source.

    Attributes:
        dataset: Name of the dataset component, e.g. ``ukb``.
        plugin: Name of the plugin that offers it.
        distribution: Distribution and version of that plugin, e.g. ``cardionets 0.1.0``.
        config: The dataset's resolved options, as plain data.
        simulated: True if there is no patient behind any record.
        paths: Names of the options that are paths. Folders and files may be named after people:
            that one was given is stored, and not which.
    """

    dataset: str
    plugin: str = ""
    distribution: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    simulated: bool = False
    paths: tuple[str, ...] = ()

    def stored_config(self) -> dict[str, Any]:
        """The options as they may be stored."""
        return {n: _hidden(v) if n in self.paths else v for n, v in self.config.items()}


def _hidden(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_hidden(part) for part in value]
    return None if value is None else PATH


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that shape what is stored."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
