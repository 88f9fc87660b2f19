"""From a real cohort to the arrays that the analyses of virtual trials take: the one adapter, and what it left out.

Everyone assigned to an arm of the comparison is kept (assigned, not taken). A visit is the assessment nearest to its plan within
the window, among assessments after day 0; each belongs to one planned visit only, the nearest, between two equally near the
earlier. The baseline is the last assessment at or before day 0. Scores after the event that ends the follow-up are not used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import numpy.typing as npt
import polars as pl

from alsmodel.clinical.units import DAYS_PER_MONTH
from alsmodel.cohort import Cohort
from alsmodel.cohort.baseline import covariate_values
from alsmodel.cohort.between import between, refuse_between, with_days
from alsmodel.cohort.endpoints import end_point
from alsmodel.cohort.selection import Covariate, Selection
from alsmodel.errors import Fault, InvalidInput
from alsmodel.settings.names import nearest
from alsmodel.trials.analyses import TrialData
from alsmodel.trials.comparison import ComparisonPlan
from alsmodel.trials.conditions import NOT_RECORDED, Categories, Column, check, names_of, parse

Floats = npt.NDArray[np.float64]

_STEPS: dict[str, pl.DataType] = {"step": pl.String(), "participants": pl.Int64(), "scores": pl.Int64(), "reason": pl.String()}
#: The outcome at baseline, among the baseline columns.
BASELINE = "baseline"


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ObservedTrial:
    """A real trial as arrays, with R = 1.

    Attributes
    ----------
    data : TrialData
        At the planned visits; `actual` are the months at which they were made, the baseline at 0.
    every : TrialData
        Every assessment from baseline on, each at its own month, for slopes over actual time.
    arms : tuple of str
        Labels, control first.
    window : array, shape (2, V)
        First and last month of each visit's window; the baseline's is its own.
    death : array, shape (n,)
        Month of death on a known day; NaN without.
    vocabulary : mapping
        Baseline columns: None for numbers, the words of a column of words.
    steps : polars.DataFrame
        step, participants, scores, reason.
    """

    data: TrialData
    every: TrialData
    arms: tuple[str, ...]
    window: Floats
    death: Floats
    vocabulary: Mapping[str, tuple[str, ...] | None]
    steps: pl.DataFrame

    @property
    def people(self) -> int:
        """Participants compared."""
        return int(self.data.event_time.shape[1])


def observed_trial(cohort: Cohort, plan: ComparisonPlan, *, where: str = "analyse") -> ObservedTrial:
    """Take from a cohort what `plan` compares.

    Parameters
    ----------
    cohort : Cohort
    plan : ComparisonPlan
    where : str
        Path of the settings in a study file, for messages.

    Raises
    ------
    InvalidInput
        Arms, outcome, events or baseline columns that the cohort does not have, a planned visit without any assessment in its
        window in an arm, or a transformation that the values do not allow; all at once.
    """
    faults: list[Fault] = []
    steps: list[tuple[str, int, int, str]] = []
    people = _assigned(cohort, plan, faults, steps, where)
    rows = scores_of(cohort, plan, people, faults, where)
    people = followed(cohort, plan, people, faults, steps, where)
    rows = _before_the_end(rows, people, plan, steps)
    window = windows(plan)
    placed = _placed(rows, plan, window)
    scores, actual = _grid(people.height, len(plan.visits), placed)
    codes = people["code"].to_numpy().astype(np.int64)
    arms = (plan.control, *plan.active)
    if people.height and rows.height:
        faults += _empty_windows(scores, codes, arms, plan, window, where)
    columns, vocabulary = baseline_columns(cohort, plan, people, scores[:, 0], faults, where)
    if faults:
        raise InvalidInput(list(dict.fromkeys(faults)))
    seen = ~np.isnan(scores)
    steps.append(("with a baseline score", int(seen[:, 0].sum()), int(seen[:, 0].sum()), "others have no score at or before day 0"))
    later = seen[:, 1:].any(axis=1)
    steps.append(("with a score in a window after baseline", int(later.sum()), int(seen[:, 1:].sum()), ""))
    months = np.asarray(plan.visits, dtype=np.float64)
    end = np.maximum(people["end"].to_numpy() / DAYS_PER_MONTH, 0.0)
    event = people["event"].to_numpy().astype(np.int64)
    if plan.duration is not None:
        event, end = np.where(end > plan.duration, 0, event), np.minimum(end, plan.duration)
    every_value, every_month = every_score(people.height, rows)
    data = TrialData(
        months=months,
        scores=scores[None],
        actual=np.where(np.isnan(actual), months, actual)[None],
        arm=codes[None],
        event_time=end[None],
        event=event[None],
        columns=columns,
    )
    return ObservedTrial(
        data=data,
        every=replace(data, months=np.arange(len(every_month[0]) * 1.0), scores=every_value[None], actual=every_month[None]),
        arms=arms,
        window=window,
        death=people["death_day"].cast(pl.Float64).fill_null(float("nan")).to_numpy() / DAYS_PER_MONTH,
        vocabulary=vocabulary,
        steps=pl.DataFrame(steps, schema=_STEPS, orient="row"),
    )


def windows(plan: ComparisonPlan) -> Floats:
    """First and last month of each visit's window, shape (2, V)."""
    months = np.asarray(plan.visits, dtype=np.float64)
    if plan.window_days:
        half = np.broadcast_to(np.asarray(plan.window_days, dtype=np.float64) / DAYS_PER_MONTH, months.size - 1)
        low, high = months[1:] - half, months[1:] + half
    else:
        gap = np.diff(months) / 2
        low, high = months[1:] - gap, months[1:] + np.append(gap[1:], gap[-1])
    return np.stack([np.append(-np.inf, low), np.append(0.0, high)])


