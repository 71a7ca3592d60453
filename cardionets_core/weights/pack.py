"""Make a zoo entry of a run: weights, card, hash, licence and lineage, nothing that is private."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cardionets_core.errors import UsageError, WeightsError
from cardionets_core.spec import ZooEntry
from cardionets_core.weights.atomic import atomic_file, sha256_of
from cardionets_core.weights.cards import card_problems, summary_of
from cardionets_core.weights.fetch import ENTRY_FILE
from cardionets_core.weights.file import load_tensors, save_weights
from cardionets_core.weights.header import WEIGHTS_FILE, WeightsHeader, read_header
from cardionets_core.weights.index import INDEX_FILE, parse_index, write_index
from cardionets_core.weights.merge import merge_runs
from cardionets_core.weights.sources import PACKAGE

RUN_FILE = "run.json"
# Commands that take a zoo entry of their own accord when no weights are named.
_TAKING_DEFAULTS = ("predict", "generate")
HALF_NOTE = "matrices are stored in float16"

_NAME = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
# Where an argument begins, something that only means anything on one machine.
_LOCAL_PATH = re.compile(r"(?:^|[\s='\"])(?:/|~|\.\.?/|[A-Za-z]:[\\/]|file://)")


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the files of an entry go, and what the entry calls them."""

    weights: Path
    card: Path
    sources: tuple[str, ...]
    card_source: str


def pack(
    runs: Sequence[Path],
    card: Path,
    out_dir: Path,
    name: str,
    *,
    half: bool = False,
    sources: tuple[str, ...] = (),
    default_for: str | None = None,
) -> ZooEntry:
    """Make a zoo entry of a finished run, or of several with a task head each.

    Only the weights with their header and the card are published: the runs' fingerprints of
    training records, their logs and their paths stay where they are. Equal runs give equal bytes.

    Args:
        runs: Run folders with ``weights.safetensors`` and ``run.json``; several are joined, see
            ``merge.merge_runs``.
        card: Markdown; see ``cards.card_problems`` for what it has to say.
        out_dir: A plugin package with an ``index.json``, which gets or replaces the entry; or
            the folder in which a folder ``name`` with weights, card and ``entry.json`` is made.
        name: Zoo id: lower case, words joined by hyphens.
        half: Store matrices in float16; vectors and statistics stay as they are.
        sources: Urls where the file will be published, beside the packaged one.
        default_for: Command that the weights are to serve when it names none.

    Raises:
        UsageError: If the name or the folder is not one, or the command takes no default.
        WeightsError: If the run is not sound, the card not complete, or the disk full.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"zoo id {name!r}: lower-case words joined by hyphens are needed")
    tensors, header = _content(runs, name)
    text = _checked_card(card, header)
    _check_default(default_for, header)
    if half:
        tensors = {key: _halved(key, tensor) for key, tensor in tensors.items()}
        header = header.model_copy(update={"notes": (*header.notes, HALF_NOTE)})
    index = out_dir / INDEX_FILE
    in_package = index.is_file()
    places = _in_package(out_dir, name) if in_package else _in_folder(out_dir / name)
    save_weights(places.weights, tensors, header)
    with atomic_file(places.card) as file:
        file.write(text.encode())
    entry = replace(_entry(name, header, text, places, sources), default_for=default_for)
    # The entry comes last: until then nothing points to the new files.
    if in_package:
        others = parse_index(index.read_text(encoding="utf-8"), str(index))
        write_index(index, [*(other for other in others if other.name != name), entry])
    else:
        _write_entry(out_dir / name / ENTRY_FILE, entry)
    return entry


def _entry(
    name: str, header: WeightsHeader, card: str, places: _Places, sources: tuple[str, ...]
) -> ZooEntry:
    return ZooEntry(
        name=name,
        kind=header.part(header.leading_role).kind,
        summary=summary_of(card),
        sources=(*places.sources, *sources),
        sha256=sha256_of(places.weights),
        size_bytes=places.weights.stat().st_size,
        licence=header.licence,
        transform_hash=header.transform_hash,
        card=places.card_source,
    )


def _content(runs: Sequence[Path], name: str) -> tuple[dict[str, Tensor], WeightsHeader]:
    """Tensors and header of a run, or of several joined."""
    headers = {run: _header_of_run(run) for run in runs}
    if len(headers) != len(runs):
        raise UsageError("a run is named twice; name each once")
    if len(runs) > 1:
        return merge_runs(headers, name)
    (run,) = runs
    return load_tensors(run / WEIGHTS_FILE), headers[run]


def _header_of_run(run_dir: Path) -> WeightsHeader:
    """The header of a finished run's weights, fit to be published."""
    run = _manifest(run_dir)
    header = read_header(run_dir / WEIGHTS_FILE)
    if not header.lineage:
        raise WeightsError(
            f"{run_dir}: the weights carry no lineage, so their licence rests on nothing; "
            "train or import them with this version"
        )
    _refuse_other_lineage(run_dir, run, header)
    for step in header.lineage:
        if _LOCAL_PATH.search(step.command):
            raise WeightsError(
                f"{run_dir}: a step of the lineage names a local path, which would be published: "
                f"{step.command!r}; train again with this version"
            )
    return header


