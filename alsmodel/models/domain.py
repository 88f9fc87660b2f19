"""Several outcomes and survival as one frozen specification: by default the four ALSFRS-R domain scores."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, final

from alsmodel.cohort.arrays import BOUNDS
from alsmodel.cohort.derived import OF_SCORES
from alsmodel.cohort.selection import Covariate, EventDays, Exposure, Selection, TimeUnit
from alsmodel.models.association import Association, ByGroup
from alsmodel.models.domain_words import formulas, sentences
from alsmodel.models.priors import HalfNormal, Normal
from alsmodel.models.survival import PiecewiseExponential

DOMAINS = ("bulbar", "fine_motor", "gross_motor", "respiratory")
FIRST_NODES = (16, 10)
#: Names of settings that a flat specification had, and where they stand.
MOVED = {
    "hazard": "survival = PiecewiseExponential(covariates=[...]), in TOML [model.survival] covariates = [...]",
    "baseline_hazard": "survival = PiecewiseExponential(knots=6), in TOML [model.survival] knots = 6",
}


@final
@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One outcome with a line for every participant.

    Attributes
    ----------
    name : str
        Name in the measurements table, such as ``bulbar``, ``svc_percent`` or ``alsfrs_r_total``.
    likelihood : {"censored", "gaussian", "student"}
        "censored": a score at a bound says that the latent value plus noise lies at the bound or beyond it. "gaussian": normal noise;
        refused where over 15% of rows sit at a bound of the scale. "student": Student-t noise, for one outcome alone.
    lower, upper : float or None
        Bounds of a censored outcome; left out, those of the scale where it is known.
    transform : {"identity", "log"}
        "log" for a concentration such as neurofilament light.
    weight : float
        Share in the projection that reaches the hazard; 0 keeps the outcome out of it.
    intercept, slope : tuple of str
        Baseline covariates on this outcome's intercept and slope.
    """

    name: str
    likelihood: Literal["censored", "gaussian", "student"] = "censored"
    lower: float | None = None
    upper: float | None = None
    transform: Literal["identity", "log"] = "identity"
    weight: float = 1.0
    intercept: tuple[str, ...] = ()
    slope: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        faults = []
        if self.likelihood == "censored":
            low, high = self.bounds
            if low is None and high is None:
                faults.append(
                    f'{self.name}: likelihood = "censored" needs lower, upper or both; the scale of this outcome is not known. '
                    'Where it has no ends that matter, choose likelihood = "gaussian".'
                )
            if low is not None and high is not None and not low < high:
                faults.append(f"{self.name}: lower must be below upper; got {low:g} and {high:g}.")
            if self.transform != "identity":
                faults.append(f"{self.name}: a transformed outcome has no censored likelihood here.")
        for made in sorted({*OF_SCORES} & {*self.intercept, *self.slope}):
            faults.append(f"{self.name}: {made} is made of scores that are outcomes here, so it would be used twice. Take it out.")
        if faults:
            raise ValueError(" ".join(faults))

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Lower and upper bound: as given, or those of a known scale."""
        known = BOUNDS.get(self.name, (None, None))
        if self.lower is None and self.upper is None:
            return known
        return self.lower, self.upper


def domains(*, intercept: tuple[str, ...] = (), slope: tuple[str, ...] = ()) -> tuple[Outcome, ...]:
    """Return the four ALSFRS-R domain scores, censored at 0 and 12, all with the same covariates; the projection is the current total."""
    return tuple(Outcome(name=name, intercept=intercept, slope=slope) for name in DOMAINS)


@final
@dataclass(frozen=True, kw_only=True)
class ArmEffect:
    """A randomised treatment, from time zero to the end of follow-up whatever was taken.

    Its ratio acts on the mean slopes; a participant's own deviation keeps its spread.

    Attributes
    ----------
    name : str
        As printed.
    level : str
        The arm that counts as treated.
    across : {"common", "pooled", "separate"}
        One ratio of slopes for all outcomes; one for each, drawn towards a common one (SD of the log ratios half-normal); or one for
        each with the prior of `theta` and nothing shared.
    hazard : {"ratio", "none"}
        A direct log hazard ratio beside the association, or none.
    """

    name: str
    level: str
    across: Literal["common", "pooled", "separate"] = "common"
    hazard: Literal["ratio", "none"] = "ratio"


@final
@dataclass(frozen=True, kw_only=True)
class DomainPriors:
    """Priors of the population parameters, in outcome units and the model's time unit.

    A prior left out takes its scale from each outcome: s is the SD of its rows or a sixth of its range, whichever is larger (where most
    rows sit at a bound the rows vary less than what they measure), L the longest follow-up. Intercept N(mean of rows, (10 s)^2); slope
    N(0, (10 s / L)^2); coefficients N(0, (2.5 s / SD(x))^2) and N(0, (10 s / (L SD(x)))^2); SDs half-normal with scale 2.5 s (intercept,
    residual) and 10 s / L (slope); association N(0, (2.5 / S)^2), S the root of the weighted sum of the s^2.

    Attributes
    ----------
    intercept, slope : Normal or None
        Shared by all outcomes.
    intercept_covariates, slope_covariates, hazard_covariates : Normal or None
        Shared by every coefficient on that part.
    association_value, association_slope : Normal or None
        Log hazard per unit of the projection's value, and of its slope.
    theta : Normal
        Log ratio of slopes of a treatment. N(0, 0.5^2): a ratio between 0.38 and 2.7.
    spread : HalfNormal or float
        SD of log ratios between outcomes; a scale of 0.2 leaves most outcomes within 40% of the common ratio.
    direct : Normal
        Direct log hazard ratio of a treatment.
    sd_intercept, sd_slope, sd_residual : HalfNormal, float or None
        Shared by all outcomes; a number is the scale of a half-normal prior.
    correlation : float
        LKJ shape over all random effects; 1 is uniform over correlation matrices.
    log_hazard : Normal or None
        Log hazard of each piece where the projection is zero.
    log_df : Normal
        Log degrees of freedom of Student-t noise. N(2.3, 0.8^2): between 2 and 48, median 10.
    """

    intercept: Normal | None = None
    slope: Normal | None = None
    intercept_covariates: Normal | None = None
    slope_covariates: Normal | None = None
    hazard_covariates: Normal | None = None
    association_value: Normal | None = None
    association_slope: Normal | None = None
    theta: Normal = field(default_factory=lambda: Normal(mean=0.0, sd=0.5))
    spread: HalfNormal | float = 0.2
    direct: Normal = field(default_factory=lambda: Normal(mean=0.0, sd=1.0))
    sd_intercept: HalfNormal | float | None = None
    sd_slope: HalfNormal | float | None = None
    sd_residual: HalfNormal | float | None = None
    correlation: float = 1.0
    log_hazard: Normal | None = None
    log_df: Normal = field(default_factory=lambda: Normal(mean=2.3, sd=0.8))

    def __post_init__(self) -> None:
        faults = []
        for name in ("sd_intercept", "sd_slope", "sd_residual", "spread"):
            value = getattr(self, name)
            if isinstance(value, int | float) and not value > 0:
                faults.append(f"{name} is the scale of a half-normal prior and must be above 0; got {value}.")
        if not self.correlation > 0:
            faults.append(f"correlation is an LKJ shape and must be above 0; got {self.correlation}.")
        if faults:
            raise ValueError(" ".join(faults))

    def half_normal(self, name: str) -> HalfNormal | None:
        """Prior of an SD as an object, whichever way it was given."""
        given = getattr(self, name)
        return HalfNormal(scale=float(given)) if isinstance(given, int | float) else given


@final
@dataclass(frozen=True, kw_only=True)
class DomainModel:
    """Decline of several outcomes with correlated lines, and time to an event, joined through a projection of the latent lines.

    Attributes
    ----------
    outcomes : tuple of Outcome
        The four ALSFRS-R domain scores unless given. Participants need at least one row of the first.
    time_unit : {"day", "week", "month", "year"}
        Unit of time in the model and in every printed slope and hazard.
    events : tuple of str
        Event kinds that end follow-up, whichever comes first.
    end_point : str or None
        Tag of a survival end point in place of `events`.
    event_days : {"between", "middle", "first known"}
        Day of an event known only to lie between two: the middle or the later of them; "between" keeps both, and is refused where there
        are such events.
    association : tuple of {"value", "slope"}
        Through what the projection, the sum of the latent lines by `Outcome.weight`, reaches the hazard.
    survival : PiecewiseExponential
        Baseline hazard, and covariates of the log hazard; strata are refused.
    treatment : ArmEffect or None
    residual_by_arm : bool
        Residual SDs of their own in every arm.
    gaussian_at_bounds : bool
        Accept the Gaussian approximation although over 15% of an outcome's rows sit at a bound.
    covariates : dict of str to Covariate
        How covariates enter.
    priors : DomainPriors
    nodes : tuple of two int
        Nodes in the plane of one outcome's line: values, slopes. Where the search for a fine enough rule starts.
    """

    kind: Literal["domains"] = "domains"
    outcomes: tuple[Outcome, ...] = field(default_factory=domains)
    time_unit: TimeUnit = "month"
    events: tuple[str, ...] = ("death",)
    end_point: str | None = None
    event_days: EventDays = "between"
    association: tuple[Association, ...] = ("value",)
    survival: PiecewiseExponential = field(default_factory=PiecewiseExponential)
    treatment: ArmEffect | None = None
    residual_by_arm: bool = False
    gaussian_at_bounds: bool = False
    covariates: dict[str, Covariate] = field(default_factory=dict)
    priors: DomainPriors = field(default_factory=DomainPriors)
    nodes: tuple[int, int] = FIRST_NODES

    #: Read by the settings codec, for whoever writes a setting where it stood before.
    moved_settings: ClassVar[dict[str, str]] = MOVED

    def __new__(cls, **settings: Any) -> "DomainModel":
        """Say where a setting went that a flat specification had."""
        told = [f"{name} is now {MOVED[name]}." for name in settings if name in MOVED]
        if told:
            raise TypeError(" ".join(told))
        return object.__new__(cls)

    def __post_init__(self) -> None:
        faults = _faults(self)
        if faults:
            raise ValueError(" ".join(faults))

    def __str__(self) -> str:
        return "\n".join([*self.words(), "", *self.formulas()])

    def words(self) -> list[str]:
        """The model in sentences."""
        return sentences(self)

    def formulas(self) -> list[str]:
        """The model in formulas."""
        return formulas(self)

    @property
    def hazard(self) -> tuple[str, ...]:
        """Covariates of the log hazard."""
        return self.survival.covariates

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outcomes."""
        return tuple(outcome.name for outcome in self.outcomes)

    @property
    def terms(self) -> tuple[str, ...]:
        """Covariates that stand on any part."""
        parts = [*(name for o in self.outcomes for name in (*o.intercept, *o.slope)), *self.hazard]
        return tuple(dict.fromkeys(parts))

    @property
    def student(self) -> bool:
        """Whether noise is Student-t."""
        return any(outcome.likelihood == "student" for outcome in self.outcomes)

    @property
    def selection(self) -> Selection:
        """Participants, follow-up and covariates, with the first outcome as the score that makes a participant."""
        drug = self.treatment
        return Selection(
            outcome=self.outcomes[0].name,
            transform=self.outcomes[0].transform,
            time_unit=self.time_unit,
            events=self.events,
            end_point=self.end_point,
            event_days=self.event_days,
            covariates={name: self.covariates.get(name, Covariate()) for name in self.terms},
            exposures=() if drug is None else (Exposure(name=drug.name, source="arm", level=drug.level),),
            gaussian_at_bounds=True,  # judged for every outcome in `alsmodel.cohort.outcome_arrays`
        )

    @property
    def event_words(self) -> str:
        """What ends follow-up, in words."""
        return self.end_point or " or ".join(self.events)


