"""The variants are those of the paper, and what they share is trained once."""

from __future__ import annotations

from cardionets_baselines.variants import VARIANTS
from cardionets_core.registry import default_registry
from cardionets_core.spec import USERS_ENCODER

BY_NAME = {variant.name: variant for variant in VARIANTS}


def test_the_paper_s_five_come_first_under_the_paper_s_labels():
    labels = {variant.name: variant.label for variant in VARIANTS[:5]}
    assert labels == {
        "scratch": "Scratch",
        "ssl": "SSL",
        "phen-sup": "Phen_sup",
        "cardionets": "CardioNets",
        "cmr-ref": "CMR Ref",
    }
    assert len({variant.label for variant in VARIANTS}) == len(VARIANTS)


def test_stages_of_one_name_are_one_stage():
    stages = {}
    for variant in VARIANTS:
        for stage in variant.stages:
            assert stages.setdefault(stage.name, stage) == stage
    assert set(stages) == {
        "ssl", "cmr-ssl", "phen-sup", "phen-sup-ssl", "weighted-infonce", "infonce",
        "weighted-infonce-shuffled",
    }  # fmt: skip


def test_scratch_is_random_and_phen_sup_starts_at_random():
    assert BY_NAME["scratch"].stages == ()
    (stage,) = BY_NAME["phen-sup"].stages
    assert stage.starts == {}
    assert stage.task == "phenotypes"
    assert BY_NAME["phen-sup-ssl"].stages[-1].starts == {"encoder": "ssl"}


def test_phenotypes_are_no_task_for_what_was_taught_them():
    for variant in VARIANTS:
        taught = any(stage.task == "phenotypes" for stage in variant.stages)
        assert (variant.not_for == ("phenotypes",)) == taught


def test_alignment_starts_from_both_self_supervised_encoders():
    for name in ("cardionets", "infonce", "shuffled"):
        ssl, cmr_ssl, aligned = BY_NAME[name].stages
        assert (ssl.name, cmr_ssl.name) == ("ssl", "cmr-ssl")
        assert aligned.starts == {"encoder": "ssl", "cmr_encoder": "cmr-ssl"}
        assert aligned.components["encoder"] == USERS_ENCODER


def test_the_control_differs_from_cardionets_by_its_pairs_only():
    control, method = BY_NAME["shuffled"].stages[-1], BY_NAME["cardionets"].stages[-1]
    assert control.shuffle_pairs
    assert not method.shuffle_pairs
    assert (control.components, control.starts) == (method.components, method.starts)
    assert [variant.name for variant in VARIANTS if variant.control] == ["shuffled"]


def test_only_the_reference_reads_cmr():
    assert [variant.name for variant in VARIANTS if variant.modality == "cmr"] == ["cmr-ref"]


def test_zoo_entries_hold_encoders_of_the_variant_s_modality():
    registry = default_registry()
    for variant in VARIANTS:
        for name in variant.zoo.values():
            assert registry.zoo_entry(name).kind == "encoder"
    assert {name: dict(variant.zoo) for name, variant in BY_NAME.items() if variant.zoo} == {
        "ssl": {"tiny": "stmem-tiny-simulated"},
        "cardionets": {"tiny": "cardionets-tiny-simulated"},
        "cmr-ref": {"tiny": "vit-cmr-tiny-simulated"},
    }