def _assigned(
    cohort: Cohort, plan: ComparisonPlan, faults: list[Fault], steps: list[tuple[str, int, int, str]], where: str
) -> pl.DataFrame:
    """Participants of the arms compared, with `code` and `row`."""
    everyone = cohort.participants.sort("participant_id")
    steps.append(("in the cohort", everyone.height, 0, ""))
    kept = everyone.filter(pl.col("exclusion").is_null()) if everyone["exclusion"].null_count() < everyone.height else everyone
    if kept.height < everyone.height:
        steps.append(("not set apart by the source", kept.height, 0, "with a reason recorded in the source"))
    label = pl.col("arm").str.strip_chars().str.to_lowercase()
    arms = sorted(kept["arm"].drop_nulls().unique().to_list())
    known = {arm.strip().lower(): arm for arm in arms}
    if len(known) < 2:
        faults.append(
            Fault(f"{where}.control", f"The cohort has {len(known)} arms; a comparison needs two.", "Map the column of assigned arms.")
        )
    named = [(f"{where}.control", plan.control), *((f"{where}.active", active) for active in plan.active)]
    codes = {}
    for code, (place, given) in enumerate(named):
        low = given.strip().lower()
        codes[low] = code
        if low not in known and known:
            remedy = nearest(low, {word: repr(arm) for word, arm in known.items()}, otherwise=f"Arms: {', '.join(arms)}.")
            faults.append(Fault(place, f"No arm is called {given!r}.", remedy))
    assigned = kept.with_columns(code=label.replace_strict(codes, default=None, return_dtype=pl.Int64)).filter(pl.col("code").is_not_null())
    unknown = kept["arm"].null_count()
    others = kept.height - unknown - assigned.height
    steps.append(("assigned to an arm of the comparison", assigned.height, 0, f"{unknown} without an arm, {others} in other arms"))
    late = assigned.filter(pl.col("entry_day") > 0).height
    if late:
        message = f"{late} participants are under observation only after day 0; a randomised comparison follows everyone from day 0."
        faults.append(Fault(f"{where}.control", message, "Give randomisation as the time origin."))
    return assigned.with_row_index("row")


