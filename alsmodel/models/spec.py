"""The joint model as a frozen specification: choices only, never data.

Every choice is a plain frozen dataclass, so that a model prints, hashes and goes to and from TOML. `alsmodel.models.joint.build`
joins a specification with the arrays of a cohort.
"""

from dataclasses import dataclass, field
from typing import Literal, final

from alsmodel.cohort.selection import Covariate, DeltaFrs, Exposure, Population, Selection, TimeUnit, Transform, Unknown

Association = Literal["value", "slope"]


@final
@dataclass(frozen=True, kw_only=True)
class PiecewiseHazard:
    """Baseline hazard that is constant between knots (proportional hazards).

    Attributes
    ----------
    intervals : int
        Number of intervals; inner knots are quantiles of the observed event times.
    knots : tuple of float or None
        Inner knots in the study's time unit; overrides the quantiles.
    nodes : int
        Gauss-Legendre nodes on each piece of a participant's follow-up.
    """

    kind: Literal["piecewise"] = "piecewise"
    intervals: int = 7
    knots: tuple[float, ...] | None = None
    nodes: int = 2

    def __post_init__(self) -> None:
        if self.intervals < 1:
            raise ValueError(f"intervals must be at least 1; got {self.intervals}.")
        if self.knots is not None and list(self.knots) != sorted({k for k in self.knots if k > 0}):
            raise ValueError(f"knots must be positive and increasing; got {list(self.knots)}.")
        if not 1 <= self.nodes <= 30:
            raise ValueError(f"nodes must be between 1 and 30; got {self.nodes}.")


@final
@dataclass(frozen=True, kw_only=True)
class WeibullHazard:
    """Baseline hazard of Weibull form, exp(log_scale) * shape * t**(shape - 1).

    Attributes
    ----------
    nodes : int
        Gauss-Legendre nodes on a participant's follow-up, after the substitution t = T v**2.
    """

    kind: Literal["weibull"] = "weibull"
    nodes: int = 15

    def __post_init__(self) -> None:
        if not 5 <= self.nodes <= 60:
            raise ValueError(f"nodes must be between 5 and 60; got {self.nodes}.")


@final
@dataclass(frozen=True, kw_only=True)
class Treatment:
    """One drug, entering the score model exactly once.

    Attributes
    ----------
    name : str
        Drug or arm as it is to be printed.
    source : {"arm", "exposure"}
        "arm": the randomised arm, from time zero to the end whatever was taken (a randomised comparison).
        "exposure": intervals actually taken, before the time origin included (an observational association).
    level : str or None
        The arm that counts as treated; needed when `source` is "arm".
    score : {"clock", "additive", "none"}
        "clock": time runs exp(theta) as fast on the mean path while exposed, so exp(theta) is the ratio of slopes.
        "additive": points per time unit added to the slope while exposed.
    own_clock : {"free", "scaled", "none"}
        How the participant's own deviation from the mean path responds: its own log ratio psi ("free", the default),
        the same as theta ("scaled"), or not at all ("none"). Only with the clock.
    hazard : {"ratio", "clock", "DRR", "none"}
        "ratio": a log hazard ratio beside the association, the *direct* effect. "clock": the baseline hazard runs on the
        disease clock (Weibull only). "DRR": exp(theta) multiplies the hazard as well; refused with an association.
    unknown : {"refuse", "exclude", "unexposed", "exposed"}
        What to do with participants whose exposure was never recorded. The last two are sensitivity limits.
    """

    name: str
    source: Literal["arm", "exposure"] = "exposure"
    level: str | None = None
    score: Literal["clock", "additive", "none"] = "clock"
    own_clock: Literal["free", "scaled", "none"] = "free"
    hazard: Literal["ratio", "clock", "DRR", "none"] = "ratio"
    unknown: Unknown = "refuse"

    def __post_init__(self) -> None:
        if self.source == "arm" and self.level is None:
            raise ValueError(f"treatment {self.name!r} comes from the arm: level must name the treated arm.")
        if self.hazard in ("clock", "DRR") and self.score != "clock":
            raise ValueError(f'treatment {self.name!r}: hazard = "{self.hazard}" needs score = "clock".')


