"""The 82 cardiac phenotypes of UK Biobank Category 157, in field order.

Source: UK Biobank showcase, category 157 (fields 24100 to 24181). Circumferential and
longitudinal strains are negative, radial ones positive.
"""

from __future__ import annotations

from typing import NamedTuple


class Phenotype(NamedTuple):
    """One phenotype: UK Biobank field id, name, unit and the structure it belongs to."""

    field_id: int
    name: str
    unit: str
    structure: str


PHENOTYPES: tuple[Phenotype, ...] = (
    Phenotype(24100, "LV end diastolic volume", "mL", "LV"),
    Phenotype(24101, "LV end systolic volume", "mL", "LV"),
    Phenotype(24102, "LV stroke volume", "mL", "LV"),
    Phenotype(24103, "LV ejection fraction", "%", "LV"),
    Phenotype(24104, "LV cardiac output", "L/min", "LV"),
    Phenotype(24105, "LV myocardial mass", "g", "LV"),
    Phenotype(24106, "RV end diastolic volume", "mL", "RV"),
    Phenotype(24107, "RV end systolic volume", "mL", "RV"),
    Phenotype(24108, "RV stroke volume", "mL", "RV"),
    Phenotype(24109, "RV ejection fraction", "%", "RV"),
    Phenotype(24110, "LA maximum volume", "mL", "LA"),
    Phenotype(24111, "LA minimum volume", "mL", "LA"),
    Phenotype(24112, "LA stroke volume", "mL", "LA"),
    Phenotype(24113, "LA ejection fraction", "%", "LA"),
    Phenotype(24114, "RA maximum volume", "mL", "RA"),
    Phenotype(24115, "RA minimum volume", "mL", "RA"),
    Phenotype(24116, "RA stroke volume", "mL", "RA"),
    Phenotype(24117, "RA ejection fraction", "%", "RA"),
    Phenotype(24118, "Ascending aorta maximum area", "mm2", "Ascending aorta"),
    Phenotype(24119, "Ascending aorta minimum area", "mm2", "Ascending aorta"),
    Phenotype(24120, "Ascending aorta distensibility", "10^-3/mmHg", "Ascending aorta"),
    Phenotype(24121, "Descending aorta maximum area", "mm2", "Descending aorta"),
    Phenotype(24122, "Descending aorta minimum area", "mm2", "Descending aorta"),
    Phenotype(24123, "Descending aorta distensibility", "10^-3/mmHg", "Descending aorta"),
    Phenotype(24124, "LV mean myocardial wall thickness AHA 1", "mm", "LV wall thickness"),
    Phenotype(24125, "LV mean myocardial wall thickness AHA 2", "mm", "LV wall thickness"),
    Phenotype(24126, "LV mean myocardial wall thickness AHA 3", "mm", "LV wall thickness"),
    Phenotype(24127, "LV mean myocardial wall thickness AHA 4", "mm", "LV wall thickness"),
    Phenotype(24128, "LV mean myocardial wall thickness AHA 5", "mm", "LV wall thickness"),
    Phenotype(24129, "LV mean myocardial wall thickness AHA 6", "mm", "LV wall thickness"),
    Phenotype(24130, "LV mean myocardial wall thickness AHA 7", "mm", "LV wall thickness"),
    Phenotype(24131, "LV mean myocardial wall thickness AHA 8", "mm", "LV wall thickness"),
    Phenotype(24132, "LV mean myocardial wall thickness AHA 9", "mm", "LV wall thickness"),
    Phenotype(24133, "LV mean myocardial wall thickness AHA 10", "mm", "LV wall thickness"),
    Phenotype(24134, "LV mean myocardial wall thickness AHA 11", "mm", "LV wall thickness"),
    Phenotype(24135, "LV mean myocardial wall thickness AHA 12", "mm", "LV wall thickness"),
    Phenotype(24136, "LV mean myocardial wall thickness AHA 13", "mm", "LV wall thickness"),
    Phenotype(24137, "LV mean myocardial wall thickness AHA 14", "mm", "LV wall thickness"),
    Phenotype(24138, "LV mean myocardial wall thickness AHA 15", "mm", "LV wall thickness"),
    Phenotype(24139, "LV mean myocardial wall thickness AHA 16", "mm", "LV wall thickness"),
    Phenotype(24140, "LV mean myocardial wall thickness global", "mm", "LV wall thickness"),
    Phenotype(24141, "LV circumferential strain AHA 1", "%", "LV circumferential strain"),
    Phenotype(24142, "LV circumferential strain AHA 2", "%", "LV circumferential strain"),
    Phenotype(24143, "LV circumferential strain AHA 3", "%", "LV circumferential strain"),
    Phenotype(24144, "LV circumferential strain AHA 4", "%", "LV circumferential strain"),
    Phenotype(24145, "LV circumferential strain AHA 5", "%", "LV circumferential strain"),
    Phenotype(24146, "LV circumferential strain AHA 6", "%", "LV circumferential strain"),
    Phenotype(24147, "LV circumferential strain AHA 7", "%", "LV circumferential strain"),
    Phenotype(24148, "LV circumferential strain AHA 8", "%", "LV circumferential strain"),
    Phenotype(24149, "LV circumferential strain AHA 9", "%", "LV circumferential strain"),
    Phenotype(24150, "LV circumferential strain AHA 10", "%", "LV circumferential strain"),
    Phenotype(24151, "LV circumferential strain AHA 11", "%", "LV circumferential strain"),
    Phenotype(24152, "LV circumferential strain AHA 12", "%", "LV circumferential strain"),
    Phenotype(24153, "LV circumferential strain AHA 13", "%", "LV circumferential strain"),
    Phenotype(24154, "LV circumferential strain AHA 14", "%", "LV circumferential strain"),
    Phenotype(24155, "LV circumferential strain AHA 15", "%", "LV circumferential strain"),
    Phenotype(24156, "LV circumferential strain AHA 16", "%", "LV circumferential strain"),
    Phenotype(24157, "LV circumferential strain global", "%", "LV circumferential strain"),
    Phenotype(24158, "LV radial strain AHA 1", "%", "LV radial strain"),
    Phenotype(24159, "LV radial strain AHA 2", "%", "LV radial strain"),
    Phenotype(24160, "LV radial strain AHA 3", "%", "LV radial strain"),
    Phenotype(24161, "LV radial strain AHA 4", "%", "LV radial strain"),
    Phenotype(24162, "LV radial strain AHA 5", "%", "LV radial strain"),
    Phenotype(24163, "LV radial strain AHA 6", "%", "LV radial strain"),
    Phenotype(24164, "LV radial strain AHA 7", "%", "LV radial strain"),
    Phenotype(24165, "LV radial strain AHA 8", "%", "LV radial strain"),
    Phenotype(24166, "LV radial strain AHA 9", "%", "LV radial strain"),
    Phenotype(24167, "LV radial strain AHA 10", "%", "LV radial strain"),
    Phenotype(24168, "LV radial strain AHA 11", "%", "LV radial strain"),
    Phenotype(24169, "LV radial strain AHA 12", "%", "LV radial strain"),
    Phenotype(24170, "LV radial strain AHA 13", "%", "LV radial strain"),
    Phenotype(24171, "LV radial strain AHA 14", "%", "LV radial strain"),
    Phenotype(24172, "LV radial strain AHA 15", "%", "LV radial strain"),
    Phenotype(24173, "LV radial strain AHA 16", "%", "LV radial strain"),
    Phenotype(24174, "LV radial strain global", "%", "LV radial strain"),
    Phenotype(24175, "LV longitudinal strain Segment 1", "%", "LV longitudinal strain"),
    Phenotype(24176, "LV longitudinal strain Segment 2", "%", "LV longitudinal strain"),
    Phenotype(24177, "LV longitudinal strain Segment 3", "%", "LV longitudinal strain"),
    Phenotype(24178, "LV longitudinal strain Segment 4", "%", "LV longitudinal strain"),
    Phenotype(24179, "LV longitudinal strain Segment 5", "%", "LV longitudinal strain"),
    Phenotype(24180, "LV longitudinal strain Segment 6", "%", "LV longitudinal strain"),
    Phenotype(24181, "LV longitudinal strain global", "%", "LV longitudinal strain"),
)

FIELD_IDS: tuple[int, ...] = tuple(phenotype.field_id for phenotype in PHENOTYPES)
