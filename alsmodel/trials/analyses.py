"""The analyses that a protocol may name: what each looks at, and one record per virtual trial.

An analysis sees what a trial statistician would see, never the truth. Estimators are imported where they are used:
reading a study file must not wait for numba.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Measure = Literal["slope difference", "log hazard ratio"]


@final
@dataclass(frozen=True, kw_only=True)
class TrialData:
    """What was observed in R virtual trials of n participants with V planned visits.

    Attributes
    ----------
    months : array, shape (V,)
        Planned visits, months from randomisation.
    scores : array, shape (R, n, V)
        Points; NaN when not observed.
    arm : array of int, shape (n,)
        Assigned arm, 0 control and 1 active; never what was taken.
    event_time : array, shape (R, n)
        Month of the event or of the end of observation.
    event : array of int, shape (R, n)
        1 if `event_time` is an event.
    """

    months: Floats
    scores: Floats
    arm: npt.NDArray[np.int64]
    event_time: Floats
    event: npt.NDArray[np.int64]


@final
@dataclass(frozen=True, kw_only=True)
class Analysed:
    """One record per virtual trial; every array has shape (R,).

    Attributes
    ----------
    estimate, standard_error : array
        On the scale of the analysis' `measure`; NaN when failed.
    df : array
        Degrees of freedom of its reference t distribution; infinite for the normal.
    p_value : array
        Two-sided; NaN when failed.
    benefit : array of bool
        The estimate favours the active arm.
    failed : array of bool
        No valid result: the trial counts as "no claim" and stays in every denominator.
    """

    estimate: Floats
    standard_error: Floats
    df: Floats
    p_value: Floats
    benefit: npt.NDArray[np.bool_]
    failed: npt.NDArray[np.bool_]


class AbstractAnalysis(ABC):
    """How the arms are compared at the end."""

    measure: ClassVar[Measure]

    @property
    @abstractmethod
    def label(self) -> str:
        """Name in tables."""

    @abstractmethod
    def analyse(self, data: TrialData) -> Analysed:
        """Compare the arms in every trial of `data`."""


@final
@dataclass(frozen=True, kw_only=True)
class RandomSlope(AbstractAnalysis):
    """Random-intercept-and-slope mixed model: difference in mean slope, points per month, positive is slower decline.

    Its estimand is hypothetical: the difference in slope had nobody died or left. Scores after death or dropout are
    taken as missing at random given the scores before.

    Attributes
    ----------
    arm_main_effect : bool
        Let the arms differ at month 0; off is right under randomisation.
    information : "observed" or "expected"
        Information inside the Satterthwaite degrees of freedom.
    """

    measure: ClassVar[Measure] = "slope difference"
    arm_main_effect: bool = False
    information: Literal["observed", "expected"] = "observed"
    kind: Literal["random_slope"] = "random_slope"

    @property
    def label(self) -> str:
        return "random slope" if not self.arm_main_effect else "random slope, arms differ at baseline"

    def analyse(self, data: TrialData) -> Analysed:
        from alsmodel.estimators.random_slope import fit_random_slope

        fit = fit_random_slope(
            data.scores,
            data.months,
            data.arm,
            arm_main_effect=self.arm_main_effect,
            information=self.information,
        )
        failed = ~(fit.converged & np.isfinite(fit.p_value))
        return Analysed(
            estimate=np.where(failed, np.nan, fit.estimate),
            standard_error=np.where(failed, np.nan, fit.standard_error),
            df=fit.df,
            p_value=np.where(failed, np.nan, fit.p_value),
            benefit=np.asarray(fit.estimate > 0) & ~failed,
            failed=failed,
        )


@final
@dataclass(frozen=True, kw_only=True)
class LogRank(AbstractAnalysis):
    """Log-rank test; the estimate is the log hazard ratio, negative is fewer events in the active arm.

    Attributes
    ----------
    method : "one step" or "cox"
        How the log hazard ratio is estimated; the test does not change.
    """

    measure: ClassVar[Measure] = "log hazard ratio"
    method: Literal["one step", "cox"] = "one step"
    kind: Literal["log_rank"] = "log_rank"

    @property
    def label(self) -> str:
        return "log-rank"

    def analyse(self, data: TrialData) -> Analysed:
        from alsmodel.estimators.logrank import NOT_ESTIMABLE, fit_log_rank

        fit = fit_log_rank(data.event_time, data.event, data.arm, method=self.method)
        failed = fit.status == NOT_ESTIMABLE
        return Analysed(
            estimate=fit.estimate,
            standard_error=fit.standard_error,
            df=np.full(fit.estimate.shape, np.inf),
            p_value=fit.p_value,
            benefit=np.asarray(fit.statistic < 0) & ~failed,
            failed=failed,
        )
