"""Study days and dates of CDISC to one date per cell, from which the forms count days.

SDTM's study day 1 is the day of DM.RFSTDTC, and the day before it is day -1: there is no day 0 (SDTM Implementation Guide 3.3, 4.4.4).
The cohort's day 0 is that day 1. Where both are given the study day is used, and a date that disagrees is listed; an incomplete
date stays incomplete, so that how exactly an onset is known is not lost.
"""

from dataclasses import dataclass
from typing import final

import polars as pl

from alsmodel.cohort.cdisc.domain import PARTICIPANT, Domain
from alsmodel.cohort.cells import FARTHEST_DAY
from alsmodel.cohort.forms.clock import Clock
from alsmodel.cohort.forms.mapping import TimeMap

#: Day 0 of participants for whom the source gives study days and no date at all; it never reaches the cohort.
NOMINAL = "2000-01-01"
_CLOCK = Clock(TimeMap(unit="date", origin="first assessment"))
#: A month that is missing between the year and the day, as in 2003---15: only the year is known.
_NO_MONTH = r"^(\d{4})---\d{2}.*$"
_TIME = r"T.*$"


@final
@dataclass(frozen=True)
class Origins:
    """Day 0 of each participant.

    Attributes
    ----------
    table : polars.DataFrame
        USUBJID, _day (days since 1970-01-01), _real (false where the source has none and study days only can be used).
    """

    table: pl.DataFrame

    @classmethod
    def of(cls, domain: Domain, *names: str) -> "Origins":
        """Take the first of some date variables of the data set of participants; the effective date is put under the first name."""
        text = tidy(domain.first(*names))
        day = _CLOCK.own(text)
        rough = _CLOCK.precision(text).is_in(["month", "year"])
        domain.flag("date_incomplete", rough, column=names[0])
        domain.flag("date_unreadable", text.is_not_null() & day.is_null(), column=names[0])
        nominal = _CLOCK.own(pl.Series([NOMINAL]))[0]
        table = pl.DataFrame({PARTICIPANT: domain.get(PARTICIPANT), "_day": day.fill_null(nominal), "_real": day.is_not_null()})
        domain.put(names[0], text_of_days(table["_day"]))
        return cls(table.drop_nulls(PARTICIPANT).unique(PARTICIPANT, keep="first", maintain_order=True))

    def for_rows(self, domain: Domain) -> pl.DataFrame:
        """Return _day and _real of the participant of each row."""
        return domain.frame.select(PARTICIPANT).join(self.table, on=PARTICIPANT, how="left", maintain_order="left")


def tidy(text: pl.Series) -> pl.Series:
    """Return ISO 8601 dates without their time of day; an unknown month leaves the year."""
    return text.str.replace(_TIME, "").str.replace(_NO_MONTH, "${1}")


def dates(domain: Domain, date: str, study_day: str, origins: Origins, rows: pl.Series | None = None) -> pl.Series:
    """Return one date text per row from a date and a study day.

    Parameters
    ----------
    domain : Domain
    date, study_day : str
        Variables, such as "--DTC" and "--DY".
    origins : Origins
    rows : polars.Series, optional
        Rows that are looked at; the others are null and are not flagged.
    """
    looked = pl.repeat(True, domain.frame.height, dtype=pl.Boolean, eager=True) if rows is None else rows.fill_null(False)
    looked = looked & ~domain.aside
    text, counted = tidy(domain.get(date)), domain.number(study_day)
    domain.flag("not_a_number", looked & domain.get(study_day).is_not_null() & counted.is_null(), column=study_day)
    domain.flag("study_day_zero", looked & (counted == 0), column=study_day)
    domain.flag("value_implausible", looked & (counted.abs() > FARTHEST_DAY), column=study_day)
    counted = counted.set((counted == 0) | (counted.abs() > FARTHEST_DAY), None)
    start = origins.for_rows(domain)
    real = start["_real"].fill_null(False)
    own, precise = _CLOCK.own(text), _CLOCK.precision(text)
    whole = precise == "day"
    from_day = start["_day"] + counted - (counted > 0).cast(pl.Float64)
    domain.flag("day_differs", looked & whole & real & (own != from_day), column=study_day)
    # A date without an origin to count from says nothing, unless the study day does.
    lost = looked & text.is_not_null() & ~real & from_day.is_null() & domain.get(PARTICIPANT).is_not_null()
    domain.flag("origin_missing", lost, column=date)
    text = text.set(~real, None)
    domain.flag("date_unreadable", looked & text.is_not_null() & own.is_null() & from_day.is_not_null(), column=date)
    partial = (text.is_not_null() & precise.is_in(["month", "year"]).fill_null(False)) | from_day.is_null()
    made = text.zip_with(partial, text_of_days(from_day))
    return made.set(~looked, None)


def day_numbers(text: pl.Series) -> pl.Series:
    """Return dates as days since 1970-01-01, incomplete ones by the rule of the forms."""
    return _CLOCK.own(text)


def text_of_days(day: pl.Series) -> pl.Series:
    """Return days since 1970-01-01 as ISO 8601 dates."""
    return day.round(0).cast(pl.Int32).cast(pl.Date).cast(pl.String)


def put_dates(domain: Domain, date: str, study_day: str, origins: Origins, rows: pl.Series | None = None) -> None:
    """Put the date of each row where the forms read `date`; faults are said to be in the variable that the data set has."""
    domain.put(date, dates(domain, date, study_day, origins, rows), seen_as=date if domain.has(date) else study_day)
