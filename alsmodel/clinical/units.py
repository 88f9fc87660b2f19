"""Units of time, mass and length, each defined once.

The international pound is 0.45359237 kg and the international inch 2.54 cm, both exactly (agreement of
1 July 1959; NIST Special Publication 811, 2008 edition, appendix B.8). A month is a twelfth of a Julian
year of 365.25 days, the convention of the HEALEY platform trial's delta-FRS (M-SAP v3.0:
months = days x 12/365.25).
"""

import polars as pl

DAYS_PER_WEEK = 7.0
DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = DAYS_PER_YEAR / 12

#: Unit of time -> days.
DAYS_PER_UNIT: dict[str, float] = {
    "day": 1.0,
    "week": DAYS_PER_WEEK,
    "month": DAYS_PER_MONTH,
    "year": DAYS_PER_YEAR,
}

KG_PER_LB = 0.45359237
CM_PER_INCH = 2.54


def months(day: pl.Expr) -> pl.Expr:
    """Return days as months of 365.25/12 days."""
    return day / DAYS_PER_MONTH


def kilograms_from_pounds(value: pl.Expr) -> pl.Expr:
    """Return pounds as kilograms."""
    return value * KG_PER_LB


def centimetres_from_inches(value: pl.Expr) -> pl.Expr:
    """Return inches as centimetres."""
    return value * CM_PER_INCH


def celsius_from_fahrenheit(value: pl.Expr) -> pl.Expr:
    """Return degrees Fahrenheit as degrees Celsius."""
    return (value - 32.0) * (5.0 / 9.0)
