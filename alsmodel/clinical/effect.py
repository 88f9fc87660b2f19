"""One published effect of one drug: estimate, uncertainty, scale and source.

Differences are treated minus control, so that above zero is slower decline; ratios are treated over control, so that below one
is benefit.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, final

from alsmodel.clinical.units import DAYS_PER_MONTH, DAYS_PER_WEEK
from alsmodel.errors import Fault, InvalidInput

Scale = Literal[
    "hazard ratio",
    "difference in ALSFRS-R points",
    "difference in ALSFRS-R points/month",
    "difference in proportion free of the event",
    "slope ratio",
]
Design = Literal["randomised, v placebo", "randomised, early v delayed start", "prevalent users"]
Grade = Literal["source", "label or register", "secondary", "sponsor", "conference"]

_Z95 = NormalDist().inv_cdf(0.975)


@final
@dataclass(frozen=True, kw_only=True)
class PublishedEffect:
    """One published contrast of one drug.

    Attributes
    ----------
    key : str
        Short name, unique.
    drug : str
        Canonical name.
    trial : str
        Trial or review as known.
    trials : tuple of str
        Trials whose data it rests on; left out: `trial` alone.
    contrast : str
        What is compared.
    design : {"randomised, v placebo", "randomised, early v delayed start", "prevalent users"}
    population : str
        Who.
    n_treated, n_control : int or None
        Analysed participants.
    end_point : str
        What was measured, and when.
    events : str or None
        Tag of the event definition, for hazard ratios and proportions.
    weeks : float or None
        Week of a difference in points.
    scale : str
        What the estimate is.
    estimate : float or None
        On `scale`; None when the source gives only a verdict.
    se : float or None
        As published; for ratios of the logarithm.
    low, high : float or None
        95% confidence (or credible) limits as published, on `scale`.
    p : float or None
        Two-sided, as published.
    p_of_estimate : bool
        Whether `p` tests `estimate` itself, so that a standard error follows from it; false for rank tests.
    control, control_se, treated, treated_se : float or None
        Change (or slope) of each arm on the scale of the estimate, with standard errors.
    follow_up : str
    source, doi : str
    grade : {"source", "label or register", "secondary", "sponsor", "conference"}
        How well sourced.
    note : str
    """

    key: str
    drug: str
    trial: str
    contrast: str
    population: str
    end_point: str
    scale: Scale
    source: str
    follow_up: str
    design: Design = "randomised, v placebo"
    n_treated: int | None = None
    n_control: int | None = None
    events: str | None = None
    weeks: float | None = None
    estimate: float | None = None
    se: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_of_estimate: bool = True
    control: float | None = None
    control_se: float | None = None
    treated: float | None = None
    treated_se: float | None = None
    trials: tuple[str, ...] = ()
    doi: str = ""
    grade: Grade = "source"
    note: str = ""

    def __post_init__(self) -> None:
        if not self.trials:
            object.__setattr__(self, "trials", (self.trial,))

    @property
    def is_ratio(self) -> bool:
        """Whether the estimate is normal on the logarithm."""
        return self.scale in ("hazard ratio", "slope ratio")

    @property
    def months(self) -> float | None:
        """Time of a difference in points, in months of 365.25/12 days."""
        return None if self.weeks is None else self.weeks * DAYS_PER_WEEK / DAYS_PER_MONTH

    @property
    def n(self) -> int | None:
        """Participants of both arms."""
        return None if self.n_treated is None or self.n_control is None else self.n_treated + self.n_control

    @property
    def standard_error(self) -> tuple[float, str] | None:
        r"""Standard error (of the logarithm for ratios) and where it comes from; None when nothing gives one.

        In this order: as published; from the 95% limits, :math:`(g(high) - g(low)) / (2 z_{0.975})`; from the p value of the
        estimate, :math:`|g(estimate)| / z_{1 - p/2}`; g is the logarithm for ratios, else the identity (Higgins et al.,
        Cochrane Handbook for Systematic Reviews of Interventions, chapter 6, on obtaining standard errors from confidence
        intervals and p values).
        """
        if self.se is not None:
            return self.se, "published"
        if self.low is not None and self.high is not None:
            low, high = (math.log(self.low), math.log(self.high)) if self.is_ratio else (self.low, self.high)
            return (high - low) / (2 * _Z95), "from the 95% limits"
        if self.p is not None and self.p_of_estimate and self.estimate is not None and 0 < self.p < 1:
            size = math.log(self.estimate) if self.is_ratio else self.estimate
            return abs(size) / NormalDist().inv_cdf(1 - self.p / 2), "from the p value"
        return None


def log_slope_ratio(
    difference: float, difference_se: float, control: float, control_se: float, treated_se: float | None = None
) -> tuple[float, float]:
    r"""Turn a difference between arms in points (or points per month) into the log ratio of their slopes, by the delta method.

    With c the control arm's change, d the difference and t = c + d the treated arm's change,

    .. math:: \phi = \log(t / c), \qquad
        Var(\phi) = \frac{V_d}{t^2} + \left(\frac1t - \frac1c\right)^2 V_c + \frac2t \left(\frac1t - \frac1c\right) C_{dc}

    from the gradient (1/t, 1/t - 1/c) in (d, c). The covariance of d and c is not printed by trials. When the treated arm's standard
    error is, it follows exactly from d = t - c: :math:`C_{dc} = (V_t - V_c - V_d)/2`. Otherwise the arms are taken as independent:
    :math:`C_{dc} = -V_c`. A ratio of changes is the ratio of slopes only if both arms decline in straight lines over the period.
    Source of the method: Oehlert, Am Stat 1992;46:27, doi 10.2307/2684406.

    Parameters
    ----------
    difference, difference_se : float
        Treated minus control, and its standard error.
    control, control_se : float
        Change of the control arm (below zero: decline), and its standard error.
    treated_se : float, optional
        Standard error of the treated arm's change.

    Returns
    -------
    log_ratio, se : float

    Raises
    ------
    InvalidInput
        When an arm does not decline, or the standard errors cannot belong together.
    """
    treated = control + difference
    if not (control < 0 and treated < 0):
        raise InvalidInput([Fault("prior", "A ratio of slopes needs decline in both arms.", "Use the parameter additive.")])
    v_d, v_c = difference_se**2, control_se**2
    covariance = -v_c if treated_se is None else (treated_se**2 - v_c - v_d) / 2
    by_d, by_c = 1 / treated, 1 / treated - 1 / control
    variance = by_d**2 * v_d + by_c**2 * v_c + 2 * by_d * by_c * covariance
    if not variance > 0 or covariance**2 > v_d * v_c * (1 + 1e-9):
        raise InvalidInput(
            [Fault("prior", "The standard errors of the difference and of the arms cannot belong together.", "Check them in the source.")]
        )
    return math.log(treated / control), math.sqrt(variance)