def scores_of(cohort: Cohort, plan: ComparisonPlan, people: pl.DataFrame, faults: list[Fault], where: str) -> pl.DataFrame:
    """row, day, value of the outcome; several scores of one day are averaged."""
    rows = cohort.measurements.filter(pl.col("name") == plan.outcome)
    if rows.is_empty():
        known = sorted(cohort.measurements["name"].unique().to_list())
        remedy = nearest(plan.outcome, known, otherwise=f"The cohort has {', '.join(known[:12]) or 'none'}.")
        faults.append(Fault(f"{where}.outcome", f"No measurement is called {plan.outcome!r}.", remedy))
    joined = rows.join(people.select("participant_id", "row"), on="participant_id", how="inner")
    return joined.group_by("row", "day").agg(pl.col("value").mean()).sort("row", "day")


def followed(
    cohort: Cohort, plan: ComparisonPlan, people: pl.DataFrame, faults: list[Fault], steps: list[tuple[str, int, int, str]], where: str
) -> pl.DataFrame:
    """`people` with `end` (day), `event` and `death_day`; whoever was never seen is censored at day 0."""
    if plan.event_days == "between":
        counted = ["death", *plan.events] if plan.end_point is None else cohort.events["kind"].to_list()
        refuse_between(cohort.events.filter(pl.col("kind").is_in(counted)), faults, where, "the analyses of a trial take one day.")
    apart = between(cohort.events)["participant_id"].n_unique()
    cohort = with_days(cohort, plan.event_days)
    deaths = cohort.events.filter(pl.col("kind") == "death").group_by("participant_id").agg(death_day=pl.col("day").min())
    joined = people.join(deaths, on="participant_id", how="left", maintain_order="left")
    if plan.end_point is not None:
        try:
            ends = end_point(cohort, plan.end_point, where=f"{where}.end_point")
        except InvalidInput as refusal:
            faults += refusal.faults
            return joined.with_columns(end=pl.lit(0.0), event=pl.lit(False))
        ends = ends.select("participant_id", end="end_day", event="happened", undated="undated", early="at_entry")
    else:
        ends = _kinds(cohort, plan, faults, where)
    joined = joined.join(ends, on="participant_id", how="left", maintain_order="left")
    filled = joined.with_columns(pl.col("end").fill_null(0.0), *(pl.col(name).fill_null(False) for name in ("event", "undated", "early")))
    lost = filled.filter(pl.col("undated") & ~pl.col("event")).height
    early = filled.filter("early").height
    reason = f"{lost} with the event on an unknown day: censored at last contact; {early} with it on or before day 0: censored at day 0"
    if apart:
        reason += f"; {apart} of the cohort with an event known only to lie between two days: {plan.event_days} day taken"
    steps.append(("followed", filled.height, 0, reason))
    return filled


def _kinds(cohort: Cohort, plan: ComparisonPlan, faults: list[Fault], where: str) -> pl.DataFrame:
    """participant_id, end, event, undated, early from the kinds of event that the plan names."""
    kinds = sorted(cohort.events["kind"].unique().to_list())
    for kind in plan.events:
        if kind not in kinds:
            remedy = nearest(kind, kinds, otherwise=f"The cohort has {', '.join(kinds) or 'no events'}.")
            faults.append(Fault(f"{where}.events", f"No event is of kind {kind!r}.", remedy))
    seen = pl.concat([frame.select("participant_id", "day") for frame in (cohort.assessments, cohort.measurements)])
    last = seen.group_by("participant_id").agg(last_seen=pl.col("day").max())
    events = cohort.events.filter(pl.col("kind").is_in(list(plan.events)))
    of_kind = events.group_by("participant_id").agg(event_day=pl.col("day").min(), undated=pl.col("day").is_null().any())
    dead = cohort.events.filter(pl.col("kind") == "death").group_by("participant_id").agg(dead_day=pl.col("day").min())
    frame = cohort.participants.select("participant_id", "last_contact_day")
    for facts in (last, of_kind, dead):
        frame = frame.join(facts, on="participant_id", how="left", maintain_order="left")
    contact = pl.max_horizontal("last_contact_day", "last_seen")
    early = (pl.col("event_day") <= 0).fill_null(False)
    happened = pl.col("event_day").is_not_null() & ~early
    # Nobody is at risk of anything after death, whichever event is looked at.
    censored = pl.min_horizontal(contact, "dead_day")
    return frame.select(
        "participant_id",
        pl.when(early).then(0.0).when(happened).then("event_day").otherwise(censored).alias("end"),
        happened.alias("event"),
        pl.col("undated").fill_null(False),
        early.alias("early"),
    )