@final
@dataclass(frozen=True, kw_only=True)
class Normal:
    """A normal prior with this mean and SD."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not self.sd > 0:
            raise ValueError(f"sd must be above 0; got {self.sd}.")


@final
@dataclass(frozen=True, kw_only=True)
class Priors:
    """Priors of the population parameters, in outcome units and the study's time unit.

    A prior left out is weak and scaled by the data's own units, so that any outcome can be fitted: with s the SD of the
    transformed outcome and L the longest follow-up, coefficients on the intercept are N(0, (2.5 s / SD(x))^2), on the slope
    N(0, (10 s / L / SD(x))^2), on the log hazard N(0, (2.5 / SD(x))^2), the association N(0, (2.5 / s)^2); SDs are half-normal
    with scale 2.5 s (intercept, residual) and 10 s / L (slope). Quadratic terms scale with 10 s / L^2.

    Attributes
    ----------
    intercept, slope : Normal or None
        Population mean at time zero and mean slope with all covariates at zero.
    intercept_covariates, slope_covariates, hazard_covariates : Normal or None
        Shared by every coefficient on that part.
    association_value, association_slope : Normal or None
        Log hazard per outcome unit, and per outcome unit per time unit.
    theta : Normal
        Log ratio of slopes of a drug on the disease clock. N(0, 0.5^2): a slope ratio between 0.38 and 2.7.
    psi : Normal
        Log ratio of the participant's own clock.
    direct : Normal
        Direct log hazard ratio of a drug.
    additive : Normal or None
        Additive effect of a drug on the slope.
    sd_intercept, sd_slope, sd_quadratic, sd_residual : float or None
        Scales of half-normal priors.
    correlation : float
        LKJ shape; 1 is uniform over correlation matrices.
    log_hazard : Normal or None
        Log baseline hazard at outcome zero of the mean path's centre, each piece; or the log scale of the Weibull.
    log_shape : Normal
        Log shape of the Weibull.
    """

    intercept: Normal | None = None
    slope: Normal | None = None
    quadratic: Normal | None = None
    intercept_covariates: Normal | None = None
    slope_covariates: Normal | None = None
    hazard_covariates: Normal | None = None
    association_value: Normal | None = None
    association_slope: Normal | None = None
    theta: Normal = field(default_factory=lambda: Normal(mean=0.0, sd=0.5))
    psi: Normal = field(default_factory=lambda: Normal(mean=0.0, sd=0.5))
    direct: Normal = field(default_factory=lambda: Normal(mean=0.0, sd=1.0))
    additive: Normal | None = None
    sd_intercept: float | None = None
    sd_slope: float | None = None
    sd_quadratic: float | None = None
    sd_residual: float | None = None
    correlation: float = 1.0
    log_hazard: Normal | None = None
    log_shape: Normal = field(default_factory=lambda: Normal(mean=0.0, sd=1.0))

    def __post_init__(self) -> None:
        for name in ("sd_intercept", "sd_slope", "sd_quadratic", "sd_residual"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is the scale of a half-normal prior and must be above 0; got {value}.")
        if not self.correlation > 0:
            raise ValueError(f"correlation is an LKJ shape and must be above 0; got {self.correlation}.")


@final
@dataclass(frozen=True, kw_only=True)
class JointModel:
    """Decline of a score and time to an event, joined through the participant's own path.

    Attributes
    ----------
    outcome : str
        Name in the measurements table, such as ``alsfrs_r_total`` or ``serBilir``.
    transform : {"identity", "log", "logit"}
        Applied to the outcome; "logit" needs `upper` (the share is outcome / upper).
    time_unit : {"day", "week", "month", "year"}
        Unit of time in the model and in every printed slope and hazard.
    events : tuple of str
        Event kinds that end follow-up, whichever comes first.
    end_point : str or None
        Tag of a survival end point, such as "death or tracheostomy", in place of `events`; refused when the source does not
        record all that it is made of.
    random_effects : {"linear", "quadratic"}
        Random intercept and slope, with or without a random quadratic term (mean zero unless `fixed_quadratic`).
    intercept, slope, hazard : tuple of str
        Baseline covariates on each part.
    association : tuple of {"value", "slope"}
        Through what the path reaches the hazard.
    population : {"enrolled", "incident"}
        Whom the random effects describe. "enrolled": hazard integrated from entry. "incident": from the hazard's origin, with
        each likelihood divided by the chance of surviving to entry.
    delta_frs : {"screening", "conditioned", "attenuated"}
        Source of delta-FRS when it is a covariate: an earlier screening score; the baseline row, removed from the outcomes;
        or the baseline row, kept, on slope and hazard only and labelled attenuated.
    gaussian_at_bounds : bool
        Accept the Gaussian approximation although over 15% of scores sit at a bound.
    hermite : int
        Gauss-Hermite nodes per random effect.
    """

    kind: Literal["joint"] = "joint"
    outcome: str = "alsfrs_r_total"
    transform: Transform = "identity"
    upper: float | None = None
    time_unit: TimeUnit = "month"
    events: tuple[str, ...] = ("death",)
    end_point: str | None = None
    random_effects: Literal["linear", "quadratic"] = "linear"
    fixed_quadratic: bool = False
    intercept: tuple[str, ...] = ()
    slope: tuple[str, ...] = ()
    hazard: tuple[str, ...] = ()
    association: tuple[Association, ...] = ("value",)
    baseline_hazard: PiecewiseHazard | WeibullHazard = field(default_factory=PiecewiseHazard)
    treatments: tuple[Treatment, ...] = ()
    population: Population = "enrolled"
    delta_frs: DeltaFrs = "screening"
    gaussian_at_bounds: bool = False
    covariates: dict[str, Covariate] = field(default_factory=dict)
    priors: Priors = field(default_factory=Priors)
    hermite: int = 3

    def __post_init__(self) -> None:
        faults = [*_drug_faults(self), *_structure_faults(self)]
        if faults:
            raise ValueError(" ".join(faults))

    @property
    def selection(self) -> Selection:
        """What the model takes from a cohort."""
        names = dict.fromkeys((*self.intercept, *self.slope, *self.hazard))
        return Selection(
            outcome=self.outcome,
            transform=self.transform,
            upper=self.upper,
            time_unit=self.time_unit,
            events=self.events,
            end_point=self.end_point,
            covariates={name: self.covariates.get(name, Covariate()) for name in names},
            exposures=tuple(Exposure(name=t.name, source=t.source, level=t.level, unknown=t.unknown) for t in self.treatments),
            population=self.population,
            delta_frs=self.delta_frs,
            gaussian_at_bounds=self.gaussian_at_bounds,
        )

    @property
    def event_words(self) -> str:
        """What ends follow-up, in words."""
        return self.end_point or " or ".join(self.events)

    @property
    def randomised(self) -> bool:
        """Whether a treatment comes from the randomised arm."""
        return any(t.source == "arm" for t in self.treatments)


def _drug_faults(spec: JointModel) -> list[str]:
    faults = []
    names = [t.name for t in spec.treatments]
    for name in sorted({n for n in names if names.count(n) > 1}):
        faults.append(f"treatment {name!r} is listed twice; each drug enters once.")
    for treatment in spec.treatments:
        columns = {treatment.name, "arm"} if treatment.source == "arm" else {treatment.name}
        if columns & {*spec.intercept, *spec.slope}:
            faults.append(
                f"{treatment.name!r} enters the score both as a treatment and as a covariate; "
                "a drug enters once, through the clock or the slope. Take it out of intercept and slope."
            )
        if treatment.hazard != "none" and columns & set(spec.hazard):
            faults.append(
                f"{treatment.name!r} reaches the hazard both as a treatment and as a covariate; take it out of hazard, "
                'or set the treatment\'s hazard = "none".'
            )
        if treatment.hazard == "clock" and spec.population == "incident":
            faults.append(
                f'treatment {treatment.name!r}: hazard = "clock" counts from enrolment and is not defined with population = "incident", '
                'where hazards count from onset. Choose hazard = "ratio".'
            )
        if treatment.hazard == "DRR" and spec.association:
            faults.append(
                f'treatment {treatment.name!r}: hazard = "DRR" together with an association would let the treatment reach the '
                'hazard twice. Set association = [] or choose hazard = "ratio".'
            )
        if treatment.hazard == "clock" and spec.baseline_hazard.kind != "weibull":
            faults.append(f'treatment {treatment.name!r}: hazard = "clock" needs a smooth baseline; set baseline_hazard.kind = "weibull".')
    return faults


def _structure_faults(spec: JointModel) -> list[str]:
    faults = []
    if spec.transform == "logit" and (spec.upper is None or spec.upper <= 0):
        faults.append('transform = "logit" needs upper, the largest possible score.')
    if not spec.events:
        faults.append("events must name at least one event kind.")
    if len(set(spec.association)) < len(spec.association):
        faults.append("association lists a term twice.")
    if not 1 <= spec.hermite <= 15:
        faults.append(f"hermite must be between 1 and 15; got {spec.hermite}.")
    if unused := sorted(set(spec.covariates) - {*spec.intercept, *spec.slope, *spec.hazard}):
        faults.append(f"covariates sets {', '.join(unused)}, which stands on no part of the model.")
    if "delta_frs" in spec.intercept:
        faults.append("delta_frs is made of the score itself and may not enter the intercept; use slope or hazard.")
    return faults
