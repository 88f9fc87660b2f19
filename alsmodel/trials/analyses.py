"""The analyses that a protocol may name: what each looks at, and one record per virtual trial.

An analysis sees what a trial statistician would see, never the truth. Estimators are imported where they are used:
reading a study file must not wait for numba.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol, final

import numpy as np
import numpy.typing as npt

from alsmodel.trials.conditions import Categories, Column, holds, parse
from alsmodel.trials.strategies import NO_FAILURE, Strategy, counted, kept

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Measure = Literal[
    "slope difference",
    "change difference",
    "responder difference",
    "log hazard ratio",
    "log hazard ratio of a drop",
    "weighted log hazard ratio",
    "RMST difference",
    "joint rank difference",
    "win ratio",
    "win odds",
    "net benefit",
]
#: Which direction of the statistic favours the active arm.
FAVOURS: dict[str, int] = {"log hazard ratio": -1, "log hazard ratio of a drop": -1, "weighted log hazard ratio": -1}


@final
@dataclass(frozen=True, kw_only=True)
class Measured:
    """A biomarker in R virtual trials of n participants.

    Attributes
    ----------
    values : array, shape (R, n, V)
        NaN where not measured.
    sampled : array of bool, shape (V,)
        Planned visits at which it is taken.
    lower_is_better : bool
    """

    values: Floats
    sampled: npt.NDArray[np.bool_]
    lower_is_better: bool


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
    arm : array of int, shape (R, n) or (n,)
        Assigned arm, 0 control and 1 active, -1 not in this comparison; never what was taken.
    event_time : array, shape (R, n)
        Month of the event or of the end of observation.
    event : array of int, shape (R, n)
        1 if `event_time` is an event.
    actual : array, shape (R, n, V), optional
        Months at which the visits were made, where they stray from the plan.
    columns : mapping
        Baseline columns, each (R, n).
    intercurrent : mapping
        Months of each intercurrent event by name, (R, n), infinite where none is known.
    strategies : mapping
        Strategy of each unless an analysis names another.
    biomarkers : mapping of str to Measured
    lower_is_better : bool
        Of what stands in `scores`.
    due : array of bool, shape (R, n, V), optional
        Visits whose day, in the calendar, had come when the data were opened, whether or not the participant was still there; all where
        it is not given.
    """

    months: Floats
    scores: Floats
    arm: Integers
    event_time: Floats
    event: Integers
    actual: Floats | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)
    intercurrent: Mapping[str, Floats] = field(default_factory=dict)
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    biomarkers: Mapping[str, Measured] = field(default_factory=dict)
    lower_is_better: bool = False
    due: npt.NDArray[np.bool_] | None = None

    def for_analysis(self, analysis: "AbstractAnalysis") -> "TrialData":
        """What an analysis is given: its comparison, cut where it is cut, with intercurrent events handled by their strategies."""
        return self.of(analysis.outcome).against_control(analysis.arm).until(analysis.until).under(analysis)

    def of(self, outcome: str) -> "TrialData":
        """The data with a biomarker, at the visits at which it is taken, in the place of the score; empty is the score."""
        if not outcome:
            return self
        marker = self.biomarkers[outcome]
        kept = np.flatnonzero(marker.sampled)
        return replace(
            self,
            months=np.ascontiguousarray(self.months[kept]),
            scores=np.ascontiguousarray(marker.values[:, :, kept]),
            actual=None if self.actual is None else np.ascontiguousarray(self.actual[:, :, kept]),
            lower_is_better=marker.lower_is_better,
            due=None if self.due is None else self.due[:, :, kept],
        )

    def towards_benefit(self, found: "Analysed") -> "Analysed":
        """The records with the direction of benefit of what was compared."""
        return replace(found, benefit=~found.benefit & ~found.failed & (found.estimate != 0)) if self.lower_is_better else found

    def under(self, analysis: "AbstractAnalysis") -> "TrialData":
        """The data under the strategies of an analysis for intercurrent events; see `alsmodel.trials.strategies`."""
        chosen = {name: analysis.strategies.get(name, default) for name, default in self.strategies.items()}
        if all(strategy == "treatment policy" for strategy in chosen.values()):
            return self
        event_time, event = counted(self.event_time, self.event, self.intercurrent, chosen)
        made = self.months if self.actual is None else self.actual
        scores = kept(self.scores, made, self.intercurrent, chosen, carried=analysis.carries)
        return replace(self, scores=scores, event_time=event_time, event=event)

    def against_control(self, arm: int) -> "TrialData":
        """The comparison of one active arm with control; everyone else is left out."""
        if arm == 1 and self.arm.max() <= 1:
            return self
        coded = np.where(self.arm == arm, 1, np.where(self.arm == 0, 0, -1)).astype(np.int64)
        return replace(self, arm=coded)

    def until(self, month: float | None) -> "TrialData":
        """What is known of everyone at this month after randomisation; None is everything."""
        if month is None:
            return self
        kept = int(np.sum(self.months <= month))
        return replace(
            self,
            months=np.ascontiguousarray(self.months[:kept]),
            scores=np.ascontiguousarray(self.scores[:, :, :kept]),
            actual=None if self.actual is None else np.ascontiguousarray(self.actual[:, :, :kept]),
            event_time=np.minimum(self.event_time, month),
            event=np.where(self.event_time > month, 0, self.event),
            intercurrent={name: np.where(when > month, np.inf, when) for name, when in self.intercurrent.items()},
            due=None if self.due is None else self.due[:, :, :kept],
        )

    def take(self, trials: Integers) -> "TrialData":
        """Some of the trials, in the order of their places."""

        def some(column: Column) -> Column:
            return Categories(column.codes[trials], column.levels) if isinstance(column, Categories) else column[trials]

        return replace(
            self,
            scores=self.scores[trials],
            arm=self.arm[trials] if self.arm.ndim > 1 else self.arm,
            event_time=self.event_time[trials],
            event=self.event[trials],
            actual=None if self.actual is None else self.actual[trials],
            columns={name: some(column) for name, column in self.columns.items()},
            intercurrent={name: when[trials] for name, when in self.intercurrent.items()},
            biomarkers={name: replace(each, values=each.values[trials]) for name, each in self.biomarkers.items()},
            due=None if self.due is None else self.due[trials],
        )

    def strata(self, names: Sequence[str]) -> Integers | None:
        """Stratum of each participant, one number per combination of `names`; None without names."""
        if not names:
            return None
        codes = np.zeros(self.event_time.shape, dtype=np.int64)
        for name in names:
            column = self.columns.get(name)
            if isinstance(column, Categories):
                codes = codes * len(column.levels) + column.codes
            else:
                codes = codes * 2 + holds(parse(name), self.columns)
        return np.ascontiguousarray(codes)

    def covariates(self, names: Sequence[str]) -> Floats | None:
        """Numeric baseline columns, shape (R, n, c); None without names."""
        if not names:
            return None
        return np.ascontiguousarray(np.stack([np.asarray(self.columns[name], dtype=np.float64) for name in names], axis=2))


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
    statistic : array, optional
        Test statistic; estimate over standard error where it is not given.
    status : array of str, optional
        How the fit ended, in words.
    """

    estimate: Floats
    standard_error: Floats
    df: Floats
    p_value: Floats
    benefit: npt.NDArray[np.bool_]
    failed: npt.NDArray[np.bool_]
    statistic: Floats | None = None
    status: npt.NDArray[np.str_] | None = None


class Fit(Protocol):
    """What every estimator returns, as far as a record needs it."""

    @property
    def estimate(self) -> Floats: ...
    @property
    def standard_error(self) -> Floats: ...
    @property
    def statistic(self) -> Floats: ...
    @property
    def p_value(self) -> Floats: ...
    @property
    def status(self) -> Integers: ...


def record(
    fit: Fit, words: Mapping[int, str] | Sequence[str], measure: Measure, failed: npt.NDArray[np.bool_], df: Floats | None
) -> Analysed:
    """Make the records of a trial from what an estimator returned.

    Parameters
    ----------
    fit : Fit
        Arrays of shape (R,).
    words : mapping or sequence
        What each value of its status means.
    measure : str
        Decides which direction is a benefit.
    failed : array of bool
        Fits without a valid result.
    df : array or None
        Degrees of freedom; None for the normal.
    """
    failed = np.asarray(failed | ~np.isfinite(fit.p_value))
    names = list(words.items()) if isinstance(words, Mapping) else list(enumerate(words))
    table = np.array([dict(names).get(k, "") for k in range(max(k for k, _ in names) + 1)])

    def kept(values: Any) -> Floats:
        return np.where(failed, np.nan, np.asarray(values, dtype=np.float64))

    return Analysed(
        estimate=kept(fit.estimate),
        standard_error=kept(fit.standard_error),
        df=np.full(failed.shape, np.inf) if df is None else np.asarray(df, dtype=np.float64),
        p_value=kept(fit.p_value),
        benefit=np.asarray(FAVOURS.get(measure, 1) * fit.statistic > 0) & ~failed,
        failed=failed,
        statistic=kept(fit.statistic),
        status=table[np.asarray(fit.status, dtype=np.int64)],
    )


class AbstractAnalysis(ABC):
    """How one active arm is compared with control at an analysis."""

    measure: ClassVar[Measure]
    #: The active arm that is compared with control; a field of most analyses.
    arm = 1
    #: Month after randomisation at which the data are cut for it; None is the end of follow-up.
    until: float | None = None
    #: Baseline columns or conditions by which the analysis is stratified, and columns that it adjusts for: numbers, and for an analysis
    #: without strata also words and conditions (`alsmodel.trials.indicators`).
    strata: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    #: Strategy for intercurrent events by name, where it is not that of the event; those that can be expressed, and why others cannot.
    strategies: Mapping[str, Strategy] = MappingProxyType({})
    admits: ClassVar[tuple[Strategy, ...]] = ("treatment policy",)
    refuses: ClassVar[Mapping[str, str]] = MappingProxyType({})
    #: The biomarker that is compared; empty is the score.
    outcome: str = ""
    #: The last score of the time on treatment stands for later visits.
    carries: ClassVar[bool] = False

    @property
    @abstractmethod
    def label(self) -> str:
        """Name in tables."""

    def takes(self, option: str) -> bool:
        """Whether it has an option of this name."""
        return is_dataclass(self) and any(each.name == option for each in fields(self))

    def settings(self) -> dict[str, Any]:
        """Its options as plain values."""
        return asdict(self) if is_dataclass(self) else {}

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
    df_method : "satterthwaite" or "kenward-roger"
        Degrees of freedom; Kenward-Roger also adjusts the standard error.
    information : "observed", "expected" or None
        Information inside them: observed as SAS and lmerTest, expected as pbkrtest; None is observed for Satterthwaite and
        expected for Kenward-Roger.
    time : "planned" or "actual"
        Month of a score: as planned, or as the visit was made (slower: participants no longer share their visits).
    covariates : tuple of str
        Numeric baseline columns; each enters the level and the slope.
    outcome : str
        Name of a biomarker of the trial that is compared in place of the score; empty is the score.
    arm : int
        The active arm that is compared with control.
    until : float or None
        Month after randomisation at which the data are cut, such as the end of the randomised period; None is the end of follow-up.
    strategies : mapping of str to str
        Strategy for intercurrent events by name, where it is not that of the event: treatment policy, hypothetical, or while on treatment.
    """

    measure: ClassVar[Measure] = "slope difference"
    admits: ClassVar[tuple[Strategy, ...]] = ("treatment policy", "hypothetical", "while on treatment")
    refuses: ClassVar[Mapping[str, str]] = NO_FAILURE
    arm_main_effect: bool = False
    df_method: Literal["satterthwaite", "kenward-roger"] = "satterthwaite"
    information: Literal["observed", "expected"] | None = None
    time: Literal["planned", "actual"] = "planned"
    covariates: tuple[str, ...] = ()
    outcome: str = ""
    arm: int = 1
    until: float | None = None
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    kind: Literal["random_slope"] = "random_slope"

    @property
    def label(self) -> str:
        options = (
            "Kenward-Roger" * (self.df_method == "kenward-roger"),
            "arms differ at baseline" * self.arm_main_effect,
            "actual days" * (self.time == "actual"),
        )
        return named("random slope", self, *options)

    def analyse(self, data: TrialData) -> Analysed:
        from alsmodel.estimators.random_slope import STATUS, fit_random_slope

        data = data.for_analysis(self)
        fit = fit_random_slope(
            data.scores,
            data.months if self.time == "planned" or data.actual is None else data.actual,
            data.arm,
            covariates=data.covariates(self.covariates),
            arm_main_effect=self.arm_main_effect,
            df_method=self.df_method,
            information=self.information,
        )
        return data.towards_benefit(record(fit, STATUS, self.measure, fit.failed, fit.df))


