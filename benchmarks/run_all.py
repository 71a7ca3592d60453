"""Run the CPU programs one after the other and put their output into RESULTS.md.

    python benchmarks/run_all.py [--gpu gpu.json]

on an otherwise idle machine with 5 GB of room for temporary files, a quarter of an hour. What
stands in RESULTS.md above the marker is kept, and what follows it is written anew. ``--gpu`` adds
what ``gpu.py`` wrote on a machine with a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from gpu import cell, head, line

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"
MARKER = "<!-- Everything below is written by run_all.py -->"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Program:
    """A program and how it is run.

    Attributes:
        title: Heading of its section.
        command: File and arguments.
        environment: Set for it besides.
        table: It prints Markdown; other output is quoted as it is.
    """

    title: str
    command: tuple[str, ...]
    environment: dict[str, str]
    table: bool = False


PROGRAMS = (
    Program("Models", ("models.py",), {}, table=True),
    Program("Reading and preprocessing, one core", ("preprocessing.py",), ONE_THREAD),
    Program("Simulated cohort, one core", ("simulated.py",), ONE_THREAD),
    Program("Preparing MIMIC-shaped records, one core", ("prepare.py",), ONE_THREAD),
    Program("Bootstrap and permutation tests", ("resampling.py",), {}),
    Program("Generation", ("generation.py",), {}, table=True),
)


def section(program: Program) -> str:
    """Run a program; its command and output as Markdown.

    Raises:
        SystemExit: If it fails; RESULTS.md stays as it was.
    """
    shown = " ".join((*(f"{k}={v}" for k, v in program.environment.items()), "python"))
    command = [sys.executable, str(HERE / program.command[0]), *program.command[1:]]
    print(f"{program.title} ...", flush=True)
    done = subprocess.run(  # noqa: S603 - our own programs
        command, capture_output=True, text=True, env=os.environ | program.environment, check=False
    )
    if done.returncode:
        raise SystemExit(f"{program.command[0]} failed:\n{done.stderr}")
    output = done.stdout.strip()
    body = output if program.table else f"```\n{output}\n```"
    return f"## {program.title}\n\n`{shown} benchmarks/{' '.join(program.command)}`\n\n{body}\n"


def gpu_section(path: Path) -> str:
    """What ``gpu.py`` wrote, as Markdown."""
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    about = ", ".join(f"{name} {cell(value)}" for name, value in result["machine"].items())
    parts = [f"## GPU\n\n`python benchmarks/gpu.py --out gpu.json`\n\n{about}\n"]
    for stage, group in groupby(result["rows"], key=lambda row: row["stage"]):
        rows = [{k: v for k, v in row.items() if k != "stage"} for row in group]
        parts.append("\n".join((f"### {stage}\n", head(rows[0]), *map(line, rows), "")))
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gpu", type=Path, metavar="JSON", help="add what gpu.py wrote")
    given = parser.parse_args()
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    opening = f"{time.strftime('%Y-%m-%d')}; load average before: {load}\n"
    parts = [opening, *map(section, PROGRAMS)]
    if given.gpu:
        parts.append(gpu_section(given.gpu))
    kept = RESULTS.read_text(encoding="utf-8").partition(MARKER)[0] if RESULTS.exists() else ""
    temporary = RESULTS.with_suffix(".tmp")
    temporary.write_text(f"{kept}{MARKER}\n\n" + "\n".join(parts), encoding="utf-8")
    temporary.replace(RESULTS)
    print(f"wrote {RESULTS}")


if __name__ == "__main__":
    main()
