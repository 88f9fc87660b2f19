"""Dataset-JSON 1.1 (.json) and its form with a row per line (.ndjson) to frames of text.

Rows become text a few thousand at a time, so that a large file is never held as Python objects; every fault of its structure is
listed with the line and the column. Standard: CDISC, Dataset-JSON version 1.1, https://www.cdisc.org/standards/data-exchange/dataset-json
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import polars as pl

from alsmodel.cohort.files.table import FrameTable, TextTable, file_bytes
from alsmodel.cohort.files.xpt import number_text
from alsmodel.errors import Fault

_CHUNK = 5000
#: Faults of one file beyond these are counted, not listed.
_MOST_FAULTS = 20
_REQUIRED = ("datasetJSONCreationDateTime", "datasetJSONVersion", "itemGroupOID", "records", "name", "label", "columns")
_OF_A_COLUMN = ("itemOID", "name", "label", "dataType")
_VERSION = re.compile(r"1\.1(?:\.\d+)?")
_TEXT, _NUMBER = ("string", "datetime", "date", "time", "URI"), ("integer", "decimal", "float", "double")
DATA_TYPES = (*_TEXT, *_NUMBER, "boolean")
_REMEDY = "Export the data set again as Dataset-JSON 1.1."
_BLANK = re.compile(r"[ \t\r\n]*")


def open_dataset_json(path: Path, faults: list[Fault], sheet: str = "") -> TextTable | None:
    """Read a Dataset-JSON file as text; add every fault to `faults` and return None when there is one.

    Parameters
    ----------
    path : Path
        Ending in .json or .ndjson.
    faults : list of Fault
    sheet : str
        Not used: a file holds one data set.

    Notes
    -----
    Text is without its trailing blanks and empty text is missing, as in a transport file, so that the same data read alike.
    """
    read = file_bytes(path, faults)
    if read is None:
        return None
    data, sha256 = read
    found = _Reading(path.name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        faults.append(Fault(path.name, "is not UTF-8.", _REMEDY))
        return None
    del data
    try:
        (_read_lines if path.suffix.lower() == ".ndjson" else _read_object)(text, found)
        frame = found.finished()
    except _Broken as broken:
        found.fault(broken.line, "", broken.message)
        frame = None
    faults += found.listed()
    if frame is None or found.count:
        return None
    labels = {str(column["name"]): str(column["label"]) for column in found.columns}
    return FrameTable(path.name, sha256, frame, first_line=1, labels=labels)


@final
class _Broken(Exception):
    """Text that is no JSON from some line on."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


