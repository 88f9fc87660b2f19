"""The one adapter from a cohort to the arrays that models, analyses and resampled truth take.

Nothing is dropped silently: each step that loses a participant, a visit or a day is a row of `JointData.steps`.
"""

from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.clinical.units import DAYS_PER_UNIT
from alsmodel.cohort.baseline import covariate_values, group_values, missing_policy, without_score_of_covariates
from alsmodel.cohort.between import note_between, refuse_between, with_days
from alsmodel.cohort.causes import causes_follow_up, followed_to, with_later
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.design import design_columns, text_groups
from alsmodel.cohort.endpoints import COLUMNS, end_point
from alsmodel.cohort.exposed import ExposureCount, exposure_intervals, exposure_table, ineligible
from alsmodel.cohort.selection import Selection
from alsmodel.cohort.steps import Steps
from alsmodel.errors import Fault, InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Lower and upper bound of the scores that have them; over this share of rows at a bound a Gaussian is refused.
BOUNDS: dict[str, tuple[float, float]] = {
    "alsfrs_r_total": (0, 48),
    "alsfrs_total": (0, 40),
    "bulbar": (0, 12),
    "fine_motor": (0, 12),
    "gross_motor": (0, 12),
    "respiratory": (0, 12),
}
MOST_AT_BOUND = 0.15
#: What is made of a drug that was taken from an unknown day on.
_LIMITS = {"earliest": "taken to have started before time zero", "latest": "taken to have started as late as can be"}


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class JointData:
    """Arrays of one analysis. Times are in `time_unit` from the cohort's time origin.

    Attributes
    ----------
    participant_ids : tuple of str
        N participants, in the order of every (N,) array.
    visit_person, visit_time, outcome : array
        One entry per visit, sorted by participant and time; the outcome is transformed.
    entry_time, event_time, event : array, shape (N,)
        Follow-up, and whether it ended with an event (1.0) or was censored (0.0).
    onset_shift : array, shape (N,)
        Time from symptom onset to the time origin; zero unless the population is "incident".
    since_onset : array, shape (N,)
        The same where the score's path runs from onset; else zero.
    cause : int array, shape (N,)
        Which of several causes ended follow-up, where `event` is 1: 0 the main one, k the k-th of `Selection.causes`.
    later_time, later_event : array, shape (N,)
        End of follow-up after the cause that ended that of the score, and whether it was what is looked for then; `later_time` equals
        `event_time` where nobody looked.
    free_until : array, shape (N,)
        Until when a participant was known to be free of the event: `event_time`, unless the event is known only to have happened
        between the two (interval censoring). Read only where `event` is 1.
    columns : dict of str to array
        Design columns by name, such as ``age`` or ``phenotype[bulbar]``; means stand in where `missing` is true.
    missing : dict of str to bool array
        Where a column is imputed inside the model.
    terms : dict of str to tuple of str
        Covariate to its design columns.
    groups : dict of str to tuple
        Levels of text covariates and of the groups asked for (and of arm, phenotype and onset site where recorded).
    levels : dict of str to tuple
        Levels that groups had in the data fitted, where these are other participants; nested names are joined by "/".
    centre : float or None
        Mean outcome, to two digits, of the data fitted, where these are other participants.
    exposure_person, exposure_drug, exposure_start, exposure_stop : array
        Exposure intervals, sorted by participant.
    exposures : tuple of ExposureCount
    steps : polars.DataFrame
        step, participants, visits, reason.
    """

    participant_ids: tuple[str, ...]
    time_unit: str
    outcome_name: str
    transform: str
    upper: float | None
    visit_person: Ints
    visit_time: Floats
    outcome: Floats
    entry_time: Floats
    event_time: Floats
    event: Floats
    onset_shift: Floats
    columns: dict[str, Floats]
    missing: dict[str, Bools]
    terms: dict[str, tuple[str, ...]]
    groups: dict[str, tuple[str | None, ...]]
    exposure_person: Ints
    exposure_drug: Ints
    exposure_start: Floats
    exposure_stop: Floats
    exposures: tuple[ExposureCount, ...]
    steps: pl.DataFrame
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    centre: float | None = None
    cause: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    later_time: Floats = field(default_factory=lambda: np.zeros(0))
    later_event: Floats = field(default_factory=lambda: np.zeros(0))
    free_until: Floats = field(default_factory=lambda: np.zeros(0))
    since_onset: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if self.cause.size == 0:  # one cause, and nothing after it
            object.__setattr__(self, "cause", np.zeros(self.people, np.int64))
            object.__setattr__(self, "later_time", self.event_time.copy())
            object.__setattr__(self, "later_event", np.zeros(self.people))
        if self.free_until.size == 0:  # every event has a day
            object.__setattr__(self, "free_until", self.event_time.copy())
        if ((self.event > 0) & (self.free_until > self.event_time)).any():
            raise ValueError("free_until must not be after event_time of anybody with the event; change both together.")
        if self.since_onset.size == 0:
            object.__setattr__(self, "since_onset", np.zeros(self.people))

    @property
    def people(self) -> int:
        """Number of participants."""
        return len(self.participant_ids)

    @property
    def interval_censored(self) -> Bools:
        """Whose event is known only to lie between `free_until` and `event_time`; shape (N,)."""
        return (self.event > 0) & (self.free_until < self.event_time)

    @property
    def event_near(self) -> Floats:
        """`event_time`, and the middle of the stretch where the event lies somewhere on one: for knots and scales; shape (N,)."""
        return np.where(self.interval_censored, 0.5 * (self.free_until + self.event_time), self.event_time)

    def design(self, covariates: tuple[str, ...]) -> tuple[tuple[str, ...], Floats]:
        """Design columns of `covariates`: names, and an array of shape (N, columns)."""
        names = tuple(column for term in covariates for column in self.terms[term])
        stacked = [self.columns[name] for name in names]
        return names, np.column_stack(stacked) if stacked else np.zeros((self.people, 0))

    def at_risk(self, landmark: float) -> NDArray[np.bool_]:
        """Who is in follow-up and known to be free of the event at a time; shape (N,)."""
        known = np.where(self.event > 0, self.free_until, self.event_time)
        return (known > landmark) & (self.entry_time <= landmark)

    def of_people(self, people: Ints) -> "JointData":
        """The same arrays for some participants alone, in their old order; `steps` and `exposures` still count everybody.

        Parameters
        ----------
        people : int array
            Places of the participants to keep, increasing.
        """
        place = np.full(self.people, -1)
        place[people] = np.arange(people.size)
        seen, taken = place[self.visit_person] >= 0, place[self.exposure_person] >= 0
        return replace(
            self,
            participant_ids=tuple(self.participant_ids[i] for i in people),
            visit_person=place[self.visit_person[seen]],
            visit_time=self.visit_time[seen],
            outcome=self.outcome[seen],
            entry_time=self.entry_time[people],
            event_time=self.event_time[people],
            event=self.event[people],
            onset_shift=self.onset_shift[people],
            cause=self.cause[people],
            later_time=self.later_time[people],
            later_event=self.later_event[people],
            free_until=self.free_until[people],
            since_onset=self.since_onset[people],
            columns={name: column[people] for name, column in self.columns.items()},
            missing={name: absent[people] for name, absent in self.missing.items()},
            groups={name: tuple(column[i] for i in people) for name, column in self.groups.items()},
            exposure_person=place[self.exposure_person[taken]],
            exposure_drug=self.exposure_drug[taken],
            exposure_start=self.exposure_start[taken],
            exposure_stop=self.exposure_stop[taken],
        )


