"""Who is recruited: phenotypes, baseline covariates, and eligibility by rules over what a screening visit can know."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from alsmodel.trials.conditions import Categories, Column, check, holds, is_name, parse
from alsmodel.trials.prognosis import PREDICTED, Prognosis
from alsmodel.trials.ranges import PROBABILITY, Range, empty_rules

Floats = npt.NDArray[np.float64]

# Purposes of random numbers, apart from those of the generator of scores and events.
PURPOSE_PHENOTYPE = 110
PURPOSE_HISTORY = 111
PURPOSE_SCREENING = 112
PURPOSE_RUN_IN = 113
PURPOSE_COVARIATE = 120

#: Columns that every population has, with what each means.
SCREENING_COLUMNS = {
    "screening_score": "ALSFRS-R total at screening, with an error of its own",
    "onset_months": "months from onset to screening",
    "delta_frs": "points lost per month from onset to screening: (48 - screening_score) / onset_months",
    "run_in_decline": "points lost per month over the run-in that ends at screening",
}
#: Least and largest value of those that have them, as `_history` makes them.
SCREENING_RANGES: dict[str, Range] = {"screening_score": (0.0, 48.0), "onset_months": (1.0, 240.0), "delta_frs": (0.0, 48.0)}
_RISK_INPUTS = ("age_at_onset", "diagnostic_delay", "vital_capacity", "bulbar_onset", "definite", "ftd")


@final
@dataclass(frozen=True, kw_only=True)
class Phenotype:
    """One group of participants.

    Attributes
    ----------
    name : str
        As conditions and effects by phenotype call it.
    share : float
        Of the population before eligibility; shares add up to 1.
    intercept, slope, log_hazard : float
        Shift from the truth's mean: points at month 0, points per month, log hazard at a given trajectory.
    """

    name: str
    share: float
    intercept: float = 0.0
    slope: float = 0.0
    log_hazard: float = 0.0

    def __post_init__(self) -> None:
        faults = []
        if not self.name.strip():
            faults.append("a phenotype needs a name, such as 'bulbar'.")
        if not 0 <= self.share <= 1:
            faults.append(f"a phenotype's share lies between 0 and 1; got {self.share}. Write 30% as 0.3.")
        shifts = {"intercept": self.intercept, "slope": self.slope, "log_hazard": self.log_hazard}
        faults += [f"{name} must be finite; got {value}." for name, value in shifts.items() if not np.isfinite(value)]
        if faults:
            raise ValueError(f"phenotype {self.name!r}: " + " ".join(faults))


@final
@dataclass(frozen=True, kw_only=True)
class BaselineCovariate:
    """A baseline measurement, normal or yes/no.

    Attributes
    ----------
    name : str
        As conditions call it, such as ``age`` or ``vital_capacity``.
    mean, sd : float
        Of a normal measurement; cut to `minimum` and `maximum` where given.
    probability : float or None
        Of yes (1), for a yes/no covariate such as ``sod1``; then `mean` and `sd` are not used.
    per_point : float
        Change of the mean per point of the true score at month 0 above the truth's mean.
    intercept, slope, log_hazard : float
        Change per unit above its mean: points at month 0, points per month, log hazard at a given trajectory.
    """

    name: str
    mean: float = 0.0
    sd: float = 1.0
    probability: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    per_point: float = 0.0
    intercept: float = 0.0
    slope: float = 0.0
    log_hazard: float = 0.0

    def __post_init__(self) -> None:
        numbers = {name: getattr(self, name) for name in ("mean", "sd", "per_point", "intercept", "slope", "log_hazard")}
        faults = [f"{name} must be finite; got {value}." for name, value in numbers.items() if not np.isfinite(value)]
        if self.sd < 0:
            faults.append(f"sd must not be negative; got {self.sd}.")
        if self.probability is not None and not 0 <= self.probability <= 1:
            faults.append(f"probability lies between 0 and 1; got {self.probability}. Write 2% as 0.02.")
        if self.minimum is not None and self.maximum is not None and not self.minimum < self.maximum:
            faults.append(f"minimum must lie below maximum; got {self.minimum} and {self.maximum}.")
        if self.per_point and self.intercept:
            faults.append("per_point and intercept make each depend on the other. Keep one.")
        if faults:
            raise ValueError(f"covariate {self.name!r}: " + " ".join(faults))

    @property
    def centre(self) -> float:
        """Value at which it shifts nothing."""
        return self.mean if self.probability is None else self.probability


@final
@dataclass(frozen=True, kw_only=True)
class Population:
    """Candidates and the rules that admit them.

    A candidate's history is made to fit the path ahead: the rate of loss before screening is the own later slope times
    a log-normal factor, and onset lies where that rate has used up what is missing of 48 points. The screening score
    has an error of its own and is no outcome, so that selecting on delta-FRS regresses to the mean as it does in life.

    Attributes
    ----------
    phenotypes : tuple of Phenotype
        Empty for one group without a name. Only for a truth by numbers.
    covariates : tuple of BaselineCovariate
        Measured at screening.
    eligibility : tuple of str
        Conditions that all must hold, e.g. ``"0.3 <= delta_frs < 2"``. Names: the columns of `SCREENING_COLUMNS`, the
        covariates, ``phenotype``; and ``tricals``, ``encals`` (published scores, `alsmodel.clinical.prognosis`) where
        the covariates ``age_at_onset``, ``diagnostic_delay``, ``vital_capacity``, ``bulbar_onset``, ``definite``,
        ``ftd`` (and ``c9orf72``) are there; ``predicted_survival`` with a `prognosis`; and the biomarkers of `screened`.
    screened : tuple of str
        Biomarkers of the trial that are measured at the screening visit too, with an error of its own: conditions, strata and covariates
        may then read them by name, such as ``"log_nfl > 4"``.
    prognosis : Prognosis or None
        Predict each candidate's survival from what screening knows, by a fit that the trial names; see `alsmodel.trials.prognosis`.
    screening_months : float
        Months between screening and month 0.
    run_in_months : float
        Length of the run-in before screening.
    screening_sd : float
        Error SD of a screening score, points.
    history_sd : float
        SD of the log of (earlier rate of loss / later rate).
    leaving : str or None
        Cause of the fit, by its name, by whose hazard people leave: it takes the place of the design's dropout and of the two below.
    leaving_per_point : float
        Log hazard of leaving per point that the *true* score lies above the truth's mean at month 0; negative makes those who
        are worse leave sooner (informative through the hidden trajectory).
    leaving_per_slope : float
        Log hazard of leaving per point per month that the own slope lies above the truth's mean.
    """

    phenotypes: tuple[Phenotype, ...] = ()
    covariates: tuple[BaselineCovariate, ...] = ()
    eligibility: tuple[str, ...] = ()
    screened: tuple[str, ...] = ()
    prognosis: Prognosis | None = None
    screening_months: float = 1.0
    run_in_months: float = 3.0
    screening_sd: float = 1.77
    history_sd: float = 0.3
    leaving_per_point: float = 0.0
    leaving_per_slope: float = 0.0
    leaving: str | None = None

    def __post_init__(self) -> None:
        faults = []
        names = [*(p.name for p in self.phenotypes), *(c.name for c in self.covariates), *self.screened]
        reserved = {*SCREENING_COLUMNS, "phenotype", "site", "tricals", "encals", PREDICTED} & set(names)
        repeated = sorted({*(name for name, count in Counter(names).items() if count > 1), *reserved})
        if repeated:
            faults.append(
                f"phenotypes, covariates and screened biomarkers need names of their own; taken or repeated: {', '.join(repeated)}."
            )
        unreadable = [name for name in self.screened if not is_name(name)]
        if unreadable:
            faults.append(f"screened: a condition cannot read {unreadable}; name the biomarker by letters, digits and _, such as log_nfl.")
        if self.phenotypes and abs(sum(p.share for p in self.phenotypes) - 1) > 1e-9:
            faults.append(f"shares of the phenotypes must add up to 1; they add up to {sum(p.share for p in self.phenotypes):g}.")
        for name, low in (("screening_months", 0.0), ("run_in_months", 1e-9), ("screening_sd", 0.0), ("history_sd", 0.0)):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= low):
                faults.append(f"{name} must be a number at or above {low:g}; got {getattr(self, name)}.")
        if not np.isfinite([self.leaving_per_point, self.leaving_per_slope]).all():
            faults.append("leaving_per_point and leaving_per_slope must be finite.")
        if self.leaving is not None and (self.leaving_per_point or self.leaving_per_slope):
            faults.append(
                "leaving names a cause of the fit with an association of its own: leave out leaving_per_point and leaving_per_slope."
            )
        wrong = [f"{fault}{self._hint(fault)}" for rule in self.eligibility for fault in check(rule, self.vocabulary, self.absent)]
        faults += [f"eligibility: {fault}" for fault in wrong or empty_rules(self.eligibility, self._ranges)]
        if faults:
            raise ValueError(" ".join(faults))

    def _hint(self, fault: str) -> str:
        unknown = " is not known. " in fault and not self.screened and not any(how in fault for how in self.absent.values())
        return " A biomarker of the trial is known once population.screened names it." if unknown else ""

    @property
    def vocabulary(self) -> dict[str, tuple[str, ...] | None]:
        """Names that conditions may use."""
        known: dict[str, tuple[str, ...] | None] = dict.fromkeys([*SCREENING_COLUMNS, *(c.name for c in self.covariates), *self.screened])
        if self.phenotypes:
            known["phenotype"] = tuple(p.name for p in self.phenotypes)
        if all(name in known for name in _RISK_INPUTS):
            known["tricals"] = None
            if "c9orf72" in known:
                known["encals"] = None
        if self.prognosis is not None:
            known[PREDICTED] = None
        return known

    @property
    def absent(self) -> dict[str, str]:
        """Names that conditions might use with another setting, each with a sentence that says which."""
        lacking = [name for name in _RISK_INPUTS if name not in self.vocabulary]
        needs = f"It needs the covariates {', '.join(_RISK_INPUTS)}; absent: {', '.join(lacking)}."
        c9orf72 = [] if "c9orf72" in self.vocabulary else ["c9orf72"]
        found = {
            "phenotype": "It is there with [[trial.population.phenotypes]].",
            "tricals": needs,
            "encals": f"It needs the covariates {', '.join(_RISK_INPUTS)}, c9orf72; absent: {', '.join([*lacking, *c9orf72])}.",
            PREDICTED: "It is there with [trial.population.prognosis].",
        }
        return {name: how for name, how in found.items() if name not in self.vocabulary}

    @property
    def _ranges(self) -> dict[str, Range]:
        """Least and largest value of the columns that have them."""
        found = SCREENING_RANGES | ({PREDICTED: PROBABILITY} if self.prognosis is not None else {})
        for each in self.covariates:
            if each.probability is not None:
                found[each.name] = PROBABILITY
            else:
                found[each.name] = (-np.inf if each.minimum is None else each.minimum, np.inf if each.maximum is None else each.maximum)
        return found

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the phenotypes, or one empty name."""
        return tuple(p.name for p in self.phenotypes) or ("",)

    @property
    def plain(self) -> bool:
        """True when every candidate is alike and admitted: nothing need be drawn at screening."""
        return not (self.phenotypes or self.covariates or self.eligibility or self.screened or self.prognosis)

    def admits(self, columns: Mapping[str, Column]) -> npt.NDArray[np.bool_]:
        """Say which candidates every rule admits."""
        rules = [holds(parse(text), columns) for text in self.eligibility]
        return np.asarray(np.logical_and.reduce(rules)) if rules else np.ones(_shape(columns), dtype=np.bool_)


