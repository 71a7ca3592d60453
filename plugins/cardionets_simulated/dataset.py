"""The simulated cohort as a dataset."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np

from cardionets_core.cmr.phenotypes import FIELD_IDS
from cardionets_core.ecg.leads import CANONICAL_LEADS
from cardionets_core.ecg.record import EcgRecord
from cardionets_core.interfaces import Diagnosis, Role, Subject, SubjectRef
from cardionets_simulated.config import SimulatedConfig
from cardionets_simulated.subject import simulate
from cardionets_simulated.version import SIMULATOR_VERSION

_SAMPLING_RATE_HZ = 500.0
# A usual step of an electrocardiograph; the simulator itself has no quantisation.
_LSB_MV = 0.001


class SimulatedDataset:
    """Subjects 0, 1, 2, ... of a simulator seed.

    Args:
        config: Options.
    """

    simulated = True

    def __init__(self, config: SimulatedConfig) -> None:
        self.config = config

    def cache_key(self) -> str:
        """What the subjects follow from; a cohort made from it never goes stale."""
        content = {**self.config.model_dump(mode="json"), "version": SIMULATOR_VERSION}
        return json.dumps(content, sort_keys=True)

    def subjects(self) -> Iterable[SubjectRef]:
        """Every subject, by index."""
        for index in range(self.config.subjects):
            key = f"simulated/{self.config.seed}/{index}"
            yield SubjectRef(key, key, location=index, role=self._role(index), origin=key)

    def read(self, ref: SubjectRef) -> Subject:
        """Simulate one subject."""
        made = simulate(
            self.config.seed,
            int(ref.location),
            self._prevalence(int(ref.location)),
            strain_noise_scale=self.config.strain_noise_scale,
            late_fraction=self.config.late_fraction,
        )
        ecg = EcgRecord(
            made.ecg_mv,
            CANONICAL_LEADS,
            _SAMPLING_RATE_HZ,
            lsb_mv=np.full(len(CANONICAL_LEADS), _LSB_MV),
        )
        return Subject(
            subject_id=ref.subject_key,
            record_id=ref.record_key,
            ecg=ecg,
            cine=made.cine,
            phenotypes=dict(zip(FIELD_IDS, made.phenotypes.tolist(), strict=True)),
            diagnoses=tuple(
                Diagnosis(d.icd10.replace(".", ""), d.days_from_visit) for d in made.diagnoses
            ),
            sex=made.sex,
            age_years=made.age_years,
        )

    def _role(self, index: int) -> Role | None:
        if self.config.pretrain_subjects is None:
            return None
        return "pretrain" if index < self.config.pretrain_subjects else "downstream"

    def _prevalence(self, index: int) -> str:
        if index >= self.config.subjects - self.config.enriched_subjects:
            return "enriched"
        return self.config.prevalence