def joint_data(cohort: Cohort, selection: Selection, *, where: str = "model") -> JointData:
    """Take from `cohort` what `selection` asks for.

    Parameters
    ----------
    cohort : Cohort
    selection : Selection
    where : str
        Path of the settings in a study file, for messages.

    Raises
    ------
    InvalidInput
        When an outcome, event, covariate, arm or drug is not in the cohort, a covariate or exposure is missing for some and
        nothing was chosen for them, or a bounded score sits at its bounds too often. All such faults at once.
    """
    per = DAYS_PER_UNIT[selection.time_unit]
    steps = Steps()
    faults: list[Fault] = []
    steps.note("in the cohort", cohort.participants.height, 0)
    note_between(_events_of(cohort, selection), selection.event_days, steps, cohort.participants.height)
    cohort = with_days(cohort, selection.event_days)
    visits = _visits(cohort, selection, faults, where)
    cohort, visits = _without_excluded(cohort, visits, steps)
    people = _follow_up(cohort, selection, visits, faults, where)
    if faults:
        raise InvalidInput(faults)
    steps.note("with a score and follow-up", people.height, visits.height, f"no {selection.outcome} score")
    people, visits = _drop_impossible(people, visits, steps, selection)
    if selection.from_onset:
        people, visits = _with_onset(people, visits, steps)
    people = with_later(cohort, selection, people, steps, visits.height)
    values = covariate_values(cohort, selection, people, visits, faults, where)
    grouping = group_values(cohort, selection, people, visits, faults, where)
    exposures = exposure_table(cohort, selection, people, faults, where)
    for drug in selection.exposures:
        wrong = int(ineligible(drug, cohort, exposures, people).sum())
        if wrong and drug.ineligible == "refuse":
            place = f"{where}.treatments.{drug.name}.ineligible"
            fault = f"{wrong} participants are exposed to {drug.name} without a {drug.gene} mutation on record."
            faults.append(Fault(place, fault, 'Leave them out by ineligible = "exclude", and look into why.'))
    if faults:
        raise InvalidInput(faults)
    keep = np.ones(people.height, bool)
    for name, series in values.items():
        if missing_policy(name, series, selection) == "complete-case":
            lost = keep & series.is_null().to_numpy()
            keep &= ~series.is_null().to_numpy()
            if lost.any():
                steps.note(
                    f"with {name} recorded",
                    int(keep.sum()),
                    0,
                    f"complete-case analysis chosen for {name}: {int(lost.sum())} left out",
                )
    for drug in selection.exposures:
        known = exposures.filter(pl.col("drug") == drug.name)["participant_id"].unique().implode()
        unknown = ~people.select(pl.col("participant_id").is_in(known)).to_series().to_numpy()
        if drug.unknown == "exclude" and (keep & unknown).any():
            lost = keep & unknown
            keep &= ~unknown
            steps.note(f"with {drug.name} recorded", int(keep.sum()), 0, f"exposure to {drug.name} unknown")
        wrong_ones = keep & ineligible(drug, cohort, exposures, people).to_numpy()
        if wrong_ones.any():
            keep &= ~wrong_ones
            reason = f"exposed to {drug.name} without a {drug.gene} mutation on record: {int(wrong_ones.sum())} left out"
            steps.note(f"eligible for {drug.name} where exposed", int(keep.sum()), 0, reason)
    people = people.filter(pl.Series(keep))
    values = {name: series.filter(pl.Series(keep)) for name, series in values.items()}
    grouping = {name: series.filter(pl.Series(keep)) for name, series in grouping.items()}
    visits = without_score_of_covariates(cohort, selection, people, visits, steps)
    visits = visits.join(people.select("participant_id", "row"), on="participant_id", how="inner")
    people = people.with_row_index("person")
    visits = visits.drop("row").join(people.select("participant_id", "person"), on="participant_id").sort("person", "day")
    intervals, counts = exposure_intervals(exposures, selection, people, per)
    for drug, count in zip(selection.exposures, counts, strict=True):
        if count.unknown_start:
            reason = f"{count.unknown_start} took {drug.name} from an unknown day on: {_LIMITS[drug.unknown_start]}"
            steps.note(f"days of starting {drug.name}, {count.unknown_start} unknown", people.height, visits.height, reason)
    steps.note("analysed", people.height, visits.height)
    columns, missing, terms = design_columns(values, selection, faults, where)
    if faults:
        raise InvalidInput(faults)
    return JointData(
        participant_ids=tuple(people["participant_id"].to_list()),
        time_unit=selection.time_unit,
        outcome_name=selection.outcome,
        transform=selection.transform,
        upper=selection.upper,
        visit_person=visits["person"].cast(pl.Int64).to_numpy().copy(),
        visit_time=visits["day"].to_numpy() / per,
        outcome=_transformed(visits["value"].to_numpy(), selection),
        entry_time=people["entry"].to_numpy() / per,
        event_time=people["end"].to_numpy() / per,
        event=people["event"].cast(pl.Float64).to_numpy().copy(),
        onset_shift=people["shift"].to_numpy() / per,
        cause=people["cause"].cast(pl.Int64).to_numpy().copy(),
        later_time=people["later_end"].to_numpy() / per,
        later_event=people["later_event"].cast(pl.Float64).to_numpy().copy(),
        free_until=people["free"].to_numpy() / per,
        since_onset=-people["onset_day"].cast(pl.Float64).to_numpy() / per if selection.from_onset else np.zeros(people.height),
        columns=columns,
        missing=missing,
        terms=terms,
        groups=text_groups(people, {**grouping, **values}),
        exposure_person=intervals[0],
        exposure_drug=intervals[1],
        exposure_start=intervals[2],
        exposure_stop=intervals[3],
        exposures=counts,
        steps=steps.frame(),
    )


