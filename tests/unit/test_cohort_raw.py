"""Bytes to cells: encodings, line ends, delimiters, rows of the wrong shape."""

from pathlib import Path

import pytest

from alsmodel.cohort.raw import RawFile, collapsed, open_raw
from alsmodel.errors import Fault, InvalidInput


def opened(tmp_path: Path, data: bytes) -> RawFile:
    (tmp_path / "a.csv").write_bytes(data)
    faults: list[Fault] = []
    raw = open_raw(tmp_path / "a.csv", faults)
    assert faults == []
    assert raw is not None
    return raw


def fault(tmp_path: Path, data: bytes) -> str:
    (tmp_path / "a.csv").write_bytes(data)
    faults: list[Fault] = []
    assert open_raw(tmp_path / "a.csv", faults) is None
    return "\n".join(map(str, faults))


@pytest.mark.parametrize(
    "data",
    [
        b"x,y\n1,a\n2,\n",
        b"x,y\n1,a\n2,",
        b"x,y\r\n1,a\r\n2,\r\n",
        b"x,y\r1,a\r2,\r",
        b"\xef\xbb\xbfx,y\n1,a\n2,NA\n",
        b'"x","y"\n"1","a"\n"2","-"\n',
        b"x,y\n 1 , a\n2,  \n",
        b" x ,y\n1,a\n2, . \n",
    ],
)
def test_the_same_cells_are_read_from_every_dialect(tmp_path: Path, data: bytes) -> None:
    raw = opened(tmp_path, data)
    assert raw.header == ("x", "y")
    frame, ledger = raw.table({"x": "p", "y": "q"})
    assert frame.select("_line", "p", "q").rows() == [(2, "1", "a"), (3, "2", None)]
    assert ledger.flow().row(0)[1:] == (2, 2, 0, 0, 0)


def test_cp1252_is_read_and_noted(tmp_path: Path) -> None:
    raw = opened(tmp_path, "x\nJosé\n".encode("cp1252"))
    frame, ledger = raw.table({"x": "x"})
    assert frame["x"].to_list() == ["José"]
    assert ledger.issues()["rule"].to_list() == ["encoding_cp1252"]
    assert not opened(tmp_path, "x\nJosé\n".encode()).cp1252


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"x,y\n1,\x81\n", "neither UTF-8 nor cp1252"),
        ("x,y\n1,2\n".encode("utf-16"), "neither UTF-8 nor cp1252"),
        (b"x;y\n1;2\n", "separated by a semicolon"),
        (b"x\ty\n1\t2\n", "separated by a tab"),
        (b"x|y\n1|2\n", "separated by a vertical bar"),
        (b"", "header line"),
        (b"\n\n", "header line"),
        (b"x,x\n1,2\n", "two columns"),
    ],
)
def test_structural_faults_of_a_file(tmp_path: Path, data: bytes, expected: str) -> None:
    assert expected in fault(tmp_path, data)


def test_an_absent_file_is_a_fault(tmp_path: Path) -> None:
    faults: list[Fault] = []
    assert open_raw(tmp_path / "none.csv", faults) is None
    assert "cannot be read" in str(faults[0])


def test_rows_of_the_wrong_shape_are_rejected_with_their_line(tmp_path: Path) -> None:
    raw = opened(tmp_path, b'x,y\n1,a\n\n2,b,c\n3\n4,"d\nd"\n5,e,,\n')
    frame, ledger = raw.table({"x": "x", "y": "y"})
    assert frame.select("_line", "x", "y").rows() == [(2, "1", "a"), (6, "4", "d\nd"), (8, "5", "e")]
    issues = ledger.issues().select("row", "rule").rows()
    assert issues == [(3, "blank_row"), (4, "row_shape"), (5, "row_shape")]
    assert ledger.flow().row(0)[1:] == (6, 3, 0, 3, 0)


def test_a_short_row_is_not_read_as_missing(tmp_path: Path) -> None:
    _, ledger = opened(tmp_path, b"x,y\n1,a\n2\n").table({"x": "x"})
    assert ledger.issues()["rule"].to_list() == ["row_shape"]


def test_an_unclosed_quotation_mark_over_a_long_text_is_a_fault(tmp_path: Path) -> None:
    raw = opened(tmp_path, b'x,y\n"1,a\n' + b"2,b\n" * 40_000)
    with pytest.raises(InvalidInput, match="never closed"):
        raw.table({"x": "x"})


def test_column_names_are_compared_without_case_and_spare_underscores() -> None:
    assert collapsed(" Subject_Liters__Trial_2_ ") == collapsed("subject_liters_trial_2")


def test_a_short_row_is_found_among_quoted_cells(tmp_path: Path) -> None:
    raw = opened(tmp_path, b'x,y,z\n1,"a,b",c\n2,"d"\n3,"say ""no"", please",f\n\n\n')
    frame, ledger = raw.table({"x": "x", "y": "y"})
    assert frame.rows() == [("1", "a,b", 0, 2), ("3", 'say "no", please', 2, 4)]
    assert ledger.issues().select("row", "rule").rows() == [(3, "row_shape")]


@pytest.mark.parametrize("data", [b"X (1),y\n a ,1\nb,2\n", b"X (1),y\n a ,1\n\nb,2\nc\n"])
def test_issues_carry_cells_by_the_position_of_their_row(tmp_path: Path, data: bytes) -> None:
    frame, ledger = opened(tmp_path, data).table({"X (1)": "x", "y": "y"})
    ledger.flag("not_a_number", frame.filter(frame["y"] == "2"), column="X (1)")
    ledger.flag("unknown_word", frame[:1], column="y")
    found = {row["rule"]: row["value"] for row in ledger.issues().iter_rows(named=True) if row["column"]}
    assert found == {"not_a_number": "b", "unknown_word": "1"}


def test_a_cell_of_a_quoted_row_is_kept_whole(tmp_path: Path) -> None:
    frame, ledger = opened(tmp_path, b'x,y\n"a, ""b""\nc",1\n').table({"x": "x"})
    ledger.flag("unknown_word", frame, column="x")
    assert ledger.issues()["value"].to_list() == ['a, "b"\nc']
