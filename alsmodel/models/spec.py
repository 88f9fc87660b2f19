"""The joint model as a frozen specification: choices only, never data.

Every part is a plain frozen dataclass in a file of its own (`decline`, `survival`, `association`, `treatments`, `priors`), so that a
model reads like a sentence, prints as one, hashes, and goes to and from TOML. `alsmodel.models.program` joins a specification with the
arrays of a cohort.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, final

from alsmodel.cohort.baseline import PARTS_OF_TOTAL
from alsmodel.cohort.derived import OF_SCORES
from alsmodel.cohort.selection import Covariate, DeltaFrs, EventDays, Exposure, Population, Selection, TimeUnit, Transform
from alsmodel.models.association import Associations, ByGroup, kinds
from alsmodel.models.causes import AfterEvent, Cause, cause_faults, leaving
from alsmodel.models.classes import LatentClasses, class_covariates, class_faults
from alsmodel.models.decline import STEMS, Linear, NaturalSpline, Quadratic, Sigmoid, level_covariates, slope_covariates
from alsmodel.models.priors import HalfNormal, Normal, Priors
from alsmodel.models.sigmoid import sigmoid_faults
from alsmodel.models.survival import Exponential, MSpline, PiecewiseExponential, RoystonParmar, Weibull
from alsmodel.models.treatments import Treatment
from alsmodel.models.words import formulas, sentences

__all__ = [
    "AfterEvent", "Cause", "Exponential", "HalfNormal", "JointModel", "LatentClasses", "Linear", "MSpline", "NaturalSpline", "Normal",
    "PiecewiseExponential", "Priors", "Quadratic", "RoystonParmar", "Sigmoid", "Treatment", "Weibull",
]  # fmt: skip

#: Names of settings that a flat specification had, and where they stand.
MOVED = {
    "intercept": "decline = Linear(level=[...]), in TOML [model.decline] level = [...]",
    "slope": "decline = Linear(covariates=[...]), in TOML [model.decline] covariates = [...]",
    "hazard": "survival = PiecewiseExponential(covariates=[...]), in TOML [model.survival] covariates = [...]",
    "baseline_hazard": 'survival = PiecewiseExponential(knots=6), in TOML [model.survival] kind = "piecewise", knots = 6',
    "random_effects": 'decline = Quadratic(), in TOML [model.decline] kind = "quadratic"',
    "fixed_quadratic": 'decline = Quadratic(mean=True, random=False), in TOML [model.decline] kind = "quadratic"',
}


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
    decline : Linear, Quadratic, NaturalSpline or Sigmoid
        Shape of the paths, and covariates of level and slope, or of D50 and dx.
    survival : Exponential, PiecewiseExponential, Weibull, MSpline or RoystonParmar
        Baseline hazard, its strata, and covariates of the log hazard.
    events : tuple of str
        Event kinds that end follow-up, whichever comes first.
    end_point : str or None
        Tag of a survival end point, such as "death or tracheostomy", in place of `events`; refused when the source does not
        record all that it is made of.
    event_days : {"between", "middle", "first known"}
        What an event adds that is known only to lie between two days, last known free of it and first known to have had it. "between":
        the chance that it happened between them. The others take one day for it, as most analyses have done: the middle of the two, or
        the later; as sensitivity analyses, since they put every hazard off.
    association : tuple of {"value", "slope", "area", "shared"} or ByGroup
        Through what the path reaches the hazard; ``CurrentValue() + Slope()`` is ("value", "slope"), and ``CurrentValue(by="phenotype")``
        has one association for each phenotype, drawn towards a common one. "area" is the mean of the path since time zero, "shared" the
        participant's own random effects (`alsmodel.models.association`).
    causes : tuple of Cause
        Further ways in which follow-up of the score ends, such as tracheostomy or leaving the study, each with a hazard, an association
        and effects of treatments of its own; `survival`, `association` and `events` are those of the main cause.
    after : tuple of AfterEvent
        What happens after one of `causes`, such as death after tracheostomy.
    classes : LatentClasses or None
        Latent classes of participants in the place of an association: a model to compare others with.
    treatments : tuple of Treatment
    hierarchy : tuple of str
        Groups of participants, the widest first, such as ("cohort", "site"): each has a level and a slope of its own, normal about
        those of all. "cohort" is the study or register, and a site lies within its cohort.
    population : {"enrolled", "incident"}
        Whom the random effects describe. "enrolled": hazard integrated from entry. "incident": from the hazard's origin, with
        each likelihood divided by the chance of surviving to entry.
    delta_frs : {"screening", "conditioned", "attenuated"}
        Source of delta-FRS when it is a covariate: an earlier screening score; the baseline row, removed from the outcomes;
        or the baseline row, kept, on slope and hazard only and labelled attenuated.
    gaussian_at_bounds : bool
        Accept the Gaussian approximation although over 15% of scores sit at a bound.
    covariates : dict of str to Covariate
        How a covariate enters, where not as recorded.
    priors : Priors
    hermite : int
        Gauss-Hermite nodes per random effect.
    """

    kind: Literal["joint"] = "joint"
    outcome: str = "alsfrs_r_total"
    transform: Transform = "identity"
    upper: float | None = None
    time_unit: TimeUnit = "month"
    decline: Linear | Quadratic | NaturalSpline | Sigmoid = field(default_factory=Linear)
    survival: Exponential | PiecewiseExponential | Weibull | MSpline | RoystonParmar = field(default_factory=PiecewiseExponential)
    events: tuple[str, ...] = ("death",)
    end_point: str | None = None
    event_days: EventDays = "between"
    association: Associations = ("value",)
    causes: tuple[Cause, ...] = ()
    after: tuple[AfterEvent, ...] = ()
    classes: LatentClasses | None = None
    treatments: tuple[Treatment, ...] = ()
    hierarchy: tuple[str, ...] = ()
    population: Population = "enrolled"
    delta_frs: DeltaFrs = "screening"
    gaussian_at_bounds: bool = False
    covariates: dict[str, Covariate] = field(default_factory=dict)
    priors: Priors = field(default_factory=Priors)
    hermite: int = 3

    #: Read by the settings codec, for whoever writes a setting where it stood before.
    moved_settings: ClassVar[dict[str, str]] = MOVED

    def __new__(cls, **settings: Any) -> "JointModel":
        """Say where a setting went that a flat specification had."""
        told = [f"{name} is now {MOVED[name]}." for name in settings if name in MOVED]
        if told:
            raise TypeError(" ".join(told))
        return object.__new__(cls)

    def __post_init__(self) -> None:
        for name in ("events", "association", "causes", "after", "treatments", "hierarchy"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        faults = [*_drug_faults(self), *_structure_faults(self), *cause_faults(self), *sigmoid_faults(self), *class_faults(self)]
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
    def intercept(self) -> tuple[str, ...]:
        """Covariates of the mean at time zero."""
        return level_covariates(self.decline)

    @property
    def slope(self) -> tuple[str, ...]:
        """Covariates of the slope."""
        return slope_covariates(self.decline)

    @property
    def hazard(self) -> tuple[str, ...]:
        """Covariates of the log hazard."""
        return self.survival.covariates

    @property
    def hazard_of_any(self) -> tuple[str, ...]:
        """Covariates of the log hazard of any cause, and of what comes after one."""
        of_causes = (name for cause in self.causes for name in cause.survival.covariates)
        of_after = (name for after in self.after for name in after.survival.covariates)
        return tuple(dict.fromkeys((*self.hazard, *of_causes, *of_after)))

    @property
    def baseline_hazard(self) -> Exponential | PiecewiseExponential | Weibull | MSpline | RoystonParmar:
        """The baseline hazard: `survival`."""
        return self.survival

    @property
    def random_effects(self) -> Literal["linear", "quadratic", "natural-spline", "sigmoid"]:
        """Whether everybody's own path is a line, a parabola, a spline or a sigmoid."""
        if isinstance(self.decline, Sigmoid):
            return "sigmoid"
        return "linear" if isinstance(self.decline, Linear) or not self.decline.random else self.decline.kind

    @property
    def fixed_quadratic(self) -> bool:
        """Whether the mean path bends."""
        return not isinstance(self.decline, Linear | Sigmoid) and self.decline.mean

    @property
    def bends(self) -> tuple[str, ...]:
        """Names of the terms that bend paths, one for each inner knot of a spline; none for lines."""
        if isinstance(self.decline, NaturalSpline):
            return tuple(f"quadratic[{k + 1}]" for k in range(self.decline.terms))
        return ("quadratic",) if isinstance(self.decline, Quadratic) else ()

    @property
    def effects(self) -> tuple[str, ...]:
        """Names of the random effects of every participant."""
        return (self.stem("intercept"), self.stem("slope"), *(() if self.random_effects == "linear" else self.bends))

    def stem(self, part: str) -> str:
        """What a part of the model is called in the names of its parameters: those of a sigmoid are log D50 and log dx."""
        return STEMS.get(part, part) if isinstance(self.decline, Sigmoid) else part

    @property
    def groups(self) -> tuple[str, ...]:
        """Text covariates by which participants are grouped: hierarchy, strata, and effects, associations and residual SDs that differ."""
        asked = (
            *self.hierarchy, self.survival.strata, *(t.by for t in self.treatments), *kinds(self.association).values(),
            self.decline.residual_by,
        )  # fmt: skip
        return tuple(dict.fromkeys(name for name in asked if name is not None))

    @property
    def selection(self) -> Selection:
        """What the model takes from a cohort."""
        names = dict.fromkeys((*self.intercept, *self.slope, *self.hazard_of_any, *class_covariates(self)))
        return Selection(
            outcome=self.outcome,
            transform=self.transform,
            upper=self.upper,
            time_unit=self.time_unit,
            events=self.events,
            end_point=self.end_point,
            event_days=self.event_days,
            causes=leaving(self),
            covariates={name: self.covariates.get(name, Covariate()) for name in names},
            groups=self.groups,
            exposures=tuple(_exposure(t) for t in self.treatments),
            population=self.population,
            delta_frs=self.delta_frs,
            gaussian_at_bounds=self.gaussian_at_bounds,
            from_onset=isinstance(self.decline, Sigmoid),
        )

    @property
    def event_words(self) -> str:
        """What ends follow-up, in words: of all causes together."""
        return " or ".join((self.main_words, *(cause.name for cause in self.causes)))

    @property
    def main_words(self) -> str:
        """The main cause, in words."""
        return self.end_point or " or ".join(self.events)

    @property
    def randomised(self) -> bool:
        """Whether a treatment comes from the randomised arm."""
        return any(t.source == "arm" for t in self.treatments)


def _exposure(t: Treatment) -> Exposure:
    return Exposure(
        name=t.name, source=t.source, level=t.level, unknown=t.unknown, gene=t.gene, ineligible=t.ineligible,
        onset_delay_months=t.onset_delay_months, washout_months=t.washout_months,
    )  # fmt: skip


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
                "a drug enters once, through the clock or the slope. Take it out of decline."
            )
        if treatment.hazard != "none" and columns & set(spec.hazard):
            faults.append(
                f"{treatment.name!r} reaches the hazard both as a treatment and as a covariate; take it out of survival, "
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
        if treatment.hazard == "clock" and (spec.survival.kind != "weibull" or spec.survival.strata is not None):
            faults.append(
                f'treatment {treatment.name!r}: hazard = "clock" needs a baseline that can be read at any time; '
                'set survival.kind = "weibull", without strata.'
            )
    return faults


def _structure_faults(spec: JointModel) -> list[str]:
    faults = []
    if spec.transform == "logit" and (spec.upper is None or spec.upper <= 0):
        faults.append('transform = "logit" needs upper, the largest possible score.')
    if not spec.events:
        faults.append("events must name at least one event kind.")
    if len(kinds(spec.association)) < len(spec.association):
        faults.append("association lists a term twice.")
    if spec.population == "incident" and any(
        "area" in kinds(one) for one in (spec.association, *(cause.association for cause in spec.causes))
    ):
        faults.append(
            'association "area" is the mean of the score since time zero and does not go with population = "incident", where hazards count '
            'from onset. Choose population = "enrolled", or the current value.'
        )
    for by in dict.fromkeys(term.by for term in spec.association if isinstance(term, ByGroup)):
        if by not in (spec.survival.strata, *spec.hazard):
            faults.append(
                f"the association differs by {by}, whose groups have no hazard of their own: a difference between them at any one score "
                f"would be taken for one of association. Put {by} among survival.covariates, or set survival.strata = {by!r}."
            )
    if not 1 <= spec.hermite <= 15:
        faults.append(f"hermite must be between 1 and 15; got {spec.hermite}.")
    if unused := sorted(set(spec.covariates) - {*spec.intercept, *spec.slope, *spec.hazard_of_any, *class_covariates(spec)}):
        faults.append(f"covariates sets {', '.join(unused)}, which stands on no part of the model.")
    for name in sorted({*OF_SCORES} & {*spec.intercept}) if spec.outcome in PARTS_OF_TOTAL else ():
        level = "log D50" if isinstance(spec.decline, Sigmoid) else "the level"
        other = "the hazard" if isinstance(spec.decline, Sigmoid) else "the slope or the hazard"
        faults.append(f"{name} is made of the score itself and may not enter {level}; use {other}.")
    if len(set(spec.hierarchy)) < len(spec.hierarchy):
        faults.append("hierarchy lists a level twice.")
    for name in sorted(set(spec.hierarchy) & {*spec.intercept, *spec.slope}):
        faults.append(f"{name} stands in hierarchy and among the covariates of decline; its groups would be counted twice. Choose one.")
    if spec.survival.strata is not None and spec.survival.strata in spec.hazard:
        faults.append(f"{spec.survival.strata} gives strata a baseline of their own and is a covariate of the hazard too; choose one.")
    return faults
