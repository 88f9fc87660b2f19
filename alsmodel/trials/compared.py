"""The results of a real trial as tidy tables: analyses, means by visit, counts, survival, responders, subgroups."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import chdtrc

from alsmodel.cohort import Cohort
from alsmodel.trials.adjusting import prepared
from alsmodel.trials.analyses import AbstractAnalysis, Analysed, reach_of
from alsmodel.trials.comparison import AtDeath, ComparisonPlan
from alsmodel.trials.conditions import NOT_RECORDED, Categories, holds, names_of, parse
from alsmodel.trials.endpoints import MMRM, Responder, Win
from alsmodel.trials.observed import BASELINE, ObservedTrial, observed_trial

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Fewer people than this are not counted in a descriptive table unless asked for.
SMALL_CELL = 5
#: Table -> columns that count people and may hold a small cell.
COUNTS: dict[str, tuple[str, ...]] = {
    "arms": ("with_baseline", "events", "deaths"),
    "visits": ("observed", "event_before", "follow_up_ended", "missed", "deaths_so_far"),
    "survival": ("at_risk", "events_so_far"),
    "responders": ("analysed_control", "analysed_active", "responders_control", "responders_active"),
    "subgroups": ("control", "active"),
    "covariates": ("missing",),
}
#: What each table holds.
MEANING = {
    "analyses": "one row per analysis: estimate, interval, test, and what it makes of death",
    "means": "least-squares means by arm and visit (MMRM)",
    "differences": "differences of these means from control",
    "arms": "participants, events and follow-up by arm",
    "visits": "what became of everyone by arm and visit: observed, event before, follow-up ended, missed add up to randomised",
    "survival": "Kaplan-Meier by arm at the planned visits",
    "medians": "median months to the event by arm",
    "responders": "responders by visit: alive, seen, and fewer points lost than the threshold",
    "subgroups": "every analysis within each subgroup, with a test that the effects are the same",
    "covariates": "missing baseline values by arm",
    "steps": "participants and scores left after each step",
}


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """Results of the comparison of a real trial.

    Attributes
    ----------
    tables : dict of str to polars.DataFrame
        By name; `MEANING` says what each holds. A count of people is null where it is 1 to 4 and small cells are not shown.
    small_cells : bool
        Whether small counts are shown.
    failed : tuple of str
        Analyses without a result, with their status.
    """

    tables: dict[str, pl.DataFrame]
    small_cells: bool
    failed: tuple[str, ...]

    def shown(self, name: str) -> pl.DataFrame:
        """A table for people: counts as text where they are hidden."""
        frame = self.tables[name]
        columns = [c for c in COUNTS.get(name, ()) if not self.small_cells]
        return frame.with_columns(pl.col(c).cast(pl.String).fill_null(f"<{SMALL_CELL}") for c in columns)


def compare(cohort: Cohort, plan: ComparisonPlan, *, small_cells: bool = False, where: str = "analyse") -> Compared:
    """Compare the arms of a real trial by every analysis of a plan.

    Parameters
    ----------
    cohort : Cohort
    plan : ComparisonPlan
    small_cells : bool
        Show counts of 1 to 4 people in descriptive tables.
    where : str
        Path of the settings in a study file, for messages.

    Returns
    -------
    Compared

    Raises
    ------
    InvalidInput
        What the plan names and the cohort does not have; all at once.
    """
    trial = observed_trial(cohort, plan, where=where)
    makers: dict[str, Callable[[ObservedTrial, ComparisonPlan], pl.DataFrame]] = {
        "analyses": analyses_table,
        "arms": arms_table,
        "visits": visits_table,
        "survival": survival_table,
        "medians": medians_table,
        "responders": responders_table,
        "covariates": covariates_table,
    }
    tables = {name: make(trial, plan) for name, make in makers.items()}
    tables["means"], tables["differences"] = mean_tables(trial, plan)
    tables["subgroups"] = subgroups_table(trial, plan, small_cells=small_cells)
    tables["steps"] = trial.steps
    if not small_cells:
        tables = {name: frame.with_columns(_hidden(c) for c in COUNTS.get(name, ())) for name, frame in tables.items()}
    lost = tables["analyses"].filter("failed").select("analysis", "status").rows()
    failed = tuple(f"{name}: {status}" for name, status in lost)
    return Compared(tables={name: tables[name] for name in MEANING}, small_cells=small_cells, failed=failed)


def _hidden(column: str) -> pl.Expr:
    return pl.when((pl.col(column) == 0) | (pl.col(column) >= SMALL_CELL)).then(pl.col(column)).alias(column)


def analyses_table(trial: ObservedTrial, plan: ComparisonPlan) -> pl.DataFrame:
    """One row per analysis of the plan."""
    return _frame([_one(trial, plan, analysis) for analysis in plan.analyses], _ANALYSES)


_ANALYSES: dict[str, Any] = {
    "analysis": pl.String,
    "active": pl.String,
    "control": pl.String,
    "measure": pl.String,
    "estimate": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "standard_error": pl.Float64,
    "df": pl.Float64,
    "statistic": pl.Float64,
    "p_value": pl.Float64,
    "ratio": pl.Float64,
    "ratio_lower": pl.Float64,
    "ratio_upper": pl.Float64,
    "favours_active": pl.Boolean,
    "claim": pl.Boolean,
    "failed": pl.Boolean,
    "status": pl.String,
    "at_death": pl.String,
}


def _one(trial: ObservedTrial, plan: ComparisonPlan, analysis: AbstractAnalysis, keep: Bools | None = None) -> dict[str, Any]:
    """One analysis, of everyone or of a subgroup, as a row."""
    used, data = prepared(trial, plan, analysis, keep)
    found: Analysed = used.analyse(data)
    estimate, error, df = (float(values[0]) for values in (found.estimate, found.standard_error, found.df))
    lower, upper = _limits(estimate, error, df, plan)
    if isinstance(used, Responder) and not found.failed[0]:
        lower, upper = _responder_limits(used, data.scores, data.arm, plan)
    measure: str = used.measure
    if isinstance(used, Win):
        measure = used.scale if used.scale == "net benefit" else f"log {used.scale}"
    ratio = (np.exp(estimate), np.exp(lower), np.exp(upper)) if measure.startswith("log ") else (np.nan,) * 3
    return {
        "analysis": analysis.label,
        "active": trial.arms[analysis.arm],
        "control": trial.arms[0],
        "measure": measure,
        "estimate": estimate,
        "lower": lower,
        "upper": upper,
        "standard_error": error,
        "df": df,
        "statistic": float(found.statistic[0]) if found.statistic is not None else np.nan,
        "p_value": float(found.p_value[0]),
        "ratio": ratio[0],
        "ratio_lower": ratio[1],
        "ratio_upper": ratio[2],
        "favours_active": None if found.failed[0] else bool(found.benefit[0]),
        "claim": bool(plan.decision.rejects(found.p_value, found.benefit)[0]),
        "failed": bool(found.failed[0]),
        "status": str(found.status[0]) if found.status is not None else "ok",
        "at_death": AtDeath.of(analysis, plan),
    }


def _limits(estimate: Any, error: Any, df: Any, plan: ComparisonPlan) -> tuple[Any, Any]:
    """Limits of the interval that matches alpha and side, from t or, with infinite df, the normal."""
    with np.errstate(invalid="ignore"):
        reach = reach_of(plan.decision.interval, df) * error
    lower, upper = estimate - reach, estimate + reach
    return (float(lower), float(upper)) if np.ndim(lower) == 0 else (lower, upper)


def _responder_limits(analysis: Responder, scores: Floats, arm: npt.NDArray[np.int64], plan: ComparisonPlan) -> tuple[float, float]:
    from alsmodel.estimators.responder import fit_responder, responders

    outcome = responders(scores, decline_below=analysis.threshold)
    fit = fit_responder(outcome, arm, method=analysis.method, level=plan.decision.interval)
    return float(fit.low[0]), float(fit.high[0])


def mean_tables(trial: ObservedTrial, plan: ComparisonPlan) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Least-squares means by arm and visit of every MMRM, and the differences from control."""
    means: list[dict[str, Any]] = []
    gaps: list[dict[str, Any]] = []
    for analysis in plan.analyses:
        if not isinstance(analysis, MMRM):
            continue
        used, data = prepared(trial, plan, analysis)
        assert isinstance(used, MMRM)
        fit = used.fit(data, by_visit=True)
        names = (trial.arms[0], trial.arms[analysis.arm])
        for rows, table, arms in ((means, fit.means, names), (gaps, fit.differences, names[1:])):
            if table is None or fit.failed[0]:
                continue
            lower, upper = _limits(table.estimate[0], table.standard_error[0], table.df[0], plan)
            for a, arm in enumerate(arms):
                for v, month in enumerate(plan.visits[1:]):
                    row = {"analysis": analysis.label, "arm": arm, "month": float(month), "estimate": float(table.estimate[0, a, v])}
                    row |= {"lower": float(lower[a, v]), "upper": float(upper[a, v])}
                    row |= {"standard_error": float(table.standard_error[0, a, v]), "df": float(table.df[0, a, v])}
                    rows.append(row | {"p_value": float(table.p_value[0, a, v])})
    numbers = ("estimate", "lower", "upper", "standard_error", "df")
    schema: dict[str, Any] = {"analysis": pl.String, "arm": pl.String, "month": pl.Float64, **dict.fromkeys(numbers, pl.Float64)}
    return _frame(means, schema), _frame(gaps, schema | {"p_value": pl.Float64})


