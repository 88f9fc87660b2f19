"""From a cohort to the arrays of a model of several outcomes: each with rows and visit times of its own."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.clinical.units import DAYS_PER_UNIT
from alsmodel.cohort.arrays import BOUNDS, MOST_AT_BOUND, JointData, joint_data
from alsmodel.cohort.between import REMEDY
from alsmodel.cohort.selection import Selection
from alsmodel.errors import Fault, InvalidInput

if TYPE_CHECKING:
    from alsmodel.cohort.cohort import Cohort

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Measured(Protocol):
    """What has to be known of an outcome."""

    @property
    def name(self) -> str: ...
    @property
    def likelihood(self) -> str: ...
    @property
    def transform(self) -> str: ...
    @property
    def bounds(self) -> tuple[float | None, float | None]: ...


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class OutcomeData:
    """Rows of several outcomes beside the participants they belong to.

    Attributes
    ----------
    base : JointData
        Participants, follow-up and covariates; its own visits are those of the first outcome.
    names : tuple of str
        K outcomes.
    row_person, row_outcome : int array
        One entry per row, sorted by participant, outcome and time.
    row_time, row_value : array
        Time from the time origin; transformed value.
    """

    base: JointData
    names: tuple[str, ...]
    row_person: Ints
    row_outcome: Ints
    row_time: Floats
    row_value: Floats

    @property
    def people(self) -> int:
        """Number of participants."""
        return self.base.people

    def values(self, outcome: int) -> Floats:
        """Values of one outcome over all rows."""
        return np.asarray(self.row_value[self.row_outcome == outcome])


def outcome_data(
    cohort: "Cohort", selection: Selection, outcomes: tuple[Measured, ...], *, gaussian_at_bounds: bool, where: str = "model"
) -> OutcomeData:
    """Take participants by `selection` and the rows of every outcome.

    Participants need a row of the first outcome. Rows of any outcome that are dated after the event are left out.

    Parameters
    ----------
    cohort : Cohort
    selection : Selection
        Its outcome is the first one.
    outcomes : tuple
    gaussian_at_bounds : bool
        Accept Gaussian noise although over 15% of an outcome's rows sit at a bound of its scale.
    where : str
        Path of the settings in a study file, for messages.

    Raises
    ------
    InvalidInput
        As `joint_data`; when an outcome has no rows, lies outside its bounds or cannot be transformed, or sits at a bound too often for
        Gaussian noise; and when covariates would have to be imputed. All faults of the outcomes at once.
    """
    faults: list[Fault] = []
    for outcome in outcomes:
        faults += _outcome_faults(cohort, outcome, gaussian_at_bounds, f"{where}.outcomes.{outcome.name}")
    if faults:
        raise InvalidInput(faults)
    base = joint_data(cohort, selection, where=where)
    if count := int(base.interval_censored.sum()):
        fault = f"{count} participants have an event known only to lie between two days; the model of several outcomes takes one day."
        raise InvalidInput([Fault(f"{where}.event_days", fault, REMEDY)])
    if base.missing:
        names = ", ".join(base.missing)
        raise InvalidInput(
            [
                Fault(
                    f"{where}.covariates",
                    f"{names}: missing values would have to be imputed inside the model, which the model of several outcomes does not do.",
                    'Choose missing = "indicator" or "complete-case".',
                )
            ]
        )
    per = DAYS_PER_UNIT[selection.time_unit]
    people = pl.DataFrame(
        {
            "participant_id": list(base.participant_ids),
            "person": np.arange(base.people),
            "end": np.where(base.event > 0, base.event_time, np.inf),
        }
    )
    order = pl.DataFrame({"name": [o.name for o in outcomes], "outcome": np.arange(len(outcomes))})
    rows = (
        cohort.measurements.select("participant_id", "day", "name", "value")
        .join(order, on="name", how="inner")
        .join(people, on="participant_id", how="inner")
        .with_columns(time=pl.col("day") / per)
        .filter(pl.col("time") <= pl.col("end") + 1e-9)
        .sort("person", "outcome", "time", "value")
    )
    value, which = rows["value"].cast(pl.Float64).to_numpy().copy(), rows["outcome"].cast(pl.Int64).to_numpy().copy()
    for k, outcome in enumerate(outcomes):
        if outcome.transform == "log":
            value[which == k] = np.log(value[which == k])
    return OutcomeData(
        base=base,
        names=tuple(o.name for o in outcomes),
        row_person=rows["person"].cast(pl.Int64).to_numpy().copy(),
        row_outcome=which,
        row_time=rows["time"].to_numpy().copy(),
        row_value=value,
    )


def _outcome_faults(cohort: "Cohort", outcome: Measured, gaussian_at_bounds: bool, place: str) -> list[Fault]:
    rows = cohort.measurements.filter(pl.col("name") == outcome.name)["value"].drop_nulls()
    if rows.is_empty():
        known = sorted(cohort.measurements["name"].unique().to_list())[:12]
        return [Fault(f"{place}.name", f"No measurement is called {outcome.name!r}.", f"The cohort has {', '.join(known)}.")]
    if outcome.transform == "log" and (bad := int((rows <= 0).sum())):
        return [Fault(f"{place}.transform", f'"log" needs values above 0; {bad} rows of {outcome.name} are not.')]
    if outcome.likelihood == "censored":
        low, high = outcome.bounds
        low, high = -np.inf if low is None else low, np.inf if high is None else high
        if bad := int(((rows < low) | (rows > high)).sum()):
            return [Fault(f"{place}", f"{bad} rows of {outcome.name} lie outside {low:g} to {high:g}.", "Set lower and upper.")]
        return []
    if outcome.name in BOUNDS and outcome.transform == "identity":
        low, high = BOUNDS[outcome.name]
        share = float(((rows <= low) | (rows >= high)).mean() or 0.0)  # type: ignore[arg-type]
        if share > MOST_AT_BOUND and not gaussian_at_bounds:
            return [
                Fault(
                    f"{place}.likelihood",
                    f"{share:.0%} of {outcome.name} scores sit at {low:g} or {high:g}; noise without bounds is refused above 15%.",
                    'Choose likelihood = "censored", or accept the approximation by gaussian_at_bounds = true.',
                )
            ]
    return []
