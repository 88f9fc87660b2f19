"""Ventilation intervals turned into events: PAV as HEALEY defines it, and NIV above 23 hours a day.

An interval holds from its first to its last day, both included, in whole calendar days. Two intervals are consecutive when no
calendar day lies between them. A day counts when one interval on it has more than the hours asked for; hours of two devices are
not added, since a repeated row cannot be told from a second device (give their sum as one row).
"""

import polars as pl

from alsmodel.clinical.events import NIV_23, PAV_22
from alsmodel.errors import Fault, InvalidInput

#: PAV of the HEALEY platform trial: more than 22 hours a day on more than 7 consecutive days (M-SAP v3.0, 2023).
PAV_HOURS, PAV_DAYS = 22.0, 7
#: NIV of the ENCALS composite: more than 23 hours a day; no number of days is stated (Westeneng 2018).
NIV_HOURS, NIV_DAYS = 23.0, 0
HOURS_PER_DAY = 24.0

#: Day of a month that stands for a date known by its month only (HEALEY, M-SAP v3.0, 2023).
MID_MONTH = 15

_NEEDS = ("participant_id", "start_day", "stop_day", "hours_per_day")
#: A bound beyond any day, for intervals that are open.
_FAR = 10**9


def date_by_month(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Return a date; the 15th when the day is missing, null when month or year is.

    Source: HEALEY ALS platform trial, M-SAP v3.0 (2023), for the date of PAV and of onset.
    """
    return pl.date(year, month, day.fill_null(MID_MONTH))


def pav_from_ventilation(frame: pl.DataFrame, *, place: str = "ventilation") -> pl.DataFrame:
    """Date permanent assisted ventilation: more than 22 hours a day on more than 7 consecutive days.

    Parameters
    ----------
    frame : polars.DataFrame
        participant_id; start_day and stop_day (days from the time origin; fractions are cut to the calendar day; null: not
        known); hours_per_day (0 to 24; null: not known). Optional entry_day (0 without it): observation begins.
        An interval that is still open must stop on the last day it is known to have gone on.
    place : str
        Where faults are said to lie.

    Returns
    -------
    polars.DataFrame
        One row per participant of `frame`, sorted: participant_id; outcome; day, the first day of the first such run, null
        without one; day_certain, false when unknown hours or days could have made it earlier. outcome is "pav";
        "pav at baseline" (the run began on or before entry: HEALEY censors such a participant at baseline); "none"; or
        "cannot be determined" (unknown hours or days could hide a run).

    Raises
    ------
    InvalidInput
        When a column is missing, hours lie outside 0 to 24, or an interval stops before it starts.

    Notes
    -----
    Definition: HEALEY ALS platform trial, M-SAP v3.0 (2023), supplement 2 of Berry et al., JAMA 2025,
    doi 10.1001/jama.2024.27643.
    """
    return _first_run(frame, hours=PAV_HOURS, days=PAV_DAYS, word="pav", place=place)


def niv_from_ventilation(frame: pl.DataFrame, *, place: str = "ventilation") -> pl.DataFrame:
    """Date non-invasive ventilation above 23 hours a day, on its first day.

    Parameters
    ----------
    frame : polars.DataFrame
        As for `pav_from_ventilation`, with the column invasive (bool). Invasive intervals are left out; null counts as unknown
        hours.
    place : str
        Where faults are said to lie.

    Returns
    -------
    polars.DataFrame
        As `pav_from_ventilation`, with "niv" for "pav". Definition: Westeneng 2018, doi 10.1016/S1474-4422(18)30089-9,
        which states hours and no number of days: one day is enough.
    """
    if "invasive" not in frame.columns:
        raise InvalidInput([Fault(place, "The column invasive is missing.", "Say of each interval whether it was invasive.")])
    hours = pl.when(pl.col("invasive")).then(0.0).when(~pl.col("invasive")).then(pl.col("hours_per_day"))
    used = frame.with_columns(hours.alias("hours_per_day")) if "hours_per_day" in frame.columns else frame
    return _first_run(used, hours=NIV_HOURS, days=NIV_DAYS, word="niv", place=place)


def ventilation_events(dated: pl.DataFrame) -> pl.DataFrame:
    """Turn the outcome of `pav_from_ventilation` or `niv_from_ventilation` into rows of the events table.

    Who has "none" has no row; who "cannot be determined" has none either, so that a source with such participants does not
    record the component of everyone: count them before declaring that it does. "At baseline" keeps its day, on or before
    entry, which censors at entry.
    """
    kinds = {"pav": PAV_22, "niv": NIV_23}
    parts = [
        dated.filter(pl.col("outcome").is_in([word, f"{word} at baseline"])).select(
            "participant_id", pl.lit(c.kind).alias("kind"), "day", pl.lit(c.tag).alias("definition")
        )
        for word, c in kinds.items()
    ]
    return pl.concat(parts).sort("participant_id", "kind")


def _first_run(frame: pl.DataFrame, *, hours: float, days: int, word: str, place: str) -> pl.DataFrame:
    rows = _checked(frame, place)
    entry = rows.group_by("participant_id").agg(pl.col("entry_day").min().fill_null(0.0).floor().cast(pl.Int64))
    start, stop = pl.col("start_day").floor().cast(pl.Int64), pl.col("stop_day").floor().cast(pl.Int64)
    # Of an interval with one known bound, that day alone is sure.
    sure = rows.filter((pl.col("hours_per_day") > hours) & (start.is_not_null() | stop.is_not_null()))
    # Everything unknown set to what would make a run most likely and earliest.
    possible = rows.filter(pl.col("hours_per_day").is_null() | (pl.col("hours_per_day") > hours))
    least = (pl.coalesce(start, stop).alias("start_day"), pl.coalesce(stop, start).alias("stop_day"))
    run = _runs(sure.select("participant_id", *least), days).rename({"day": "sure_day"})
    might = _runs(possible.select("participant_id", start.fill_null(-_FAR), stop.fill_null(_FAR)), days)
    joined = entry.join(run, on="participant_id", how="left").join(might, on="participant_id", how="left")
    outcome = (
        pl.when(pl.col("sure_day") <= pl.col("entry_day"))
        .then(pl.lit(f"{word} at baseline"))
        .when(pl.col("sure_day").is_not_null())
        .then(pl.lit(word))
        .when(pl.col("day").is_not_null())
        .then(pl.lit("cannot be determined"))
        .otherwise(pl.lit("none"))
    )
    return joined.select(
        "participant_id",
        outcome.alias("outcome"),
        pl.col("sure_day").cast(pl.Float64).alias("day"),
        pl.when(pl.col("sure_day").is_not_null()).then(pl.col("sure_day") == pl.col("day")).alias("day_certain"),
    ).sort("participant_id")


def _runs(rows: pl.DataFrame, days: int) -> pl.DataFrame:
    """First day of each participant's first run of more than `days` consecutive days."""
    reached = pl.col("stop_day").cum_max().shift(1).over("participant_id")
    ordered = rows.sort("participant_id", "start_day", "stop_day").with_columns(
        # A gap of one whole calendar day ends a run.
        (pl.col("start_day") > reached + 1).fill_null(True).cum_sum().alias("run")
    )
    runs = ordered.group_by("participant_id", "run").agg(pl.col("start_day").min().alias("day"), pl.col("stop_day").max())
    long = runs.filter(pl.col("stop_day") - pl.col("day") + 1 > days)
    return long.group_by("participant_id").agg(pl.col("day").min())


def _checked(frame: pl.DataFrame, place: str) -> pl.DataFrame:
    faults = [Fault(place, f"The column {name} is missing.", "Name it in the mapping.") for name in _NEEDS if name not in frame.columns]
    if faults:
        raise InvalidInput(faults)
    frame = frame if "entry_day" in frame.columns else frame.with_columns(entry_day=pl.lit(0.0))
    rows = frame.with_columns(pl.col("start_day", "stop_day", "hours_per_day", "entry_day").cast(pl.Float64))
    hours = pl.col("hours_per_day")
    outside = rows.filter(hours.is_nan() | (hours < 0) | (hours > HOURS_PER_DAY)).height
    backward = rows.filter(pl.col("stop_day").floor() < pl.col("start_day").floor()).height
    endless = rows.filter(~(pl.col("start_day").is_finite() & pl.col("stop_day").is_finite())).height
    for count, message, remedy in (
        (outside, "intervals have hours per day outside 0 to 24", "Give hours per day, or leave the cell empty when unknown."),
        (backward, "intervals stop before they start", "Correct the days or leave the interval out."),
        (endless, "intervals have an infinite day", "Leave a day that is not known empty."),
    ):
        if count:
            faults.append(Fault(place, f"{count} {message}.", remedy))
    if faults:
        raise InvalidInput(faults)
    return rows
