"""Events known only to lie between two days: last known free of it, first known to have had it.

Such an event has both days in the events table, ``free_until_day`` and ``day``. Whoever takes events from there says how it takes these:
as an interval, or as a day that is chosen; nobody takes the first day known for the day itself without being told to.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.selection import EventDays
from alsmodel.cohort.steps import Steps
from alsmodel.errors import Fault, InvalidInput

if TYPE_CHECKING:
    from alsmodel.cohort.arrays import JointData

REMEDY = 'Choose event_days = "middle" or "first known" to take one day for each, and say so.'
_TAKEN = {
    "between": "their likelihood is that of an event somewhere between the two",
    "middle": "the middle of the two was taken",
    "first known": "the first day known to have had it was taken",
}


def between(events: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of events that are known only to lie between two days."""
    return events.filter(pl.col("free_until_day").is_not_null())


def with_days(cohort: Cohort, how: EventDays) -> Cohort:
    """Give every event that lies between two days the day that `how` chooses; "between" chooses none and changes nothing."""
    if how == "between" or between(cohort.events).is_empty():
        return cohort
    middle = (pl.col("free_until_day") + pl.col("day")) / 2 if how == "middle" else pl.col("day")
    day = pl.when(pl.col("free_until_day").is_not_null()).then(middle).otherwise("day")
    return replace(cohort, events=cohort.events.with_columns(day=day, free_until_day=pl.lit(None, pl.Float64)))


def refuse_between(events: pl.DataFrame, faults: list[Fault], where: str, why: str) -> None:
    """Add a fault when one of `events` lies between two days; `why` ends the sentence that says what cannot be done with it."""
    count = between(events)["participant_id"].n_unique()
    if count:
        faults.append(Fault(f"{where}.event_days", f"{count} participants have an event known only to lie between two days; {why}", REMEDY))


def require_days(data: "JointData", why: str) -> None:
    """Refuse data in which an event lies between two days; `why` ends the sentence that says what cannot be done with it."""
    if count := int(data.interval_censored.sum()):
        fault = f"{count} participants have an event known only to lie between two days; {why}"
        raise InvalidInput([Fault("model.event_days", fault, REMEDY)])


def note_between(events: pl.DataFrame, how: EventDays, steps: Steps, people: int) -> None:
    """Add the step that says how many of `events` lie between two days, and what was made of them."""
    count = between(events)["participant_id"].n_unique()
    if count:
        steps.note("events between two days", people, 0, f"{count} have an event known only to lie between two days: {_TAKEN[how]}")


def checked_free_until(
    frame: pl.DataFrame, ledger: Ledger, *, given: pl.Expr, free: pl.Expr, day: pl.Expr, happened: pl.Expr, column: str
) -> pl.Series:
    """Check the last day known free of an event against its day; days in, the column of the events table out.

    Where the cell cannot stand beside the event, all that is known is that the participant was free of it at time zero: the event is
    never moved to its first day known for want of the other.

    Parameters
    ----------
    frame : polars.DataFrame
        Rows of the file, with `_position` and `_line`.
    ledger : Ledger
    given, free : polars.Expr
        Whether the cell holds anything, and the day in it, null where it is no number.
    day, happened : polars.Expr
        First day known to have had the event, and whether it happened.
    column : str
        As the file spells it.
    """
    told, had = given.fill_null(False), happened.fill_null(False)
    ledger.flag("free_until_not_a_number", frame, told & had & free.is_null(), column=column)
    ledger.flag("free_until_before_entry", frame, told & had & (free < 0), column=column)
    ledger.flag("free_until_after_event", frame, told & had & (free > day), column=column)
    ledger.flag("free_until_without_event", frame, told & ~had, column=column)
    usable = pl.when((free >= 0) & (free <= day)).then(free).otherwise(0.0)
    apart = pl.when(told & had & day.is_not_null() & (day > usable)).then(usable)
    exact = (free == day).fill_null(False)
    return frame.select(pl.when(~exact).then(apart).alias("free_until_day").cast(pl.Float64)).to_series()
