"""Priors as named objects that print, with the reason for each; and the units that weak ones are scaled by."""

from dataclasses import dataclass, field, fields
from typing import final

import numpy as np

from alsmodel.cohort.arrays import JointData


@final
@dataclass(frozen=True, kw_only=True)
class Normal:
    """A normal prior with this mean and SD.

    Attributes
    ----------
    reason : str
        Why these numbers; printed with the fit.
    """

    mean: float
    sd: float
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.sd > 0:
            raise ValueError(f"sd must be above 0; got {self.sd}.")

    def __str__(self) -> str:
        return f"N({self.mean:g}, {self.sd:g}^2)"


@final
@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A prior that is a mixture of normals, such as one borrowed from other trials with a wide component against conflict.

    Attributes
    ----------
    weights, means, sds : tuple of float
        Of the components; the weights sum to one.
    reason : str
        Why these numbers; printed with the fit.
    """

    weights: tuple[float, ...]
    means: tuple[float, ...]
    sds: tuple[float, ...]
    reason: str = ""

    def __post_init__(self) -> None:
        faults = []
        if not len(self.weights) == len(self.means) == len(self.sds) > 0:
            faults.append(f"weights, means and sds must be as many; got {len(self.weights)}, {len(self.means)} and {len(self.sds)}.")
        if not all(weight > 0 for weight in self.weights) or abs(sum(self.weights) - 1) > 1e-6:
            faults.append(f"weights must be above 0 and sum to one; got {self.weights}.")
        if not all(sd > 0 for sd in self.sds):
            faults.append(f"sds must be above 0; got {self.sds}.")
        if faults:
            raise ValueError(" ".join(faults))

    @property
    def components(self) -> tuple[tuple[float, float, float], ...]:
        """Weight, mean and SD of each component."""
        return tuple(zip(self.weights, self.means, self.sds, strict=True))

    @property
    def mean(self) -> float:
        """Mean of the whole."""
        return float(np.dot(self.weights, self.means))

    @property
    def sd(self) -> float:
        """SD of the whole."""
        square = sum(w * (s**2 + m**2) for w, m, s in self.components)
        return float(np.sqrt(square - self.mean**2))

    def __str__(self) -> str:
        return mixture_text(self.components)


def mixture_text(components: tuple[tuple[float, float, float], ...]) -> str:
    """A mixture of normals in a formula."""
    return " + ".join(f"{w:.3g} N({m:.4g}, {s:.4g}^2)" for w, m, s in components)


@final
@dataclass(frozen=True, kw_only=True)
class HalfNormal:
    """A half-normal prior: the absolute value of a normal number with mean 0 and SD `scale`."""

    scale: float
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale of a half-normal prior must be above 0; got {self.scale}.")

    def __str__(self) -> str:
        return f"half-normal({self.scale:g})"


@final
@dataclass(frozen=True, kw_only=True)
class Priors:
    """Priors of the population parameters, in outcome units and the model's time unit; each can be changed alone.

    A prior left out is weak and scaled by the data's own units, so that any outcome can be fitted: with s the SD of the
    transformed outcome and L the longest follow-up, coefficients on the intercept are N(0, (2.5 s / SD(x))^2), on the slope
    N(0, (10 s / L / SD(x))^2), on the log hazard N(0, (2.5 / SD(x))^2), the association N(0, (2.5 / s)^2); SDs are half-normal
    with scale 2.5 s (intercept, residual) and 10 s / L (slope). Quadratic terms scale with 10 s / L^2.

    Those of a sigmoid decline do not depend on the data (`alsmodel.models.sigmoid`).

    A half-normal prior may be given by its scale alone. The mean slope and the effects of drugs may have a `Mixture`.

    Attributes
    ----------
    intercept, quadratic : Normal or None
    slope : Normal, Mixture or None
        Population mean at time zero, mean slope and mean quadratic term with all covariates at zero.
    intercept_covariates, slope_covariates, hazard_covariates : Normal or None
        Shared by every coefficient on that part.
    log_d50, log_dx : Normal or None
        Population means of log D50 and log dx of a sigmoid decline, with all covariates at zero.
    log_d50_covariates, log_dx_covariates : Normal or None
        Shared by every coefficient on either.
    association_value, association_slope, association_area : Normal or None
        Log hazard per outcome unit, per outcome unit per time unit, and per outcome unit of the mean since time zero.
    association_shared_intercept, association_shared_slope, association_shared_quadratic : Normal or None
        Log hazard per unit of a participant's own deviation: left out, N(0, (2.5 / s)^2), N(0, (2.5 L / s)^2), N(0, (2.5 L^2 / s)^2).
    theta : Normal or Mixture
        Log ratio of slopes of a drug on the disease clock. N(0, 0.5^2): a slope ratio between 0.38 and 2.7.
    psi : Normal
        Log ratio of the participant's own clock.
    direct : Normal or Mixture
        Direct log hazard ratio of a drug.
    additive : Normal, Mixture or None
        Additive effect of a drug on the slope.
    sd_intercept, sd_slope, sd_quadratic, sd_log_d50, sd_log_dx, sd_residual : HalfNormal, float or None
        SDs between participants, and of the residuals.
    correlation : float
        LKJ shape; 1 is uniform over correlation matrices.
    log_hazard : Normal or None
        Log baseline hazard at a score of zero: of each piece; of the Weibull at its time `at`; the mean over the M-spline's range.
    log_shape : Normal
        Log shape of the Weibull, and of the first of a Royston-Parmar curve's slopes.
    sd_spline : HalfNormal or float
        SD of the steps of the M-spline's log weights, and of those of a Royston-Parmar curve's log slopes.
    sd_baseline_level, sd_baseline_shape : HalfNormal or float
        SDs between strata that are pooled: of the log level, and of every coefficient of the shape.
    sd_effect : HalfNormal or float
        SD of a drug's effect between levels of `by`, on the log scale (points per time unit for an additive effect).
    sd_association_value, sd_association_slope : HalfNormal, float or None
        SDs of an association between levels of its `by`; left out, half-normal(0.2 / s) and half-normal(0.2 L / s): 0.2 on the log hazard
        for one SD of the outcome.
    sd_level_groups, sd_slope_groups : HalfNormal, float or None
        SDs between the groups of a hierarchy: of the mean at time zero, and of the slope.
    class_intercept : Normal or None
        Mean at time zero of each other latent class less that of the first; left out, N(0, (2.5 s)^2).
    class_log_step : Normal or None
        Log of the slope of each latent class less that of the class before; left out, N(log(2 s / L), 0.75^2): steps of 0.2 to 4.4
        times the median. No weight lies on classes that decline alike, which would be one class twice.
    class_hazard : Normal
        Log hazard ratio of each other latent class against the first.
    class_odds : Normal
        Log odds of each other latent class against the first. N(0, 1.5^2) is nearly uniform over the share of one of two classes.
    class_covariates : Normal or None
        Shared by every coefficient on those log odds; left out, N(0, (1.5 / SD(x))^2).
    """

    intercept: Normal | None = None
    slope: Normal | Mixture | None = None
    quadratic: Normal | None = None
    intercept_covariates: Normal | None = None
    slope_covariates: Normal | None = None
    hazard_covariates: Normal | None = None
    log_d50: Normal | None = None
    log_dx: Normal | None = None
    log_d50_covariates: Normal | None = None
    log_dx_covariates: Normal | None = None
    association_value: Normal | None = None
    association_slope: Normal | None = None
    association_area: Normal | None = None
    association_shared_intercept: Normal | None = None
    association_shared_slope: Normal | None = None
    association_shared_quadratic: Normal | None = None
    theta: Normal | Mixture = field(default_factory=lambda: Normal(mean=0.0, sd=0.5))
    psi: Normal = field(default_factory=lambda: Normal(mean=0.0, sd=0.5))
    direct: Normal | Mixture = field(default_factory=lambda: Normal(mean=0.0, sd=1.0))
    additive: Normal | Mixture | None = None
    sd_intercept: HalfNormal | float | None = None
    sd_slope: HalfNormal | float | None = None
    sd_quadratic: HalfNormal | float | None = None
    sd_log_d50: HalfNormal | float | None = None
    sd_log_dx: HalfNormal | float | None = None
    sd_residual: HalfNormal | float | None = None
    correlation: float = 1.0
    log_hazard: Normal | None = None
    log_shape: Normal = field(default_factory=lambda: Normal(mean=0.0, sd=1.0))
    sd_spline: HalfNormal | float = 1.0
    sd_baseline_level: HalfNormal | float = 1.0
    sd_baseline_shape: HalfNormal | float = 0.5
    sd_effect: HalfNormal | float = 0.2
    sd_association_value: HalfNormal | float | None = None
    sd_association_slope: HalfNormal | float | None = None
    sd_level_groups: HalfNormal | float | None = None
    sd_slope_groups: HalfNormal | float | None = None
    class_intercept: Normal | None = None
    class_log_step: Normal | None = None
    class_hazard: Normal = field(default_factory=lambda: Normal(mean=0.0, sd=1.5, reason="hazard ratios between classes of 1/20 to 20"))
    class_odds: Normal = field(
        default_factory=lambda: Normal(mean=0.0, sd=1.5, reason="nearly uniform over the share of one of two classes")
    )
    class_covariates: Normal | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name.startswith("sd_") and isinstance(value, int | float) and not value > 0:
                raise ValueError(f"{one.name} is the scale of a half-normal prior and must be above 0; got {value}.")
        if not self.correlation > 0:
            raise ValueError(f"correlation is an LKJ shape and must be above 0; got {self.correlation}.")

    def half_normal(self, name: str) -> HalfNormal | None:
        """Prior of an SD as an object, whichever way it was given."""
        given = getattr(self, name)
        return HalfNormal(scale=float(given)) if isinstance(given, int | float) else given


def als_priors(*, reason: str = "") -> Priors:
    """Priors for an ALSFRS-R total in months, wide but within what the scale and the disease allow.

    Everything that has no default here keeps the weak prior of `Priors`. Any of them can be changed by `dataclasses.replace`.
    """
    return Priors(
        intercept=Normal(mean=36.0, sd=6.0, reason=reason or "trials enrol with mean totals of 35 to 39; the scale ends at 48"),
        slope=Normal(mean=-1.0, sd=0.5, reason="mean decline of cohorts and trials is 0.7 to 1.3 points a month"),
        intercept_covariates=Normal(mean=0.0, sd=3.0, reason="groups differ by a few points at enrolment"),
        slope_covariates=Normal(mean=0.0, sd=0.4, reason="a covariate moves the slope by less than the slope itself"),
        hazard_covariates=Normal(mean=0.0, sd=0.7, reason="hazard ratios of 0.25 to 4 per unit"),
        association_value=Normal(mean=-0.08, sd=0.08, reason="a lower score goes with a higher hazard: 8% a point, 0 to 20%"),
        association_slope=Normal(mean=-0.5, sd=0.5, reason="faster decline goes with a higher hazard"),
        association_area=Normal(mean=-0.08, sd=0.08, reason="per point as the current value, of which it is the mean"),
        association_shared_intercept=Normal(mean=-0.08, sd=0.08, reason="per point as the current value"),
        association_shared_slope=Normal(mean=-1.0, sd=1.0, reason="a point a month more lost is some 12 points a year later, at 8% each"),
        sd_intercept=HalfNormal(scale=6.0, reason="SD of totals at enrolment is 5 to 7 points"),
        sd_slope=HalfNormal(scale=0.8, reason="SD of slopes between people is 0.5 to 1 point a month"),
        sd_residual=HalfNormal(scale=2.5, reason="repeat ratings differ by 1 to 3 points"),
        sd_level_groups=HalfNormal(scale=2.0, reason="sites differ by a point or two at enrolment"),
        sd_slope_groups=HalfNormal(scale=0.2, reason="sites differ little in slope"),
    )


@final
@dataclass(frozen=True, kw_only=True)
class Scales:
    """Units of a data set.

    Attributes
    ----------
    centre, spread : float
        Mean and SD of the transformed outcome over all visits.
    length : float
        Longest follow-up or visit time.
    log_rate : float
        Log of events per person-time.
    columns : dict of str to float
        SD of each design column (1 where it is constant).
    """

    centre: float
    spread: float
    length: float
    log_rate: float
    columns: dict[str, float]


def data_scales(data: JointData) -> Scales:
    """Read the units off the data, rounded to two significant digits so that a prior prints as it is used."""
    return Scales(
        centre=_two_digits(float(data.outcome.mean())),
        spread=_two_digits(float(data.outcome.std(ddof=1))),
        length=_two_digits(float(max(data.event_time.max(), data.visit_time.max()))),
        log_rate=log_rate_of(data),
        columns={name: _two_digits(float(np.nanstd(column)) or 1.0) for name, column in data.columns.items()},
    )


def log_rate_of(data: JointData) -> float:
    """Log of events per person-time, to two significant digits."""
    follow_up = float((data.event_time - data.entry_time).sum()) or 1.0  # scores alone: nothing is said about a hazard
    return _two_digits(float(np.log(max(float(data.event.sum()), 0.5) / follow_up)))


def normal_prior(mean: float, sd: float) -> Normal:
    """A weak normal prior, its SD rounded to two significant digits."""
    return Normal(mean=mean, sd=_two_digits(sd))


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")
