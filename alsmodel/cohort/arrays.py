"""The one adapter from a cohort to the arrays that models, analyses and resampled truth take.

Nothing is dropped silently: each step that loses a participant, a visit or a day is a row of `JointData.steps`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.clinical.alsfrs import delta_frs
from alsmodel.clinical.units import DAYS_PER_UNIT
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.selection import Covariate, Exposure, Selection
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
BASELINE_DAYS = 14  # a score within two weeks of the time origin is the baseline score

#: Participant columns that may stand in a model as baseline covariates.
COLUMNS = ("age", "sex", "onset_site", "phenotype", "arm", "el_escorial", "gene", "source", "site", "height_cm")


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ExposureCount:
    """Who informs the effect of a drug.

    Attributes
    ----------
    randomised, starts_or_stops, prevalent, unexposed, unknown : int
        Participants randomised to it; who started or stopped during follow-up; exposed throughout; never exposed; not recorded.
    """

    name: str
    source: str
    randomised: int
    starts_or_stops: int
    prevalent: int
    unexposed: int
    unknown: int


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
    columns : dict of str to array
        Design columns by name, such as ``age`` or ``phenotype[bulbar]``; means stand in where `missing` is true.
    missing : dict of str to bool array
        Where a column is imputed inside the model.
    terms : dict of str to tuple of str
        Covariate to its design columns.
    groups : dict of str to tuple
        Levels of text covariates (and of arm, phenotype and onset site), for tables and figures.
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

    @property
    def people(self) -> int:
        """Number of participants."""
        return len(self.participant_ids)

    def design(self, covariates: tuple[str, ...]) -> tuple[tuple[str, ...], Floats]:
        """Design columns of `covariates`: names, and an array of shape (N, columns)."""
        names = tuple(column for term in covariates for column in self.terms[term])
        stacked = [self.columns[name] for name in names]
        return names, np.column_stack(stacked) if stacked else np.zeros((self.people, 0))


class _Steps:
    """The flow of participants and visits through the selection."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, int, str]] = []

    def note(self, step: str, participants: int, visits: int, reason: str = "") -> None:
        self.rows.append((step, participants, visits, reason))

    def frame(self) -> pl.DataFrame:
        schema = {"step": pl.String, "participants": pl.Int64, "visits": pl.Int64, "reason": pl.String}
        return pl.DataFrame(self.rows, schema=schema, orient="row")


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
    steps = _Steps()
    faults: list[Fault] = []
    steps.note("in the cohort", cohort.participants.height, 0)
    visits = _visits(cohort, selection, faults, where)
    people = _follow_up(cohort, selection, visits, faults, where)
    if faults:
        raise InvalidInput(faults)
    steps.note("with a score and follow-up", people.height, visits.height, f"no {selection.outcome} score")
    people, visits = _drop_impossible(people, visits, steps, selection)
    values = _covariate_values(cohort, selection, people, visits, faults, where)
    exposures = _exposure_table(cohort, selection, people, faults, where)
    if faults:
        raise InvalidInput(faults)
    keep = np.ones(people.height, bool)
    for name, series in values.items():
        if _missing_policy(name, series, selection) == "complete-case":
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
    people = people.filter(pl.Series(keep))
    values = {name: series.filter(pl.Series(keep)) for name, series in values.items()}
    visits = _without_delta_frs_score(cohort, selection, people, visits, steps)
    visits = visits.join(people.select("participant_id", "row"), on="participant_id", how="inner")
    people = people.with_row_index("person")
    visits = visits.drop("row").join(people.select("participant_id", "person"), on="participant_id").sort("person", "day")
    steps.note("analysed", people.height, visits.height)
    columns, missing, terms = _design(values, selection, faults, where)
    intervals, counts = _intervals(exposures, selection, people, per)
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
        columns=columns,
        missing=missing,
        terms=terms,
        groups=_groups(people, values),
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