@final
@dataclass
class _Reading:
    """What has been read of a file, and what was wrong with it."""

    file: str
    about: dict[str, Any] = field(default_factory=dict)
    columns: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    count: int = 0
    rows: int = 0
    has_rows: bool = False
    _waiting: list[tuple[int, Any]] = field(default_factory=list)
    _parts: list[pl.DataFrame] = field(default_factory=list)

    def fault(self, line: int | None, column: str, message: str) -> None:
        """Add a fault; those beyond the first are only counted."""
        self.count += 1
        if self.count <= _MOST_FAULTS:
            place = ":".join(str(part) for part in (self.file, line, column) if part not in (None, ""))
            self.faults.append(Fault(place, message, _REMEDY))

    def listed(self) -> list[Fault]:
        """Return the faults, with one that counts those not listed."""
        more = self.count - len(self.faults)
        return [*self.faults, *([Fault(self.file, f"has {more} further faults of structure.", _REMEDY)] if more else [])]

    def describe(self, about: dict[str, Any]) -> None:
        """Take what the file says of its data set."""
        self.about = about
        for name in _REQUIRED:
            if name not in about:
                self.fault(None, "", f"does not give {name}.")
        if "datasetJSONVersion" in about and not _VERSION.fullmatch(str(about["datasetJSONVersion"])):
            self.fault(None, "", "is of another version of Dataset-JSON than 1.1.")
        columns = about.get("columns")
        if columns is not None and (not isinstance(columns, list) or not columns):
            self.fault(None, "", "has no list of columns.")
            columns = None
        self.columns = [column for place, column in enumerate(columns or [], 1) if self._described(place, column)]
        names = [column["name"] for column in self.columns]
        for name in {name for name in names if names.count(name) > 1}:
            self.fault(None, name, "two columns have this name.")
        if self.count:
            # Without its columns no row can be read; what is wrong above says enough.
            self.columns = []

    def _described(self, place: int, column: object) -> bool:
        if not isinstance(column, dict) or not all(isinstance(column.get(name), str) for name in _OF_A_COLUMN):
            self.fault(None, f"columns[{place}]", f"needs {', '.join(_OF_A_COLUMN)}, all text.")
            return False
        if column["dataType"] not in DATA_TYPES:
            self.fault(None, column["name"], f"has an unknown dataType; known are {', '.join(DATA_TYPES)}.")
        return True

    def add(self, line: int, row: object) -> None:
        """Take a row."""
        self.rows += 1
        self._waiting.append((line, row))
        if len(self._waiting) >= _CHUNK and self.columns:
            self._flush()

    def _flush(self) -> None:
        width = len(self.columns)
        good: list[list[Any]] = []
        for line, row in self._waiting:
            if not isinstance(row, list):
                self.fault(line, "", "a row that is no list of cells.")
            elif len(row) != width:
                self.fault(line, "", f"a row of {len(row)} cells for {width} columns.")
            else:
                good.append(row)
        cells = list(zip(*good, strict=True)) if good else [()] * width
        for place, column in enumerate(self.columns):
            self._check(column, cells[place], good)
        if not self.count:
            self._parts.append(pl.DataFrame([_as_text(column, cells[place]) for place, column in enumerate(self.columns)]))
        self._waiting.clear()

    def _check(self, column: dict[str, Any], cells: tuple[Any, ...], good: list[list[Any]]) -> None:
        fits = _FITS[column["dataType"]]
        if all(map(fits, cells)):
            return
        lines = {id(row): line for line, row in self._waiting}
        for row, cell in zip(good, cells, strict=True):
            if not fits(cell):
                self.fault(lines[id(row)], column["name"], f"a cell of another type than {column['dataType']}.")

    def finished(self) -> pl.DataFrame | None:
        """Return all rows, or None when something is wrong."""
        if self.columns:
            self._flush()
            records = self.about.get("records")
            if records != self.rows:
                self.fault(None, "", f"says that it has another number of records than its {self.rows} rows; it may have been cut off.")
        if self.count or not self.columns:
            return None
        return pl.concat(self._parts)


def _is_text(cell: object) -> bool:
    return cell is None or isinstance(cell, str)


def _is_integer(cell: object) -> bool:
    return cell is None or (isinstance(cell, int) and not isinstance(cell, bool)) or (isinstance(cell, float) and cell.is_integer())


def _is_number(cell: object) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _is_decimal(cell: object) -> bool:
    """A decimal is a text, so that none of its digits is lost."""
    if isinstance(cell, str):
        return not cell.strip() or re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", cell.strip()) is not None
    return _is_number(cell)


def _is_truth(cell: object) -> bool:
    return cell is None or isinstance(cell, bool)


_FITS: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(_TEXT, _is_text),
    "integer": _is_integer,
    "float": _is_number,
    "double": _is_number,
    "decimal": _is_decimal,
    "boolean": _is_truth,
}