@final
@dataclass(frozen=True)
class Candidates:
    """Candidates of a block of trials: columns that a screening visit knows, group, and shifts of the truth's means."""

    columns: dict[str, Column]
    group: npt.NDArray[np.int64]
    intercept: Floats
    slope: Floats
    log_hazard: Floats


def candidates(
    population: Population, keys: npt.NDArray[np.uint64], n: int, intercept: Floats, slope: Floats, b0: Floats, b1: Floats, centre: Floats
) -> Candidates:
    """Draw the first `n` candidates of each trial.

    Parameters
    ----------
    population : Population
    keys : array of uint64, shape (R,)
        Stream keys.
    n : int
        Candidates per trial.
    intercept, slope : array, shape (R, n)
        The truth's mean at month 0 (points) and mean slope (points per month) of each candidate.
    b0, b1 : array, shape (R, n)
        Own deviations from them.
    centre : array, shape (R,)
        The truth's mean score at month 0, points.
    """
    from alsmodel.patients.course import draws

    shape = (keys.size, n)
    shift = [np.zeros(shape), np.zeros(shape), np.zeros(shape)]
    group = np.zeros(shape, dtype=np.int64)
    columns: dict[str, Column] = {}
    if population.phenotypes:
        edges = np.cumsum([p.share for p in population.phenotypes])
        group = np.minimum(np.searchsorted(edges, draws(keys, 0, n, PURPOSE_PHENOTYPE, False), side="right"), len(edges) - 1)
        columns["phenotype"] = Categories(group, population.groups)
        for total, part in zip(shift, ("intercept", "slope", "log_hazard"), strict=True):
            total += np.array([getattr(p, part) for p in population.phenotypes])[group]
    for k, covariate in enumerate(population.covariates):
        above = intercept + b0 + shift[0] - centre[:, None]
        columns[covariate.name] = value = _measured(
            covariate, draws(keys, 0, n, PURPOSE_COVARIATE + k, covariate.probability is None), above
        )
        for total, part in zip(shift, ("intercept", "slope", "log_hazard"), strict=True):
            total += getattr(covariate, part) * (value - covariate.centre)
    level, rate = intercept + b0 + shift[0], slope + b1 + shift[1]
    columns |= _history(population, keys, n, level, rate)
    columns |= _risk(population, columns)
    return Candidates(columns, group, *shift)