def arms_table(trial: ObservedTrial, plan: ComparisonPlan) -> pl.DataFrame:
    """Participants, events and follow-up of each arm."""
    data, rows = trial.data, []
    for arm, inside in _by_arm(trial):
        rows.append(
            {
                "arm": arm,
                "randomised": int(inside.sum()),
                "with_baseline": int((~np.isnan(data.scores[0, inside, 0])).sum()),
                "events": int(data.event[0, inside].sum()),
                "deaths": int((~np.isnan(trial.death[inside])).sum()),
                "person_months": float(data.event_time[0, inside].sum()),
                "follows": plan.follows,
            }
        )
    return pl.DataFrame(rows)


def visits_table(trial: ObservedTrial, plan: ComparisonPlan) -> pl.DataFrame:
    """What became of everyone by arm and visit; observed, event before, follow-up ended and missed add up to randomised."""
    data, rows = trial.data, []
    end, event = data.event_time[0], data.event[0] == 1
    for visit, month in enumerate(plan.visits):
        first, last = max(float(trial.window[0, visit]), 0.0), float(trial.window[1, visit])
        seen = ~np.isnan(data.scores[0, :, visit])
        over = ~seen & event & (end <= last)
        # Whoever was followed into the window could have been seen in it.
        left = ~seen & ~over & (end < first)
        for arm, inside in _by_arm(trial):
            with np.errstate(invalid="ignore"):
                dead = int((trial.death[inside] <= month).sum())
            counts = {"observed": seen, "event_before": over, "follow_up_ended": left, "missed": ~(seen | over | left)}
            row = {"arm": arm, "month": float(month), "randomised": int(inside.sum())}
            rows.append(row | {name: int((who & inside).sum()) for name, who in counts.items()} | {"deaths_so_far": dead})
    return pl.DataFrame(rows)


