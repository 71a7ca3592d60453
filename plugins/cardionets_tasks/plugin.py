"""Hook implementations: the heads and the tasks."""

from __future__ import annotations

from collections.abc import Iterable

from cardionets_core.hookspecs import hookimpl
from cardionets_core.spec import ComponentSpec, TaskSpec
from cardionets_tasks.tasks import TASKS


@hookimpl
def cardionets_tasks() -> Iterable[TaskSpec]:
    """The tasks of the paper."""
    yield from TASKS


@hookimpl
def cardionets_heads() -> Iterable[ComponentSpec]:
    """Linear, with hidden layers, and attention over tokens."""
    yield ComponentSpec(
        name="linear",
        kind="head",
        summary="One linear layer on the pooled feature; can begin from a closed-form solution",
        config="cardionets_tasks.config:LinearConfig",
        target="cardionets_tasks.linear:Linear",
        default_for="head",
    )
    yield ComponentSpec(
        name="mlp",
        kind="head",
        summary="Hidden layers on the pooled feature, as the released code has them",
        config="cardionets_tasks.config:MlpConfig",
        target="cardionets_tasks.mlp:Mlp",
    )
    yield ComponentSpec(
        name="attention",
        kind="head",
        summary="One learnt query attends to the tokens, then one linear layer",
        config="cardionets_tasks.config:AttentionConfig",
        target="cardionets_tasks.attention:Attention",
    )