def _transformed(value: Floats, selection: Selection) -> Floats:
    if selection.transform == "log":
        return np.log(value)
    if selection.transform == "logit":
        assert selection.upper is not None
        share = value / selection.upper
        return np.log(share) - np.log1p(-share)
    return value.astype(float)


def _visits(cohort: Cohort, selection: Selection, faults: list[Fault], where: str) -> pl.DataFrame:
    rows = cohort.measurements.filter(pl.col("name") == selection.outcome).select("participant_id", "day", "value")
    if rows.is_empty():
        known = sorted(cohort.measurements["name"].unique().to_list())[:12]
        faults.append(Fault(f"{where}.outcome", f"No measurement is called {selection.outcome!r}.", f"The cohort has {', '.join(known)}."))
        return rows
    if selection.transform == "log" and (bad := rows.filter(pl.col("value") <= 0).height):
        faults.append(Fault(f"{where}.transform", f'"log" needs values above 0; {bad} rows of {selection.outcome} are not.'))
    if selection.transform == "logit":
        upper = selection.upper or float("nan")
        if bad := rows.filter((pl.col("value") <= 0) | (pl.col("value") >= upper)).height:
            faults.append(Fault(f"{where}.transform", f'"logit" needs values strictly between 0 and upper; {bad} rows are not.'))
    if selection.outcome in BOUNDS and selection.transform == "identity":
        low, high = BOUNDS[selection.outcome]
        share = float(rows.select(((pl.col("value") <= low) | (pl.col("value") >= high)).mean()).item())
        if share > MOST_AT_BOUND and not selection.gaussian_at_bounds:
            faults.append(
                Fault(
                    f"{where}.outcome",
                    f"{share:.0%} of {selection.outcome} scores sit at {low:g} or {high:g}; a Gaussian is refused above 15%.",
                    "Choose another outcome, or accept the approximation by gaussian_at_bounds = true.",
                )
            )
    return rows.sort("participant_id", "day")


