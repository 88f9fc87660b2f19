"""Delimited text files to frames of text: bytes, encoding, header, rows of the wrong shape.

Nothing is guessed here about types: every cell is text or null. Faults of the file as a whole are
collected, so that a folder reports all of them at once.
"""

import csv
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
import polars as pl

from alsmodel.cohort.ledger import LINE, POSITION, Ledger
from alsmodel.errors import Fault, InvalidInput

NULLS = ("", "NA", ".", "-")
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
#: Below this many quotation marks looking at each quoted cell is quicker than looking at every byte.
_FEW_QUOTES = 200_000
_BOM = b"\xef\xbb\xbf"


@final
@dataclass(frozen=True)
class RawFile:
    """A text file that could be decoded and whose header could be read.

    Attributes
    ----------
    name : str
        Base name, for messages.
    sha256 : str
        Of the bytes of the file.
    header : tuple of str
        Column names as written.
    cp1252 : bool
        The file was not UTF-8 and has been read as cp1252.
    delimiter : str
        What stands between cells.
    """

    name: str
    sha256: str
    header: tuple[str, ...]
    cp1252: bool
    _data: bytes
    delimiter: str = ","

    @property
    def size(self) -> int:
        """Bytes of text."""
        return len(self._data)

    def has_rows(self) -> bool:
        """Say whether anything but blank space follows the header."""
        header = self._data.find(b"\n")
        return header >= 0 and re.compile(rb"\S").search(self._data, header + 1) is not None

    def without_text(self) -> "RawFile":
        """Return the same file without its text, once that has been read."""
        return replace(self, _data=b"")

    def without_quotes(self) -> "RawFile":
        """Return the same file with each quotation mark as an apostrophe, for sources that do not quote their cells."""
        return replace(self, _data=self._data.replace(b'"', b"'"))

    def table(self, columns: Mapping[str, str], nulls: Sequence[str] = NULLS) -> tuple[pl.DataFrame, Ledger]:
        """Read some columns as text.

        Parameters
        ----------
        columns : mapping
            Column as written -> name in the result.
        nulls : sequence of str
            Cells that mean missing.

        Returns
        -------
        frame : polars.DataFrame
            `_position`, `_line` and the columns asked for; rows of the wrong shape and blank ones are gone.
        ledger : Ledger
            Over all rows, those that are gone included. It holds the text that was read until it is released.

        Raises
        ------
        InvalidInput
            When the text cannot be split into cells at all.
        """
        picked = {self.header.index(written): name for written, name in columns.items()}
        width = len(self.header)
        try:
            how = (self._data, width, picked, nulls, self.delimiter)
            frame, shape = _quick(*how) or _careful(*how)
        except csv.Error as error:
            remedy = "Look for a quotation mark that is never closed."
            raise InvalidInput([Fault(self.name, "cannot be split into cells.", remedy)]) from error
        ledger = Ledger(self.name, frame.height, {written: frame[name] for written, name in columns.items()})
        if self.cp1252:
            ledger.note("encoding_cp1252")
        if shape is not None:
            ledger.flag("row_shape", frame.filter(shape == 1))
            ledger.flag("blank_row", frame.filter(shape == 2))
        return ledger.usable(frame), ledger


def open_raw(path: Path, faults: list[Fault], delimiter: str = ",") -> RawFile | None:
    """Read and decode `path` and split its header; add to `faults` and return None when that cannot be done."""
    try:
        data = path.read_bytes()
    except OSError:
        faults.append(Fault(path.name, "cannot be read.", "Check that the file exists and its permissions."))
        return None
    sha256 = hashlib.sha256(data).hexdigest()
    text, cp1252 = _as_utf8(data)
    if text is None:
        faults.append(Fault(path.name, "holds bytes that are neither UTF-8 nor cp1252.", "Save the file as UTF-8 text."))
        return None
    header = _header(text, delimiter)
    if not any(header):
        faults.append(Fault(f"{path.name}:1", "expected a header line with column names.", ""))
        return None
    other = next((d for d in _DELIMITERS if d != delimiter and len(header) == 1 and d in header[0]), None)
    if other is not None:
        message = f"columns seem to be separated by a {_DELIMITERS[other]}; expected a {_DELIMITERS[delimiter]}."
        commas = "Save the file as comma-separated values, or name the delimiter in its mapping."
        remedy = commas if delimiter == "," else "Correct the delimiter."
        faults.append(Fault(f"{path.name}:1", message, remedy))
        return None
    doubled = sorted({name for name in header if name and header.count(name) > 1})
    for name in doubled:
        faults.append(Fault(f"{path.name}:1:{name}", "two columns have this name.", "Rename or remove one."))
    if doubled:
        return None
    return RawFile(path.name, sha256, header, cp1252, text, delimiter)


def collapsed(name: str) -> str:
    """Return a column name in lower case with repeated and outer underscores gone, for tolerant matching."""
    return re.sub(r"_+", "_", name.strip().lower()).strip("_")