def _faults(spec: DomainModel) -> list[str]:
    faults = []
    if not spec.outcomes:
        faults.append("outcomes must name at least one outcome.")
    for name in sorted({n for n in spec.names if spec.names.count(n) > 1}):
        faults.append(f"outcome {name!r} is listed twice.")
    if spec.student and len(spec.outcomes) > 1:
        faults.append('likelihood = "student" is there for one outcome alone; use "censored" or "gaussian" among several.')
    if {"alsfrs_r_total", "alsfrs_total"} & set(spec.names) and set(DOMAINS) & set(spec.names):
        faults.append("a total and the domain scores that it is the sum of may not both be outcomes.")
    if {"alsfrs_r_total", "alsfrs_total"} <= set(spec.names):
        faults.append("totals on 40 and on 48 are not two outcomes of one participant.")
    if spec.outcomes and not any(outcome.weight for outcome in spec.outcomes):
        faults.append("every weight is 0; at least one outcome must reach the hazard.")
    if not spec.events:
        faults.append("events must name at least one event kind.")
    if any(isinstance(term, ByGroup) for term in spec.association):
        faults.append("association is the same for all in a domain model; a joint model of one score has by.")
    if len(set(spec.association)) < len(spec.association):
        faults.append("association lists a term twice.")
    if unused := sorted(set(spec.covariates) - set(spec.terms)):
        faults.append(f"covariates sets {', '.join(unused)}, which stands on no part of the model.")
    for made in sorted({*OF_SCORES} & {*spec.hazard}):
        faults.append(f"{made} is made of scores that are outcomes here, so it would be used twice. Take it out of survival.")
    if spec.survival.strata is not None:
        faults.append("survival.strata is not there for several outcomes; give the covariate to survival.covariates.")
    if spec.treatment is not None and "arm" in spec.terms:
        faults.append("the arm enters both as a treatment and as a covariate; a treatment enters once.")
    if not all(3 <= n <= 60 for n in spec.nodes):
        faults.append(f"nodes must be from 3 to 60; got {list(spec.nodes)}.")
    return faults
