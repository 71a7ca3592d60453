"""Refuse files that end without a newline, and large files that are not weights."""

from __future__ import annotations

import sys
from pathlib import Path

LARGEST_BYTES = 500_000
LARGEST_WEIGHTS_BYTES = 15_000_000
BINARY = {".safetensors", ".png", ".gif", ".npy", ".npz"}


def problem(path: Path) -> str:
    """What is wrong with a file, or an empty text."""
    content = path.read_bytes()
    largest = LARGEST_WEIGHTS_BYTES if path.suffix == ".safetensors" else LARGEST_BYTES
    if len(content) > largest:
        return f"{path}: {len(content)} bytes, at most {largest} are allowed"
    if path.suffix not in BINARY and content and not content.endswith(b"\n"):
        return f"{path}: no newline at the end"
    return ""


def main(names: list[str]) -> int:
    """Print what is wrong; 1 if anything is."""
    problems = [found for name in names if (found := problem(Path(name)))]
    sys.stdout.writelines(f"{line}\n" for line in problems)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