def _as_utf8(data: bytes) -> tuple[bytes | None, bool]:
    """Return the text as UTF-8 bytes without mark and with line feeds (None when it is no text), and if cp1252."""
    if b"\0" in data:
        return None, False
    plain, cp1252 = data.removeprefix(_BOM), False
    if not plain.isascii():
        try:
            plain.decode("utf-8")
        except UnicodeDecodeError:
            try:
                plain, cp1252 = plain.decode("cp1252").encode("utf-8"), True
            except UnicodeDecodeError:
                return None, False
    if b"\r" in plain and b"\n" not in plain:
        plain = plain.replace(b"\r", b"\n")
    if plain.endswith((b"\n\n", b"\n\r\n")):
        plain = plain.rstrip(b"\r\n") + b"\n"
    return plain, cp1252


def _header(text: bytes, delimiter: str) -> tuple[str, ...]:
    end = text.find(b"\n")
    line = text[: end if end >= 0 else len(text)].decode("utf-8").rstrip("\r")
    try:
        return tuple(name.strip() for name in next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return ()


#: Rows, and the shape of each when some may be wrong: 0 as it should be, 1 wrong, 2 blank.
_Read = tuple[pl.DataFrame, pl.Series | None]


def _quick(data: bytes, width: int, picked: Mapping[int, str], nulls: Sequence[str], delimiter: str) -> _Read | None:
    """Read with polars; None when a row may be of the wrong shape or spread over lines."""
    lines = data.count(b"\n") - data.endswith(b"\n")
    if _delimiters(data, delimiter.encode()) != (width - 1) * (lines + 1):
        return None
    try:
        frame = pl.read_csv(
            data,
            has_header=False,
            separator=delimiter,
            skip_rows=1,
            schema={f"{i}": pl.String for i in range(width)},
            columns=list(picked),
            null_values=list(nulls),
            raise_if_empty=False,
        )
    except pl.exceptions.PolarsError:
        return None
    if frame.height != lines:
        return None
    frame = frame.rename({f"{i}": name for i, name in picked.items()})
    if _is_padded(data, delimiter):
        frame = frame.with_columns(_stripped(name, nulls) for name in frame.columns)
    frame = frame.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias(POSITION))
    frame = frame.with_columns((pl.col(POSITION).cast(pl.Int64) + 2).alias(LINE))
    return frame, None


def _delimiters(data: bytes, delimiter: bytes) -> int:
    """Count the delimiters that stand between cells and not within quotation marks."""
    if data.count(b'"') < _FEW_QUOTES:
        return data.count(delimiter) - sum(quoted.count(delimiter) for quoted in data.split(b'"')[1::2])
    text = np.frombuffer(data, dtype=np.uint8)
    inside = np.bitwise_xor.accumulate(text == ord('"'))
    return int(np.count_nonzero((text == ord(delimiter)) & ~inside))


def _careful(data: bytes, width: int, picked: Mapping[int, str], nulls: Sequence[str], delimiter: str) -> _Read:
    """Read row by row, which finds the true line of each row and the rows of the wrong shape."""
    reader = csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter=delimiter)
    next(reader)
    cells: list[list[str | None]] = [[] for _ in picked]
    line, shape = [], []
    after = reader.line_num
    for row in reader:
        line.append(after + 1)
        after = reader.line_num
        blank = not any(cell.strip() for cell in row)
        # Empty cells beyond the header carry nothing.
        fits = len(row) >= width and not any(cell.strip() for cell in row[width:])
        shape.append(2 if blank and not fits else 0 if fits else 1)
        for column, index in zip(cells, picked, strict=True):
            column.append(row[index] if fits else None)
    frame = pl.DataFrame(dict(zip(picked.values(), cells, strict=True)), schema=dict.fromkeys(picked.values(), pl.String))
    frame = frame.with_columns(_stripped(name, nulls) for name in frame.columns)
    frame = frame.with_columns(pl.Series(POSITION, range(len(line)), dtype=pl.UInt32), pl.Series(LINE, line, dtype=pl.Int64))
    return frame, pl.Series(shape, dtype=pl.UInt8)


def _is_padded(data: bytes, delimiter: str) -> bool:
    """Say whether any cell may begin or end with blank space."""
    text = np.frombuffer(data, dtype=np.uint8)
    spaces = np.flatnonzero(text == ord(" "))
    edges = np.frombuffer(delimiter.encode() + b'"\r\n ', dtype=np.uint8)
    beside = np.concatenate([text[np.maximum(spaces - 1, 0)], text[np.minimum(spaces + 1, len(text) - 1)]])
    return bool(np.isin(beside, edges).any()) or (delimiter != "\t" and b"\t" in data)


def _stripped(name: str, nulls: Sequence[str]) -> pl.Expr:
    text = pl.col(name).str.strip_chars()
    return pl.when(~text.is_in(list(nulls))).then(text).alias(name)
