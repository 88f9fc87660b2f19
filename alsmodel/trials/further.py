"""Further analyses that a protocol may name: weighted log-rank and max-combo, time to a drop of the score, slopes of participants."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, final

import numpy as np
import numpy.typing as npt

from alsmodel.trials.analyses import AbstractAnalysis, Analysed, Measure, TrialData, named, record
from alsmodel.trials.endpoints import adjusted_for, run_estimator
from alsmodel.trials.strategies import NO_FAILURE_NOR_LAST, SAME_AS_COMPOSITE, Strategy

if TYPE_CHECKING:
    from alsmodel.estimators.threshold import ThresholdEvents

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

#: Up to the event the hazard of a drop is that of the composite strategy.
SAME_DROP: dict[str, str] = SAME_AS_COMPOSITE | {
    "while on treatment": "scores up to the event decide the composite of drop and event already"
}


@final
@dataclass(frozen=True, kw_only=True)
class WeightedLogRank(AbstractAnalysis):
    """Fleming-Harrington log-rank test, for differences expected early or late; negative is fewer events in the active arm.

    Its estimate is the log of an average hazard ratio, with the weights of the test. Where hazards are not proportional the average hangs
    on weights and follow-up: the true value is that of weighted Cox regression at the end of follow-up.

    Attributes
    ----------
    rho, gamma : float
        Weight S^rho (1 - S)^gamma of the pooled survival before an event: (1, 0) early differences, (0, 1) late ones.
    method : "one step" or "cox"
        How the average is estimated, in one step from no effect or by weighted Cox regression; the test does not change.
    strata : tuple of str
        Columns of words or conditions.
    arm : int
        The active arm that is compared with control.
    until : float or None
        Month after randomisation at which the data are cut, such as the end of the randomised period; None is the end of follow-up.
    strategies : mapping of str to str
        Strategy for intercurrent events by name, where it is not that of the event: treatment policy, hypothetical, composite, or
        while on treatment.
    """

    measure: ClassVar[Measure] = "weighted log hazard ratio"
    admits: ClassVar[tuple[Strategy, ...]] = ("treatment policy", "hypothetical", "composite", "while on treatment")
    rho: float = 0.0
    gamma: float = 1.0
    method: Literal["one step", "cox"] = "one step"
    strata: tuple[str, ...] = ()
    arm: int = 1
    until: float | None = None
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    kind: Literal["weighted_log_rank"] = "weighted_log_rank"

    def __post_init__(self) -> None:
        if not (0 <= self.rho < np.inf and 0 <= self.gamma < np.inf):
            raise ValueError(f"rho and gamma are powers of at least 0; got {self.rho} and {self.gamma}.")

    @property
    def label(self) -> str:
        return named(f"weighted log-rank ({self.rho:g}, {self.gamma:g})", self, "weighted Cox regression" * (self.method == "cox"))

    def analyse(self, data: TrialData) -> Analysed:
        data = data.for_analysis(self)
        more = {"rho": float(self.rho), "gamma": float(self.gamma), "strata": data.strata(self.strata), "method": self.method}
        return run_estimator("weighted_logrank", "fit_weighted_log_rank", self.measure, data.event_time, data.event, data.arm, **more)


@final
@dataclass(frozen=True, kw_only=True)
class MaxCombo(AbstractAnalysis):
    """The largest of several weighted log-rank tests, with the p value of their joint distribution: for effects whose timing is not known.

    It is a test alone. Its estimate is the one-step log hazard ratio of whichever weight the trial's own data chose, the most extreme of
    several: it has no estimand, no true value is stated, and a Cox or RMST analysis stands beside it for the size of the effect.

    Attributes
    ----------
    weights : tuple of (float, float)
        One to four pairs of powers (rho, gamma) of Fleming and Harrington.
    strata : tuple of str
        Columns of words or conditions.
    arm : int
        The active arm that is compared with control.
    until : float or None
        Month after randomisation at which the data are cut, such as the end of the randomised period; None is the end of follow-up.
    strategies : mapping of str to str
        Strategy for intercurrent events by name, where it is not that of the event: treatment policy, hypothetical, composite, or
        while on treatment.
    """

    measure: ClassVar[Measure] = "weighted log hazard ratio"
    admits: ClassVar[tuple[Strategy, ...]] = ("treatment policy", "hypothetical", "composite", "while on treatment")
    weights: tuple[tuple[float, float], ...] = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
    strata: tuple[str, ...] = ()
    arm: int = 1
    until: float | None = None
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    kind: Literal["max_combo"] = "max_combo"

    def __post_init__(self) -> None:
        faults = []
        if not 1 <= len(self.weights) <= 4:
            faults.append(f"weights are one to four pairs (rho, gamma); got {len(self.weights)}.")
        if any(not (0 <= power < np.inf) for pair in self.weights for power in pair):
            faults.append(f"powers are at least 0; got {self.weights}.")
        if len(set(self.weights)) < len(self.weights):
            faults.append(f"weights repeat a pair: {self.weights}.")
        if faults:
            raise ValueError(" ".join(faults))

    @property
    def label(self) -> str:
        return named("max-combo", self)

    def analyse(self, data: TrialData) -> Analysed:
        data = data.for_analysis(self)
        more = {"weights": self.weights, "strata": data.strata(self.strata)}
        return run_estimator("max_combo", "fit_max_combo", self.measure, data.event_time, data.event, data.arm, **more)


@final
@dataclass(frozen=True, kw_only=True)
class TimeToDrop(AbstractAnalysis):
    """Cox regression of the time to a drop of the score by `drop` points from baseline, or death; negative is later in the active arm.

    Whoever has neither is censored at the last score, and who has no baseline score is left out. Times are those of the planned visits.
    The true value is stated without covariates only.

    Attributes
    ----------
    drop : float
        Points lost since baseline.
    rule : "visit", "midpoint" or "linear"
        Which time stands for the drop: the visit that shows it, half way from the one before, or on the line between them.
    confirmed : bool
        The next score, or death, has to confirm a drop.
    test : "score", "wald" or "likelihood ratio"
    covariates, strata : tuple of str
        Numeric baseline columns, and columns of words or conditions.
    arm : int
        The active arm that is compared with control.
    until : float or None
        Month after randomisation at which the data are cut, such as the end of the randomised period; None is the end of follow-up.
    strategies : mapping of str to str
        Strategy for intercurrent events by name, where it is not that of the event: treatment policy, hypothetical, or composite.
    """

    measure: ClassVar[Measure] = "log hazard ratio of a drop"
    admits: ClassVar[tuple[Strategy, ...]] = ("treatment policy", "hypothetical", "composite")
    refuses: ClassVar[Mapping[str, str]] = SAME_DROP
    drop: float = 6.0
    rule: Literal["visit", "midpoint", "linear"] = "visit"
    confirmed: bool = False
    test: Literal["score", "wald", "likelihood ratio"] = "score"
    covariates: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    arm: int = 1
    until: float | None = None
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    kind: Literal["time_to_drop"] = "time_to_drop"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.drop) and self.drop > 0):
            raise ValueError(f"drop is points lost since baseline, above 0; got {self.drop}.")

    @property
    def label(self) -> str:
        test = "" if self.test == "score" else f"{self.test} test"
        rule = "" if self.rule == "visit" else self.rule
        return named(f"time to a drop of {self.drop:g} points", self, "confirmed" * self.confirmed, rule, test)

    def dropped(self, scores: Floats, months: Floats, event_time: Floats, event: Integers) -> "ThresholdEvents":
        """When each participant has lost so much or dies, as the protocol counts it."""
        from alsmodel.estimators.threshold import threshold_events

        return threshold_events(scores, months, event_time, event, drop=float(self.drop), rule=self.rule, confirmed=self.confirmed)

    def analyse(self, data: TrialData) -> Analysed:
        data = data.for_analysis(self)
        found = self.dropped(data.scores, data.months, data.event_time, data.event)
        arrays = (found.time, found.event, np.ascontiguousarray(found.arms(data.arm)))
        return run_estimator("cox", "fit_cox", self.measure, *arrays, test=self.test, **adjusted_for(self, data))


@final
@dataclass(frozen=True, kw_only=True)
class ParticipantSlopes(AbstractAnalysis):
    """Difference in the mean of the participants' own slopes, points per month, positive is slower decline.

    Each counts alike however long they were followed, so that who leaves or dies early brings the noise of a short line.

    Attributes
    ----------
    line : "two points" or "least squares"
        The first and the last score, or a line through all.
    last : "observed" or "planned"
        Two points: the last score there is, or only that of the last visit.
    robust : "none", "HC0", "HC2" or "HC3"
        Standard errors that allow for unequal variances, as those of slopes from unequal follow-up are.
    covariates, strata : tuple of str
        Numeric baseline columns, and columns of words or conditions.
    arm : int
        The active arm that is compared with control.
    until : float or None
        Month after randomisation at which the data are cut, such as the end of the randomised period; None is the end of follow-up.
    strategies : mapping of str to str
        Strategy for intercurrent events by name, where it is not that of the event: treatment policy or hypothetical.
    """

    measure: ClassVar[Measure] = "slope difference"
    admits: ClassVar[tuple[Strategy, ...]] = ("treatment policy", "hypothetical")
    refuses: ClassVar[Mapping[str, str]] = NO_FAILURE_NOR_LAST
    line: Literal["two points", "least squares"] = "two points"
    last: Literal["observed", "planned"] = "observed"
    robust: Literal["none", "HC0", "HC2", "HC3"] = "HC3"
    covariates: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    arm: int = 1
    until: float | None = None
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    kind: Literal["participant_slopes"] = "participant_slopes"

    @property
    def label(self) -> str:
        return named("slopes of participants", self, self.line, "last visit only" * (self.last == "planned"))

    def analyse(self, data: TrialData) -> Analysed:
        from alsmodel.estimators.ancova import STATUS
        from alsmodel.estimators.two_point_slope import fit_two_point_slope

        data = data.for_analysis(self)
        more = {"method": self.line, "last": self.last, "robust": self.robust, **adjusted_for(self, data)}
        fit = fit_two_point_slope(data.scores, data.months, data.arm, **more)
        return record(fit, STATUS, self.measure, fit.failed, fit.df)
