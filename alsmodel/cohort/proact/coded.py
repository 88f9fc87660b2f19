"""The release of 2013: coded workbooks, each with a dictionary of its columns, opened as the forms of the later releases."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import polars as pl

from alsmodel.cohort.files.table import TextTable, open_table
from alsmodel.cohort.forms.form import Folder, Opened, match_columns
from alsmodel.cohort.forms.mapping import FormMap, SourceMap
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.proact.vintages import CodedFile, coded_files
from alsmodel.cohort.raw import NULLS, collapsed, open_raw
from alsmodel.errors import Fault, InvalidInput

_CODE = re.compile(r"^V_\d+$", re.IGNORECASE)
#: The line by which the database said how many rows it had written: "(3484 row(s) affected)".
_ROWS_WRITTEN = r"(?i)^\(\s*\d+\s+rows?(?:\(s\))?\s+affected\s*\)$"
_READABLE = (".xlsx", ".xlsm", ".xls", ".csv")
_FIELD, _NAME = "FieldID", "Field_Name"


@final
@dataclass(frozen=True)
class WithoutCount:
    """A table whose line that counts the rows is set aside by rule.

    Attributes
    ----------
    raw : TextTable
    key : str
        Column of the participant, in which that line stands.
    """

    raw: TextTable
    key: str

    @property
    def name(self) -> str:
        """Base name of the file."""
        return self.raw.name

    @property
    def sha256(self) -> str:
        """Of the bytes of the file."""
        return self.raw.sha256

    @property
    def header(self) -> tuple[str, ...]:
        """Column names as written."""
        return self.raw.header

    @property
    def size(self) -> int:
        """Measure of the bytes."""
        return self.raw.size

    def has_rows(self) -> bool:
        """Say whether anything follows the header."""
        return self.raw.has_rows()

    def without_text(self) -> TextTable:
        """Return the table without its text."""
        return self.raw.without_text()

    def table(self, columns: Mapping[str, str], nulls: Sequence[str] = NULLS) -> tuple[pl.DataFrame, Ledger]:
        """Read some columns as text; see `alsmodel.cohort.raw.RawFile.table`."""
        frame, ledger = self.raw.table(columns, nulls)
        if self.key in columns:
            counts = frame.filter(pl.col(columns[self.key]).str.contains(_ROWS_WRITTEN))
            if ledger.flag("row_count_line", counts):
                frame = ledger.usable(frame)
        return frame, ledger


def open_coded(folder: Path, source: SourceMap, notes: Mapping[str, Any], faults: list[Fault]) -> tuple[Folder, list[dict[str, str]]]:
    """Open the forms of a folder of 2013.

    Parameters
    ----------
    folder : Path
    source : SourceMap
        Of the later releases.
    notes : mapping
        What differs in 2013: `data_schemas/sources/proact_2013.toml`.
    faults : list of Fault
        Faults of the folder that are already known.

    Returns
    -------
    folder : Folder
    dictionaries : list of dict
        Name and SHA-256 of each dictionary.

    Raises
    ------
    InvalidInput
        With all faults: a dictionary missing or unreadable, a required form missing, two files for one form, a needed
        column missing.
    """
    files = coded_files(folder)
    tables = _table_of_form(source, notes)
    opened: dict[str, Opened] = {}
    dictionaries: list[dict[str, str]] = []
    for name, form in source.tables.items():
        own = [file for file in files if tables.get(file.form) == name]
        data, books = ([file for file in own if file.is_dictionary is kind] for kind in (False, True))
        if len(data) > 1 or len(books) > 1:
            twice = data if len(data) > 1 else books
            names = " and ".join(file.path.name for file in twice)
            faults.append(Fault(names, f"are both the form {name}.", "Keep one of them in the folder."))
        elif not data and form.required:
            remedy = "Give all files of the release of 2013."
            faults.append(Fault(name, "is missing: expected a workbook PROACT_<date>_<FORM>_Data.xlsx of this form.", remedy))
        elif data:
            one = _open_form(name, form, data[0], books, notes, dictionaries, faults)
            if one is not None:
                opened[name] = one
    if faults:
        raise InvalidInput(faults)
    known = {file.path.name for file in files if file.form in tables}
    spare = [path.name for path in sorted(folder.iterdir()) if path.suffix.lower() in _READABLE and path.name not in known]
    absent = tuple(name for name in source.tables if name not in opened)
    return Folder(opened, absent, tuple(spare)), dictionaries


def _table_of_form(source: SourceMap, notes: Mapping[str, Any]) -> dict[str, str]:
    own = {stem: name for name, form in source.tables.items() for stem in form.stems}
    return own | {form.lower().replace("_", ""): name for form, name in notes["forms"].items()}


def coded_forms(notes: Mapping[str, Any]) -> list[str]:
    """Return the names of the forms of 2013 in lower case, without underscores."""
    return [form.lower().replace("_", "") for form in notes["forms"]]


def _open_form(
    name: str,
    form: FormMap,
    data: CodedFile,
    books: Sequence[CodedFile],
    notes: Mapping[str, Any],
    dictionaries: list[dict[str, str]],
    faults: list[Fault],
) -> Opened | None:
    if not books:
        remedy = "Give the file PROACT_<date>_<FORM>_Dictionary.csv that belongs to it."
        faults.append(Fault(data.path.name, "has no dictionary, without which its columns are codes.", remedy))
    fields = _dictionary(books[0].path, dictionaries, faults) if books else None
    raw = open_table(data.path, faults)
    if raw is None or fields is None:
        return None
    decoded = _decoded(form, raw, fields, notes, notes.get("fields", {}).get(name, {}), faults)
    if decoded is None:
        return None
    if form.required and not raw.has_rows():
        faults.append(Fault(raw.name, "has no rows; the table is required.", "Give a file with data."))
    key = next((column for column, target in decoded.columns.items() if target == "participant_id"), "")
    return match_columns(name, decoded, WithoutCount(raw, key), faults)


def _dictionary(path: Path, dictionaries: list[dict[str, str]], faults: list[Fault]) -> dict[str, str] | None:
    """Return code -> name of the field; None, with a fault, when the dictionary cannot be read or contradicts itself."""
    raw = open_raw(path, faults, "|")
    if raw is None:
        return None
    spelled = {collapsed(column): column for column in raw.header}
    lacking = [column for column in (_FIELD, _NAME) if collapsed(column) not in spelled]
    for column in lacking:
        faults.append(Fault(f"{path.name}:1:{column}", "the dictionary has no such column.", 'Its columns are separated by "|".'))
    if lacking:
        return None
    frame, ledger = raw.table({spelled[collapsed(_FIELD)]: "code", spelled[collapsed(_NAME)]: "name"})
    ledger.release()
    dictionaries.append({"name": raw.name, "sha256": raw.sha256})
    code = "V_" + pl.col("code").str.strip_chars().str.replace(r"(?i)^V_", "").str.replace(r"\.0$", "")
    # A field has a row for each of its values.
    pairs = frame.drop_nulls(["code", "name"]).select(code.alias("code"), "name").unique(maintain_order=True)
    names = {code: {field_key(name) for name in pairs.filter(pl.col("code") == code)["name"]} for code in pairs["code"].unique()}
    for code in sorted(code for code, several in names.items() if len(several) > 1):
        faults.append(Fault(f"{path.name}:{code}", "the dictionary gives this field two names.", "Correct the dictionary."))
    return dict(pairs.unique("code", keep="first", maintain_order=True).select("code", "name").iter_rows())


def _decoded(
    form: FormMap, raw: TextTable, fields: Mapping[str, str], notes: Mapping[str, Any], renamed: Mapping[str, str], faults: list[Fault]
) -> FormMap | None:
    """Return the form with the columns of this workbook: a code by its name in the dictionary, any other heading by itself."""
    known = {field_key(column): column for column in (*form.columns, *form.set_aside)}
    others = {field_key(written): column for written, column in renamed.items()}
    participant = form.spelled["participant_id"]
    columns: dict[str, str] = {}
    aside: list[str] = []
    before = len(faults)
    for written in raw.header:
        named = fields.get(written.upper()) if _CODE.match(written) else written
        key = "" if named is None else field_key(named)
        column = participant if key == field_key(notes["key"]) else others.get(key, known.get(key))
        target = form.columns.get(column or "")
        if column == "" or column in form.set_aside or key in {field_key(name) for name in notes["aside"]}:
            aside.append(written)
        elif target is not None and target in columns.values():
            faults.append(Fault(f"{raw.name}:1:{written}", "the dictionary gives two columns one name.", "Correct the dictionary."))
        elif target is not None:
            columns[written] = target
    if len(faults) > before:
        return None
    spelled = {target: written for written, target in columns.items()}
    needs = tuple(spelled.get(form.columns[column], column) for column in form.needs)
    return replace(form, columns=_whole(columns, form, needs), set_aside=tuple(aside), variants={}, needs=needs)


def _whole(columns: dict[str, str], form: FormMap, needs: tuple[str, ...]) -> dict[str, str]:
    """Add the columns that the form needs and the workbook lacks, so that they are reported as missing by name."""
    return columns | {column: form.columns[column] for column in needs if column not in columns}


def field_key(name: str) -> str:
    """Return a field's name as the later releases would spell the column, in lower case and collapsed."""
    key = re.sub(r"[^a-z0-9]+", "_", name.strip().lower().replace("%", "pct "))
    return collapsed(f"q{key}" if re.match(r"\d", key) else key)
