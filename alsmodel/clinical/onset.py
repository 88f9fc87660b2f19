"""How precisely onset is known, and what that leaves open in delta-FRS.

Onset is often known to the month or the year only. The day that stands in for it follows a convention: the 15th
when the day of the month is unknown (HEALEY ALS platform trial, M-SAP v3.0, 2023, supplement 2 of Berry et al., JAMA
2025, doi 10.1001/jama.2024.27643), and 1 July when the month is unknown too (a convention of this package). The days
that the record allows around it, from the first to the last of that month or year, bound delta-FRS.
"""

from typing import Literal

import polars as pl

from alsmodel.clinical.alsfrs import MAX_TOTAL, delta_frs

type Precision = Literal["day", "month", "year"]

PRECISIONS: tuple[str, ...] = ("day", "month", "year")

#: Precision -> most days by which the true onset may lie before and after the day that stands in for it:
#: 1st and 31st around the 15th; 1 January of a leap year and 31 December around 1 July.
WIDTH: dict[str, tuple[int, int]] = {"day": (0, 0), "month": (14, 16), "year": (182, 183)}


def _date(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Return the date, null where there is no such day."""
    # `pl.date` would refuse the whole column for one 30 February.
    parts = (part.cast(pl.Int32).cast(pl.String) for part in (year, month, day))
    return pl.concat_str(*parts, separator="-").str.to_date("%Y-%m-%d", strict=False)


def onset_date(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Return the date that stands in for an onset known in part, with its precision.

    Parameters
    ----------
    year, month, day : polars.Expr
        Integers; null where unknown. A day without a month is not used.

    Returns
    -------
    polars.Expr
        Struct of ``date``, ``precision`` ("day", "month", "year"), ``earliest`` and ``latest`` (dates); all null
        without a year, and the dates null where there is no such day.
    """
    known_day = day.is_not_null() & month.is_not_null()
    precision = pl.when(known_day).then(pl.lit("day")).when(month.is_not_null()).then(pl.lit("month")).otherwise(pl.lit("year"))
    fifteenth, first, twelfth = pl.lit(15), pl.lit(1), pl.lit(12)
    stands = _date(year, month.fill_null(7), pl.when(known_day).then(day).when(month.is_not_null()).then(fifteenth).otherwise(first))
    earliest = _date(year, month.fill_null(first), pl.when(known_day).then(day).otherwise(first))
    latest = pl.when(known_day).then(earliest).otherwise(_date(year, month.fill_null(twelfth), first).dt.month_end())
    given = year.is_not_null()
    parts = {"date": stands, "precision": precision, "earliest": earliest, "latest": latest}
    return pl.struct(pl.when(given).then(part).alias(name) for name, part in parts.items())


def onset_window(onset_day: pl.Expr, precision: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return the earliest and latest day of onset around the day that stands in for it.

    Parameters
    ----------
    onset_day : polars.Expr
        Days from the time origin, placed by the convention above.
    precision : polars.Expr
        "day", "month" or "year"; anything else, and null, leaves both bounds null.

    Notes
    -----
    Without the calendar the longest month and the longest half year are assumed. With the date, `onset_date`
    gives exact bounds.
    """
    before = precision.replace_strict({name: width[0] for name, width in WIDTH.items()}, default=None, return_dtype=pl.Int32)
    after = precision.replace_strict({name: width[1] for name, width in WIDTH.items()}, default=None, return_dtype=pl.Int32)
    return onset_day - before, onset_day + after


def delta_frs_interval(total: pl.Expr, day: pl.Expr, onset_day: pl.Expr, earliest: pl.Expr, latest: pl.Expr) -> pl.Expr:
    """Return delta-FRS with the lowest and highest value that the precision of onset allows.

    .. math:: (48 - total) / months \\; since \\; onset, \\quad onset \\in [earliest, latest]

    Parameters
    ----------
    total : polars.Expr
        ALSFRS-R total on 48 points.
    day : polars.Expr
        Day of that total.
    onset_day, earliest, latest : polars.Expr
        Day that stands in for onset, and its bounds, on the same axis.

    Returns
    -------
    polars.Expr
        Struct of ``value``, ``low`` and ``high``, points per month. ``value`` is null unless onset lies before `day`.
        ``high`` is null (unbounded) when onset may be as late as `day` and points are lost, and ``low`` when no
        onset before `day` is possible.
    """
    value = delta_frs(total, day - onset_day)
    low = delta_frs(total, day - earliest)
    nothing_lost = (total == MAX_TOTAL) & (day > earliest)
    high = pl.when(nothing_lost).then(0.0).otherwise(delta_frs(total, day - latest))
    return pl.struct(value=value, low=low, high=high)