def _without_excluded(cohort: Cohort, visits: pl.DataFrame, steps: Steps) -> tuple[Cohort, pl.DataFrame]:
    """Leave out the participants whom the source sets apart, such as those with a mimic of the disease."""
    kept = cohort.participants.filter(pl.col("exclusion").is_null())
    lost = cohort.participants.height - kept.height
    if not lost:
        return cohort, visits
    visits = visits.join(kept, on="participant_id", how="semi", maintain_order="left")
    steps.note("not set apart by the source", kept.height, visits.height, f"{lost} with a reason recorded in the source")
    return cohort.of_participants(kept["participant_id"]), visits


def _follow_up(cohort: Cohort, selection: Selection, visits: pl.DataFrame, faults: list[Fault], where: str) -> pl.DataFrame:
    """One row per participant with a score: entry, end, event; days. An event on an unknown day is censored at last contact."""
    if selection.causes:
        return _from_onset(causes_follow_up(cohort, selection, visits, faults, where), selection, faults, where)
    if selection.end_point is not None:
        return _from_onset(_end_point_follow_up(cohort, selection.end_point, visits, faults, where), selection, faults, where)
    events = cohort.events.filter(pl.col("kind").is_in(list(selection.events)))
    unknown = set(selection.events) - set(cohort.events["kind"].unique().to_list())
    if len(unknown) == len(selection.events) and cohort.events.height:
        kinds = ", ".join(sorted(cohort.events["kind"].unique().to_list()))
        faults.append(Fault(f"{where}.events", f"No event is of kind {', '.join(sorted(unknown))}.", f"The cohort has {kinds}."))
    people = followed_to(cohort, visits, events.with_columns(cause=pl.lit(0, pl.Int64)))
    return _from_onset(people, selection, faults, where)


def _events_of(cohort: Cohort, selection: Selection) -> pl.DataFrame:
    """Rows of the events that an analysis looks at; of an end point all, since its components are named by tags."""
    if selection.end_point is not None:
        return cohort.events
    kinds = [*selection.events, *(kind for cause in selection.causes for kind in (*cause.events, *cause.then))]
    return cohort.events.filter(pl.col("kind").is_in(kinds))