def _before_the_end(rows: pl.DataFrame, people: pl.DataFrame, plan: ComparisonPlan, steps: list[tuple[str, int, int, str]]) -> pl.DataFrame:
    """Scores up to the event and, for a planned duration, within the window of the last visit."""
    ended = people.filter("event").select("row", "end")
    joined = rows.join(ended, on="row", how="left", maintain_order="left")
    kept = joined.filter(pl.col("end").is_null() | (pl.col("day") <= pl.col("end")))
    reason = f"{rows.height - kept.height} scores after the event"
    if plan.duration is not None:
        last = max(plan.duration, float(windows(plan)[1, -1])) * DAYS_PER_MONTH
        within = kept.filter(pl.col("day") <= last)
        reason += f", {kept.height - within.height} after the planned follow-up"
        kept = within
    steps.append(("with any score up to the event", kept["row"].n_unique(), kept.height, reason))
    return kept.select("row", "day", "value")


def _placed(rows: pl.DataFrame, plan: ComparisonPlan, window: Floats) -> pl.DataFrame:
    """row, visit, value, month: at most one assessment per participant and planned visit."""
    base = rows.filter(pl.col("day") <= 0).group_by("row", maintain_order=True).last()
    base = base.select("row", visit=pl.lit(0, dtype=pl.Int64), value="value", month=pl.lit(0.0))
    after = rows.filter(pl.col("day") > 0)
    month = after["day"].to_numpy() / DAYS_PER_MONTH
    planned = np.asarray(plan.visits[1:], dtype=np.float64)
    # Days are exact where months are not: a billionth of a month is no reason to miss a window.
    away = np.round(np.abs(month[:, None] - planned[None, :]), 9)
    visit = away.argmin(axis=1) if planned.size else np.zeros(0, dtype=np.int64)
    within = (month >= window[0, 1:][visit] - 1e-9) & (month <= window[1, 1:][visit] + 1e-9)
    found = pl.DataFrame(
        {"row": after["row"], "visit": visit + 1, "value": after["value"], "month": month, "away": away[np.arange(len(visit)), visit]}
    ).filter(pl.Series(within, dtype=pl.Boolean))
    ordered = found.sort("row", "visit", "away", "month", descending=[False, False, False, plan.ties == "later"])
    nearest = ordered.group_by("row", "visit", maintain_order=True).first().select("row", pl.col("visit").cast(pl.Int64), "value", "month")
    return pl.concat([base, nearest])


def _grid(people: int, visits: int, placed: pl.DataFrame) -> tuple[Floats, Floats]:
    """Scores and actual months, shape (n, V)."""
    scores, actual = np.full((people, visits), np.nan), np.full((people, visits), np.nan)
    at = placed["row"].to_numpy(), placed["visit"].to_numpy()
    scores[at], actual[at] = placed["value"].to_numpy(), placed["month"].to_numpy()
    return scores, actual


def every_score(people: int, rows: pl.DataFrame) -> tuple[Floats, Floats]:
    """All scores from baseline on and their months, shape (n, most scores of anybody)."""
    base = rows.filter(pl.col("day") <= 0).group_by("row", maintain_order=True).last().with_columns(day=pl.lit(0.0))
    used = pl.concat([base.select(rows.columns), rows.filter(pl.col("day") > 0)]).sort("row", "day")
    used = used.with_columns(place=pl.int_range(pl.len()).over("row"))
    width = max(int(used["place"].max() or 0) + 1, 2)  # type: ignore[arg-type]
    scores, month = np.full((people, width), np.nan), np.zeros((people, width))
    at = used["row"].to_numpy(), used["place"].to_numpy()
    scores[at], month[at] = used["value"].to_numpy(), used["day"].to_numpy() / DAYS_PER_MONTH
    return scores, month


