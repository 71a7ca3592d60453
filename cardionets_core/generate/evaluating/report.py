"""report.md of an evaluation: what came out in plain words, then every table and picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cardionets_core.generate.evaluating import tables
from cardionets_core.generate.evaluating.distances import FEWEST_COMPONENTS, SAMPLES_PER_COMPONENT
from cardionets_core.generate.evaluating.findings import first_line, standing_lines
from cardionets_core.generate.evaluating.memorisation import PERCENTILE
from cardionets_core.generate.evaluating.methods import SHUFFLED, Method
from cardionets_core.generate.evaluating.phenotypes import WHY_ONE_DRAW_IS_LOWER
from cardionets_core.generate.evaluating.pixels import PARAMETERS
from cardionets_core.generate.evaluating.scoring import Scored

SIMULATED = "simulated data"


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What a report says beside the numbers.

    Attributes:
        command: Command line without local paths.
        methods: What is compared; the first is the generator that is evaluated.
        simulated: Whether subjects are simulated, or weights learnt from such.
        shape: (T, H, W) on which cines are compared.
        people: Test subjects.
        records: Test records.
        training: Training records.
        seen: Training records that the generator's lineage has seen.
        draws: Cines per record of methods that draw at random.
        random: These methods.
        encoder: CMR encoder whose features are compared.
        reading: How phenotypes are read from cines, and from the condition.
        notes: What else a reader has to know.
    """

    command: str
    methods: tuple[Method, ...]
    simulated: bool
    shape: tuple[int, int, int]
    people: int
    records: int
    training: int
    seen: int
    draws: int
    random: frozenset[str]
    encoder: str
    reading: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def first(self) -> str:
        """Name of the generator that is evaluated."""
        return self.methods[0].name

    @property
    def stamp(self) -> str:
        """What every table says of its data; empty for patients."""
        return SIMULATED if self.simulated else ""


def headline(scored: Scored, first: str) -> str:
    """The first line of the report."""
    return first_line(first, scored.r2, scored.differences)


def report_text(
    facts: Facts, scored: Scored, times: Mapping[str, Any], figures: Sequence[str]
) -> str:
    """The report as Markdown.

    Args:
        facts: What it is about.
        scored: The numbers.
        times: From ``timing.stage_times``.
        figures: Files in ``figures/`` that were drawn.
    """
    parts = [
        f"**{headline(scored, facts.first)}**\n",
        f"# Evaluation of {facts.first}\n",
        _stamped(facts),
        _standing(facts, scored),
        _setting(facts),
        _phenotypes(facts, scored, figures),
        _pixels(facts, scored, figures),
        _differences(facts, scored),
        _space(facts, scored, figures),
        _memory(facts, scored, figures),
        f"## Time\n\nOn {times['device']} with {times['threads']} threads; what was found in the "
        f"cache took none.\n\n{tables.time_grid(times)}",
    ]
    return "\n".join(part for part in parts if part)


def _stamped(facts: Facts) -> str:
    return f"**{facts.stamp}**\n" if facts.stamp else ""


def _standing(facts: Facts, scored: Scored) -> str:
    others = [method.name for method in facts.methods[1:] if method.name != SHUFFLED]
    found = [row["b"] for row in scored.differences]
    others += [name for name in dict.fromkeys(found) if name not in (*others, SHUFFLED)]
    lines = standing_lines(facts.first, [*others, SHUFFLED], scored.r2, scored.differences)
    return "\n".join(f"- {line}" for line in lines) + "\n"


def _setting(facts: Facts) -> str:
    shape = " x ".join(map(str, facts.shape))
    lines = [
        f"{facts.records} records of {facts.people} test subjects (role downstream), whom no "
        f"weights have seen; {facts.training} training records (role pretrain). Cines are compared "
        f"as {shape} (frames x height x width).",
        f"Methods that draw at random ({', '.join(sorted(facts.random)) or 'none'}) drew "
        f"{facts.draws} cines a record; pixels, features and neighbours are of the first.",
        f"CMR features: {facts.encoder}.",
        *facts.reading,
        *facts.notes,
    ]
    methods = [f"- **{method.name}**: {method.summary}" for method in facts.methods]
    command = f"Command: `{facts.command}`\n\n" if facts.command else ""
    return f"## What was compared\n\n{command}" + "\n".join(methods) + "\n\n" + "\n\n".join(
        lines
    ) + "\n"  # fmt: skip