def _measured(covariate: BaselineCovariate, draw: Floats, above: Floats) -> Floats:
    if covariate.probability is not None:
        return np.asarray((draw < covariate.probability).astype(np.float64))
    value = covariate.mean + covariate.per_point * above + covariate.sd * draw
    low = -np.inf if covariate.minimum is None else covariate.minimum
    high = np.inf if covariate.maximum is None else covariate.maximum
    return np.asarray(np.clip(value, low, high))


def _history(population: Population, keys: npt.NDArray[np.uint64], n: int, level: Floats, rate: Floats) -> dict[str, Column]:
    """Screening score, onset and decline so far, from the path ahead."""
    from alsmodel.patients.course import draws

    # Someone who will not decline has still lost points; 0.1 a month is a choice.
    before = np.maximum(-rate, 0.1) * np.exp(population.history_sd * draws(keys, 0, n, PURPOSE_HISTORY, True))
    at_screening = level + before * population.screening_months
    onset = np.clip(np.maximum(48.0 - at_screening, 1.0) / before, 1.0, 240.0)
    error = population.screening_sd
    screening = np.clip(np.round(at_screening + error * draws(keys, 0, n, PURPOSE_SCREENING, True)), 0, 48)
    earlier = at_screening + before * population.run_in_months
    first = np.clip(np.round(earlier + error * draws(keys, 0, n, PURPOSE_RUN_IN, True)), 0, 48)
    return {
        "screening_score": screening,
        "onset_months": onset,
        "delta_frs": (48.0 - screening) / onset,
        "run_in_decline": (first - screening) / population.run_in_months,
    }


