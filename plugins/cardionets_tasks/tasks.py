"""The tasks of the paper: 82 phenotypes, four diseases and the subtypes of cardiomyopathy.

Source: the paper, Methods; ICD-10 codes without dot.
"""

from __future__ import annotations

from cardionets_core.cmr.phenotypes import FIELD_IDS, PHENOTYPES
from cardionets_core.spec import TaskSpec


def _disease(name: str, summary: str, *codes: str) -> TaskSpec:
    return TaskSpec(name=name, summary=summary, target="binary", outputs=(name,), codes=(codes,))


TASKS: tuple[TaskSpec, ...] = (
    TaskSpec(
        name="phenotypes",
        summary="82 cardiac phenotypes (UK Biobank category 157)",
        target="regression",
        outputs=tuple(phenotype.name for phenotype in PHENOTYPES),
        field_ids=FIELD_IDS,
        units=tuple(phenotype.unit for phenotype in PHENOTYPES),
    ),
    _disease("cad", "coronary artery disease (I20-I25)", "I20", "I21", "I22", "I23", "I24", "I25"),
    _disease("hf", "heart failure (I50)", "I50"),
    _disease("cm", "cardiomyopathy (I42-I43)", "I42", "I43"),
    _disease("ph", "pulmonary hypertension (I27)", "I27"),
    TaskSpec(
        name="cm-subtype",
        summary="cardiomyopathy: dilated (I42.0), hypertrophic (I42.1, I42.2), restrictive (I42.5)",
        target="multiclass",
        outputs=("dcm", "hcm", "rcm"),
        codes=(("I420",), ("I421", "I422"), ("I425",)),
    ),
)
