"""A small cohort and studies on it whose runs are made up."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.registry import default_registry
from cardionets_core.study.asked import Asked
from cardionets_core.study.study import StudyRequest, run_study

# Tests find ``made_up_runs`` by name.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def cohort_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 simulated subjects, 80 of them for tasks, many of them ill."""
    out = tmp_path_factory.mktemp("study-cohort") / "cohort.h5"
    options = {"subjects": 120, "pretrain_subjects": 40, "prevalence": "enriched", "seed": 10}
    component = default_registry().find("dataset", "simulated")
    prepare_dataset(PrepareRequest(component=component, out=out, options=options, workers=1))
    return out


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_surroundings(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test touches the user's cache, and none leaves another number of threads behind."""
    monkeypatch.setenv("CARDIONETS_CACHE", str(shared_cache))
    monkeypatch.setenv("CARDIONETS_OFFLINE", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Studies:
    """Makes and runs small studies in one folder."""

    def __init__(self, cohort: Path, folder: Path) -> None:
        self.cohort, self.folder = cohort, folder
        self.said = io.StringIO()

    def request(self, out: str = "study", **asked: Any) -> StudyRequest:
        """A study of one seed with few resamples, unless told otherwise."""
        given = {"preset": "tiny", "smoke": True, "options": {"train": {"accelerator": "cpu"}}}
        return StudyRequest(
            asked=Asked(**{**given, **asked}),
            out=self.folder / out,
            cohort=self.cohort,
            command="cardionets study",
        )

    def run(self, request: StudyRequest, pool: Any) -> Path:
        """Carry it out; ``said`` holds what was printed."""
        return run_study(request, console=Console(file=self.said, width=200), pool=pool)


@pytest.fixture
def studies(cohort_path: Path, tmp_path: Path) -> Studies:
    return Studies(cohort_path, tmp_path)
