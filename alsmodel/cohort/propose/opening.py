"""Opens every table of a file or folder for a proposal: delimiters are found out, sheets are opened one by one."""

import csv
import re
from pathlib import Path

import polars as pl

from alsmodel.cohort.files.table import EXTENSIONS, TextTable, open_table
from alsmodel.cohort.propose.columns import MOSTLY, Column, Sheet, columns_of
from alsmodel.cohort.raw import collapsed
from alsmodel.errors import Fault, InvalidInput

_SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods")
_TEXT = {".csv": ",", ".tsv": "\t", ".txt": ","}
_DELIMITERS = (",", ";", "\t", "|")

#: Names of the column of participants, the likeliest first.
_PARTICIPANT = (
    r"^usubjid$",
    r"^participant_?(?:id|no|nr|number|code|key)?$",
    r"^subject_?(?:id|no|nr|number|code|uid)?$|^subjid$|^subj_?id$|^subj$",
    r"^patient_?(?:id|no|nr|number|code)?$|^pat_?(?:id|no|nr)$|^ptid$|^patno$|^pt_?id$|^pid$",
    r"^record_?id$|^recordid$",
    r"^person_?id$|^case_?(?:id|no|nr)$|^study_?(?:id|no|number)$|^screening_?(?:no|number)$",
    r"^id$|^nr$|^guid$|^individual(?:_?id)?$",
)


def open_all(path: Path, participant: str = "") -> tuple[list[Sheet], str, list[str]]:
    """Open a file, or every file of a folder.

    Returns
    -------
    sheets : list of Sheet
        Tables with a column of participants.
    delimiter : str
        What stands between the cells of the text files, empty for what their names say.
    notes : list of str
        What was passed over, in sentences.

    Raises
    ------
    InvalidInput
        With every file that cannot be read, and when no table has a column of participants.
    """
    paths, notes = _paths(path)
    faults: list[Fault] = []
    sheets: list[Sheet] = []
    delimiters: dict[str, str] = {}
    empty: list[str] = []
    for one in paths:
        tables, delimiter = _tables(one, faults, notes)
        delimiters |= {one.name: delimiter} if delimiter is not None else {}
        for table, sheet in tables:
            if not table.has_rows():
                empty.append(table.name)
                continue
            made = _sheet(one.name, sheet, table, participant)
            faults += _twice(table, made)
            if made.participant is None:
                notes.append(f"{table.name} has no column that names participants, so it is not read.")
            elif made.participant.filled == 0:
                notes.append(f"{table.name} has no row with a participant, so it is not read.")
            else:
                sheets.append(made)
    if len(set(delimiters.values())) > 1:
        faults.append(Fault(path.name, "its text files do not all have the same delimiter.", "Save them alike, or map them one by one."))
    if faults:
        raise InvalidInput(faults)
    if empty and not sheets:
        raise InvalidInput([Fault(name, "has no rows.", "Give a file with data.") for name in empty])
    notes += [f"{name} has no rows, so it is not read." for name in empty]
    if not sheets:
        remedy = "Name it participant_id in the file, or say which it is with --participant COLUMN."
        raise InvalidInput([Fault(path.name, "no column could be recognised as the participant.", remedy)])
    delimiter = next(iter(delimiters.values()), "")
    usual = all(_TEXT[Path(name).suffix.lower()] == delimiter for name in delimiters)
    return sheets, "" if usual else delimiter, notes


def _paths(path: Path) -> tuple[list[Path], list[str]]:
    if path.is_file():
        return [path], []
    if not path.is_dir():
        raise InvalidInput([Fault(str(path), "no such file or folder.", "Give a file of data, or the folder that holds them.")])
    files = sorted(one for one in path.iterdir() if one.is_file() and not one.name.startswith((".", "~$")))
    known = [one for one in files if one.suffix.lower() in EXTENSIONS and one.suffix.lower() not in (".json", ".ndjson")]
    notes = [f"{one.name} is no table that can be read, so it is passed over." for one in files if one not in known]
    if not known:
        raise InvalidInput([Fault(path.name, "holds no file of data.", f"Expected files ending in {', '.join(EXTENSIONS)}.")])
    return known, notes


def _tables(path: Path, faults: list[Fault], notes: list[str]) -> tuple[list[tuple[TextTable, str]], str | None]:
    """Return the tables of one file with their sheets, and the delimiter of a text file."""
    suffix = path.suffix.lower()
    if suffix in _SPREADSHEETS:
        return _workbook(path, faults, notes), None
    delimiter = _delimiter(path) if suffix in _TEXT else None
    table = open_table(path, faults, delimiter=delimiter or "")
    return [(table, "")] if table is not None else [], delimiter


def _workbook(path: Path, faults: list[Fault], notes: list[str]) -> list[tuple[TextTable, str]]:
    """Return the sheets that are tables; a sheet that is none matters only when there is no other."""
    from alsmodel.cohort.files.excel import sheet_names

    names = sheet_names(path, faults)
    wrong: list[Fault] = []
    found = [(table, name) for name in names if (table := open_table(path, wrong, sheet=name)) is not None]
    if not found:
        faults += wrong
    notes += [f"{fault.place}: {fault.message.rstrip('.')}, so it is not read." for fault in wrong if found]
    return found


def _delimiter(path: Path) -> str | None:
    """Return the delimiter that splits the header of a text file into the most columns."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16).decode("utf-8-sig", errors="replace")
    except OSError:
        return None
    line = next(iter(head.splitlines()), "")
    usual = _TEXT[path.suffix.lower()]
    counts = {}
    for delimiter in _DELIMITERS:
        try:
            counts[delimiter] = len(next(csv.reader([line], delimiter=delimiter), []))
        except csv.Error:
            counts[delimiter] = 0
    best = max(_DELIMITERS, key=lambda delimiter: counts[delimiter])
    return usual if counts[usual] == counts[best] else best


def _sheet(file: str, sheet: str, table: TextTable, participant: str) -> Sheet:
    names = [name for name in table.header if name]
    frame, _ = table.table({name: f"c{place}" for place, name in enumerate(names)}, ("",))
    columns = columns_of(frame.select(pl.col(f"c{place}") for place in range(len(names))), names)
    return Sheet(file, sheet, columns, _participant(columns, participant))


def _participant(columns: tuple[Column, ...], named: str) -> Column | None:
    if named:
        return next((column for column in columns if collapsed(column.name) == collapsed(named)), None)
    height = len(columns[0].text) if columns else 0
    for pattern in _PARTICIPANT:
        fits = [c for c in columns if re.search(pattern, c.key) and not c.is_date and c.filled >= MOSTLY * height]
        if fits:
            return fits[0]
    return None


def _twice(table: TextTable, sheet: Sheet) -> list[Fault]:
    """Return the columns whose names a mapping cannot tell apart."""
    keys = [collapsed(column.name) for column in sheet.columns]
    again = [column.name for place, column in enumerate(sheet.columns) if keys[place] and keys[place] in keys[:place]]
    return [Fault(f"{table.name}:1:{name}", "another column has this name in another spelling.", "Rename or remove one.") for name in again]
