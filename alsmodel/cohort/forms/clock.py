"""A source's columns of time to days from each participant's time origin: numbers in any unit, or calendar dates.

An incomplete date stands for the middle of what it may be: the 15th of a month (HEALEY ALS platform trial, M-SAP v3.0, for
onset), 1 July of a year; the cell is flagged. A format that could be read in two ways is never guessed.
"""

from dataclasses import dataclass, replace
from typing import final

import polars as pl

from alsmodel.clinical.units import DAYS_PER_UNIT
from alsmodel.cohort.cells import DAY_RANGE, finite_series
from alsmodel.cohort.forms.mapping import TimeMap
from alsmodel.cohort.ledger import Ledger

_TIME_OF_DAY = r"[T ]\d{1,2}(?::\d{2}.*)?$"
_MONTH_ONLY = r"^\d{4}-\d{2}(?:--?|-[uU][nN][kK]?)?$"
_YEAR_ONLY = r"^\d{4}(?:---?)?$"


@final
@dataclass(frozen=True)
class Clock:
    """How one source counts time.

    Attributes
    ----------
    time : TimeMap
    origin : polars.DataFrame or None
        participant_id, origin (in the source's own days): what is taken off, once it is known.
    """

    time: TimeMap
    origin: pl.DataFrame | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the source already counts days from the time origin."""
        return self.time.unit == "day" and self.origin is None and not self.time.skips_zero

    def own(self, text: pl.Series) -> pl.Series:
        """Return the source's own days (for dates: days since 1970-01-01), null where the text is no time."""
        if self.time.unit != "date":
            number = finite_series(text) * DAYS_PER_UNIT[self.time.unit]
            return (number - 1).zip_with((number > 0).fill_null(False), number) if self.time.skips_zero else number
        plain = text.str.strip_chars().str.replace(_TIME_OF_DAY, "")
        day = plain.str.to_date("%Y-%m-%d", strict=False)
        for written in self.time.formats:
            day = day.zip_with(day.is_not_null(), plain.str.to_date(written, strict=False))
        month = plain.str.contains(_MONTH_ONLY).fill_null(False)
        year = plain.str.contains(_YEAR_ONLY).fill_null(False)
        middle = pl.DataFrame({"text": plain, "month": month, "year": year}).select(
            pl.when("month").then(pl.col("text").str.slice(0, 7) + "-15").when("year").then(pl.col("text").str.slice(0, 4) + "-07-01")
        )
        day = day.zip_with(day.is_not_null(), middle.to_series().str.to_date("%Y-%m-%d", strict=False))
        return day.to_physical().cast(pl.Float64)

    def precision(self, text: pl.Series) -> pl.Series:
        """Return "day", "month" or "year" for each cell that is a time, by what it says."""
        known = self.own(text).is_not_null()
        if self.time.unit != "date":
            return pl.DataFrame({"known": known}).select(pl.when("known").then(pl.lit("day"))).to_series()
        plain = text.str.strip_chars()
        frame = pl.DataFrame({"known": known, "month": plain.str.contains(_MONTH_ONLY), "year": plain.str.contains(_YEAR_ONLY)})
        exact = pl.when("month").then(pl.lit("month")).when("year").then(pl.lit("year")).otherwise(pl.lit("day"))
        return frame.select(pl.when("known").then(exact)).to_series()

    def days(self, frame: pl.DataFrame, names: tuple[str, ...], ledger: Ledger, written: dict[str, str]) -> pl.DataFrame:
        """Turn text columns into days from the time origin; what is no time, or has no origin, is flagged and becomes null."""
        for name in names:
            text = frame[name]
            own = self.own(text)
            lost = text.is_not_null() & own.is_null()
            rule = "date_unreadable" if self.time.unit == "date" else "not_a_number"
            if lost.any():
                ledger.flag(rule, frame.filter(lost), column=written.get(name, name))
            if self.time.unit == "date":
                rough = own.is_not_null() & self.precision(text).is_in(["month", "year"])
                if rough.any():
                    ledger.flag("date_incomplete", frame.filter(rough), column=written.get(name, name))
            frame = frame.with_columns(own.alias(name))
            frame = self._from_origin(frame, name, ledger, written)
        return self._in_range(frame, names, ledger, written)

    def _from_origin(self, frame: pl.DataFrame, name: str, ledger: Ledger, written: dict[str, str]) -> pl.DataFrame:
        if self.origin is None:
            return frame
        joined = frame.join(self.origin, on="participant_id", how="left", maintain_order="left")
        lacking = joined["origin"].is_null() & joined[name].is_not_null()
        if lacking.any():
            ledger.flag("origin_missing", frame.filter(lacking), column=written.get(name, name))
        return frame.with_columns((joined[name] - joined["origin"]).alias(name))

    def _in_range(self, frame: pl.DataFrame, names: tuple[str, ...], ledger: Ledger, written: dict[str, str]) -> pl.DataFrame:
        low, high = DAY_RANGE
        for name in names:
            beyond = ~frame[name].is_between(low, high)
            if beyond.any():
                detail = "more than 100 years from the time origin; the cell counts as missing"
                ledger.flag("value_implausible", frame.filter(beyond.fill_null(False)), column=written.get(name, name), detail=detail)
                frame = frame.with_columns(pl.when(pl.col(name).is_between(low, high)).then(pl.col(name)).alias(name))
        return frame

    def at(self, origin: pl.DataFrame) -> "Clock":
        """Return the clock that counts from `origin` (participant_id, origin)."""
        return replace(self, origin=origin)
