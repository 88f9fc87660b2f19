"""The MMRM with those who left alive imputed by reference to the control arm, as an analysis of a trial."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, final

import numpy as np

from alsmodel.trials.analyses import AbstractAnalysis, Analysed, Measure, TrialData, named, record
from alsmodel.trials.strategies import NO_FAILURE_NOR_LAST, Strategy


@final
@dataclass(frozen=True, kw_only=True)
class ReferenceBased(AbstractAnalysis):
    """MMRM with reference-based imputation: difference in mean score at the last visit, points, positive is better.

    Its estimand: what if those of the active arm who left alive had gone on like control. Scores after death are never imputed by
    reference; they are missing at random, as in the MMRM. What a hypothetical intercurrent event sets missing is imputed like the
    scores of those who left. At a look nobody counts as having left whose day of the last visit has not come: they are missing at random
    (jackknife), or left out (Rubin).

    Attributes
    ----------
    strategy : "jump to reference", "copy reference", "copy increments" or "missing at random"
    variance : "jackknife" or "rubin"
        Conditional means with the variance over repeated trials, or random imputations joined by Rubin's rules.
    imputations : int
        Data sets of "rubin".
    covariates : tuple of str
        Numeric baseline columns, each with a coefficient per visit.
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
    strategy: Literal["missing at random", "jump to reference", "copy reference", "copy increments"] = "jump to reference"
    variance: Literal["jackknife", "rubin"] = "jackknife"
    imputations: int = 50
    covariates: tuple[str, ...] = ()
    arm: int = 1
    until: float | None = None
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    kind: Literal["reference_based"] = "reference_based"

    def __post_init__(self) -> None:
        if self.imputations < 2:
            raise ValueError(f"imputations must be at least 2; got {self.imputations}. 50 or more are wanted.")

    @property
    def label(self) -> str:
        variance = "jackknife" if self.variance == "jackknife" else f"Rubin, {self.imputations} imputations"
        return named(f"MMRM, {self.strategy}", self, variance)

    def analyse(self, data: TrialData) -> Analysed:
        from alsmodel.estimators.reference_based import STATUS, fit_reference_based

        given = data.until(self.until)
        data = data.for_analysis(self)
        # Death as it came, also after a hypothetical event: nobody is imputed past it.
        # A visit that strays is of the day on which it is, or would have been, made.
        day = given.months if given.actual is None else np.where(np.isfinite(given.actual), given.actual, given.months)
        dead = (given.event[:, :, None] == 1) & (day[..., 1:] >= given.event_time[:, :, None])
        fit = fit_reference_based(
            np.ascontiguousarray(data.scores[:, :, 1:]),
            data.arm,
            baseline=data.scores[:, :, 0],
            alive=~dead,
            due=None if data.due is None else data.due[:, :, -1],
            covariates=data.covariates(self.covariates),
            strategy=self.strategy,
            variance=self.variance,
            imputations=self.imputations,
        )
        return record(fit, STATUS, self.measure, fit.failed, fit.df)
