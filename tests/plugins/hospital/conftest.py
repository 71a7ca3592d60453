"""Archives made up for tests, and the real files at hand."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import cardionets_core as cn
from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.cohort.writer import PrepareReport
from cardionets_core.registry import default_registry
from cardionets_hospital.config import HospitalConfig
from cardionets_hospital.dataset import Hospital


def _loaded(path: Path) -> ModuleType:
    """A module that is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def made_up() -> ModuleType:
    """Makers of archives: the module ``made_up_archive``."""
    return _loaded(Path(__file__).with_name("made_up_archive.py"))


@pytest.fixture(scope="session")
def planted() -> ModuleType:
    """What identifies a person, and the search for it: the module ``planted``."""
    return _loaded(Path(__file__).parents[1] / "planted.py")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An empty archive."""
    folder = tmp_path / "archive"
    folder.mkdir()
    return folder


@pytest.fixture
def opened(source: Path) -> Callable[..., Hospital]:
    """The archive as a dataset."""

    def open_it(**options: Any) -> Hospital:
        return Hospital(HospitalConfig(**{"source": source, **options}))

    return open_it


@pytest.fixture
def prepared(source: Path, tmp_path: Path) -> Callable[..., Any]:
    """Prepare the archive by the public API, and open the cohort; the report beside it."""

    @contextmanager
    def prepare(**options: Any) -> Iterator[tuple[Any, PrepareReport]]:
        request = PrepareRequest(
            component=default_registry().find("dataset", "hospital"),
            out=tmp_path / "out" / "cohort.h5",
            options={"source": source, **options},
            workers=1,
            existing="overwrite",
        )
        report = prepare_dataset(request)
        with cn.open_cohort(report.path) as cohort:
            yield cohort, report

    return prepare


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """Folder of the real files."""
    root = os.environ.get("CARDIONETS_SAMPLE_DATA")
    if not root:
        pytest.skip("CARDIONETS_SAMPLE_DATA is unset: no real files to read")
    return Path(root)


@pytest.fixture
def by_file() -> Callable[[Any, Path], dict[str, Any]]:
    """File below the source to what is stored of it, for some files of an open cohort."""
    from cardionets_core.cohort import ids

    def look_up(cohort: Any, out: Path, files: list[str]) -> dict[str, Any]:
        key = ids.read_key(ids.key_path(out))
        stored = {subject.record_id: subject for subject in cohort}
        names = {file: ids.record_id(key, file) for file in files}
        return {file: stored[name] for file, name in names.items() if name in stored}

    return look_up
