"""Who has which disease, and how severely."""

from dataclasses import dataclass
from math import log
from types import MappingProxyType

import numpy as np

from cardionets_simulated.body import Body
from cardionets_simulated.columns import Columns
from cardionets_simulated.streams import Array, Draws


@dataclass(frozen=True)
class Prevalence:
    """How common the diseases are, as probabilities for a typical subject.

    Attributes:
        cad: Coronary artery disease.
        hf: Primary heart failure; more follows from other diseases.
        cm: Cardiomyopathy.
        cm_mix: Shares of DCM, HCM and RCM among the cardiomyopathies; they add up to 1.
        ph: Pulmonary hypertension among those without cardiomyopathy.
    """

    cad: float
    hf: float
    cm: float
    cm_mix: tuple[float, float, float]
    ph: float


PREVALENCES = MappingProxyType(
    {
        "ukb": Prevalence(0.054, 0.005, 0.002, (0.50, 0.35, 0.15), 0.0015),
        "demo": Prevalence(0.12, 0.04, 0.06, (0.45, 0.35, 0.20), 0.04),
        "enriched": Prevalence(0.15, 0.07, 0.15, (0.45, 0.35, 0.20), 0.08),
    }
)

# AHA segments (1 to 16) that an infarct of each artery takes.
LAD_SEGMENTS = (1, 2, 7, 8, 13, 14)
LCX_SEGMENTS = (5, 6, 11, 12, 16)
RCA_SEGMENTS = (3, 4, 9, 10, 15)


@dataclass(frozen=True, eq=False)
class Disease(Columns):
    """Diseases, each field (n,); a severity is 0 without the disease and at most 1.

    Attributes:
        cad: 1 with coronary artery disease.
        infarct: Extent of the infarct, 0 or 0.2 to 1 [mi].
        ischaemia: Strength of the ST-T changes of coronary disease [isch].
        lad: 1 where the diseased artery is the LAD.
        lcx: 1 where it is the circumflex.
        rca: 1 where it is the right coronary artery.
        dcm: Severity of dilated cardiomyopathy.
        hcm: Severity of hypertrophic cardiomyopathy.
        rcm: Severity of restrictive cardiomyopathy.
        ph: Severity of pulmonary hypertension.
        hfr: Severity of primary heart failure with reduced ejection fraction.
        hfp: Severity of primary heart failure with preserved ejection fraction.
        heart_failure: 1 with heart failure of any cause.
    """

    cad: Array
    infarct: Array
    ischaemia: Array
    lad: Array
    lcx: Array
    rca: Array
    dcm: Array
    hcm: Array
    rcm: Array
    ph: Array
    hfr: Array
    hfp: Array
    heart_failure: Array

    @property
    def cm(self) -> Array:
        """1 with a cardiomyopathy of any kind."""
        return ((self.dcm + self.hcm + self.rcm) > 0).astype(np.float64)

    @property
    def any(self) -> Array:
        """1 with any of the diseases."""
        return ((self.cad + self.cm + self.ph + self.heart_failure) > 0).astype(np.float64)


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + np.exp(-x))


def _logit(p: float) -> float:
    return log(p / (1.0 - p))


def _severity(u: Array) -> Array:
    return 0.25 + 0.75 * u**0.8


def prevalence_preset(name: str) -> Prevalence:
    """The prevalences called name.

    Raises:
        ValueError: If there is no such preset.
    """
    if name not in PREVALENCES:
        raise ValueError(f"no prevalence preset {name!r}; there are {', '.join(PREVALENCES)}")
    return PREVALENCES[name]


def make_disease(draws: Draws, body: Body, prevalence: Prevalence) -> Disease:
    """Draw the diseases; each has its own uniforms, so a prevalence changes no other disease's."""
    cad, infarct, ischaemia, lad, lcx, rca = _coronary(draws, body, prevalence.cad)
    dcm, hcm, rcm = _cardiomyopathy(draws, body, prevalence)
    no_cm = (dcm + hcm + rcm) == 0
    p_ph = prevalence.ph * np.exp(0.3 * body.age_score - 0.045)
    has_ph = no_cm & (draws.u("ph") < p_ph)
    ph = has_ph * _severity(draws.u("ph_severity"))
    primary = no_cm & (draws.u("hf") < _heart_failure_risk(body, prevalence.hf))
    hf_severity = primary * _severity(draws.u("hf_severity"))
    reduced = draws.u("hf_kind") < 0.5
    p_secondary = 0.5 * dcm + 0.2 * hcm + 0.6 * rcm + 0.25 * ph + 0.12 * infarct
    failing = primary | (draws.u("hf_secondary") < p_secondary)
    return Disease(
        cad=cad,
        infarct=infarct,
        ischaemia=ischaemia,
        lad=lad,
        lcx=lcx,
        rca=rca,
        dcm=dcm,
        hcm=hcm,
        rcm=rcm,
        ph=ph,
        hfr=hf_severity * reduced,
        hfp=hf_severity * ~reduced,
        heart_failure=failing.astype(np.float64),
    )


def _heart_failure_risk(body: Body, p: float) -> Array:
    """Probability of heart failure that no other simulated disease explains."""
    score = _logit(p) + 0.5 * body.age_score + 0.2 * body.pressure_score
    return logistic(score + 0.2 * body.bmi_score - 0.2)


def _coronary(draws: Draws, body: Body, p: float) -> tuple[Array, ...]:
    """CAD, infarct extent, ischaemia and the three arteries."""
    risk = logistic(
        _logit(p)
        + 0.55 * body.age_score
        + 0.45 * (2.0 * body.male - 1.0)
        + 0.25 * body.pressure_score
        + 0.2 * body.bmi_score
        - 0.33
    )
    cad = (draws.u("cad") < risk).astype(np.float64)
    extent = 0.2 + 0.8 * draws.u("infarct_extent")
    infarct = cad * (draws.u("infarct") < 0.45) * extent
    ischaemia = cad * (0.15 + 0.6 * draws.u("ischaemia") ** 1.5)
    artery = draws.u("territory")
    lad = cad * (artery < 0.4)
    rca = cad * (artery >= 0.6)
    return cad, infarct, ischaemia, lad, cad - lad - rca, rca


def _cardiomyopathy(draws: Draws, body: Body, prevalence: Prevalence) -> tuple[Array, ...]:
    """Severities of DCM, HCM and RCM; a subject has at most one."""
    p = prevalence.cm * np.exp(0.25 * (2.0 * body.male - 1.0) - 0.03)
    severity = (draws.u("cm") < p) * _severity(draws.u("cm_severity"))
    share_dcm, share_hcm, _ = prevalence.cm_mix
    kind = draws.u("cm_subtype")
    dcm = severity * (kind < share_dcm)
    rcm = severity * (kind >= share_dcm + share_hcm)
    return dcm, severity - dcm - rcm, rcm


def territory(disease: Disease) -> Array:
    """1 in the AHA segments that the diseased artery supplies, (16, n)."""
    shape = (16, *disease.cad.shape)
    supplied = np.zeros(shape)
    for artery, segments in (
        (disease.lad, LAD_SEGMENTS),
        (disease.lcx, LCX_SEGMENTS),
        (disease.rca, RCA_SEGMENTS),
    ):
        for segment in segments:
            supplied[segment - 1] = artery
    return supplied