def _end_point_follow_up(cohort: Cohort, tag: str, visits: pl.DataFrame, faults: list[Fault], where: str) -> pl.DataFrame:
    """One row per participant with a score, followed to a defined end point; refused when the source cannot support it."""
    people = cohort.participants.sort("participant_id")
    refuse_between(cohort.events, faults, where, "a defined end point takes the day of each component.")
    try:
        ends = end_point(cohort, tag, where=f"{where}.end_point")
    except InvalidInput as refusal:
        faults += refusal.faults
        ends = pl.DataFrame(schema=COLUMNS)
    last = visits.group_by("participant_id").agg(pl.col("day").max().alias("last_visit"))
    joined = people.join(last, on="participant_id", how="inner", maintain_order="left")
    joined = joined.join(ends, on="participant_id", how="left", maintain_order="left", suffix="_of_end_point")
    return (
        joined.with_columns(
            undated=pl.col("undated").fill_null(False),
            entry=pl.col("entry_day").fill_null(0.0),
            end=pl.coalesce("end_day", "last_visit"),
            event=pl.col("happened").fill_null(False),
            event_day=pl.when("happened").then("end_day"),
            shift=pl.lit(0.0),
        )
        .with_columns(free="end")
        .with_row_index("row")
    )


def _from_onset(people: pl.DataFrame, selection: Selection, faults: list[Fault], where: str) -> pl.DataFrame:
    """Shift the hazard's clock to onset for an incident population."""
    if selection.population == "incident":
        lost = people["onset_day"].null_count()
        if lost:
            faults.append(Fault(f"{where}.population", f'"incident" counts the hazard from onset; {lost} participants have no onset day.'))
        people = people.with_columns(shift=-pl.col("onset_day").fill_null(0.0))
        if late := people.filter(pl.col("shift") + pl.col("entry") < 0).height:
            faults.append(Fault(f"{where}.population", f'"incident" needs onset before entry; {late} participants have it after.'))
    return people


def _with_onset(people: pl.DataFrame, visits: pl.DataFrame, steps: Steps) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Leave out participants whose onset is unknown, or after they entered or were first seen; count both."""
    first = visits.group_by("participant_id").agg(pl.col("day").min().alias("first_visit"))
    seen = people.join(first, on="participant_id", how="left", maintain_order="left")
    late = (pl.col("onset_day") > pl.min_horizontal("entry", "first_visit")).fill_null(False)
    lost = seen.select(unknown=pl.col("onset_day").is_null(), late=late)
    for keep, step, reason in (
        (~lost["unknown"], "with a known onset", "{} without a day of symptom onset left out"),
        (~lost["unknown"] & ~lost["late"], "seen after onset only", "{} with an onset after entry or the first score left out"),
    ):
        gone = people.height - int(keep.sum()) if "known" in step else int((~keep & ~lost["unknown"]).sum())
        if gone:
            kept = seen.filter(keep)
            visits = visits.filter(pl.col("participant_id").is_in(kept["participant_id"].implode()))
            steps.note(step, kept.height, visits.height, reason.format(gone))
    people = people.filter(~lost["unknown"] & ~lost["late"])
    return people, visits


def _drop_impossible(people: pl.DataFrame, visits: pl.DataFrame, steps: Steps, selection: Selection) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Leave out visits after the event and participants without follow-up after entry; count both."""
    ends = people.select("participant_id", "end", "free", "event")
    after = visits.join(ends, on="participant_id", how="left", maintain_order="left")
    late = (after["event"] & (after["day"] > after["end"])).fill_null(False)
    unsure = (after["event"] & (after["day"] > after["free"])).fill_null(False) & ~late
    if late.any() or unsure.any():
        visits = visits.filter(~late & ~unsure)
        told = [f"{int(late.sum())} scores dated after the event left out"] if late.any() else []
        if unsure.any():
            told.append(f"{int(unsure.sum())} scores between the two days of an event left out, which may have come before")
        steps.note("scores up to the event", people.height, visits.height, "; ".join(told))
    undated = people.filter(pl.col("undated") & ~pl.col("event")).height
    if undated:
        steps.note(
            "events on an unknown day", people.height, visits.height,
            f"{undated} participants had the event on an unknown day: censored at last contact",
        )  # fmt: skip
    usable = (people["end"] > people["entry"]) & people["participant_id"].is_in(visits["participant_id"].unique().implode())
    if not usable.all():
        people = people.filter(usable)
        visits = visits.filter(pl.col("participant_id").is_in(people["participant_id"].implode()))
        steps.note("followed after entry", people.height, visits.height, "no follow-up after entry")
    return people, visits