def _follow_up(cohort: Cohort, selection: Selection, visits: pl.DataFrame, faults: list[Fault], where: str) -> pl.DataFrame:
    """One row per participant with a score: entry, end, event; days. A death on an unknown day is censored at last contact.

    With no upper bound on the day the likelihood of such a death is S(last contact), which is what censoring there gives.
    """
    events = cohort.events.filter(pl.col("kind").is_in(list(selection.events)))
    unknown = set(selection.events) - set(cohort.events["kind"].unique().to_list())
    if len(unknown) == len(selection.events) and cohort.events.height:
        kinds = ", ".join(sorted(cohort.events["kind"].unique().to_list()))
        faults.append(Fault(f"{where}.events", f"No event is of kind {', '.join(sorted(unknown))}.", f"The cohort has {kinds}."))
    first = events.drop_nulls("day").group_by("participant_id").agg(pl.col("day").min().alias("event_day"))
    undated = events.filter(pl.col("day").is_null())["participant_id"].unique().implode()
    last = visits.group_by("participant_id").agg(pl.col("day").max().alias("last_visit"))
    people = (
        cohort.participants.sort("participant_id")
        .join(last, on="participant_id", how="inner", maintain_order="left")
        .join(first, on="participant_id", how="left", maintain_order="left")
        .with_columns(
            undated=pl.col("participant_id").is_in(undated),
            entry=pl.col("entry_day").fill_null(0.0),
            end=pl.coalesce("event_day", pl.max_horizontal("last_contact_day", "last_visit")),
            event=pl.col("event_day").is_not_null(),
            shift=pl.lit(0.0),
        )
        .with_row_index("row")
    )
    if selection.population == "incident":
        lost = people["onset_day"].null_count()
        if lost:
            faults.append(Fault(f"{where}.population", f'"incident" counts the hazard from onset; {lost} participants have no onset day.'))
        people = people.with_columns(shift=-pl.col("onset_day").fill_null(0.0))
        if late := people.filter(pl.col("shift") + pl.col("entry") < 0).height:
            faults.append(Fault(f"{where}.population", f'"incident" needs onset before entry; {late} participants have it after.'))
    return people


