"""The generators that are compared: loaded, fitted beforehand, and the shuffled control."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cardionets_core.cohort.guard import refuse_overlap
from cardionets_core.cohort.reader import Cohort
from cardionets_core.errors import ConfigError
from cardionets_core.generate.evaluating.conditions import conditions_of
from cardionets_core.generate.evaluating.methods import SHUFFLED, Method, digest_of
from cardionets_core.generate.evaluating.rows import EvaluationRows
from cardionets_core.generate.evaluating.shuffling import derangement
from cardionets_core.generate.loading import LoadedGenerator
from cardionets_core.options import construct, make_options
from cardionets_core.registry import Component, Registry
from cardionets_core.train.cine_source import CineSource
from cardionets_core.train.order import seed_of
from cardionets_core.weights.ancestry import ancestry_of
from cardionets_core.weights.atomic import sha256_of
from cardionets_core.weights.lineage import public_command

_BLOCK = 64
_VIEW_OPTIONS = ("frame_start", "frame_step", "spatial_pool")


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What is compared.

    Attributes:
        methods: The first generator, other generators, baselines, and last the control.
        conditions: Conditions of the first generator by cohort row, (n, C).
        draws_from_ecgs: Whether these are of ECGs.
        left_out: Why a baseline is not there, for the report.
    """

    methods: tuple[Method, ...]
    conditions: NDArray[np.float32]
    draws_from_ecgs: bool
    left_out: tuple[str, ...]

    @property
    def first(self) -> Method:
        """The generator that is evaluated."""
        return self.methods[0]

    @property
    def control(self) -> Method:
        """The same generator with the conditions of other subjects."""
        return self.methods[-1]


def refuse_seen(
    generators: Sequence[LoadedGenerator], cohort: Cohort, rows: EvaluationRows
) -> None:
    """Refuse test subjects that a generator's lineage knows.

    Raises:
        LeakageError: If there is one.
    """
    for loaded in generators:
        seen = ancestry_of(loaded.path, loaded.header)
        refuse_overlap(seen, cohort, rows.test, purpose=f"evaluate {loaded.name} on")


def find_candidates(
    generators: Sequence[LoadedGenerator],
    baselines: Sequence[str],
    cohort: Cohort,
    rows: EvaluationRows,
    registry: Registry,
    *,
    steps: int | None,
    guidance: float | None,
    seed: int,
) -> Candidates:
    """Make all methods: compute conditions, fit baselines, deal out the control's conditions.

    Args:
        generators: Loaded, on their device; the first is the one evaluated.
        baselines: Names of generators that are fitted here.
        cohort: The cohort.
        rows: Its rows by use.
        registry: Where baselines are looked up.
        steps: For the first generator and the control.
        guidance: Likewise.
        seed: Of the control's shuffling, and of what a fit draws.

    Raises:
        CardionetsError: If a baseline is not known, or cannot be fitted.
    """
    used = np.sort(np.concatenate([rows.test, rows.train, rows.val]))
    conditions = [conditions_of(loaded, cohort, used) for loaded in generators]
    names = _distinct([_component_of(loaded) for loaded in generators])
    methods = [
        _loaded_method(name, loaded, found[rows.test])
        for name, loaded, found in zip(names, generators, conditions, strict=True)
    ]
    methods[0] = replace(methods[0], steps=steps, guidance=guidance)
    left_out = []
    for name in _distinct([*names, *baselines])[len(names) :]:
        component = registry.find("generator", name.partition(" ")[0])
        try:
            fitted = _fitted(component, generators[0], cohort, rows, conditions[0], seed)
        except ConfigError as error:
            left_out.append(f"{component.name} was left out: {error}")
            continue
        methods.append(replace(fitted, name=name))
    control = _shuffled(methods[0], rows, seed)
    from_ecgs = generators[0].condition != "phenotypes"
    return Candidates((*methods, control), conditions[0], from_ecgs, tuple(left_out))


def _component_of(loaded: LoadedGenerator) -> str:
    return loaded.header.part("generator").component.rpartition(":")[2]


def _distinct(names: list[str]) -> list[str]:
    """The names, numbered where one comes again."""
    return [
        name if (times := names[:place].count(name)) == 0 else f"{name} ({times + 1})"
        for place, name in enumerate(names)
    ]


def _loaded_method(name: str, loaded: LoadedGenerator, conditions: NDArray[np.float32]) -> Method:
    return Method(
        name=name,
        summary=f"weights {public_command([loaded.name])}",
        generator=loaded.generator,
        conditions=conditions,
        identity=["weights", sha256_of(loaded.path)],
        device=loaded.device,
    )


def _shuffled(method: Method, rows: EvaluationRows, seed: int) -> Method:
    dealt = derangement(rows.subjects, seed_of(seed, "shuffled conditions"))
    return replace(
        method,
        name=SHUFFLED,
        summary=f"control: {method.name} with the condition of another test subject",
        conditions=method.conditions[dealt],
    )


def _fitted(
    component: Component,
    first: LoadedGenerator,
    cohort: Cohort,
    rows: EvaluationRows,
    conditions: NDArray[np.float32],
    seed: int,
) -> Method:
    """A baseline, fitted on the training rows with the first generator's conditions and view."""
    options = _baseline_options(component, first)
    config = make_options(component.load_config(), options, "generator")
    width = int(conditions.shape[1])
    generator = construct(component, config, condition_dim=width)
    source = _Views(cohort, generator, [component.qualified_name, options], rows.train)
    # What a fit draws, such as whom it keeps, follows from the seed.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator.fit(torch.from_numpy(np.asarray(conditions[rows.train])), source)
    fit = [component.qualified_name, component.version, config.model_dump(mode="json"), seed]
    fitted_on = [cohort.content_hash, digest_of(rows.train), digest_of(conditions[rows.train])]
    return Method(
        name=component.name,
        summary=f"{component.spec.summary}; fitted on {len(rows.train)} training records",
        generator=generator.eval().to(first.device),
        conditions=np.asarray(conditions[rows.test]),
        identity=["fitted", fit, fitted_on],
        device=first.device,
    )


def _baseline_options(component: Component, first: LoadedGenerator) -> dict[str, Any]:
    """The first generator's view and condition, as far as the baseline has such options."""
    known = component.load_config().model_fields
    options: dict[str, Any] = {}
    for role in ("generator", "autoencoder"):
        part = first.header.parts.get(role)
        found = {} if part is None else part.config
        options |= {n: found[n] for n in _VIEW_OPTIONS if n in found and n not in options}
    options["condition"] = first.condition
    return {name: value for name, value in options.items() if name in known}


class _Views:
    """A generator's views of the training rows in blocks; may be walked several times."""

    def __init__(
        self, cohort: Cohort, generator: Any, key: object, rows: NDArray[np.int64]
    ) -> None:
        self._source = CineSource(cohort, generator, key, rows=rows)
        self._rows = rows

    def __iter__(self) -> Iterator[Tensor]:
        for first in range(0, len(self._rows), _BLOCK):
            yield self._source.views(self._rows[first : first + _BLOCK])
