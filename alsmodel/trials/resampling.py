"""From a real cohort to a record whose people virtual trials resample."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from alsmodel.clinical.units import DAYS_PER_MONTH
from alsmodel.cohort import Cohort
from alsmodel.errors import Fault, InvalidInput
from alsmodel.trials.analyses import LogRank
from alsmodel.trials.comparison import ComparisonPlan
from alsmodel.trials.conditions import NOT_RECORDED, Categories, Column, holds, parse
from alsmodel.trials.observed import baseline_columns, every_score, followed, scores_of
from alsmodel.trials.prognosis import with_predictions
from alsmodel.trials.resampled import ResampledTruth
from alsmodel.trials.settings import ResampledSettings

if TYPE_CHECKING:
    from alsmodel.inference import Fit

Floats = npt.NDArray[np.float64]


def resampled_truth(
    cohort: Cohort, settings: ResampledSettings | None = None, *, fit: "Fit | None" = None, where: str = "trial.truth"
) -> ResampledTruth:
    """Take from a cohort the people that virtual trials resample.

    Everyone counts who has scores enough for a line, was followed beyond day 0 and is not set apart by the source; arms are not
    looked at. The baseline is the last score at or before day 0; scores after the event are not used.

    Parameters
    ----------
    cohort : Cohort
    settings : ResampledSettings, optional
        Outcome, event, eligibility, horizon.
    fit : Fit, optional
        Predicts survival at day 0, for ``settings.prognosis``.
    where : str
        Path of the settings in a study file, for messages.

    Returns
    -------
    ResampledTruth

    Raises
    ------
    InvalidInput
        What the settings name and the cohort does not have, nobody eligible, or an eligible person without a covariate.
    """
    plan = settings or ResampledSettings()
    if plan.prognosis is not None:
        if fit is None:
            remedy = "Give resampled_truth(cohort, settings, fit=...)."
            raise InvalidInput([Fault(f"{where}.prognosis", "There is no fit that predicts survival.", remedy)])
        cohort = with_predictions(cohort, fit, plan.prognosis)
    faults: list[Fault] = []
    people = cohort.participants.sort("participant_id").filter(pl.col("exclusion").is_null()).with_row_index("row")
    # What the adapter of real comparisons looks at; arms and visits are not.
    asked = ComparisonPlan(
        control="control", active=("active",), visits=(0.0, 1.0), outcome=plan.outcome, events=plan.events, end_point=plan.end_point,
        event_days=plan.event_days, covariates=plan.covariates, strata=(*plan.eligibility, *_phenotype(plan)), analyses=(LogRank(),),
    )  # fmt: skip
    rows = scores_of(cohort, asked, people, faults, where)
    ends = followed(cohort, asked, people, faults, [], where)
    kept = _before_the_event(rows, ends)
    score, month = every_score(people.height, kept)
    columns, _ = baseline_columns(cohort, asked, people, score[:, 0], faults, where)
    end = ends["end"].to_numpy() / DAYS_PER_MONTH
    usable = _usable(score, month, plan) & (end > 0)
    if not faults and not usable.any():
        message = f"Nobody has {plan.least_scores} scores of {plan.outcome} over {plan.least_months:g} months and follow-up after day 0."
        faults.append(Fault(f"{where}.least_scores", message, "Ask for fewer scores or a shorter time."))
    if faults:
        raise InvalidInput([_placed(fault, plan, where) for fault in faults])
    flat = {name: _rows(column, usable) for name, column in columns.items()}
    _refuse_missing(flat, plan, where)
    try:
        return ResampledTruth(
            month=np.where(np.isnan(score), np.nan, month)[usable],
            score=score[usable],
            end_month=end[usable],
            died=ends["event"].to_numpy()[usable],
            columns=flat,
            eligibility=plan.eligibility,
            phenotype=plan.phenotype,
            horizon=plan.horizon,
            association_value=plan.association_value,
            hazard_pieces=plan.hazard_pieces,
        )
    except ValueError as error:
        raise InvalidInput([Fault(f"{where}.eligibility", str(error))]) from None


def _phenotype(plan: ResampledSettings) -> tuple[str, ...]:
    return () if plan.phenotype is None else (plan.phenotype,)


def _placed(fault: Fault, plan: ResampledSettings, where: str) -> Fault:
    """The fault at the setting that asked for the column."""
    ours = "phenotype" if plan.phenotype is not None and fault.message.startswith(f"{plan.phenotype} holds numbers") else "eligibility"
    return replace(fault, place=fault.place.replace(f"{where}.strata", f"{where}.{ours}"))


def _before_the_event(rows: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    ended = ends.filter("event").select("row", "end")
    joined = rows.join(ended, on="row", how="left", maintain_order="left")
    return joined.filter(pl.col("end").is_null() | (pl.col("day") <= pl.col("end"))).select("row", "day", "value")


def _usable(score: Floats, month: Floats, plan: ResampledSettings) -> npt.NDArray[np.bool_]:
    seen = ~np.isnan(score)
    first, last = np.where(seen, month, np.inf).min(axis=1), np.where(seen, month, -np.inf).max(axis=1)
    return np.asarray((seen.sum(axis=1) >= plan.least_scores) & (last - first >= plan.least_months))


def _rows(column: Column, rows: npt.NDArray[np.bool_]) -> Column:
    """A column of shape (1, n) as one of those rows alone."""
    return Categories(column.codes[0][rows], column.levels) if isinstance(column, Categories) else column[0][rows]


def _lacking(column: Column) -> npt.NDArray[np.bool_]:
    if not isinstance(column, Categories):
        return np.isnan(column)
    return np.asarray(column.codes == (column.levels.index(NOT_RECORDED) if NOT_RECORDED in column.levels else -1))


def _refuse_missing(columns: dict[str, Column], plan: ResampledSettings, where: str) -> None:
    """Nobody eligible may lack a covariate: nothing is filled in, and nobody left out unsaid."""
    rules = [holds(parse(text), columns) for text in plan.eligibility]
    faults = []
    for name in plan.covariates:
        column = columns[name]
        lost = int(np.logical_and.reduce([_lacking(column), *rules]).sum())
        if lost:
            rule = f"{name} != '{NOT_RECORDED}'" if isinstance(column, Categories) else f"{name} >= a lowest value"
            message = f"{name} is missing for {lost} eligible people of the record."
            faults.append(Fault(f"{where}.covariates", message, f"Leave it out, or leave them out with the rule {rule}."))
    if faults:
        raise InvalidInput(faults)
