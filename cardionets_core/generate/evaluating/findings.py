"""What came out, in plain words: first whether the condition matters, then who is beaten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cardionets_core.generate.evaluating.methods import SHUFFLED
from cardionets_core.generate.evaluating.phenotypes import MEAN_OF_DRAWS, ONE_DRAW

Row = dict[str, Any]
_LEVEL = "95 % interval"


def overall_r2(rows: Sequence[Row], method: str, source: str) -> float:
    """Mean R2 over phenotypes of a method from a source, or from the only one that it has."""
    found = {
        row["from"]: row for row in rows if (row["method"], row["structure"]) == (method, "all")
    }
    row = found[source] if source in found else next(iter(found.values()))
    return float(row["estimate"])


def difference_row(rows: Sequence[Row], metric: str, other: str) -> Row | None:
    """The first generator minus another method on a metric."""
    return next((row for row in rows if (row["metric"], row["b"]) == (metric, other)), None)


def beats(row: Row, *, lower_is_better: bool = False) -> bool:
    """Whether the whole interval of a difference lies on the better side of 0."""
    return bool(row["high"] < 0 if lower_is_better else row["low"] > 0)


def first_line(first: str, r2: Sequence[Row], differences: Sequence[Row]) -> str:
    """Whether the generator beats the shuffled control on phenotype R2, with the numbers."""
    compared = {
        source: row
        for source in (MEAN_OF_DRAWS, ONE_DRAW)
        if (row := difference_row(differences, f"r2, {source}", SHUFFLED)) is not None
    }
    won = [source for source, row in compared.items() if beats(row)]
    told = "; ".join(_told(first, source, row, r2) for source, row in compared.items())
    if len(won) == len(compared):
        return f"{first} beats the shuffled control on phenotype R2: {told}."
    if won:
        return (
            f"{first} beats the shuffled control on phenotype R2 with the {won[0]} only, and not "
            f"with the other: {told}."
        )
    return f"{first} does NOT beat the shuffled control on phenotype R2: {told}."


def _told(first: str, source: str, row: Row, r2: Sequence[Row]) -> str:
    own, other = (overall_r2(r2, method, source) for method in (first, SHUFFLED))
    return (
        f"{source} {own:.3f} against {other:.3f}, difference {row['difference']:+.3f} "
        f"({_LEVEL} {row['low']:+.3f} to {row['high']:+.3f})"
    )


def standing_lines(
    first: str, others: Sequence[str], r2: Sequence[Row], differences: Sequence[Row]
) -> list[str]:
    """One line per other method: better, worse or not told apart on R2 and on SSIM."""
    lines = []
    for other in others:
        parts = []
        for metric, named in (
            (f"r2, {MEAN_OF_DRAWS}", "phenotype R2 (mean of draws)"),
            (f"r2, {ONE_DRAW}", "phenotype R2 (one draw)"),
            ("ssim", "SSIM"),
        ):
            row = difference_row(differences, metric, other)
            if row is not None:
                parts.append(f"{_verdict(row)} on {named} ({_interval(row)})")
        lines.append(f"{first} against {other}: {'; '.join(parts)}.")
    return lines


def _verdict(row: Row) -> str:
    if row["low"] > 0:
        return "better"
    return "worse" if row["high"] < 0 else "not told apart"


def _interval(row: Row) -> str:
    return f"{row['difference']:+.3f}, {row['low']:+.3f} to {row['high']:+.3f}"
