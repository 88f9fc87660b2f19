"""Spreadsheets and Parquet files become the text that a text file would hold, and damage becomes a sentence."""

import datetime as dt
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from alsmodel.cohort.files.excel import open_excel, sheet_names
from alsmodel.cohort.files.parquet import open_parquet
from alsmodel.cohort.files.table import FrameTable, open_table
from alsmodel.cohort.files.typed import as_text
from alsmodel.errors import Fault

NA = ("=NA()", "#N/A")
DIVIDED = ("=1/0", "#DIV/0!")


def workbook(path: Path, **sheets: Sequence[Sequence[Any]]) -> Path:
    """Write sheets of rows; a tuple is a formula with its last result."""
    book = xlsxwriter.Workbook(path)
    date = book.add_format({"num_format": "yyyy-mm-dd"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for i, row in enumerate(rows):
            for j, cell in enumerate(row):
                if isinstance(cell, tuple):
                    sheet.write_formula(i, j, cell[0], None, cell[1])
                elif isinstance(cell, dt.date | dt.time):
                    sheet.write_datetime(i, j, cell, date)
                elif cell is not None:
                    sheet.write(i, j, cell)
    book.close()
    return path


def opened(path: Path, sheet: str = "") -> FrameTable:
    faults: list[Fault] = []
    table = open_excel(path, faults, sheet)
    assert faults == []
    assert table is not None
    return table


def refused(path: Path, sheet: str = "") -> list[Fault]:
    faults: list[Fault] = []
    assert open_table(path, faults, sheet=sheet) is None
    return faults


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (3, "3"),
        (3.0, "3"),
        (3.5, "3.5"),
        (-0.25, "-0.25"),
        (0.1, "0.1"),
        (1e-12, "1e-12"),
        (1234.567890123, "1234.567890123"),
        (123456789012, "123456789012"),
        ("001", "001"),
        ("3.0", "3.0"),
        (" x ", " x "),
        (True, "TRUE"),
        (False, "FALSE"),
        (dt.date(2024, 2, 29), "2024-02-29"),
        (dt.datetime(2024, 2, 29, 13, 30), "2024-02-29 13:30:00"),
        (dt.time(13, 30), "13:30:00"),
        (("=1+2", 3), "3"),
        (("=A1", "word"), "word"),
        ("=not a formula'", "=not a formula'"),
    ],
)
def test_a_cell_is_what_was_entered(tmp_path: Path, cell: Any, text: str) -> None:
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx", {"strings_to_formulas": False})
    sheet = book.add_worksheet()
    sheet.write(0, 0, "column")
    if isinstance(cell, tuple):
        sheet.write_formula(1, 0, cell[0], None, cell[1])
    elif isinstance(cell, dt.date | dt.time):
        sheet.write_datetime(1, 0, cell, book.add_format({"num_format": "yyyy-mm-dd hh:mm"}))
    else:
        sheet.write(1, 0, cell)
    book.close()
    assert opened(tmp_path / "a.xlsx").frame["column"].to_list() == [text]


def test_numbers_keep_their_digits_beside_words(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[["x"], ["text"], [1e-12], [0.1], [7]])
    assert opened(path).frame["x"].to_list() == ["text", "1e-12", "0.1", "7"]


def test_lines_are_those_that_the_spreadsheet_shows(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[[], [], [None, "a", "b"], [None, 1, 2], [], [None, 3, 4]])
    table = opened(path)
    frame, ledger = table.table({"a": "first"})
    assert frame.rows() == [("1", 0, 4), ("3", 2, 6)]
    assert table.name == "a.xlsx[S]"
    assert ledger.issues()["rule"].to_list() == ["blank_row"]


def test_error_cells_are_missing_and_flagged(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[["id", "x"], [1, NA], [2, 5], [3, DIVIDED]])
    frame, ledger = opened(path).table({"id": "id", "x": "x"})
    assert frame["x"].to_list() == [None, "5", None]
    assert ledger.issues().select("rule", "row", "column", "severity", "action").rows() == [
        ("cell_error", 2, "x", "warning", "repaired"),
        ("cell_error", 4, "x", "warning", "repaired"),
    ]
    assert ledger.flow().row(0)[1:] == (3, 1, 2, 0, 0)


def test_an_error_in_a_column_that_is_not_read_says_nothing(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[["id", "x"], [1, NA]])
    assert opened(path).table({"id": "id"})[1].issues().height == 0