def survival_table(trial: ObservedTrial, plan: ComparisonPlan) -> pl.DataFrame:
    """Kaplan-Meier curve of each arm at the planned visits; null beyond the last time of the arm."""
    from alsmodel.estimators.kaplan_meier import kaplan_meier

    data, rows = trial.data, []
    for arm, inside in _by_arm(trial):
        group = np.where(inside, 0, -1)[None]
        curve = kaplan_meier(data.event_time, data.event, group, at=plan.visits, confidence=plan.decision.interval)
        for g, month in enumerate(plan.visits):
            happened = inside & (data.event[0] == 1) & (data.event_time[0] <= month)
            row: dict[str, Any] = {"arm": arm, "month": float(month), "at_risk": int(curve.at_risk[0, 0, g])}
            row["events_so_far"] = int(happened.sum())
            parts = {"event_free": curve.survival, "lower": curve.lower, "upper": curve.upper, "standard_error": curve.standard_error}
            rows.append(row | {name: float(values[0, 0, g]) for name, values in parts.items()})
    return pl.DataFrame(rows).with_columns(pl.col(pl.Float64).fill_nan(None))


def medians_table(trial: ObservedTrial, plan: ComparisonPlan) -> pl.DataFrame:
    """Median months to the event of each arm; null where the curve or its limit does not fall to one half."""
    from alsmodel.estimators.kaplan_meier import kaplan_meier

    data, rows = trial.data, []
    for arm, inside in _by_arm(trial):
        curve = kaplan_meier(data.event_time, data.event, np.where(inside, 0, -1)[None], confidence=plan.decision.interval)
        numbers = (curve.median[0, 0], curve.median_lower[0, 0], curve.median_upper[0, 0])
        values = [float(v) if np.isfinite(v) else None for v in numbers]
        rows.append((arm, *values))
    schema: dict[str, Any] = {"arm": pl.String, "median": pl.Float64, "lower": pl.Float64, "upper": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def responders_table(trial: ObservedTrial, plan: ComparisonPlan) -> pl.DataFrame:
    """Responders of each active arm and control by threshold and visit; Newcombe's limits and the pooled z test."""
    from alsmodel.estimators.responder import fit_responder, responders

    rows = []
    for active in range(1, len(trial.arms)):
        data = trial.data.against_control(active)
        for points in plan.responder_points:
            for visit, month in enumerate(plan.visits[1:], start=1):
                outcome = responders(data.scores, visit=visit, decline_below=points)
                fit = fit_responder(outcome, data.arm, level=plan.decision.interval)
                there = [~np.isnan(outcome[0]) & (data.arm[0] == code) for code in (0, 1)]
                hits = [int((outcome[0] == 1)[who].sum()) for who in there]
                row: dict[str, Any] = {"active": trial.arms[active], "fewer_points_lost_than": float(points), "month": float(month)}
                row |= {"analysed_control": int(there[0].sum()), "analysed_active": int(there[1].sum())}
                row |= {"responders_control": hits[0], "responders_active": hits[1]}
                row |= {"difference": float(fit.estimate[0]), "lower": float(fit.low[0]), "upper": float(fit.high[0])}
                rows.append(row | {"p_value": float(fit.p_value[0])})
    schema: dict[str, Any] = {"active": pl.String, "fewer_points_lost_than": pl.Float64, "month": pl.Float64}
    schema |= dict.fromkeys(COUNTS["responders"], pl.Int64) | dict.fromkeys(("difference", "lower", "upper", "p_value"), pl.Float64)
    return _frame(rows, schema)


def subgroups_table(trial: ObservedTrial, plan: ComparisonPlan, *, small_cells: bool) -> pl.DataFrame:
    """Every analysis within each level of every subgroup, and Cochran's test that the levels share one effect."""
    rows: list[dict[str, Any]] = []
    for subgroup in plan.subgroups:
        levels = subgroup_levels(trial, subgroup)
        for analysis in plan.analyses:
            found = []
            for level, inside in levels:
                sizes = [int((inside & (trial.data.arm[0] == code)).sum()) for code in (0, analysis.arm)]
                row: dict[str, Any] = {"subgroup": subgroup, "level": level, "control": sizes[0], "active": sizes[1]}
                if min(sizes) < SMALL_CELL and not small_cells:
                    row |= {"analysis": analysis.label, "status": f"fewer than {SMALL_CELL} participants in an arm"}
                else:
                    row |= _one(trial, plan, analysis, inside) | {"control": sizes[0], "active": sizes[1]}
                found.append(row)
            p_same = _same_effect(found)
            rows += [row | {"p_same_effect": p_same} for row in found]
    schema: dict[str, Any] = {"subgroup": pl.String, "level": pl.String, "analysis": pl.String, "control": pl.Int64, "active": pl.Int64}
    kept = ("measure", "estimate", "lower", "upper", "standard_error", "df", "p_value", "ratio", "ratio_lower", "ratio_upper", "status")
    return _frame(rows, schema | {name: _ANALYSES[name] for name in kept} | {"p_same_effect": pl.Float64})


def subgroup_levels(trial: ObservedTrial, subgroup: str) -> list[tuple[str, Bools]]:
    """Levels of a subgroup with their members: the words of a column, or yes, no and not recorded of a condition."""
    column = trial.data.columns.get(subgroup)
    if isinstance(column, Categories):
        return [(level, column.codes[0] == code) for code, level in enumerate(column.levels)]
    condition = parse(subgroup)
    met = holds(condition, trial.data.columns)[0]
    unknown = np.zeros(met.shape, dtype=bool)
    for name in names_of(condition):
        read = trial.data.columns[name]
        unknown |= read.codes[0] == _code(read) if isinstance(read, Categories) else np.isnan(read[0])
    found = [("yes", met & ~unknown), ("no", ~met & ~unknown), (NOT_RECORDED, unknown)]
    return [(level, inside) for level, inside in found if inside.any()]


def _code(column: Categories) -> int:
    return column.levels.index(NOT_RECORDED) if NOT_RECORDED in column.levels else -1


def _same_effect(rows: list[dict[str, Any]]) -> float | None:
    """P value of Cochran's Q over levels with a result."""
    pairs = [(row["estimate"], row["standard_error"]) for row in rows if row.get("failed") is False]
    if len(pairs) < 2:
        return None
    effect, error = np.asarray(pairs).T
    weight = error**-2.0
    spread = (weight * (effect - (weight * effect).sum() / weight.sum()) ** 2).sum()
    return float(chdtrc(len(pairs) - 1, spread))


def covariates_table(trial: ObservedTrial, plan: ComparisonPlan) -> pl.DataFrame:
    """How many baseline values are missing in each arm, and what was done about it."""
    rows = []
    for name, column in trial.data.columns.items():
        words = isinstance(column, Categories)
        missing = column.codes[0] == _code(column) if isinstance(column, Categories) else np.isnan(column[0])
        treated = "a level of its own" if words else "pooled mean and an indicator"
        if name == BASELINE:
            treated = "left out of MMRM and ANCOVA; a tie in ranks unless survival decides"
        transform = plan.transforms.get(name)
        for arm, inside in _by_arm(trial):
            row = {"column": name, "arm": arm, "randomised": int(inside.sum()), "missing": int((missing & inside).sum())}
            rows.append(row | {"transform": transform or "none", "missing_becomes": treated})
    return pl.DataFrame(rows)


def _by_arm(trial: ObservedTrial) -> list[tuple[str, Bools]]:
    return [(arm, trial.data.arm[0] == code) for code, arm in enumerate(trial.arms)]


def _frame(rows: list[dict[str, Any]], schema: dict[str, Any]) -> pl.DataFrame:
    """Rows as a table with these columns and no NaN: a number that does not exist is null."""
    frame = pl.DataFrame({name: pl.Series(name, [row.get(name) for row in rows], dtype=kind) for name, kind in schema.items()})
    numbers = [name for name, kind in schema.items() if kind == pl.Float64]
    return frame.with_columns(pl.col(numbers).fill_nan(None)) if numbers else frame
