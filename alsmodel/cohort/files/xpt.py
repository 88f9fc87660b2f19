"""SAS transport files (XPT, versions 5 and 8) to frames of text; a file that was cut off is refused, not read in part.

A transport file does not say how many rows it has. What shows that it is whole: its length is a number of records of 80 bytes, and
nothing but blanks follows the last full row. Layout of the records: SAS Institute, technical paper TS-140, "The Record Layout of
a Data Set in SAS Transport (XPORT) Format".
"""

import io
import re
import struct
from pathlib import Path

import polars as pl

from alsmodel.cohort.files.table import FrameTable, TextTable, file_bytes
from alsmodel.errors import Fault

RECORD = 80
_LIBRARY = re.compile(rb"HEADER RECORD\*{7}LIB(?:RARY|V8  ) HEADER RECORD!{7}")
_MEMBER = re.compile(rb"HEADER RECORD\*{7}MEMB(?:ER |V8 ) HEADER RECORD!{7}")
_NAMES = b"HEADER RECORD*******NAMESTR HEADER RECORD!!!!!!!"
_ROWS = b"HEADER RECORD*******OBS     HEADER RECORD!!!!!!!"
_NAME_LENGTH = 140
#: SAS counts days and seconds from 1960-01-01: microseconds from there to 1970-01-01, which is 3,653 days later.
_EPOCH = -3653 * 86_400_000_000
_REMEDY = "Export the data set again with the XPORT engine, one data set in each file."

#: Formats, without their width, that show a number as a date, as a date with time, and as a time of day.
_DATES = (
    *("DATE", "DAY", "DDMMYY", "DDMMYYB", "DDMMYYC", "DDMMYYD", "DDMMYYN", "DDMMYYP", "DDMMYYS", "E8601DA", "B8601DA", "IS8601DA"),
    *("MMDDYY", "MMDDYYB", "MMDDYYC", "MMDDYYD", "MMDDYYN", "MMDDYYP", "MMDDYYS", "MONYY", "NENGO", "JULIAN", "JULDAY", "WEEKDATE"),
    *("WEEKDATX", "WORDDATE", "WORDDATX", "YYMMDD", "YYMMDDB", "YYMMDDC", "YYMMDDD", "YYMMDDN", "YYMMDDP", "YYMMDDS", "YYMM", "YYMON"),
)
_DATES_WITH_TIME = ("DATETIME", "DATEAMPM", "DTDATE", "E8601DT", "B8601DT", "IS8601DT", "MDYAMPM", "E8601DN", "B8601DN", "IS8601DN")
_TIMES = ("TIME", "TIMEAMPM", "TOD", "HHMM", "E8601TM", "B8601TM", "IS8601TM")


def open_xpt(path: Path, faults: list[Fault], sheet: str = "") -> TextTable | None:
    """Read a SAS transport file as text; add to `faults` and return None when that cannot be done.

    Parameters
    ----------
    path : Path
    faults : list of Fault
    sheet : str
        Not used: a transport file that holds several data sets is refused.

    Notes
    -----
    Text is without its trailing blanks, and empty text is missing, since the format has no missing text. Whole numbers
    have no decimal point; dates are ISO 8601.
    """
    read = file_bytes(path, faults)
    if read is None:
        return None
    data, sha256 = read
    problem = _structure(data)
    if problem is not None:
        faults.append(Fault(path.name, problem, _REMEDY))
        return None
    # Slow to import, and needed for these files only.
    import pyreadstat

    try:
        frame, told = pyreadstat.read_xport(io.BytesIO(data), output_format="polars", disable_datetime_conversion=True)
    except (pyreadstat.ReadstatError, UnicodeDecodeError, ValueError, OverflowError):
        faults.append(Fault(path.name, "cannot be read as a SAS transport file.", _REMEDY))
        return None
    names = [str(name) for name in frame.columns]
    if len(set(names)) != len(names) or not names:
        faults.append(Fault(path.name, "has no columns, or two of one name.", _REMEDY))
        return None
    formats = {name: told.original_variable_types.get(name) or "" for name in names}
    text = frame.select(_as_text(frame[name], formats[name]) for name in names)
    labels = {name: label for name, label in told.column_names_to_labels.items() if label}
    return FrameTable(path.name, sha256, text, first_line=1, labels=labels)