def _drop_impossible(people: pl.DataFrame, visits: pl.DataFrame, steps: _Steps, selection: Selection) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Leave out visits after the event and participants without follow-up after entry; count both."""
    ends = people.select("participant_id", "end", "event")
    after = visits.join(ends, on="participant_id", how="left", maintain_order="left")
    late = (after["event"] & (after["day"] > after["end"])).fill_null(False)
    if late.any():
        visits = visits.filter(~late)
        steps.note("scores up to the event", people.height, visits.height, f"{int(late.sum())} scores dated after the event left out")
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


def _covariate_values(
    cohort: Cohort, selection: Selection, people: pl.DataFrame, visits: pl.DataFrame, faults: list[Fault], where: str
) -> dict[str, pl.Series]:
    """Raw values of each covariate in the order of `people`, and the faults of missing ones without a choice."""
    extra = set(cohort.covariates["name"].unique().to_list())
    values: dict[str, pl.Series] = {}
    for name in selection.covariates:
        if name == "delta_frs":
            values[name] = _delta_frs(cohort, selection, people)
        elif name in COLUMNS and (people[name].null_count() < people.height or name not in extra):
            values[name] = people[name].cast(pl.Float64) if people[name].dtype.is_numeric() else people[name].cast(pl.String)
        elif name in extra:
            rows = cohort.covariates.filter(pl.col("name") == name)
            joined = people.select("participant_id").join(rows, on="participant_id", how="left", maintain_order="left")
            values[name] = joined["number"] if joined["number"].null_count() < joined.height else joined["text"]
        else:
            known = sorted(extra | {"age", "sex", "onset_site", "phenotype", "arm", "delta_frs"})
            faults.append(Fault(f"{where}.covariates.{name}", f"No covariate is called {name!r}.", f"The cohort has {', '.join(known)}."))
            continue
        values[name] = values[name].alias(name)
        lost = values[name].null_count()
        if lost == people.height:
            faults.append(Fault(f"{where}.covariates.{name}", f"{name} is missing for everyone.", "Leave it out."))
        elif lost and _missing_policy(name, values[name], selection) == "refuse":
            faults.append(
                Fault(
                    f"{where}.covariates.{name}.missing",
                    f"{name} is missing for {lost} of {people.height} participants and nothing was chosen for them.",
                    'Choose missing = "own level" (text), "impute" (numbers), "indicator" (randomised comparisons) or "complete-case".',
                )
            )
    return values


def _delta_frs_score(cohort: Cohort, selection: Selection) -> pl.DataFrame:
    """participant_id, day, value: the score that delta-FRS is made of, from where the rule on double use allows."""
    totals = cohort.measurements.filter(pl.col("name") == "alsfrs_r_total").select("participant_id", "day", "value")
    if selection.delta_frs == "screening":
        ordered = totals.filter(pl.col("day") < 0).sort("participant_id", "day")
    else:
        near = totals.filter(pl.col("day").abs() <= BASELINE_DAYS)
        ordered = near.with_columns(off=pl.col("day").abs()).sort("participant_id", "off", "day")
    return ordered.group_by("participant_id", maintain_order=True).agg(pl.col("day", "value").first())


def _delta_frs(cohort: Cohort, selection: Selection, people: pl.DataFrame) -> pl.Series:
    """Points lost per month from onset."""
    chosen = _delta_frs_score(cohort, selection)
    joined = people.select("participant_id", "onset_day").join(chosen, on="participant_id", how="left", maintain_order="left")
    return joined.select(delta_frs(pl.col("value"), pl.col("day") - pl.col("onset_day"))).to_series()


def _without_delta_frs_score(
    cohort: Cohort, selection: Selection, people: pl.DataFrame, visits: pl.DataFrame, steps: _Steps
) -> pl.DataFrame:
    """Take the score that delta-FRS is made of, and those before it, out of the outcomes; unless kept on purpose ("attenuated")."""
    if "delta_frs" not in selection.covariates or selection.delta_frs == "attenuated" or selection.outcome != "alsfrs_r_total":
        return visits
    used = _delta_frs_score(cohort, selection).select("participant_id", used="day")
    kept = visits.join(used, on="participant_id", how="left", maintain_order="left")
    kept = kept.filter(pl.col("used").is_null() | (pl.col("day") > pl.col("used"))).drop("used")
    steps.note(
        "outcomes after the score behind delta-FRS", people.height, kept.height,
        f"{visits.height - kept.height} scores are part of a covariate and no longer outcomes",
    )  # fmt: skip
    return kept


def _missing_policy(name: str, series: pl.Series, selection: Selection) -> str:
    chosen = selection.covariates[name].missing
    if chosen is not None:
        return chosen
    if selection.randomised:
        return "indicator"
    return "impute" if series.dtype.is_numeric() else "refuse"


def _design(
    values: Mapping[str, pl.Series], selection: Selection, faults: list[Fault], where: str
) -> tuple[dict[str, Floats], dict[str, Bools], dict[str, tuple[str, ...]]]:
    columns: dict[str, Floats] = {}
    missing: dict[str, Bools] = {}
    terms: dict[str, tuple[str, ...]] = {}
    for name, series in values.items():
        settings = selection.covariates[name]
        policy = _missing_policy(name, series, selection)
        added = _numeric(name, series, settings) if series.dtype.is_numeric() else _dummies(name, series, settings, policy, faults, where)
        absent = series.is_null().to_numpy()
        if absent.any() and policy == "own level" and series.dtype.is_numeric():
            place = f"{where}.covariates.{name}.missing"
            faults.append(Fault(place, f'"own level" is for text; {name} is a number.', 'Use "impute" or "indicator".'))
            continue
        if absent.any() and policy == "indicator":
            added = {key: np.where(absent, column[~absent].mean(), column) for key, column in added.items()}
            added[f"{name} missing"] = absent.astype(float)
        elif absent.any() and policy == "impute":
            if not series.dtype.is_numeric():
                faults.append(Fault(f"{where}.covariates.{name}.missing", f'"impute" is for numbers; {name} is text.', 'Use "own level".'))
                continue
            missing[name] = absent
            added = {key: np.where(absent, column[~absent].mean(), column) for key, column in added.items()}
        columns |= added
        terms[name] = tuple(added)
    return columns, missing, terms


def _numeric(name: str, series: pl.Series, settings: Covariate) -> dict[str, Floats]:
    values: Floats = series.cast(pl.Float64).to_numpy()
    return {name: (values - settings.centre) / settings.scale}


def _dummies(name: str, series: pl.Series, settings: Covariate, policy: str, faults: list[Fault], where: str) -> dict[str, Floats]:
    levels = series.drop_nulls().value_counts(sort=True).sort(["count", name], descending=[True, False])[name].to_list()
    if policy == "own level" and series.null_count():
        levels.append("unknown")
        series = series.fill_null("unknown")
    reference = settings.reference if settings.reference is not None else levels[0]
    if reference not in levels:
        faults.append(
            Fault(
                f"{where}.covariates.{name}.reference",
                f"{reference!r} is not a level of {name}.",
                f"Levels: {', '.join(levels)}.",
            )
        )
        return {}
    if len(levels) < 2:
        faults.append(Fault(f"{where}.covariates.{name}", f"{name} has one level only ({levels[0]}).", "Leave it out."))
        return {}
    absent = series.is_null().to_numpy()
    dummies = {}
    for level in levels:
        if level != reference:
            flag = (series == level).fill_null(False).cast(pl.Float64).to_numpy().copy()
            flag[absent] = np.nan
            dummies[f"{name}[{level}]"] = flag
    return dummies


def _exposure_table(cohort: Cohort, selection: Selection, people: pl.DataFrame, faults: list[Fault], where: str) -> pl.DataFrame:
    """Rows of exposures for the drugs asked for, arms turned into exposures from time zero on."""
    parts = [cohort.exposures.select("participant_id", "drug", "taken", "start_day", "stop_day").clear()]
    for drug in selection.exposures:
        part = _arm_rows(drug, people, faults, where) if drug.source == "arm" else _drug_rows(drug, cohort, people, faults, where)
        if part is not None:
            parts.append(part.select(parts[0].columns))
    return pl.concat(parts)


def _arm_rows(drug: Exposure, people: pl.DataFrame, faults: list[Fault], where: str) -> pl.DataFrame | None:
    arms = people["arm"]
    place = f"{where}.treatments.{drug.name}"
    levels = sorted(arms.drop_nulls().unique().to_list())
    if str(drug.level).casefold() not in {level.casefold() for level in levels}:
        faults.append(Fault(f"{place}.level", f"No arm is called {drug.level!r}.", f"Arms: {', '.join(levels) or 'none recorded'}."))
        return None
    if (lost := arms.null_count()) and drug.unknown == "refuse":
        faults.append(Fault(f"{place}.unknown", f"{lost} participants have no arm.", 'Leave them out by unknown = "exclude".'))
    known = people.filter(pl.col("arm").is_not_null())
    return known.select(
        "participant_id",
        drug=pl.lit(drug.name),
        taken=pl.col("arm").str.to_lowercase() == str(drug.level).lower(),
        start_day=pl.lit(0.0),
        stop_day=pl.lit(None, pl.Float64),
    )


def _drug_rows(drug: Exposure, cohort: Cohort, people: pl.DataFrame, faults: list[Fault], where: str) -> pl.DataFrame | None:
    rows = cohort.exposures.filter(pl.col("drug").str.to_lowercase() == drug.name.lower()).with_columns(drug=pl.lit(drug.name))
    rows = rows.join(people.select("participant_id"), on="participant_id", how="semi")
    place = f"{where}.treatments.{drug.name}"
    if rows.is_empty():
        known = ", ".join(sorted(cohort.exposures["drug"].unique().to_list())) or "none"
        faults.append(Fault(place, f"No exposure to {drug.name!r} is recorded.", f"The cohort has {known}."))
        return None
    lost = people.height - rows["participant_id"].n_unique()
    if lost and drug.unknown == "refuse":
        faults.append(
            Fault(
                f"{place}.unknown",
                f"Whether {lost} of {people.height} participants took {drug.name} was never recorded, and unknown is not no.",
                'Choose unknown = "exclude", or "unexposed" and "exposed" as the two limits of a sensitivity analysis.',
            )
        )
    return rows


def _intervals(
    exposures: pl.DataFrame, selection: Selection, people: pl.DataFrame, per: float
) -> tuple[tuple[Ints, Ints, Floats, Floats], tuple[ExposureCount, ...]]:
    """Exposure intervals as arrays sorted by participant, and who informs each drug. An unknown start means before the origin."""
    order = {drug.name: k for k, drug in enumerate(selection.exposures)}
    rows = exposures.join(people.select("participant_id", "person", "entry", "end"), on="participant_id", how="inner")
    taken = rows.filter("taken").with_columns(
        start=pl.col("start_day").fill_null(float("-inf")), stop=pl.col("stop_day").fill_null(float("inf"))
    )
    counts = []
    for drug in selection.exposures:
        mine = taken.filter(pl.col("drug") == drug.name)
        recorded = rows.filter(pl.col("drug") == drug.name)["person"].n_unique()
        unknown = people.height - recorded
        if drug.unknown == "exposed" and unknown:
            absent = people.join(rows.filter(pl.col("drug") == drug.name).select("person"), on="person", how="anti")
            extra = absent.select(
                "participant_id", "person", "entry", "end", drug=pl.lit(drug.name), taken=True,
                start=pl.lit(float("-inf")), stop=pl.lit(float("inf")),
            )  # fmt: skip
            taken = pl.concat([taken, extra.select(taken.drop("start_day", "stop_day").columns)], how="diagonal")
        within = mine.filter(
            ((pl.col("start") > pl.col("entry")) & (pl.col("start") < pl.col("end")))
            | ((pl.col("stop") > pl.col("entry")) & (pl.col("stop") < pl.col("end")))
        )["person"].n_unique()
        exposed = mine.filter((pl.col("start") < pl.col("end")) & (pl.col("stop") > pl.col("entry")))["person"].n_unique()
        arm = drug.source == "arm"
        counts.append(
            ExposureCount(
                name=drug.name,
                source=drug.source,
                randomised=people.height - unknown if arm else 0,
                starts_or_stops=0 if arm else within,
                prevalent=0 if arm else exposed - within,
                unexposed=recorded - exposed,
                unknown=unknown,
            )
        )
    taken = _merged(taken)
    return (
        taken["person"].cast(pl.Int64).to_numpy().copy(),
        np.array([order[name] for name in taken["drug"].to_list()], np.int64),
        taken["start"].to_numpy() / per,
        taken["stop"].to_numpy() / per,
    ), tuple(counts)


def _merged(taken: pl.DataFrame) -> pl.DataFrame:
    """Union of overlapping intervals per participant and drug: a drug recorded twice is not taken twice."""
    keys = ["person", "drug"]
    ordered = taken.filter(pl.col("stop") > pl.col("start")).sort("person", "drug", "start", "stop")
    reach = pl.col("stop").cum_max().shift(1).over(keys)
    fresh = (pl.col("start") > reach).fill_null(True).cast(pl.Int64).cum_sum().over(keys).alias("run")
    merged = ordered.with_columns(fresh).group_by(*keys, "run").agg(pl.col("start").min(), pl.col("stop").max())
    return merged.sort("person", "drug", "start")


def _groups(people: pl.DataFrame, values: Mapping[str, pl.Series]) -> dict[str, tuple[str | None, ...]]:
    texts = {name: tuple(series.to_list()) for name, series in values.items() if series.dtype == pl.String}
    for name in ("arm", "phenotype", "onset_site", "sex"):
        if name not in texts and people[name].null_count() < people.height:
            texts[name] = tuple(people[name].to_list())
    return texts
