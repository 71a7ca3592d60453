"""Fail when fewer parity tests ran than there are reference sets."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def main(log: Path, reference: Path) -> int:
    """Compare the count printed by the test run with the number of sets."""
    sets = sorted(p.name for p in reference.iterdir() if p.is_dir())
    found = re.search(r"parity tests passed: (\d+) in (.*)", log.read_text(encoding="utf-8"))
    passed = int(found.group(1)) if found else 0
    covered = set(found.group(2).split(", ")) if found else set()
    missing = [name for name in sets if name not in covered]
    sys.stdout.write(f"{passed} parity tests for {len(sets)} reference sets\n")
    if passed < len(sets) or missing:
        sys.stdout.write(f"no parity test ran for: {', '.join(missing) or 'enough sets'}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
