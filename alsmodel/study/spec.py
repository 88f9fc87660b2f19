"""One study as one frozen object: what a study file holds."""

from dataclasses import dataclass, field
from typing import final

from alsmodel.inference.fit import Method
from alsmodel.inference.sampling import Sampling
from alsmodel.models.domain import DomainModel
from alsmodel.models.spec import JointModel
from alsmodel.study.alternatives import ModelComparison
from alsmodel.study.data import Source
from alsmodel.trials.comparison import ComparisonPlan
from alsmodel.trials.settings import TrialSettings


@final
@dataclass(frozen=True, kw_only=True)
class IntercurrentEvent:
    """Something after the time origin that changes what a score means, and how the estimand treats it.

    Attributes
    ----------
    event : str
        Such as ``death`` or ``permanent ventilation``.
    strategy : str
        In words; ICH E9(R1) names treatment policy, hypothetical, composite, while on treatment, principal stratum.
    """

    event: str
    strategy: str


@final
@dataclass(frozen=True, kw_only=True)
class Estimand:
    """What is estimated, in the words of ICH E9(R1).

    Attributes
    ----------
    population, treatment, variable, summary : str
        Who, under what, measured how, and the number that sums it up.
    intercurrent_events : tuple of IntercurrentEvent
        Death among them, always.
    """

    population: str
    treatment: str = "none is compared"
    variable: str
    summary: str
    intercurrent_events: tuple[IntercurrentEvent, ...]

    def __post_init__(self) -> None:
        if not any("death" in each.event.lower() for each in self.intercurrent_events):
            raise ValueError("intercurrent_events must say how death is treated.")


@final
@dataclass(frozen=True, kw_only=True)
class FitPlan:
    """How the posterior is computed.

    Attributes
    ----------
    method : {"auto", "nuts", "psis"}
        As in `alsmodel.inference.fit.fit`: "psis" weights draws around the mode, "nuts" is the no-U-turn sampler with the settings
        of ``sampling``, "auto" takes the first where its weights pass their checks and the second elsewhere.
    start_limits : bool
        Fit again with every drug that was taken from an unknown day on started as late as it can have been, and report both limits.
    """

    method: Method = "auto"
    start_limits: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class BaselinePlan:
    """Classical survival analyses beside the fit.

    Attributes
    ----------
    run : bool
        Whether to run them.
    by : tuple of str
        Text covariates whose levels get a Kaplan-Meier curve of their own.
    """

    run: bool = True
    by: tuple[str, ...] = ()


@final
@dataclass(frozen=True, kw_only=True)
class ReportPlan:
    """What the report puts first.

    Attributes
    ----------
    by : str or None
        Text covariate whose levels get a trajectory and a survival curve each.
    parameter : str or None
        The parameter that answers the question, such as ``slope:onset_site[bulbar]``.
    meaningful : float or None
        Smallest benefit of a drug that matters to somebody: a share of the slope (0.2 is 20% slower decline) on the clock,
        points per unit of time for an additive effect.
    success : float or None
        Probability of any benefit of a randomised treatment from which the study calls it a success.
    horizon : float or None
        Time, in the model's unit, at which survival is told in words and where curves end; without it the end of the
        follow-up that a tenth of the participants reach.
    synthetic : bool
        Say at the top that no participant exists.
    small_cells : bool
        Print counts of 1 to 4 people in descriptive tables as they are.
    """

    by: str | None = None
    parameter: str | None = None
    meaningful: float | None = None
    success: float | None = None
    horizon: float | None = None
    synthetic: bool = False
    small_cells: bool = False

    def __post_init__(self) -> None:
        faults = []
        if self.success is not None and not 0.5 <= self.success < 1:
            faults.append(f"success is a probability from 0.5 and below 1; got {self.success}.")
        if self.horizon is not None and not 0 < self.horizon < float("inf"):
            faults.append(f"horizon is a time above 0; got {self.horizon}.")
        if faults:
            raise ValueError(" ".join(faults))


@final
@dataclass(frozen=True, kw_only=True)
class Study:
    """Everything that a study's results depend on, but the data themselves.

    Attributes
    ----------
    title, question : str
        For the report's first page.
    seed : int
        All randomness comes from it.
    data : TablesSource, ProactSource or CohortSource
        Where the data are; told apart by ``format``.
    model : JointModel or DomainModel
        Decline and survival, of one outcome (``kind = "joint"``) or of several (``kind = "domains"``).
    estimand : Estimand
        What is estimated.
    fit : FitPlan
        How the posterior is computed.
    sampling : Sampling
        Chains and draws of the no-U-turn sampler, where it is used.
    baselines : BaselinePlan
        Classical analyses.
    compare : ModelComparison or None
        Other models that the fitted one is compared with.
    trial : TrialSettings or None
        A trial to simulate.
    analyse : ComparisonPlan or None
        How the arms of a real trial are compared; needs neither a model nor a simulated trial.
    report : ReportPlan
        What the report puts first.
    """

    title: str
    question: str
    seed: int = 1
    data: Source
    estimand: Estimand
    model: JointModel | DomainModel = field(default_factory=JointModel)
    fit: FitPlan = field(default_factory=FitPlan)
    sampling: Sampling = field(default_factory=Sampling)
    baselines: BaselinePlan = field(default_factory=BaselinePlan)
    compare: ModelComparison | None = None
    trial: TrialSettings | None = None
    analyse: ComparisonPlan | None = None
    report: ReportPlan = field(default_factory=ReportPlan)

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be from 0 to {2**32 - 1}; got {self.seed}.")
