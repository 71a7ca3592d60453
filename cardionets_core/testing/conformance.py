"""``@conformance(kind)``: one test of a third party becomes one test per promise of a contract."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cardionets_core.errors import UsageError
from cardionets_core.registry import unknown
from cardionets_core.testing.requirement import ConformanceError

__all__ = ["Check", "ConformanceError", "checks_of", "conformance"]

# Where the checks of a kind are; imported when they are asked for.
_MODULES = {
    "dataset": (
        "cardionets_core.testing.dataset_checks",
        "cardionets_core.testing.dataset_optional_checks",
    ),
    "encoder": ("cardionets_core.testing.encoder_checks",),
    "aligner": ("cardionets_core.testing.aligner_checks",),
    "autoencoder": ("cardionets_core.testing.autoencoder_checks",),
    "generator": ("cardionets_core.testing.generator_checks",),
    "head": ("cardionets_core.testing.head_checks",),
    "ecg-format": ("cardionets_core.testing.ecg_format_checks",),
    "task": ("cardionets_core.testing.task_checks",),
    "variant": ("cardionets_core.testing.variant_checks",),
}
_PREFIX = "check_"


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of a contract, to be called with a component.

    Attributes:
        name: Name of the promise, e.g. ``ecg_is_in_mv``.
        run: What checks it.
        expected_failure: Why the component is known to break it, or None.
    """

    name: str
    run: Callable[..., None]
    expected_failure: str | None = None

    def __call__(self, *component: Any, **about: Any) -> None:
        """Check a component.

        ============  ======================================================================
        dataset       ``check(dataset)``
        encoder       ``check(build)``; ``build()`` makes a small one on the CPU
        aligner       ``check(build)``; ``build(ecg_dim=, cmr_dim=)`` makes one
        autoencoder   ``check(build)``; ``build()`` makes a small one on the CPU; ``uses=``, role
                      to what builds a component that it uses
        generator     ``check(build)``; ``build(condition_dim=)`` makes a small one; ``uses=``
                      likewise, e.g. ``{"autoencoder": build}``; ``conditions=`` (12, width) of
                      made-up subjects where random numbers are none
        head          ``check(build)``; ``build(embed_dim=, pooled_dim=, outputs=, target=)``
                      makes one; ``kind=`` of target, multilabel if not given; ``outputs=`` and
                      ``target=`` (batch, outputs) where the head has its own
        ecg-format    ``check(ecg_format, path)``; ``units=``, ``sampling_rate_hz=`` and
                      ``leads=`` where the file does not say
        task          ``check(task)``, its declaration
        variant       ``check(variant)``, its declaration; what it names has to be installed
        ============  ======================================================================

        Raises:
            ConformanceError: If the promise is not kept.
        """
        if self.expected_failure is None:
            self.run(*component, **about)
            return
        # Here, so that a plugin's tests need pytest and the plugin itself does not.
        import pytest  # noqa: PLC0415

        try:
            self.run(*component, **about)
        except Exception:  # noqa: BLE001 - a component may break a promise in any way
            pytest.xfail(self.expected_failure)
        pytest.fail(
            f"{self.name} holds, but is listed in expected_failures ({self.expected_failure}); "
            "take it off the list"
        )


def checks_of(kind: str) -> tuple[Check, ...]:
    """Every check of a kind, in the order of the contract.

    Raises:
        UsageError: If there is no such kind.
    """
    if kind not in _MODULES:
        raise UsageError(unknown("kind with conformance checks", kind, _MODULES))
    return tuple(
        Check(name.removeprefix(_PREFIX), function)
        for module in _MODULES[kind]
        for name, function in vars(importlib.import_module(module)).items()
        if name.startswith(_PREFIX)
    )


def conformance(
    kind: str, expected_failures: Mapping[str, str] | None = None
) -> Callable[[Callable[..., Any]], Any]:
    """Run a test once per promise of a contract.

    Example::

        @conformance("dataset")
        def test_conforms(check, tmp_path):
            check(MyDataset(MyConfig(source=tmp_path)))

    Args:
        kind: ``dataset``, ``encoder``, ``aligner``, ``autoencoder``, ``generator``, ``head``,
            ``ecg-format``, ``task`` or ``variant``.
        expected_failures: Promises that are knowingly broken, with the reason. Strict: a promise
            that holds after all fails the test.

    Returns:
        A decorator of a test function with an argument ``check``.

    Raises:
        UsageError: If there is no such kind, or no such promise.
    """
    import pytest  # noqa: PLC0415 - only who decorates a test needs it

    excused = dict(expected_failures or {})
    checks = checks_of(kind)
    for name in excused:
        if name not in {check.name for check in checks}:
            raise UsageError(unknown(f"{kind} check", name, (check.name for check in checks)))
    told = [replace(check, expected_failure=excused.get(check.name)) for check in checks]
    return pytest.mark.parametrize("check", told, ids=[check.name for check in told])