def _structure(data: bytes) -> str | None:
    """Return what is wrong with the records of a transport file, or None."""
    if not _LIBRARY.match(data):
        return "is not a SAS transport file."
    if len(data) % RECORD:
        return "was cut off: its length is no number of records of 80 bytes."
    members = sum(found.start() % RECORD == 0 for found in _MEMBER.finditer(data))
    if members > 1:
        return f"holds {members} data sets; one in each file is read."
    if not members:
        return "was cut off: it holds no data set."
    names, rows = _aligned(data, _NAMES), _aligned(data, _ROWS)
    if names is None or rows is None:
        # Version 8 has other headers; the library that reads it checks them.
        return None if data.startswith(b"HEADER RECORD*******LIBV8") else "was cut off: its columns are not all described."
    return _whole_rows(data, names, rows)


def _whole_rows(data: bytes, names: int, rows: int) -> str | None:
    """Say whether the rows end where a row ends: nothing but blanks in what is left."""
    count = data[names + 54 : names + 58]
    described = data[names + RECORD : rows]
    if not count.isdigit() or len(described) < int(count) * _NAME_LENGTH:
        return "was cut off: its columns are not all described."
    lengths = [struct.unpack_from(">h", described, column * _NAME_LENGTH + 4)[0] for column in range(int(count))]
    width = sum(lengths)
    if width <= 0 or min(lengths) <= 0:
        return "describes a column without width."
    left = (len(data) - rows - RECORD) % width
    return "was cut off within a row." if data[len(data) - left :].strip() else None


def _aligned(data: bytes, mark: bytes) -> int | None:
    """Return where the first record that begins with `mark` begins."""
    place = data.find(mark)
    while place >= 0 and place % RECORD:
        place = data.find(mark, place + 1)
    return place if place >= 0 else None


def _as_text(cells: pl.Series, written: str) -> pl.Series:
    """Return the cells as text: dates by their format, whole numbers without a decimal point, empty text as null."""
    if cells.dtype == pl.String:
        text = cells.str.strip_chars_end()
        return text.set(text == "", None)
    number = cells.cast(pl.Float64)
    kind = written.upper().rstrip("0123456789.")
    if kind in _DATES:
        return _moment(number, 86400, "%Y-%m-%d")
    if kind in _DATES_WITH_TIME:
        return _moment(number, 1, "%Y-%m-%dT%H:%M:%S%.f")
    if kind in _TIMES:
        return _moment(number, 1, "%H:%M:%S%.f")
    return number_text(number)


def _moment(number: pl.Series, seconds: int, shown: str) -> pl.Series:
    """Return days or seconds since 1960 as ISO 8601; what lies outside years 1 to 9999 stays a number."""
    limits = (-60_000_000_000, 250_000_000_000)
    counted = (number * seconds).round(3)
    sane = counted.is_between(*limits)
    micro = (counted.set(~sane.fill_null(False), None) * 1e6).round(0).cast(pl.Int64)
    text: pl.Series = (micro + _EPOCH).cast(pl.Datetime("us")).dt.to_string(shown)
    return text.zip_with(text.is_not_null(), number_text(number)).alias(number.name)


def number_text(number: pl.Series) -> pl.Series:
    """Return numbers as the shortest text that reads back as the same number; whole numbers without a decimal point."""
    whole = (number == number.round(0)) & (number.abs() < 2.0**53)
    integers = number.set(~whole.fill_null(False), None).cast(pl.Int64).cast(pl.String)
    return integers.zip_with(integers.is_not_null(), number.cast(pl.String)).alias(number.name)
