"""The runs that make a variant's encoder, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cardionets_core.options import Given
from cardionets_core.spec import USERS_ENCODER, LineageStage
from cardionets_core.train.request import TrainRequest

# Options of the user's encoder and its preprocessing: not those of another encoder.
_OF_USERS_ENCODER = ("encoder", "data")


def stage_request(
    stage: LineageStage,
    *,
    folders: Mapping[str, Path],
    out: Path,
    encoder: str,
    given: Given,
    seed: int,
    cohort: Path,
    offline: bool = False,
    command: str = "",
) -> TrainRequest:
    """What trains one stage of a variant's lineage.

    Args:
        stage: The stage.
        folders: Run folder of each earlier stage, by its name.
        out: Run folder of this one.
        encoder: The encoder that stands for ``USERS_ENCODER``.
        given: Preset and options; those of ``encoder.`` and ``data.`` are the user's encoder's.
        seed: Seed of the run.
        cohort: Cohort; its role ``pretrain`` is read.
        offline: Never use the network.
        command: The command line, for the lineage.
    """
    components = {
        role: encoder if name == USERS_ENCODER else name for role, name in stage.components.items()
    }
    tables: dict[str, Mapping[str, Any]] = dict(given.explicit)
    # A variant may also name the encoder of its own that the downstream run has options for.
    if stage.components.get("encoder") not in (USERS_ENCODER, encoder.rpartition(":")[2]):
        tables = {name: table for name, table in tables.items() if name not in _OF_USERS_ENCODER}
    if stage.task is not None:
        # Nobody of the role pretrain is reported, whatever the preset stops training on.
        tables["protocol"] = {"subjects": "pretrain", "select_on": "inner"}
    weights = {"encoder": "random"} | {r: str(folders[name]) for r, name in stage.starts.items()}
    return TrainRequest(
        components=components,
        given=Given(given.preset, given.file, tables),
        out=out,
        seed=seed,
        weights=weights,
        cohort=cohort,
        offline=offline,
        command=command,
        task=stage.task,
        shuffle_pairs=stage.shuffle_pairs,
    )