@final
@dataclass(frozen=True, kw_only=True)
class LogRank(AbstractAnalysis):
    """Log-rank test; the estimate is the log hazard ratio, negative is fewer events in the active arm.

    Attributes
    ----------
    method : "one step" or "cox"
        How the log hazard ratio is estimated; the test does not change.
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

    measure: ClassVar[Measure] = "log hazard ratio"
    admits: ClassVar[tuple[Strategy, ...]] = ("treatment policy", "hypothetical", "composite", "while on treatment")
    method: Literal["one step", "cox"] = "one step"
    strata: tuple[str, ...] = ()
    arm: int = 1
    until: float | None = None
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    kind: Literal["log_rank"] = "log_rank"

    @property
    def label(self) -> str:
        return named("log-rank", self)

    def analyse(self, data: TrialData) -> Analysed:
        from alsmodel.estimators.logrank import NOT_ESTIMABLE, STATUS, fit_log_rank

        data = data.for_analysis(self)
        out = data.arm < 0
        fit = fit_log_rank(
            np.where(out, 0.0, data.event_time) if out.any() else data.event_time,
            np.where(out, 0, data.event) if out.any() else data.event,
            np.maximum(data.arm, 0),
            strata=data.strata(self.strata),
            method=self.method,
        )
        return record(fit, STATUS, self.measure, fit.status == NOT_ESTIMABLE, None)


def named(name: str, analysis: AbstractAnalysis, *more: str) -> str:
    """An analysis' name in tables, with the options that set it apart from its plain form."""
    parts = [f"{name} of {analysis.outcome}" if analysis.outcome else name, *(text for text in more if text)]
    if analysis.covariates:
        parts.append(f"adjusted for {' and '.join(analysis.covariates)}")
    if analysis.strata:
        parts.append(f"stratified by {' and '.join(analysis.strata)}")
    if analysis.arm != 1:
        parts.append(f"arm {analysis.arm}")
    if analysis.until is not None:
        parts.append(f"until month {analysis.until:g}")
    parts += [f"{strategy} for {name}" for name, strategy in analysis.strategies.items()]
    return ", ".join(parts)


def normal_size(p_value: Floats) -> Floats:
    """Size of a standard normal statistic with these two-sided p values; NaN stays."""
    from scipy.special import ndtri  # here: reading a study file must not wait for scipy

    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(-ndtri(np.maximum(p_value, 1e-300) / 2))


def reach_of(coverage: float, df: Floats | float) -> Floats:
    """Standard errors to each side of an estimate that an interval reaches: of t or, with infinite df, of the normal; NaN stays."""
    from scipy.special import ndtri, stdtrit  # here: reading a study file must not wait for scipy

    level = 0.5 + 0.5 * coverage
    return np.asarray(np.where(np.isinf(df), ndtri(level), stdtrit(np.where(np.isinf(df), 1.0, df), level)))
