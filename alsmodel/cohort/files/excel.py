"""Spreadsheets (.xlsx, .xlsm, .xls, .ods): one sheet as text, each cell as it was entered."""

from pathlib import Path
from typing import Any

import polars as pl

from alsmodel.cohort.files.table import FrameTable, file_bytes
from alsmodel.cohort.files.typed import date_text, number_text
from alsmodel.errors import Fault

#: What a time without a date is counted from in a spreadsheet.
_TIME_ALONE = r"^1899-12-(?:30|31) (\d{2}:\d{2}:\d{2}.*)$"


def open_excel(path: Path, faults: list[Fault], sheet: str = "") -> FrameTable | None:
    """Read one sheet; add to `faults` and return None when that cannot be done.

    The header is the first row with anything in it. Whole numbers have no ".0", dates are ISO 8601, booleans TRUE and FALSE; a
    formula is its last result. Cells that hold an error such as #N/A are listed in the table's `errors`.

    Parameters
    ----------
    path : Path
    faults : list of Fault
    sheet : str
        Name of the sheet in any case; the first without it.
    """
    read = file_bytes(path, faults)
    if read is None:
        return None
    data, sha256 = read
    names = _guarded(lambda: _workbook(data).sheet_names)
    if not names:
        faults.append(_unreadable(path.name))
        return None
    chosen = _chosen(names, sheet)
    if chosen is None:
        faults.append(Fault(f"{path.name}[{sheet}]", f"the file has no such sheet; its sheets are {', '.join(names)}."))
        return None
    name = f"{path.name}[{chosen}]"
    loaded = _guarded(lambda: _cells(data, chosen))
    if loaded is None:
        faults.append(_unreadable(name))
        return None
    cells, at = loaded
    return _with_header(name, sha256, cells, at, faults)


def sheet_names(path: Path, faults: list[Fault]) -> list[str]:
    """Return the names of the sheets of a workbook, in order; add to `faults` when it cannot be read."""
    read = file_bytes(path, faults)
    if read is None:
        return []
    names = _guarded(lambda: list(_workbook(read[0]).sheet_names))
    if not names:
        faults.append(_unreadable(path.name))
    return names or []


def _workbook(data: bytes) -> Any:
    import fastexcel

    return fastexcel.read_excel(data)


def _guarded(read: Any) -> Any:
    """Return what `read` returns, or None for a damaged file, of which the library may make a panic."""
    try:
        return read()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        return None


def _unreadable(name: str) -> Fault:
    message = "cannot be read as a spreadsheet: it is damaged, protected by a password, or of another kind."
    return Fault(name, message, "Open it, save it anew as .xlsx without a password, or save the sheet as CSV.")


def _chosen(names: list[str], sheet: str) -> str | None:
    if not sheet:
        return names[0]
    alike = [name for name in names if name.strip().lower() == sheet.strip().lower()]
    return sheet if sheet in names else alike[0] if len(alike) == 1 else None


def _cells(data: bytes, sheet: str) -> tuple[pl.DataFrame, list[tuple[int, int]]]:
    """Return all cells of the sheet from its first row on as text, and where errors stand (row, column)."""
    workbook = _workbook(data)
    loaded = workbook.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string")
    if not (loaded.width and loaded.height):
        return pl.DataFrame(), []
    text = loaded.to_polars()
    errors = loaded.to_arrow_with_errors()[1]
    at = [] if errors is None else [tuple(error.position) for error in errors.errors]
    numbers = workbook.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="float").to_polars()
    columns = [_as_entered(text.to_series(i), numbers.to_series(i)) for i in range(text.width)]
    return pl.DataFrame(columns), at


def _as_entered(text: pl.Series, number: pl.Series) -> pl.Series:
    """Restore what the library's text of a number leaves out: it stops at nine decimals."""
    read = text.cast(pl.Float64, strict=False)
    short = number.is_not_null() & read.is_not_null() & ((read != number) | text.str.contains(r"\.\d{9,}$"))
    text = text.zip_with(~short.fill_null(False), number_text(number))
    text = date_text(text).str.replace(_TIME_ALONE, "${1}")
    return text.replace({"true": "TRUE", "false": "FALSE"})


def _with_header(name: str, sha256: str, cells: pl.DataFrame, at: list[tuple[int, int]], faults: list[Fault]) -> FrameTable | None:
    filled = pl.Series(dtype=pl.Boolean)
    if cells.width:
        filled = cells.select(pl.any_horizontal(pl.all().str.strip_chars() != "").fill_null(False)).to_series()
    if not filled.any():
        faults.append(Fault(name, "the sheet is empty.", "Name another sheet, or give a file with data."))
        return None
    top = int(filled.arg_true()[0])
    header = [(cell or "").strip() for cell in cells.row(top)]
    body = cells[top + 1 :]
    before = len(faults)
    wrong = {column for row, column in at if row > top}
    blank = [i + 1 for i, title in enumerate(header) if not title and (body.to_series(i).null_count() < body.height or i in wrong)]
    if blank:
        message = f"no name stands above {_ordinals(blank)} of the table, which has cells."
        remedy = "Give every column one name in one row; merged cells and a title above the header leave names out."
        faults.append(Fault(f"{name}:{top + 1}", message, remedy))
    for title in sorted({title for title in header if title and header.count(title) > 1}):
        faults.append(Fault(f"{name}:{top + 1}:{title}", "two columns have this name.", "Rename or remove one."))
    if len(faults) > before:
        return None
    frame = pl.DataFrame([body.to_series(i).alias(title) for i, title in enumerate(header) if title])
    errors: dict[str, tuple[int, ...]] = {}
    for row, column in at:
        if row > top:
            errors[header[column]] = (*errors.get(header[column], ()), row - top - 1)
    return FrameTable(name, sha256, frame, first_line=top + 2, errors=errors)


def _ordinals(places: list[int]) -> str:
    shown = ", ".join(str(place) for place in places[:8]) + (", ..." if len(places) > 8 else "")
    return f"column {shown}" if len(places) == 1 else f"columns {shown}"
