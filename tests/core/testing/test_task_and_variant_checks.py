"""Every check of a task or variant passes a sound one and catches the mistake that it is for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cardionets_core.spec import USERS_ENCODER, LineageStage, TaskSpec, VariantSpec
from cardionets_core.testing import ConformanceError, checks_of

TASK_CHECKS = {check.name: check for check in checks_of("task")}
VARIANT_CHECKS = {check.name: check for check in checks_of("variant")}

BINARY = TaskSpec("cm", "cardiomyopathy", "binary", ("cm",), codes=(("I42", "I43"),))
CLASSES = TaskSpec(
    "subtype", "subtypes", "multiclass", ("dcm", "hcm"), codes=(("I420",), ("I421", "I422"))
)
NUMBERS = TaskSpec(
    "ef", "ejection fractions", "regression", ("LVEF", "RVEF"), field_ids=(24103, 24109),
    units=("%", "%"),
)  # fmt: skip
COLUMN = TaskSpec("grade", "a grade", "multiclass", ("mild", "severe"), columns=("grade",))
SOUND_TASKS = (BINARY, CLASSES, NUMBERS, COLUMN)

TASK_MISTAKES = [
    ("is_declared_in_words", replace(BINARY, target="boolean"), "needed one of binary"),
    ("is_declared_in_words", replace(BINARY, summary="two\nlines"), "one line"),
    ("outputs_are_named_once", replace(BINARY, outputs=("cm", "no cm")), "has 2 outputs"),
    ("outputs_are_named_once", replace(CLASSES, outputs=("dcm",)), "needed 2 or more"),
    ("outputs_are_named_once", replace(NUMBERS, outputs=("EF", "EF")), "EF are named twice"),
    ("outputs_are_named_once", replace(NUMBERS, outputs=("EF", "")), "no name"),
    ("has_exactly_one_source", replace(BINARY, codes=()), "comes from nowhere"),
    ("has_exactly_one_source", replace(BINARY, columns=("cm",)), "from codes and columns"),
    ("source_fits_the_target", replace(BINARY, target="regression"), "no numbers to regress"),
    ("source_fits_the_target", replace(NUMBERS, target="multilabel"), "needed regression"),
    ("source_fits_the_target", replace(NUMBERS, field_ids=(24103, 22)), "fields 22 are not"),
    ("source_fits_the_target", replace(BINARY, units=("%",)), "has no units"),
    ("source_tells_each_output", replace(CLASSES, codes=(("I420",),)), "1 entries for 2 outputs"),
    ("source_tells_each_output", replace(NUMBERS, units=("%",)), "units has 1 entries"),
    ("source_tells_each_output", replace(COLUMN, columns=("a", "b")), "2 entries; needed 1"),
    ("codes_are_icd10_prefixes", replace(BINARY, codes=("I42",)), "needed a tuple of prefixes"),
    ("codes_are_icd10_prefixes", replace(BINARY, codes=(("I42.0",),)), "without dot"),
    ("codes_are_icd10_prefixes", replace(BINARY, codes=(("i42",),)), "upper case"),
    ("classes_do_not_overlap", replace(CLASSES, codes=(("I42",), ("I421",))), "of class 'dcm'"),
]  # fmt: skip

SSL = LineageStage("ssl", {"encoder": USERS_ENCODER})
ALIGNED = LineageStage(
    "aligned", {"encoder": USERS_ENCODER, "aligner": "infonce"}, starts={"encoder": "ssl"}
)
SUPERVISED = LineageStage("sup", {"encoder": USERS_ENCODER, "head": "linear"}, task="phenotypes")
RANDOM = VariantSpec("random", "random weights", "Random")
VARIANT = VariantSpec("aligned", "aligned", "Aligned", stages=(SSL, ALIGNED))
CMR = VariantSpec(
    "cmr", "a cine", "CMR", modality="cmr", encoder="vit-cmr",
    stages=(LineageStage("cmr-ssl", {"encoder": "vit-cmr"}),),
    zoo={"tiny": "vit-cmr-tiny-simulated"},
)  # fmt: skip
TAUGHT = VariantSpec("sup", "taught", "Sup", stages=(SUPERVISED,), not_for=("phenotypes", "cm"))
SHUFFLED = replace(VARIANT, stages=(SSL, replace(ALIGNED, shuffle_pairs=True)), control=True)
SOUND_VARIANTS = (RANDOM, VARIANT, CMR, TAUGHT, SHUFFLED)


def last(stage, **changes):
    """The sound variant with another last stage."""
    return replace(VARIANT, stages=(SSL, replace(stage, **changes)))


VARIANT_MISTAKES = [
    ("is_declared_in_words", replace(RANDOM, label=""), "the label is empty"),
    ("is_declared_in_words", replace(RANDOM, modality="ekg"), "needed ecg or cmr"),
    ("stages_are_named_once", last(ALIGNED, name="ssl"), "stages ssl are there twice"),
    ("stages_start_from_earlier_ones", last(ALIGNED, starts={"encoder": "aligned"}), "no earlier"),
    ("stages_start_from_earlier_ones", last(ALIGNED, starts={"ekg": "ssl"}), "role 'ekg'"),
    ("stages_are_used", last(ALIGNED, starts={}), "no later stage starts from ssl"),
    ("components_are_there", last(ALIGNED, components={}), "names no component"),
    ("components_are_there", last(ALIGNED, components={"encoder": "stmen"}), "mean 'stmem'"),
    ("components_are_there", last(ALIGNED, components={"aligner": USERS_ENCODER}), "not for al"),
    ("last_stage_makes_the_encoder", last(ALIGNED, components={"head": "linear"}), "no encoder"),
    ("last_stage_makes_the_encoder", replace(CMR, encoder=None), "trains encoder 'vit-cmr', but"),
    ("last_stage_makes_the_encoder", replace(CMR, modality="ecg"), "reads cmr, but the variant"),
    ("stages_have_what_they_train_for", last(SUPERVISED, task=None), "head without a task"),
    ("stages_have_what_they_train_for", last(ALIGNED, task="cm"), "task without a head"),
    ("stages_have_what_they_train_for", last(SSL, shuffle_pairs=True), "without an aligner"),
    ("stages_have_what_they_train_for", replace(SHUFFLED, control=False), "needed control=True"),
    ("tasks_are_there", replace(TAUGHT, not_for=("phenotype",)), "Did you mean 'phenotypes'"),
    ("zoo_entries_are_there", replace(CMR, zoo={"tiny": "vit"}), "no zoo entry 'vit'"),
]


@pytest.mark.parametrize("name", TASK_CHECKS)
@pytest.mark.parametrize("task", SOUND_TASKS, ids=lambda task: task.name)
def test_a_sound_task_passes(name, task):
    TASK_CHECKS[name](task)


@pytest.mark.parametrize(("name", "task", "words"), TASK_MISTAKES)
def test_a_mistaken_task_is_caught(name, task, words):
    with pytest.raises(ConformanceError, match=words):
        TASK_CHECKS[name](task)


@pytest.mark.parametrize("name", VARIANT_CHECKS)
@pytest.mark.parametrize("variant", SOUND_VARIANTS, ids=lambda variant: variant.label)
def test_a_sound_variant_passes(name, variant):
    VARIANT_CHECKS[name](variant)


@pytest.mark.parametrize(("name", "variant", "words"), VARIANT_MISTAKES)
def test_a_mistaken_variant_is_caught(name, variant, words):
    with pytest.raises(ConformanceError, match=words):
        VARIANT_CHECKS[name](variant)


def test_every_check_has_a_mistake_to_catch():
    assert {name for name, _, _ in TASK_MISTAKES} == set(TASK_CHECKS)
    assert {name for name, _, _ in VARIANT_MISTAKES} == set(VARIANT_CHECKS)
