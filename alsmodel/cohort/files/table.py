"""One table of a source as text, whatever file it came from."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Protocol, final

import polars as pl

from alsmodel.cohort.ledger import LINE, POSITION, Ledger
from alsmodel.cohort.raw import NULLS, open_raw
from alsmodel.errors import Fault


class TextTable(Protocol):
    """A file whose header could be read and whose cells can be had as text.

    Attributes
    ----------
    name : str
        Base name of the file, for messages; with the sheet's name where the file has several.
    sha256 : str
        Of the bytes of the file.
    header : tuple of str
        Column names as written.
    size : int
        Bytes, or a measure of them: larger tables are read first.
    """

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def header(self) -> tuple[str, ...]: ...
    @property
    def size(self) -> int: ...

    def has_rows(self) -> bool:
        """Say whether anything follows the header."""
        ...

    def without_text(self) -> "TextTable":
        """Return the same table without its text, once that has been read."""
        ...

    def table(self, columns: Mapping[str, str], nulls: Sequence[str] = NULLS) -> tuple[pl.DataFrame, Ledger]:
        """Read some columns as text: column as written -> name in the result; see `alsmodel.cohort.raw.RawFile.table`."""
        ...


@final
@dataclass(frozen=True)
class FrameTable:
    """A table that a library has read: every column text, every row of the right shape.

    Attributes
    ----------
    name, sha256 : str
        As in `TextTable`.
    frame : polars.DataFrame
        All columns of type String; null or an empty cell where there is nothing.
    first_line : int
        Number by which the source's own tool shows the first row: 2 in a spreadsheet (the header is 1), 1 in a data set.
    labels : mapping
        Column -> what it is, in words, where the file says so.
    errors : mapping
        Column -> rows (0-based) whose cell holds an error of the source's own tool, such as #N/A, and so no value.
    """

    name: str
    sha256: str
    frame: pl.DataFrame
    first_line: int = 2
    labels: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def header(self) -> tuple[str, ...]:
        """Column names as written."""
        return tuple(self.frame.columns)

    @property
    def size(self) -> int:
        """Bytes of the frame."""
        return int(self.frame.estimated_size())

    def has_rows(self) -> bool:
        """Say whether there is any row."""
        return self.frame.height > 0

    def without_text(self) -> "FrameTable":
        """Return the same table without its rows."""
        return replace(self, frame=self.frame.clear())

    def table(self, columns: Mapping[str, str], nulls: Sequence[str] = NULLS) -> tuple[pl.DataFrame, Ledger]:
        """Read some columns as text, missing cells as null, with `_position` and `_line`; blank rows are gone."""
        text = [pl.col(written).str.strip_chars().alias(name) for written, name in columns.items()]
        frame = self.frame.select(text)
        frame = frame.with_columns(pl.when(~pl.col(name).is_in(list(nulls))).then(pl.col(name)).alias(name) for name in frame.columns)
        height = self.frame.height
        frame = frame.with_columns(
            pl.Series(POSITION, range(height), dtype=pl.UInt32),
            pl.Series(LINE, range(self.first_line, height + self.first_line), dtype=pl.Int64),
        )
        ledger = Ledger(self.name, height, {written: self.frame[written] for written in self.frame.columns})
        for written in columns:
            if written in self.errors:
                ledger.flag("cell_error", frame[list(self.errors[written])], column=written)
        blank = self.frame.select(pl.all_horizontal(pl.all().is_null() | (pl.all().str.strip_chars() == ""))).to_series()
        if ledger.flag("blank_row", frame.filter(blank)):
            frame = ledger.usable(frame)
        return frame, ledger


#: End of a file's name -> (module, function) that opens it; each function takes (path, faults, sheet).
_OPENERS = {
    ".xlsx": ("excel", "open_excel"),
    ".xlsm": ("excel", "open_excel"),
    ".xls": ("excel", "open_excel"),
    ".ods": ("excel", "open_excel"),
    ".parquet": ("parquet", "open_parquet"),
    ".xpt": ("xpt", "open_xpt"),
    ".json": ("dataset_json", "open_dataset_json"),
    ".ndjson": ("dataset_json", "open_dataset_json"),
}
_DELIMITED = {".csv": ",", ".tsv": "\t", ".txt": ","}
EXTENSIONS = (*_DELIMITED, *_OPENERS)

_Opener = Callable[[Path, list[Fault], str], "TextTable | None"]


def open_table(path: Path, faults: list[Fault], *, sheet: str = "", delimiter: str = "") -> TextTable | None:
    """Open a file by the end of its name; add to `faults` and return None when that cannot be done.

    Parameters
    ----------
    path : Path
    faults : list of Fault
    sheet : str
        Sheet of a spreadsheet; the first without it.
    delimiter : str
        What stands between the cells of a text file; a comma (a tab in .tsv) without it.
    """
    suffix = path.suffix.lower()
    if suffix in _DELIMITED:
        return open_raw(path, faults, delimiter or _DELIMITED[suffix])
    if suffix not in _OPENERS:
        faults.append(Fault(path.name, f"is of no known kind: expected a file ending in {', '.join(EXTENSIONS)}.", "Save it as CSV."))
        return None
    module, function = _OPENERS[suffix]
    opener: _Opener = getattr(import_module(f"alsmodel.cohort.files.{module}"), function)
    return opener(path, faults, sheet)


def file_bytes(path: Path, faults: list[Fault]) -> tuple[bytes, str] | None:
    """Return the bytes of a file and their SHA-256; add to `faults` and return None when it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError:
        faults.append(Fault(path.name, "cannot be read.", "Check that the file exists and its permissions."))
        return None
    return data, hashlib.sha256(data).hexdigest()
