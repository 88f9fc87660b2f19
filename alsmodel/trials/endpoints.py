"""Further analyses that a protocol may name: change at a visit, survival, and ranks that join function and survival.

Each hands what was observed to one estimator and takes back one record per virtual trial; formulas and sources stand there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

import numpy as np

from alsmodel.trials.analyses import AbstractAnalysis, Analysed, Measure, TrialData, named, record
from alsmodel.trials.strategies import ABSENCE_FAILS, NO_FAILURE, NO_FAILURE_NOR_LAST, NO_LAST_RANK, SAME_AS_COMPOSITE, Strategy

if TYPE_CHECKING:
    from alsmodel.estimators.mmrm import MmrmFits


def run_estimator(module: str, function: str, measure: Measure, /, *arrays: Any, **options: Any) -> Analysed:
    """Call ``alsmodel.estimators.<module>.<function>``, loaded now and not when a study file is read, and make its records."""
    home = import_module(f"alsmodel.estimators.{module}")
    fit = getattr(home, function)(*arrays, **options)
    return record(fit, home.STATUS, measure, fit.failed, fit.df)


def adjusted_for(analysis: AbstractAnalysis, data: TrialData) -> dict[str, Any]:
    """What an estimator adjusts for: covariates and strata of the analysis, as arrays."""
    return {"covariates": data.covariates(analysis.covariates), "strata": data.strata(analysis.strata)}


@final
@dataclass(frozen=True, kw_only=True)
class MMRM(AbstractAnalysis):
    """Mixed model for repeated measures: difference in mean score at the last visit, points, positive is better.

    Its estimand is hypothetical: scores after death or dropout are taken as missing at random given the scores before.

    Attributes
    ----------
    covariance : "unstructured", "toeplitz", "compound symmetry" or "ar1"
        Covariance of the visits.
    df_method : "kenward-roger" or "satterthwaite"
    information : "observed" or "expected"
        Information on the covariance parameters: observed as SAS and R's mmrm, expected as pbkrtest.
    constrained_baseline : bool
        The baseline is an outcome with one mean for all arms, instead of a covariate by visit.
    covariates : tuple of str
        Numeric baseline columns.
    outcome : str
        Name of a biomarker of the trial that is compared in place of the score; empty is the score.
    arm : int
        The active arm that is compared with control.
    until : float or None
        Month after randomisation at which the data are cut, such as the end of the randomised period; None is the end of follow-up.
    strategies : mapping of str to str
        Strategy for intercurrent events by name, where it is not that of the event: treatment policy or hypothetical.
    """

    measure: ClassVar[Measure] = "change difference"
    admits: ClassVar[tuple[Strategy, ...]] = ("treatment policy", "hypothetical")
    refuses: ClassVar[Mapping[str, str]] = NO_FAILURE_NOR_LAST
    covariance: Literal["unstructured", "toeplitz", "compound symmetry", "ar1"] = "unstructured"
    df_method: Literal["kenward-roger", "satterthwaite"] = "kenward-roger"
    information: Literal["observed", "expected"] = "observed"
    constrained_baseline: bool = False
    covariates: tuple[str, ...] = ()
    outcome: str = ""
    arm: int = 1
    until: float | None = None
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    kind: Literal["mmrm"] = "mmrm"

    @property
    def label(self) -> str:
        covariance = "" if self.covariance == "unstructured" else self.covariance
        return named("MMRM", self, covariance, "constrained baseline" * self.constrained_baseline)

    def fit(self, data: TrialData, *, by_visit: bool = False) -> "MmrmFits":
        """Fit every trial of `data`; with `by_visit` also the means of both arms at every visit, and their differences."""
        from alsmodel.estimators.mmrm import fit_mmrm

        data = data.for_analysis(self)
        baseline = np.ascontiguousarray(data.scores[:, :, 0])
        # Without a baseline score nobody can be adjusted for it; a participant who is left out has none either.
        arm = data.arm if self.constrained_baseline else np.where(np.isnan(baseline), -1, data.arm)
        return fit_mmrm(
            np.ascontiguousarray(data.scores[:, :, 1:]),
            np.ascontiguousarray(arm),
            baseline=baseline if self.constrained_baseline else np.where(np.isnan(baseline), 0.0, baseline),
            covariates=data.covariates(self.covariates),
            covariance=self.covariance,
            df_method=self.df_method,
            information=self.information,
            constrained_baseline=self.constrained_baseline,
            by_visit=by_visit,
        )

    def analyse(self, data: TrialData) -> Analysed:
        from alsmodel.estimators.mmrm import STATUS

        fit = self.fit(data)
        return data.of(self.outcome).towards_benefit(record(fit, STATUS, self.measure, fit.failed, fit.df))


@final
@dataclass(frozen=True, kw_only=True)
class ANCOVA(AbstractAnalysis):
    """Change from baseline to the last visit adjusted for baseline, in those seen there: points, positive is better.

    Whoever has no score at the last visit is left out, so its estimand is that of the survivors who stayed; compare with MMRM.

    Attributes
    ----------
    covariates, strata : tuple of str
        Numeric baseline columns, and columns of words or conditions.
    outcome : str
        Name of a biomarker of the trial that is compared in place of the score; empty is the score.
    arm : int
        The active arm that is compared with control.
    until : float or None
        Month after randomisation at which the data are cut, such as the end of the randomised period; None is the end of follow-up.
    strategies : mapping of str to str
        Strategy for intercurrent events by name, where it is not that of the event: treatment policy, hypothetical, or while on treatment.
    """

    measure: ClassVar[Measure] = "change difference"
    admits: ClassVar[tuple[Strategy, ...]] = ("treatment policy", "hypothetical", "while on treatment")
    refuses: ClassVar[Mapping[str, str]] = NO_FAILURE
    carries: ClassVar[bool] = True
    covariates: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    outcome: str = ""
    arm: int = 1
    until: float | None = None
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    kind: Literal["ancova"] = "ancova"

    @property
    def label(self) -> str:
        return named("ANCOVA", self)

    def analyse(self, data: TrialData) -> Analysed:
        data = data.for_analysis(self)
        return data.towards_benefit(run_estimator("ancova", "fit_ancova", self.measure, data.scores, data.arm, **adjusted_for(self, data)))


@final
@dataclass(frozen=True, kw_only=True)
class Responder(AbstractAnalysis):
    """Difference in the share who have lost fewer than `threshold` points by the last visit; death and absence are no response.

    At a look those are counted whose day of the last visit has come, the dead and those who left among them. Nobody else is: whoever may
    still respond is not known, and to count only those who already cannot would make the share of responders too small.

    Attributes
    ----------
    threshold : float
        Points lost since baseline.
    method : "newcombe", "miettinen-nurminen" or "fisher"
    arm : int
        The active arm that is compared with control.
    until : float or None
        Month after randomisation at which the data are cut, such as the end of the randomised period; None is the end of follow-up.
    strategies : mapping of str to str
        Strategy for intercurrent events by name, where it is not that of the event: treatment policy, composite, or while on treatment.
    """

    measure: ClassVar[Measure] = "responder difference"
    admits: ClassVar[tuple[Strategy, ...]] = ("treatment policy", "composite", "while on treatment")
    refuses: ClassVar[Mapping[str, str]] = ABSENCE_FAILS
    carries: ClassVar[bool] = True
    threshold: float = 6.0
    method: Literal["newcombe", "miettinen-nurminen", "fisher"] = "newcombe"
    arm: int = 1
    until: float | None = None
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    kind: Literal["responder"] = "responder"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.threshold) and self.threshold > 0):
            raise ValueError(f"threshold is points lost since baseline, above 0; got {self.threshold}.")

    @property
    def label(self) -> str:
        return named(f"responder, fewer than {self.threshold:g} points lost", self)

    def analyse(self, data: TrialData) -> Analysed:
        from alsmodel.estimators.responder import responders

        data = data.for_analysis(self)
        outcome = responders(data.scores, decline_below=self.threshold)
        if data.due is not None:
            outcome = np.where(data.due[:, :, -1], outcome, np.nan)
        return run_estimator("responder", "fit_responder", self.measure, outcome, data.arm, method=self.method)


@final
@dataclass(frozen=True, kw_only=True)
class Cox(AbstractAnalysis):
    """Cox regression with Efron's ties: log hazard ratio, negative is fewer events in the active arm.

    Attributes
    ----------
    test : "wald", "score" or "likelihood ratio"
        With few events Wald is conservative; the score test or Firth's penalty is not.
    penalty : "none" or "firth"
    covariates, strata : tuple of str
        Numeric baseline columns, and columns of words or conditions.
    arm : int
        The active arm that is compared with control.
    until : float or None
        Month after randomisation at which the data are cut, such as the end of the randomised period; None is the end of follow-up.
    strategies : mapping of str to str
        Strategy for intercurrent events by name, where it is not that of the event: treatment policy, hypothetical, composite, or
        while on treatment.
    """

    measure: ClassVar[Measure] = "log hazard ratio"
    admits: ClassVar[tuple[Strategy, ...]] = ("treatment policy", "hypothetical", "composite", "while on treatment")
    test: Literal["wald", "score", "likelihood ratio"] = "wald"
    penalty: Literal["none", "firth"] = "none"
    covariates: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    arm: int = 1
    until: float | None = None
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    kind: Literal["cox"] = "cox"

    @property
    def label(self) -> str:
        return named("Cox", self, "" if self.test == "wald" else f"{self.test} test", "Firth" * (self.penalty == "firth"))

    def analyse(self, data: TrialData) -> Analysed:
        data = data.for_analysis(self)
        return run_estimator(
            "cox",
            "fit_cox",
            self.measure,
            data.event_time,
            data.event,
            data.arm,
            test=self.test,
            penalty=self.penalty,
            **adjusted_for(self, data),
        )


@final
@dataclass(frozen=True, kw_only=True)
class RMST(AbstractAnalysis):
    """Difference in mean event-free months up to a horizon; positive is better.

    Attributes
    ----------
    horizon : float
        Months from randomisation, within the follow-up; an arm that nobody is followed to it in is a failure.
    arm : int
        The active arm that is compared with control.
    strategies : mapping of str to str
        Strategy for intercurrent events by name, where it is not that of the event: treatment policy, hypothetical, or composite.
    """

    measure: ClassVar[Measure] = "RMST difference"
    admits: ClassVar[tuple[Strategy, ...]] = ("treatment policy", "hypothetical", "composite")
    refuses: ClassVar[Mapping[str, str]] = SAME_AS_COMPOSITE
    horizon: float = 12.0
    arm: int = 1
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    kind: Literal["rmst"] = "rmst"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.horizon) and self.horizon > 0):
            raise ValueError(f"horizon is months from randomisation, above 0; got {self.horizon}.")

    @property
    def label(self) -> str:
        return named(f"RMST to month {self.horizon:g}", self)

    def analyse(self, data: TrialData) -> Analysed:
        data = data.for_analysis(self)
        return run_estimator("rmst", "fit_rmst", self.measure, data.event_time, data.event, data.arm, horizon=float(self.horizon))


@final
@dataclass(frozen=True, kw_only=True)
class JointRank(AbstractAnalysis):
    """Joint rank of function and survival (CAFS): difference in mean rank, positive is better.

    Attributes
    ----------
    imputations : int
        Above 0: scores missing at visits at which a participant is known to be alive are imputed so many times (missing at
        random), with Rubin's rules.
    covariates, strata : tuple of str
        Numeric baseline columns, and columns of words or conditions.
    arm : int
        The active arm that is compared with control.
    until : float or None
        Month after randomisation at which the data are cut, such as the end of the randomised period; None is the end of follow-up.
    strategies : mapping of str to str
        Strategy for intercurrent events by name, where it is not that of the event: treatment policy, hypothetical, or composite.
    """

    measure: ClassVar[Measure] = "joint rank difference"
    admits: ClassVar[tuple[Strategy, ...]] = ("treatment policy", "hypothetical", "composite")
    refuses: ClassVar[Mapping[str, str]] = NO_LAST_RANK
    imputations: int = 0
    covariates: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    arm: int = 1
    until: float | None = None
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    kind: Literal["joint_rank"] = "joint_rank"

    def __post_init__(self) -> None:
        if self.imputations < 0 or self.imputations == 1:
            raise ValueError(f"imputations must be 0 (none) or at least 2; got {self.imputations}. 50 or more are wanted.")

    @property
    def label(self) -> str:
        return named("joint rank", self, f"{self.imputations} imputations" * (self.imputations > 0))

    def analyse(self, data: TrialData) -> Analysed:
        data = data.for_analysis(self)
        if self.imputations:
            arrays, more = (data.scores, data.event_time, data.event, data.arm, data.months), {"imputations": self.imputations}
            return run_estimator("imputed_rank", "fit_imputed_joint_rank", self.measure, *arrays, **more, **adjusted_for(self, data))
        return run_estimator(
            "joint_rank", "fit_joint_rank", self.measure, data.scores, data.event_time, data.event, data.arm, **adjusted_for(self, data)
        )


@final
@dataclass(frozen=True, kw_only=True)
class Win(AbstractAnalysis):
    """Win statistics over all pairs of an active and a control participant: survival first, then the score; positive is better.

    Attributes
    ----------
    scale : "win ratio", "win odds" or "net benefit"
        Ratio and odds are estimated as logs.
    strata : tuple of str
        Columns of words or conditions; pairs are made within strata.
    arm : int
        The active arm that is compared with control.
    until : float or None
        Month after randomisation at which the data are cut, such as the end of the randomised period; None is the end of follow-up.
    strategies : mapping of str to str
        Strategy for intercurrent events by name, where it is not that of the event: treatment policy, hypothetical, or composite.
    """

    measure: ClassVar[Measure] = "win ratio"
    admits: ClassVar[tuple[Strategy, ...]] = ("treatment policy", "hypothetical", "composite")
    refuses: ClassVar[Mapping[str, str]] = NO_LAST_RANK
    scale: Literal["win ratio", "win odds", "net benefit"] = "win ratio"
    strata: tuple[str, ...] = ()
    arm: int = 1
    until: float | None = None
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    kind: Literal["win"] = "win"

    @property
    def label(self) -> str:
        return named(self.scale, self)

    def analyse(self, data: TrialData) -> Analysed:
        data = data.for_analysis(self)
        more = {"measure": self.scale, "strata": data.strata(self.strata)}
        return run_estimator("win", "fit_win", self.measure, data.scores, data.event_time, data.event, data.arm, **more)