def _empty_windows(
    scores: Floats, codes: npt.NDArray[np.int64], arms: tuple[str, ...], plan: ComparisonPlan, window: Floats, where: str
) -> list[Fault]:
    faults = []
    for visit, month in enumerate(plan.visits):
        for code, arm in enumerate(arms):
            if (codes == code).any() and np.isnan(scores[codes == code, visit]).all():
                if visit == 0:
                    message, remedy = f"No {plan.outcome} of arm {arm!r} is at or before day 0.", "Is day 0 the day of randomisation?"
                else:
                    span = f"{window[0, visit]:.3g} to {window[1, visit]:.3g}"
                    message = f"No {plan.outcome} of arm {arm!r} lies in the window of month {month:g} (months {span})."
                    remedy = "Leave this visit out, or widen window_days."
                faults.append(Fault(f"{where}.visits", message, remedy))
    return faults


def baseline_columns(
    cohort: Cohort, plan: ComparisonPlan, people: pl.DataFrame, baseline: Floats, faults: list[Fault], where: str
) -> tuple[dict[str, Column], dict[str, tuple[str, ...] | None]]:
    """Baseline columns that anything in the plan names, (1, n) each, as they are recorded."""
    numbers = {*plan.covariates, *plan.transforms, *(name for a in plan.analyses for name in a.covariates)}
    # Each text with the setting that it stands in, for messages.
    texts = dict.fromkeys(text for a in plan.analyses for text in a.strata) | dict.fromkeys(plan.subgroups) | dict.fromkeys(plan.strata)
    home = {text: "strata" if text in plan.strata else "subgroups" if text in plan.subgroups else "analyses" for text in texts}
    conditions, wanted = [], dict.fromkeys(sorted(numbers))
    place = {name: "covariates" if name in plan.covariates else "transforms" if name in plan.transforms else "analyses" for name in numbers}
    for text in texts:
        try:
            names = list(names_of(parse(text)))
        except ValueError as error:
            faults.append(Fault(f"{where}.{home[text]}", str(error)))
            continue
        conditions += [text] if names != [text] else []
        wanted |= dict.fromkeys(names)
        place |= {name: home[text] for name in names if name not in place}
    asked = Selection(outcome=plan.outcome, covariates={name: Covariate(missing="own level") for name in wanted if name != BASELINE})
    # Where no arm is known, names are still looked up among everybody, so that all faults come at once.
    whose = people if people.height else cohort.participants.with_row_index("row")
    told: list[Fault] = []
    found = covariate_values(cohort, asked, whose, pl.DataFrame(), told, where) if whose.height else {}
    faults += [_placed_at(fault, place, where) for fault in told]
    columns: dict[str, Column] = {BASELINE: baseline[None]}
    vocabulary: dict[str, tuple[str, ...] | None] = {BASELINE: None}
    for name, series in found.items():
        if series.dtype.is_numeric():
            columns[name], vocabulary[name] = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()[None], None
        else:
            words = series.cast(pl.String).fill_null(NOT_RECORDED)
            levels = tuple(words.unique().sort().to_list())
            codes = words.replace_strict(list(levels), list(range(len(levels))), return_dtype=pl.Int64).to_numpy()
            columns[name], vocabulary[name] = Categories(codes[None], levels), levels
    for text in conditions:
        if set(names_of(parse(text))) <= set(vocabulary):
            faults += [Fault(f"{where}.{home[text]}", fault) for fault in check(text, vocabulary)]
    for name in texts:
        if name not in conditions and vocabulary.get(name, ()) is None:
            faults.append(Fault(f"{where}.{home[name]}", f"{name} holds numbers; groups need words.", f"Give a condition: {name} >= ..."))
    for name, transform in plan.transforms.items():
        column = columns.get(name)
        if isinstance(column, np.ndarray) and ((column <= 0) if transform == "log" else (column < 0)).any():
            faults.append(Fault(f"{where}.transforms.{name}", f"{transform} of {name} is not defined for some participants."))
        elif isinstance(column, Categories):
            faults.append(Fault(f"{where}.transforms.{name}", f"{name} holds words and cannot be transformed."))
    return columns, vocabulary


def _placed_at(fault: Fault, place: Mapping[str, str], where: str) -> Fault:
    """A fault of a covariate under the setting that names it."""
    name = fault.place.removeprefix(f"{where}.covariates.").split(".")[0]
    return replace(fault, place=f"{where}.{place[name]}") if name in place else fault