def _manifest(run_dir: Path) -> Mapping[str, Any]:
    try:
        run: Mapping[str, Any] = json.loads((run_dir / RUN_FILE).read_text(encoding="utf-8"))
        status = run["status"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{run_dir}: not a run folder, its {RUN_FILE} cannot be read ({error!r}); name the "
            "folder that 'cardionets train' made"
        ) from error
    if status != "finished":
        raise WeightsError(f"{run_dir}: the run is {status}, not finished; use --resume {run_dir}")
    return run


def _refuse_other_lineage(run_dir: Path, run: Mapping[str, Any], header: WeightsHeader) -> None:
    """Weights of another run, copied into this folder, would be published under its name."""
    told = run.get("lineage")
    if told is not None and told != [step.model_dump(mode="json") for step in header.lineage]:
        raise WeightsError(
            f"{run_dir}: {RUN_FILE} tells another lineage than {WEIGHTS_FILE}; the two are not of "
            "one run, train again"
        )


def _check_default(command: str | None, header: WeightsHeader) -> None:
    if command not in (None, *_TAKING_DEFAULTS):
        raise UsageError(f"--default-for {command}: needed {' or '.join(_TAKING_DEFAULTS)}")
    if command == "predict" and not header.tasks:
        raise WeightsError(f"--default-for {command}: needed a head for a task, found none")
    if command == "generate" and "generator" not in header.parts:
        raise WeightsError(f"--default-for {command}: needed a generator, found none")


def _checked_card(card: Path, header: WeightsHeader) -> str:
    try:
        text = card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{card}: not readable ({error}); --card needs a Markdown file") from error
    problems = card_problems(text, licence=header.licence, simulated=header.simulated)
    if problems:
        raise WeightsError(f"{card}: {'; '.join(problems)}; complete the card")
    return text


def _halved(name: str, tensor: Tensor) -> Tensor:
    """A matrix in float16; a vector or scalar, such as a statistic or a temperature, unchanged."""
    if tensor.ndim < 2 or not tensor.is_floating_point():
        return tensor
    half = tensor.to(torch.float16)
    if not torch.isfinite(half).all():
        raise WeightsError(f"tensor {name!r} exceeds float16; pack without --half")
    return half


def _in_package(package: Path, name: str) -> _Places:
    if not (package / "__init__.py").is_file():
        raise UsageError(
            f"{package}: has an {INDEX_FILE} but no __init__.py, so it is no package that could "
            "bring entries; add it, or name another --out"
        )
    for folder in ("weights", "cards"):
        (package / folder).mkdir(exist_ok=True)
    return _Places(
        weights=package / "weights" / f"{name}.safetensors",
        card=package / "cards" / f"{name}.md",
        sources=(f"{PACKAGE}{package.resolve().name}/weights/{name}.safetensors",),
        card_source=f"{PACKAGE}{package.resolve().name}/cards/{name}.md",
    )


def _in_folder(folder: Path) -> _Places:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {error.strerror}; name another --out") from error
    return _Places(folder / WEIGHTS_FILE, folder / "card.md", (), "card.md")


def _write_entry(path: Path, entry: ZooEntry) -> None:
    with atomic_file(path) as file:
        file.write((json.dumps(asdict(entry), indent=2, ensure_ascii=False) + "\n").encode())