def test_sheets_are_named_and_found_in_any_case(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", First=[["a"], [1]], Second=[["b"], [2]])
    assert sheet_names(path, []) == ["First", "Second"]
    assert opened(path).header == ("a",)
    assert opened(path, "second").frame.rows() == [("2",)]


@pytest.mark.parametrize(
    ("sheet", "rows", "place", "words"),
    [
        ("Nope", [["a"], [1]], "a.xlsx[Nope]", "its sheets are S"),
        ("", [], "a.xlsx[S]", "is empty"),
        ("", [["a", "a"], [1, 2]], "a.xlsx[S]:1:a", "two columns have this name"),
        ("", [["a", None, "b"], [1, 2, 3]], "a.xlsx[S]:1", "no name stands above column 2"),
        ("", [["A title"], ["id", "x"], [1, 2]], "a.xlsx[S]:1", "no name stands above column 2"),
    ],
)
def test_faults_of_a_sheet(tmp_path: Path, sheet: str, rows: list[list[Any]], place: str, words: str) -> None:
    (fault,) = refused(workbook(tmp_path / "a.xlsx", S=rows), sheet)
    assert fault.place == place
    assert words in fault.message


def test_a_merged_header_leaves_a_column_without_name(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx")
    sheet = book.add_worksheet("S")
    sheet.merge_range(0, 0, 0, 2, "ALSFRS-R")
    sheet.write_row(1, 0, [1, 2, 3])
    book.close()
    (fault,) = refused(tmp_path / "a.xlsx")
    assert "columns 2, 3" in fault.message


def test_a_column_without_name_and_cells_is_passed_over(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", S=[["a", None, "b"], [1, None, 3]])
    assert opened(path).header == ("a", "b")


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.ods", "a.xlsm", "a.parquet"])
@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 broken", b"PAR1 broken PAR1", b"id,x\n1,2\n", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 broken"]
)
def test_damage_is_a_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    (fault,) = refused(tmp_path / name)
    assert fault.place == name
    assert "cannot be read" in fault.message
    assert fault.remedy


def test_a_workbook_cut_short_is_a_sentence(tmp_path: Path) -> None:
    whole = workbook(tmp_path / "a.xlsx", S=[["a"], *([i] for i in range(500))]).read_bytes()
    for keep in (0.2, 0.5, 0.9):
        (tmp_path / "a.xlsx").write_bytes(whole[: int(len(whole) * keep)])
        assert refused(tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    assert refused(tmp_path / "a.xlsx")


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for name in ("a.xlsx", "a.parquet"):
        assert "cannot be read" in refused(tmp_path / name)[0].message


TYPED: list[tuple[pl.Series, list[str | None]]] = [
    (pl.Series([1, None], dtype=pl.Int64), ["1", None]),
    (pl.Series([200], dtype=pl.UInt8), ["200"]),
    (pl.Series([1.0, 0.1, 1e300, None]), ["1", "0.1", "1e+300", None]),
    (pl.Series([float("nan"), float("inf"), -0.0]), [None, None, "0"]),
    (pl.Series([0.1], dtype=pl.Float32), ["0.1"]),
    (pl.Series([True, False, None]), ["TRUE", "FALSE", None]),
    (pl.Series([dt.date(2024, 2, 29)]), ["2024-02-29"]),
    (pl.Series([dt.datetime(2024, 2, 29), None]), ["2024-02-29", None]),
    (pl.Series([dt.datetime(2024, 2, 29, 1, 2, 3)]), ["2024-02-29 01:02:03"]),
    (pl.Series([dt.datetime(2024, 2, 29)]).dt.replace_time_zone("Europe/Berlin"), ["2024-02-29"]),
    (pl.Series([dt.timedelta(days=2), dt.timedelta(hours=12)]), ["2", "0.5"]),
    (pl.Series([dt.time(13, 30)]), ["13:30:00"]),
    (pl.Series(["Limb", None], dtype=pl.Categorical), ["Limb", None]),
    (pl.Series(["b"], dtype=pl.Enum(["a", "b"])), ["b"]),
    (pl.Series([b"abc", None]), ["abc", None]),
    (pl.Series([b"abc", b"\xff"]), ["616263", "ff"]),
    (pl.Series([[1, 2], None]), ["[1,2]", None]),
    (pl.Series([{"a": 1}]), ['{"a":1}']),
    (pl.Series([None, None]), [None, None]),
]


@pytest.mark.parametrize(("column", "text"), TYPED, ids=[str(column.dtype) + str(i) for i, (column, _) in enumerate(TYPED)])
def test_typed_columns_become_text(column: pl.Series, text: list[str | None]) -> None:
    said = as_text(column)
    assert said.dtype == pl.String
    assert said.to_list() == text


def test_floats_read_back_as_they_were() -> None:
    numbers = pl.Series([0.1 + 0.2, 1 / 3, 2.0**53, 5e-324, -1.5, 123456.789])
    assert as_text(numbers).cast(pl.Float64).to_list() == numbers.to_list()


def test_parquet_counts_rows_from_one(tmp_path: Path) -> None:
    pl.DataFrame({"id": [1, 2], " x ": [0.5, 2.0]}).write_parquet(tmp_path / "a.parquet")
    table = open_parquet(tmp_path / "a.parquet", [])
    assert table is not None
    assert table.table({"id": "id", "x": "x"})[0].rows() == [("1", "0.5", 0, 1), ("2", "2", 1, 2)]
    assert "has no sheets" in refused(tmp_path / "a.parquet", "S")[0].message
