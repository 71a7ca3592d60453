"""The study's folder: study.json, and that a folder holds one study."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cardionets_core.errors import UsageError
from cardionets_core.files import sweep_temporaries
from cardionets_core.study.config import StudyConfig
from cardionets_core.train.run_folder import write_atomically

STUDY_FILE = "study.json"
_LOCK = ".running"
# What decides how scores are told of, and not the scores.
_OF_TABLES = {"resamples", "permutations", "confidence", "pooled", "reference", "order"}


def begin(folder: Path, config: StudyConfig, entries: dict[str, Any]) -> None:
    """Make the folder of a study, or take up one that was begun alike.

    Args:
        folder: The folder.
        config: The study.
        entries: What else study.json says; ``cohort`` has to be the same when it is taken up.

    Raises:
        UsageError: If the folder holds something else, or a study that was asked for differently.
    """
    path = folder / STUDY_FILE
    known = {"config": config.model_dump(mode="json"), "cohort": entries["cohort"]}
    if path.is_file():
        _require_same(folder, _read(path), known)
        sweep_temporaries(folder)
        update(folder, status="running", config=known["config"])
        return
    _refuse_used(folder)
    folder.mkdir(parents=True, exist_ok=True)
    content = {"format": 1, "status": "running", **entries, **known}
    write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def update(folder: Path, **entries: Any) -> None:
    """Replace entries of study.json."""
    path = folder / STUDY_FILE
    content = {**_read(path), **entries}
    write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a second command off the folder while this one works in it.

    Raises:
        UsageError: If another process on this machine works in it.
    """
    if os.name != "posix":
        yield
        return
    import fcntl  # noqa: PLC0415 - there is none on Windows

    with (folder / _LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"another process is running the study in {folder}; wait for it, or name another "
                "--out"
            ) from error
        except OSError:
            # A disk that cannot lock: then it is the user who sees to it.
            pass
        yield


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} is not readable ({error}); put it back, or name another --out"
        ) from error
    return content


def _require_same(folder: Path, found: dict[str, Any], needed: dict[str, Any]) -> None:
    for group, entries in needed.items():
        _compare(folder, group, found.get(group), entries)


def _compare(folder: Path, name: str, found: Any, needed: Any) -> None:
    """Name the first entry that differs, as deep as the two are alike."""
    if found == needed:
        return
    if isinstance(found, dict) and isinstance(needed, dict):
        for key in sorted({*found, *needed} - _OF_TABLES):
            _compare(folder, f"{name}.{key}", found.get(key), needed.get(key))
        return
    raise UsageError(
        f"{folder} holds a study with {name} = {_short(found)}, but {_short(needed)} is asked "
        "for; give the options that it was begun with, or name another --out"
    )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:157]}..."


def _refuse_used(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, not a folder; name another --out")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty and holds no study; name another --out")