def _phenotypes(facts: Facts, scored: Scored, figures: Sequence[str]) -> str:
    return "\n".join(
        [
            "## Phenotypes\n",
            _stamped(facts),
            "R2 is 1 for true values and 0 for everybody's mean; intervals are 95 % bootstrap "
            "intervals over subjects.\n",
            tables.r2_grid(scored.r2),
            f"{WHY_ONE_DRAW_IS_LOWER}\n",
            "Each phenotype with its unit: [tables/phenotypes.csv](tables/phenotypes.csv)\n",
            _pictures(facts, figures, "r2", "r2-by-structure"),
        ]
    )


def _pixels(facts: Facts, scored: Scored, figures: Sequence[str]) -> str:
    shown = ("contact-sheet", "ed-es", "lv-mass", "side-by-side-1", "side-by-side-2")
    return "\n".join(
        [
            "## Pixels against the paired truth\n",
            _stamped(facts),
            f"Means over records with 95 % bootstrap intervals over subjects. {PARAMETERS}.\n",
            tables.pixel_grid(scored.pixels),
            _pictures(facts, figures, *shown),
        ]
    )


def _differences(facts: Facts, scored: Scored) -> str:
    return "\n".join(
        [
            "## Paired differences\n",
            _stamped(facts),
            "95 % bootstrap intervals and permutation tests, both by subject; Holm's adjustment is "
            "over the comparisons of one metric. Lower is better for MAE and RMSE.\n",
            tables.difference_grid(scored.differences),
        ]
    )


def _space(facts: Facts, scored: Scored, figures: Sequence[str]) -> str:
    frechet = next((row for row in scored.distances if row["measure"] == "frechet"), None)
    samples = scored.distances[0]["samples"]
    how = (
        f"No Frechet distance: halves of {samples} cines do not carry {FEWEST_COMPONENTS} "
        f"components at {SAMPLES_PER_COMPONENT} cines each."
        if frechet is None
        else f"Frechet distance on {frechet['components']} principal components of real training "
        f"features ({SAMPLES_PER_COMPONENT} cines or more for each)."
    )
    return "\n".join(
        [
            "## Feature space\n",
            _stamped(facts),
            f"{how} KID: unbiased, cubic polynomial kernel on all features, standardised. Each "
            "number is the mean over random halvings of the subjects, cines of one half "
            f"({samples} records) against real cines of the other, so that real to real is the "
            "floor.\n",
            tables.distance_grid(scored.distances),
            _pictures(facts, figures, "components", "tsne"),
        ]
    )


def _memory(facts: Facts, scored: Scored, figures: Sequence[str]) -> str:
    known = (
        f"The lineage of {facts.first} has seen {facts.seen} of the {facts.training} training "
        "records."
    )
    if facts.seen == 0:
        known += " Copies of what it was trained on cannot be found in this cohort."
    return "\n".join(
        [
            "## Is it memorising?\n",
            _stamped(facts),
            f"{known} By chance {PERCENTILE:g} % of cines are nearer to a training cine than the "
            f"{PERCENTILE:g}st percentile of real test cines. A cine without noise, such as a "
            "mean, is near to every cine in pixels; the ratio to the second nearest tells that "
            "from a copy, whose ratio is near 0.\n",
            tables.closeness_grid(scored.closeness),
            _pictures(facts, figures, "nearest", "nearest-pairs"),
        ]
    )


def _pictures(facts: Facts, figures: Sequence[str], *names: str) -> str:
    """Links to the pictures of these names that were drawn."""
    stamp = f" ({facts.stamp})" if facts.stamp else ""
    found = [file for name in names for file in figures if file.rpartition(".")[0] == name]
    return "".join(f"![{file.rpartition('.')[0]}{stamp}](figures/{file})\n\n" for file in found)