def _risk(population: Population, columns: Mapping[str, Column]) -> dict[str, Column]:
    """Published prognostic scores, where their inputs are there; missing where an input is implausible."""
    if "tricals" not in population.vocabulary:
        return {}
    import polars as pl

    from alsmodel.clinical.prognosis import risk_scores

    flags = ("bulbar_onset", "definite", "ftd", "c9orf72")
    shape = _shape(columns)
    values: dict[str, npt.NDArray[np.float64]] = {
        name: column.ravel() for name in (*_RISK_INPUTS, "c9orf72", "delta_frs") if isinstance(column := columns.get(name), np.ndarray)
    }
    values["progression_rate"] = np.maximum(values.pop("delta_frs"), 0.0)
    frame = pl.DataFrame(values).with_columns(pl.col(name) == 1 for name in flags if name in values)
    if "c9orf72" not in values:
        frame = frame.with_columns(c9orf72=pl.lit(None, dtype=pl.Boolean))
    scored = risk_scores(frame, short_delay="clamp")
    wanted = [name for name in ("tricals", "encals") if name in population.vocabulary]
    return {name: scored[name].cast(pl.Float64).fill_null(np.nan).to_numpy().reshape(shape) for name in wanted}


def _shape(columns: Mapping[str, Column]) -> tuple[int, ...]:
    rate = columns["delta_frs"]
    return rate.codes.shape if isinstance(rate, Categories) else rate.shape
