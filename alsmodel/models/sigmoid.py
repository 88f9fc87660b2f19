"""Sigmoid decline: default priors of D50 and dx with their sources, and what the curve does not go with."""

from typing import TYPE_CHECKING, Final

import numpy as np

from alsmodel.clinical.units import DAYS_PER_UNIT
from alsmodel.cohort.arrays import BOUNDS
from alsmodel.cohort.derived import OF_SCORES
from alsmodel.models.association import reaches_further
from alsmodel.models.priors import HalfNormal, Normal

if TYPE_CHECKING:
    from alsmodel.models.spec import JointModel

#: Derived from the shared placebo group of HEALEY regimen C (JAMA 2024, doi 10.1001/jama.2024.27643): ALSFRS-R 35.1, 21.9 months after
#: onset, falling by 1.03 points a month. With p = 35.1 / 48 the curve has dx = 48 p (1 - p) / 1.03 and D50 = 21.9 - dx log(1 / p - 1).
TYPICAL_D50, TYPICAL_DX = 31.0, 9.2

_TYPICAL: Final = "the curve through 35.1 points, falling by 1.03 a month, 21.9 months after onset (placebo of HEALEY regimen C)"
_SPREAD_D50: Final = (
    "the classes of aggressiveness meet at 20 and 40 months (Dreger et al. 2021); a third of the people in each would be an SD of log D50 "
    "of 0.8"
)
_SPREAD_DX: Final = "slopes of 1.03 points a month with an SD of 0.76 (PRO-ACT placebo, HEALEY plan) are an SD of 0.66 on the log scale"


def default_means(spec: "JointModel") -> tuple[Normal, Normal]:
    """Priors of the means of log D50 and log dx, in the model's unit of time."""
    per = float(np.log(DAYS_PER_UNIT["month"] / DAYS_PER_UNIT[spec.time_unit]))
    found = [
        Normal(mean=round(float(np.log(typical)) + per, 2), sd=0.5, reason=f"{name} about {typical:g} months, half to double: {_TYPICAL}")
        for name, typical in (("D50", TYPICAL_D50), ("dx", TYPICAL_DX))
    ]
    return found[0], found[1]


def default_spreads() -> tuple[HalfNormal, HalfNormal]:
    """Priors of the SDs between participants of log D50 and log dx."""
    return HalfNormal(scale=0.8, reason=_SPREAD_D50), HalfNormal(scale=0.7, reason=_SPREAD_DX)


def default_coefficients() -> Normal:
    """Prior of coefficients on log D50 and log dx, of a covariate with an SD of one."""
    return Normal(mean=0.0, sd=0.5, reason="an SD of a covariate moves D50 or dx by less than a factor of about 2.7")


def sigmoid_faults(spec: "JointModel") -> list[str]:
    """What a sigmoid decline does not go with, in sentences; none for other declines."""
    part = spec.decline
    if part.kind != "sigmoid":
        return []
    faults = []
    if spec.transform != "identity":
        faults.append(f'a sigmoid decline runs from the full score to zero on the score\'s own scale; got transform = "{spec.transform}".')
    known = BOUNDS.get(spec.outcome)
    if known is not None and part.top != known[1]:
        faults.append(f"the full score of {spec.outcome} is {known[1]:g}; decline.top is {part.top:g}.")
    if spec.population == "incident":
        faults.append(
            'a sigmoid decline with population = "incident" is not available; the curve runs from onset whatever the hazard\'s clock. '
            'Choose "enrolled".'
        )
    if reaches_further(spec.association):
        faults.append(
            'a sigmoid decline reaches the hazard through its current value and slope; take "area" and "shared" out of association.'
        )
    if spec.causes:
        faults.append(
            "a sigmoid decline with several causes is not available; leave out causes, or choose Linear, Quadratic or NaturalSpline."
        )
    if spec.hierarchy:
        faults.append(
            "a sigmoid decline with a hierarchy is not available; leave out hierarchy, or put the groups among decline.covariates."
        )
    for name in sorted({*OF_SCORES} & {*part.steepness}):
        faults.append(f"{name} is made of the score itself and may not enter log dx either; use the hazard.")
    for t in spec.treatments:
        faults += [f"treatment {t.name!r}: {words}" for words in _treatment_faults(t.score, t.own_clock, t.source)]
    return faults


def _treatment_faults(score: str, own_clock: str, source: str) -> list[str]:
    if score == "additive":
        return ['a sigmoid has no slope to add points to; choose score = "clock" with own_clock = "scaled", or "none".']
    if score == "clock" and own_clock != "scaled":
        return ['the whole of a participant\'s sigmoid runs on one disease clock; set own_clock = "scaled".']
    if score == "clock" and source == "exposure":
        return [
            "a sigmoid runs from onset, and what was taken between onset and time zero would have to be known; only a randomised arm "
            '(source = "arm") slows its clock. Set score = "none" for an effect on the hazard alone.'
        ]
    return []
