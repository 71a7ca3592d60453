"""From weights and a cohort to one report folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from cardionets_core.cohort.guard import Fingerprints, refuse_overlap
from cardionets_core.cohort.reader import Cohort, open_cohort
from cardionets_core.generate.evaluating.candidates import (
    Candidates,
    find_candidates,
    refuse_seen,
)
from cardionets_core.generate.evaluating.cines import DrawnCines, RealCines
from cardionets_core.generate.evaluating.frame import Frame
from cardionets_core.generate.evaluating.instruments import Instruments, find_instruments
from cardionets_core.generate.evaluating.measuring import ECG, TRUE_CINE, Measured, Measuring
from cardionets_core.generate.evaluating.output import write_folder
from cardionets_core.generate.evaluating.paired import Resampling
from cardionets_core.generate.evaluating.pictures import LV_MASS, Pictures
from cardionets_core.generate.evaluating.report import Facts, headline
from cardionets_core.generate.evaluating.request import EvaluationRequest
from cardionets_core.generate.evaluating.rows import EvaluationRows, RowNeeds, evaluation_rows
from cardionets_core.generate.evaluating.scoring import score
from cardionets_core.generate.evaluating.timing import stage_times
from cardionets_core.generate.evaluating.whole_folder import whole_folder
from cardionets_core.generate.loading import LoadedGenerator, load_generator
from cardionets_core.registry import Registry, default_registry
from cardionets_core.train.run_folder import refuse_used
from cardionets_core.weights.ancestry import ancestry_of


def evaluate_generator(
    request: EvaluationRequest, *, console: Console, registry: Registry | None = None
) -> Path:
    """Evaluate a generator beside others, baselines and a shuffled control.

    Args:
        request: What is asked.
        console: Where it says how far it is.
        registry: Where names are looked up; None for the installed plugins.

    Returns:
        The folder with ``report.md``, ``results.json``, tables, figures and Parquet files; it is
        there in full or not at all.

    Raises:
        CardionetsError: If a name, the cohort or the weights cannot serve.
    """
    refuse_used(request.out)
    known = registry or default_registry()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generators = [
        load_generator(name, offline=request.offline, registry=known).to(device)
        for name in request.weights
    ]
    with open_cohort(request.cohort) as cohort:
        return evaluate_loaded(generators, cohort, request, console=console, registry=known)


def evaluate_loaded(
    generators: Sequence[LoadedGenerator],
    cohort: Cohort,
    request: EvaluationRequest,
    *,
    console: Console,
    registry: Registry,
) -> Path:
    """As ``evaluate_generator``, with the generators loaded and the cohort open."""
    conditions = {loaded.condition for loaded in generators}
    needs = RowNeeds(bool(conditions - {"phenotypes"}), "phenotypes" in conditions)
    rows = evaluation_rows(
        cohort, needs, split=request.split, limit=request.subjects, seed=request.seed
    )
    refuse_seen(generators, cohort, rows)
    # Baselines and regressions learn from these: a copy under another id would be no test.
    fitted_on = Fingerprints.of(cohort, np.concatenate([rows.train, rows.val]))
    refuse_overlap(fitted_on, cohort, rows.test, purpose="fit baselines and evaluate on")
    instruments = find_instruments(request, generators[0], registry)
    for name, seen in instruments.seen.items():
        refuse_overlap(seen, cohort, rows.test, purpose=f"evaluate with {name} on")
    candidates = find_candidates(
        generators, request.baselines, cohort, rows, registry,
        steps=request.steps, guidance=request.guidance, seed=request.seed,
    )  # fmt: skip
    work = _Work(
        request, cohort, rows, candidates=candidates, instruments=instruments,
        generators=generators, console=console, registry=registry,
    )  # fmt: skip
    return work.done()


class _Work:
    """One evaluation, once everything is loaded."""

    def __init__(
        self,
        request: EvaluationRequest,
        cohort: Cohort,
        rows: EvaluationRows,
        *,
        candidates: Candidates,
        instruments: Instruments,
        generators: Sequence[LoadedGenerator],
        console: Console,
        registry: Registry,
    ) -> None:
        self._request, self._cohort, self._rows = request, cohort, rows
        self._candidates, self._instruments = candidates, instruments
        self._generators, self._console, self._registry = generators, console, registry
        self._frame = Frame.of(candidates.first.generator)
        reader = instruments.reader(self._frame, candidates.first.device)
        self._real = RealCines(cohort, rows, self._frame, reader, console)
        self._drawn = DrawnCines(
            cohort, rows.test, self._frame, reader, seed=request.seed, console=console
        )
        self._reader = reader

    def done(self) -> Path:
        """Measure, score, draw and write."""
        request, first = self._request, self._candidates.first.name
        measured = Measuring(
            self._cohort, self._rows, self._candidates, self._real, self._drawn, self._reader,
            draws=request.draws, console=self._console,
        ).measure()  # fmt: skip
        self._say("intervals and tests")
        how = Resampling(self._rows.subjects, request.resamples, request.seed)
        scored = score(measured, first, how, halvings=request.halvings)
        times = stage_times(self._drawn.clock, self._generators[0], first, self._registry)
        facts = self._facts(measured)
        with whole_folder(request.out) as folder:
            self._say("figures")
            pictures = self._pictures(folder, measured, facts)
            write_folder(
                folder, facts, measured, scored, times, pictures,
                cohort=self._cohort, rows=self._rows, request=request,
                weights=[loaded.header for loaded in self._generators],
            )  # fmt: skip
        self._say(headline(scored, first))
        return request.out

    def _pictures(self, folder: Path, measured: Measured, facts: Facts) -> list[str]:
        (folder / "figures").mkdir()
        first = self._candidates.first
        drawn = {method.name: self._drawn.views(method) for method in self._candidates.methods}
        pictures = Pictures(
            self._frame, self._rows, self._real, drawn,
            simulated=facts.simulated, folder=folder / "figures",
        )  # fmt: skip
        lv_mass = self._cohort.phenotypes[self._rows.test, LV_MASS]
        return [
            *pictures.side_by_side(self._request.seed),
            *pictures.lv_mass(lv_mass, first.name),
            *pictures.nearest_pairs(measured.nearest[first.name], first.name),
        ]

    def _facts(self, measured: Measured) -> Facts:
        seen = ancestry_of(self._generators[0].path, self._generators[0].header)
        return Facts(
            command=self._request.command,
            methods=self._candidates.methods,
            simulated=self._simulated(),
            shape=self._frame.shape,
            people=self._rows.people,
            records=len(self._rows.test),
            training=len(self._rows.train),
            seen=len(seen.overlap(self._cohort, self._rows.train).rows),
            draws=self._request.draws,
            random=measured.random,
            encoder=self._instruments.encoder_name,
            reading=self._reading(measured),
            notes=self._candidates.left_out,
        )

    def _reading(self, measured: Measured) -> tuple[str, ...]:
        """How phenotypes were read from cines, and from the condition."""
        named = {TRUE_CINE: "standardised CMR features", ECG: "the generator's own ECG feature"}
        told = [
            f"Phenotypes read from {named[what]}: ridge regression fitted on "
            f"{len(self._rows.train)} real training records; penalty {ridge.penalty:g} per record, "
            f"the best of the pretrain validation split ({len(self._rows.val)} records, R2 "
            f"{ridge.val_r2:.3f})."
            for what, ridge in measured.ridges.items()
        ]
        if self._instruments.head is not None:
            told.append(f"Phenotypes read from cines by {self._instruments.head_name}.")
        left = 82 - len(measured.truth.columns)
        return (*told, *([f"{left} of 82 phenotypes have too few values."] if left else []))

    def _simulated(self) -> bool:
        headers = [loaded.header for loaded in self._generators] + self._instruments.headers
        return self._cohort.simulated or any(header.simulated for header in headers)

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)
