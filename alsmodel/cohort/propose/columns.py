"""The columns of a file as a proposal looks at them: names, kinds of value, ranges; never a participant's value on its own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import final

import polars as pl

from alsmodel.cohort.cells import finite_series
from alsmodel.cohort.raw import NULLS

#: A word of a column is written into a proposal only when the column has few different ones, and each stands for several
#: participants: then it is a category of the form, not something said of one person.
MOST_LEVELS, FEWEST_PARTICIPANTS = 12, 5
#: Codes that say nothing of anybody until somebody says what they mean.
_CODE = re.compile(r"-?\d{1,2}(?:\.0)?")
#: Share of cells that must be as expected, so that a few wrong ones hide nothing.
MOSTLY = 0.9

_DAY_FIRST, _MONTH_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y"), ("%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y")
_OTHER = ("%Y/%m/%d", "%d-%b-%Y", "%d %b %Y", "%d%b%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%Y%m%d")
_ISO = r"^\d{4}(?:-\d{2}(?:-\d{2})?)?$"
_SHORT_YEAR = r"^\d{1,2}[/.-]\d{1,2}[/.-]\d{2}$"
_TIME_OF_DAY = r"[T ]\d{1,2}:\d{2}.*$"


@final
@dataclass(frozen=True)
class Dates:
    """How the cells of a column can be read as dates.

    Attributes
    ----------
    formats : tuple of str
        Formats that read nearly every cell, as in strftime; two when day and month cannot be told apart; none for ISO 8601.
    """

    formats: tuple[str, ...] = ()

    @property
    def is_ambiguous(self) -> bool:
        """Whether day and month cannot be told apart."""
        return len(self.formats) > 1


@final
@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        As written.
    text : polars.Series
        Its cells, missing ones null, without blanks around them.
    """

    name: str
    text: pl.Series = field(repr=False)

    @cached_property
    def key(self) -> str:
        """The name in lower case, words separated by single underscores."""
        spaced = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", self.name)
        return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")

    @cached_property
    def flat(self) -> str:
        """The name in lower case without what separates words."""
        return self.key.replace("_", "")

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of the name."""
        return frozenset(self.key.split("_"))

    @cached_property
    def filled(self) -> int:
        """Cells that are not missing."""
        return len(self.text) - self.text.null_count()

    @cached_property
    def numbers(self) -> pl.Series:
        """The cells that are numbers."""
        return finite_series(self.text).drop_nulls()

    @cached_property
    def is_number(self) -> bool:
        """Whether nearly every cell is a number."""
        return self.filled > 0 and len(self.numbers) >= MOSTLY * self.filled

    def lies_within(self, low: float, high: float) -> bool:
        """Say whether nearly every cell is a number between `low` and `high`."""
        return self.is_number and int(self.numbers.is_between(low, high).sum()) >= MOSTLY * self.filled

    @cached_property
    def is_score(self) -> bool:
        """Whether the cells look like item scores 0 to 4; a column without a cell may be one."""
        if not self.filled:
            return True
        fits = self.numbers.is_between(0, 4) & (self.numbers == self.numbers.round(0))
        return int(fits.sum()) >= MOSTLY * self.filled

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """The different cells in lower case, in order; empty when there are many."""
        lower = self.text.drop_nulls().str.to_lowercase()
        return tuple(lower.unique().sort().to_list()) if lower.n_unique() <= MOST_LEVELS else ()

    def shown_levels(self, participants: pl.Series | None) -> tuple[str, ...]:
        """Return the levels that a proposal may name: codes, and words that stand for several participants each."""
        if not self.levels:
            return ()
        who = participants if participants is not None else pl.Series(range(len(self.text)))
        frame = pl.DataFrame({"word": self.text.str.to_lowercase(), "who": who}).drop_nulls()
        counted = frame.group_by("word").agg(pl.col("who").n_unique())
        often = set(counted.filter(pl.col("who") >= FEWEST_PARTICIPANTS)["word"])
        words = [word for word in self.levels if not _CODE.fullmatch(word)]
        if not often.issuperset(words):
            return tuple(word for word in self.levels if _CODE.fullmatch(word))
        return self.levels

    @cached_property
    def dates(self) -> Dates | None:
        """How the cells are dates, None where they are none (or none that can be read safely)."""
        plain = self.text.drop_nulls().str.replace(_TIME_OF_DAY, "").unique()
        if not len(plain) or (self.is_number and not plain.str.contains(r"^(?:19|20)\d{6}$").all()):
            return None
        enough = MOSTLY * len(plain)
        if int(plain.str.contains(_ISO).sum()) >= enough:
            return Dates()
        if int(plain.str.contains(_SHORT_YEAR).sum()) >= enough:
            return None
        fits = {written: _readable(plain, written) for written in (*_DAY_FIRST, *_MONTH_FIRST, *_OTHER)}
        best = max(fits.values())
        if best < enough:
            return None
        for day_first, month_first in zip(_DAY_FIRST, _MONTH_FIRST, strict=True):
            if min(fits[day_first], fits[month_first]) >= enough:
                return Dates((day_first, month_first))
        return Dates((next(written for written, fit in fits.items() if fit == best),))

    @property
    def is_year(self) -> bool:
        """Whether the cells are years alone."""
        return self.lies_within(1900, 2100) and int((self.numbers == self.numbers.round(0)).sum()) == len(self.numbers)

    @cached_property
    def has_short_years(self) -> bool:
        """Whether the cells look like dates with two-digit years, which no century can be given."""
        cells = self.text.drop_nulls()
        return len(cells) > 0 and int(cells.str.contains(_SHORT_YEAR).sum()) >= MOSTLY * len(cells)

    @property
    def is_time(self) -> bool:
        """Whether the cells can be times: dates, or numbers."""
        return self.dates is not None or self.is_number

    @property
    def is_date(self) -> bool:
        """Whether the cells are dates."""
        return self.dates is not None


def _readable(cells: pl.Series, written: str) -> int:
    """Count the cells that are dates in a format, of this and the last centuries: a two-digit year read as four is none."""
    years = cells.str.to_date(written, strict=False).dt.year().drop_nulls()
    return int(years.is_between(1850, 2150).sum())


@final
@dataclass(frozen=True)
class Sheet:
    """One table of the source.

    Attributes
    ----------
    file, sheet : str
        Name of the file, and of the sheet where the file has sheets.
    columns : tuple of Column
    participant : Column or None
        The column that names the participant.
    """

    file: str
    sheet: str
    columns: tuple[Column, ...]
    participant: Column | None

    @property
    def name(self) -> str:
        """The file's name, with its sheet."""
        return f"{self.file}[{self.sheet}]" if self.sheet else self.file

    @cached_property
    def rows_repeat(self) -> bool:
        """Whether a participant has several rows."""
        return self.participant is not None and self.participant.text.drop_nulls().is_duplicated().any()

    def is_fact(self, *columns: Column) -> bool:
        """Say whether nearly every participant has one and the same entry in `columns` together, wherever it is filled."""
        if self.participant is None:
            return True
        frame = pl.DataFrame({"who": self.participant.text, **{f"{i}": column.text for i, column in enumerate(columns)}})
        names = [f"{i}" for i in range(len(columns))]
        entries = frame.filter(pl.col("who").is_not_null() & pl.any_horizontal(pl.col(names).is_not_null())).unique()
        if not entries.height:
            return True
        several = entries.group_by("who").len().filter(pl.col("len") > 1).height
        return several <= (1 - MOSTLY) * entries["who"].n_unique()


def columns_of(frame: pl.DataFrame, names: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns of a frame of text, under the names of the file."""
    nulls = [*NULLS, "NaN", "nan", "null", "NULL", "None", "N/A", "n/a", "#N/A"]
    columns = []
    for name, series in zip(names, frame, strict=True):
        text = series.str.strip_chars()
        kept = pl.when(~pl.col("x").is_in(nulls)).then(pl.col("x"))
        columns.append(Column(name, text.alias("x").to_frame().select(kept).to_series()))
    return tuple(columns)
