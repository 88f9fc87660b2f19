"""What to take from a cohort into an analysis: outcome, events, covariates, exposures. Choices only, never data."""

from dataclasses import dataclass, field
from typing import Literal, final

Transform = Literal["identity", "log", "logit"]
TimeUnit = Literal["day", "week", "month", "year"]
Missing = Literal["refuse", "complete-case", "indicator", "own level", "impute"]
DeltaFrs = Literal["screening", "conditioned", "attenuated"]
Population = Literal["enrolled", "incident"]
EventDays = Literal["between", "middle", "first known"]
Unknown = Literal["refuse", "exclude", "unexposed", "exposed"]
UnknownStart = Literal["earliest", "latest"]


@final
@dataclass(frozen=True, kw_only=True)
class Covariate:
    """How one baseline covariate enters.

    Attributes
    ----------
    centre, scale : float
        A number enters as (x - centre) / scale.
    reference : str or None
        Reference level of a text covariate; the commonest level when left out.
    missing : {"refuse", "complete-case", "indicator", "own level", "impute"} or None
        "indicator": pooled mean plus an indicator (randomised comparisons). "impute": a parameter per missing number, inside
        the model. "own level": missing text becomes a level of its own. Left out: "indicator" when a treatment comes from
        the arm; otherwise "impute" for numbers and "refuse" for text.
    """

    centre: float = 0.0
    scale: float = 1.0
    reference: str | None = None
    missing: Missing | None = None

    def __post_init__(self) -> None:
        if self.scale == 0:
            raise ValueError("scale must not be 0.")


@final
@dataclass(frozen=True, kw_only=True)
class Exposure:
    """One drug or arm, as exposure over time.

    Attributes
    ----------
    name : str
        As printed; for `source` "exposure" the drug's name in the exposures table.
    source : {"arm", "exposure"}
        "arm": the randomised arm, from time zero to the end of follow-up whatever was taken. "exposure": intervals taken.
    level : str or None
        The arm that counts as treated.
    unknown : {"refuse", "exclude", "unexposed", "exposed"}
        What to do with participants whose exposure was never recorded; the last two are sensitivity limits.
    unknown_start : {"earliest", "latest"}
        Where a drug was taken from an unknown day on: before time zero, or as late as it can have been, which is the day of stopping or
        the end of follow-up. The two are sensitivity limits.
    gene : str or None
        Gene in which a mutation must be recorded for a participant to be eligible.
    ineligible : {"refuse", "exclude"}
        What to do with those exposed without being eligible.
    onset_delay_months, washout_months : float
        How long after exposure the effect starts, and how long it lasts after its end.
    """

    name: str
    source: Literal["arm", "exposure"] = "exposure"
    level: str | None = None
    unknown: Unknown = "refuse"
    unknown_start: UnknownStart = "earliest"
    gene: str | None = None
    ineligible: Literal["refuse", "exclude"] = "refuse"
    onset_delay_months: float = 0.0
    washout_months: float = 0.0


@final
@dataclass(frozen=True, kw_only=True)
class Leaving:
    """A further way in which follow-up of the score ends.

    Attributes
    ----------
    name : str
        As printed, such as "tracheostomy".
    events : tuple of str
        Event kinds that are this cause, whichever comes first.
    then : tuple of str
        Event kinds that are looked for after it; empty: nothing is.
    """

    name: str
    events: tuple[str, ...]
    then: tuple[str, ...] = ()


@final
@dataclass(frozen=True, kw_only=True)
class Selection:
    """Everything an analysis takes from a cohort.

    Attributes
    ----------
    outcome : str
        Name in the measurements table.
    transform, upper
        Transformation of the outcome; "logit" of outcome / upper.
    time_unit : {"day", "week", "month", "year"}
        Unit of every time that comes out.
    events : tuple of str
        Event kinds that end follow-up, whichever comes first.
    end_point : str or None
        Tag of a survival end point (`alsmodel.clinical.events`), in place of `events`; refused when the source does not record
        all that it is made of.
    event_days : {"between", "middle", "first known"}
        What to make of an event known only to lie between two days: keep both, or take the middle or the later of the two.
    causes : tuple of Leaving
        Further causes beside `events`; the first of all to happen ends follow-up.
    covariates : dict
        Name to how it enters.
    groups : tuple of str
        Text covariates by which participants are grouped; "cohort" is the study or register they come from.
    exposures : tuple of Exposure
    population : {"enrolled", "incident"}
        With "incident" the hazard's clock starts at symptom onset.
    delta_frs : {"screening", "conditioned", "attenuated"}
        Source of the covariate ``delta_frs``.
    gaussian_at_bounds : bool
        Accept more than 15% of scores at a bound.
    from_onset : bool
        The score's path runs from symptom onset; participants without a known onset, or with one after entry, are left out.
    """

    outcome: str = "alsfrs_r_total"
    transform: Transform = "identity"
    upper: float | None = None
    time_unit: TimeUnit = "month"
    events: tuple[str, ...] = ("death",)
    end_point: str | None = None
    event_days: EventDays = "between"
    causes: tuple[Leaving, ...] = ()
    covariates: dict[str, Covariate] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    population: Population = "enrolled"
    delta_frs: DeltaFrs = "screening"
    gaussian_at_bounds: bool = False
    from_onset: bool = False

    @property
    def randomised(self) -> bool:
        """Whether an exposure comes from the randomised arm."""
        return any(e.source == "arm" for e in self.exposures)