def _as_text(column: dict[str, Any], cells: tuple[Any, ...]) -> pl.Series:
    name, kind = column["name"], column["dataType"]
    if kind in _TEXT:
        text = pl.Series(name, cells, dtype=pl.String).str.strip_chars_end()
        return text.set(text == "", None)
    if kind == "boolean":
        return pl.Series(name, [None if cell is None else ("Y" if cell else "N") for cell in cells], dtype=pl.String)
    if kind == "integer" and any(isinstance(cell, int) and abs(cell) >= 2**53 for cell in cells):
        return pl.Series(name, [None if cell is None else str(int(cell)) for cell in cells], dtype=pl.String)
    numbers = [None if cell is None or (isinstance(cell, str) and not cell.strip()) else _number(cell) for cell in cells]
    return number_text(pl.Series(name, numbers, dtype=pl.Float64)).alias(name)


def _number(cell: str | float) -> float | None:
    try:
        return float(cell)
    except OverflowError:
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _value(text: str, place: int) -> tuple[Any, int]:
    """Read the JSON value at `place`; return it and where it ends."""
    try:
        return _DECODER.raw_decode(text, place)
    except (ValueError, RecursionError):
        raise _Broken(text.count("\n", 0, place) + 1, "is no JSON from here on; it may have been cut off.") from None


def _read_lines(text: str, found: _Reading) -> None:
    """Read a line about the data set, then a line for each row."""
    for line, cells in enumerate(_lines(text), 1):
        if not cells.strip():
            continue
        try:
            value = json.loads(cells, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            found.fault(line, "", "is no JSON.")
            continue
        if found.about:
            found.add(line, value)
        elif isinstance(value, dict) and value:
            found.describe(value)
        else:
            raise _Broken(line, "is no object that says what the data set is.")
    if not found.about and not found.count:
        raise _Broken(1, "is empty.")


def _lines(text: str) -> Iterator[str]:
    """Give the lines one by one, parted at line feeds only: other marks may stand within a text."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def _skip(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    return found.end() if found else place


def _expect(text: str, place: int, marks: str) -> tuple[str, int]:
    """Return which of `marks` comes next, and where it ends."""
    place = _skip(text, place)
    if place >= len(text) or text[place] not in marks:
        raise _Broken(text.count("\n", 0, place) + 1, "is no JSON from here on; it may have been cut off.")
    return text[place], place + 1


def _read_object(text: str, found: _Reading) -> None:
    """Read the one object of a .json file, its rows one by one."""
    about: dict[str, Any] = {}
    if _skip(text, 0) == len(text):
        raise _Broken(1, "is empty.")
    _, place = _expect(text, 0, "{")
    mark = "{"
    while mark != "}":
        if mark == "{" and text[_skip(text, place) : _skip(text, place) + 1] == "}":
            break
        name, place = _value(text, _skip(text, place))
        _, place = _expect(text, place, ":")
        if not isinstance(name, str) or name in about or (name == "rows" and found.has_rows):
            raise _Broken(text.count("\n", 0, place) + 1, "has a name twice, or one that is no text.")
        if name == "rows":
            found.has_rows = True
            if not found.about and all(needed in about for needed in _REQUIRED):
                found.describe(about)
            place = _read_rows(text, place, found)
        else:
            about[name], place = _value(text, _skip(text, place))
        mark, place = _expect(text, place, ",}")
    if _skip(text, place) < len(text) and mark == "}":
        raise _Broken(text.count("\n", 0, place) + 1, "goes on after its end.")
    if not found.about:
        found.describe(about)
    if not found.has_rows and not found.count and about.get("records") != 0:
        found.fault(None, "", "has no rows.")


def _read_rows(text: str, place: int, found: _Reading) -> int:
    """Read the list of rows; return where it ends."""
    _, place = _expect(text, place, "[")
    if text[_skip(text, place) : _skip(text, place) + 1] == "]":
        return _skip(text, place) + 1
    line, counted = 1, 0
    mark = ","
    while mark == ",":
        place = _skip(text, place)
        line += text.count("\n", counted, place)
        counted = place
        row, place = _value(text, place)
        found.add(line, row)
        mark, place = _expect(text, place, ",]")
    return place
