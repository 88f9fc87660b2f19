"""SAS transport files, Dataset-JSON and NDJSON as tables of text: the same data read alike, and damaged files are refused whole."""

import json
import random
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyreadstat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsmodel.cohort.files import FrameTable, open_table
from alsmodel.errors import Fault
from alsmodel.patients.cdisc_files import Variable, ibm_double, write_data_set

GOLDENS = Path(__file__).parents[1] / "goldens" / "cdisc"
#: The full collection lies beside the checkout on some machines; the copied part is always read.
BESIDE = Path(__file__).parents[3] / "shared" / "data" / "cdisc"
SUFFIXES = (".xpt", ".json", ".ndjson")


def triplets() -> list[Path]:
    folders = [GOLDENS, *([BESIDE] if BESIDE.is_dir() else [])]
    return [path for folder in folders for path in sorted(folder.glob("*.xpt"))]


def opened(path: Path) -> FrameTable:
    faults: list[Fault] = []
    table = open_table(path, faults)
    assert faults == []
    assert isinstance(table, FrameTable)
    return table


def refused(path: Path) -> list[str]:
    faults: list[Fault] = []
    assert open_table(path, faults) is None
    assert faults
    return [str(fault) for fault in faults]


def test_the_goldens_hold_the_five_triplets() -> None:
    assert [path.stem for path in sorted(GOLDENS.glob("*.xpt"))] == ["adam_adtte", "sdtm_dm", "sdtm_ds", "sdtm_mh", "sdtm_qsph"]


@pytest.mark.parametrize("path", triplets(), ids=lambda path: f"{path.parent.parent.name}/{path.stem}")
def test_the_three_forms_of_a_data_set_read_identically(path: Path) -> None:
    first, *others = [opened(path.with_suffix(suffix)) for suffix in SUFFIXES]
    assert first.frame.height > 0
    assert set(first.frame.dtypes) == {pl.String()}
    for other in others:
        assert other.frame.equals(first.frame)
        assert set(other.labels) == set(first.labels)
    assert others[0].labels == others[1].labels


def test_cells_are_as_the_files_say() -> None:
    # Read from adam_adtte.ndjson, line 2, and sdtm_dm.ndjson, lines 1 and 2, by eye.
    row = opened(GOLDENS / "adam_adtte.xpt").frame.row(0, named=True)
    expected = {"USUBJID": "01-701-1015", "AGE": "63", "STARTDT": "2014-01-02", "ADT": "2014-01-03", "AVAL": "2", "CNSR": "0"}
    assert {name: row[name] for name in expected} == expected
    demographics = opened(GOLDENS / "sdtm_dm.xpt")
    assert demographics.frame["DTHFL"].to_list()[:2] == [None, "Y"]
    assert demographics.labels["RFSTDTC"] == "Subject Reference Start Date/Time"
    _, ledger = demographics.table({"USUBJID": "participant_id"})
    frame, _ = demographics.table({"USUBJID": "participant_id"})
    assert frame["_line"].to_list() == list(range(1, 19))
    assert ledger.height == 18


def test_an_issue_carries_the_cell_of_the_data_set() -> None:
    frame, ledger = opened(GOLDENS / "sdtm_dm.xpt").table({"AGE": "age"})
    ledger.flag("not_a_number", frame.head(1), column="AGE")
    assert ledger.issues()["value"].to_list() == ["84"]


VARIABLES = [Variable("TEXT", "Some text"), Variable("NUMBER", "A number", "number"), Variable("DAY", "A day", "date")]


@pytest.mark.parametrize("files", ["xpt", "dataset-json", "ndjson"])
def test_files_of_another_writer_read_back(tmp_path: Path, files: Any) -> None:
    rows: list[list[Any]] = [["a", 1.0, date(2014, 1, 2)], [None, None, None], ["é ü", -0.1, date(1949, 12, 31)], ["x", 1e-7, None]]
    table = opened(write_data_set("TEST", "A test", VARIABLES, rows, tmp_path, files))
    assert table.frame.rows() == [("a", "1", "2014-01-02"), (None, None, None), ("é ü", "-0.1", "1949-12-31"), ("x", "1e-7", None)]
    assert table.labels == {"TEXT": "Some text", "NUMBER": "A number", "DAY": "A day"}


@settings(max_examples=60, deadline=None)
@given(st.floats(min_value=1e-70, max_value=1e70).flatmap(lambda x: st.sampled_from([x, -x])))
def test_numbers_of_transport_files_lose_nothing(tmp_path_factory: pytest.TempPathFactory, number: float) -> None:
    folder = tmp_path_factory.mktemp("number")
    path = write_data_set("T", "T", [Variable("N", "N", "number")], [[number]], folder, "xpt")
    assert float(opened(path).frame["N"][0]) == number


def test_numbers_of_transport_files_are_ibm_numbers() -> None:
    # Worked cases: 118.625 is 76.A hexadecimal, 0x42 x 16**2; https://en.wikipedia.org/wiki/IBM_hexadecimal_floating-point
    assert ibm_double(-118.625).hex() == "c276a00000000000"
    assert ibm_double(1.0).hex() == "4110000000000000"
    assert ibm_double(0.0).hex() == "0000000000000000"


@pytest.mark.parametrize(
    ("written", "number", "expected"),
    [
        ("DATE9", 19725.0, "2014-01-02"),
        ("YYMMDD10", -1.0, "1959-12-31"),
        ("E8601DA", 0.0, "1960-01-01"),
        ("DATETIME20", 86400.0 + 3661, "1960-01-02T01:01:01"),
        ("TIME8", 3661.0, "01:01:01"),
        ("BEST12", 19725.0, "19725"),
        ("DATE9", 1e12, "1000000000000"),
        (None, 25.1, "25.1"),
    ],
)
def test_formats_say_what_is_a_date(tmp_path: Path, written: str | None, number: float, expected: str) -> None:
    path = tmp_path / "t.xpt"
    formats = {"N": written} if written else None
    pyreadstat.write_xport(pl.DataFrame({"N": [number]}), path, table_name="T", file_format_version=5, variable_format=formats)
    assert opened(path).frame["N"].to_list() == [expected]


@pytest.mark.parametrize(("name", "unseen"), [("sdtm_dm.xpt", 1), ("sdtm_mh.xpt", 17)])
def test_a_transport_file_that_was_cut_off_is_refused(tmp_path: Path, name: str, unseen: int) -> None:
    data = (GOLDENS / name).read_bytes()
    whole = opened(GOLDENS / name).frame
    cut = tmp_path / name
    read = 0
    for length in sorted({*range(0, len(data), 331), *range(0, len(data), 80)}):
        cut.write_bytes(data[:length])
        faults: list[Fault] = []
        table = open_table(cut, faults)
        if table is None:
            assert len(faults) == 1
            continue
        # Only a cut exactly between two rows cannot be seen; whatever was read is right.
        assert isinstance(table, FrameTable)
        assert table.frame.equals(whole.head(table.frame.height))
        read += 1
    # The rows of MH have 80 bytes, as many as a record, so that every record ends with a row; those of DM have 476.
    assert read == unseen


def test_two_data_sets_in_one_transport_file_are_refused(tmp_path: Path) -> None:
    path = write_data_set("T", "T", VARIABLES, [["a", 1.0, None]], tmp_path, "xpt")
    data = path.read_bytes()
    path.write_bytes(data + data[240:])
    assert "holds 2 data sets" in refused(path)[0]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_files_never_end_in_a_traceback(tmp_path: Path, suffix: str) -> None:
    data = (GOLDENS / f"sdtm_mh{suffix}").read_bytes()
    chance = random.Random(20)
    path = tmp_path / f"mh{suffix}"
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 4, 30))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(bytes(damaged[: chance.choice((len(data), chance.randrange(len(data))))]))
        faults: list[Fault] = []
        table = open_table(path, faults)
        assert (table is None) == bool(faults)
        outcomes.add(table is None)
    assert True in outcomes


def sample() -> dict[str, Any]:
    columns = [
        {"itemOID": "IT.T.A", "name": "A", "label": "Text", "dataType": "string"},
        {"itemOID": "IT.T.B", "name": "B", "label": "Number", "dataType": "integer"},
        {"itemOID": "IT.T.C", "name": "C", "label": "Decimal", "dataType": "decimal"},
    ]
    return {
        "datasetJSONCreationDateTime": "2024-11-11T15:09:15",
        "datasetJSONVersion": "1.1.0",
        "itemGroupOID": "IG.T",
        "records": 2,
        "name": "T",
        "label": "A test",
        "columns": columns,
        "rows": [["a ", 1, "0.10"], ["", None, None]],
    }


def write_json(folder: Path, value: Any, suffix: str = ".json") -> Path:
    path = folder / f"t{suffix}"
    if suffix == ".ndjson":
        about = {name: part for name, part in value.items() if name != "rows"}
        path.write_text("\n".join(json.dumps(line) for line in (about, *value["rows"])) + "\n", encoding="utf-8")
    else:
        path.write_text(json.dumps(value, indent=1), encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".json", ".ndjson"])
def test_a_small_data_set_is_read(tmp_path: Path, suffix: str) -> None:
    assert opened(write_json(tmp_path, sample(), suffix)).frame.rows() == [("a", "1", "0.1"), (None, None, None)]


def test_rows_may_come_before_the_columns(tmp_path: Path) -> None:
    value = sample()
    turned = {"rows": value.pop("rows"), **value}
    assert opened(write_json(tmp_path, turned)).frame.height == 2


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = write_json(tmp_path, sample())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert opened(path).frame.height == 2


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda value: value.pop(name)


def _set(name: str, cell: Any) -> Callable[[dict[str, Any]], None]:
    return lambda value: value.__setitem__(name, cell)


def _cell(row: int, column: int, cell: Any) -> Callable[[dict[str, Any]], None]:
    return lambda value: value["rows"][row].__setitem__(column, cell)


@pytest.mark.parametrize("suffix", [".json", ".ndjson"])
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (_without("records"), "does not give records"),
        (_without("columns"), "does not give columns"),
        (_set("datasetJSONVersion", "1.0.0"), "another version"),
        (_set("records", 3), "another number of records"),
        (_set("columns", []), "no list of columns"),
        (_set("rows", [["a", 1]]), "a row of 2 cells for 3 columns"),
        (_set("rows", [{"A": "a"}, ["b", 1, None]]), "a row that is no list"),
        (_cell(0, 0, 5), ":A: error: a cell of another type than string"),
        (_cell(0, 1, "five"), ":B: error: a cell of another type than integer"),
        (_cell(0, 1, 1.5), ":B: error: a cell of another type than integer"),
        (_cell(0, 1, True), ":B: error: a cell of another type than integer"),
        (_cell(0, 2, "ten"), ":C: error: a cell of another type than decimal"),
        (_cell(0, 0, ["nested"]), ":A: error: a cell of another type than string"),
        (_cell(0, 1, float("nan")), "is no JSON"),
    ],
)
def test_structure_is_checked(tmp_path: Path, damage: Callable[[dict[str, Any]], None], expected: str, suffix: str) -> None:
    value = sample()
    damage(value)
    found = refused(write_json(tmp_path, value, suffix))
    assert any(expected in fault for fault in found), found


def test_faults_of_columns_are_all_listed(tmp_path: Path) -> None:
    value = sample()
    value["columns"][0].pop("label")
    value["columns"][1]["dataType"] = "number"
    value["columns"].append(dict(value["columns"][2]))
    found = refused(write_json(tmp_path, value))
    assert len(found) == 3


def test_faults_name_the_line_and_come_all_at_once(tmp_path: Path) -> None:
    value = sample()
    value["rows"] = [["a", "x", None], ["a"], ["a", 1, None], ["a", "x", "y"]]
    value["records"] = 4
    found = refused(write_json(tmp_path, value, ".ndjson"))
    assert [fault.split(" error:")[0] for fault in sorted(found)] == ["t.ndjson:2:B:", "t.ndjson:3:", "t.ndjson:5:B:", "t.ndjson:5:C:"]
    # The same rows indented by one: a line for each cell and for the brackets around them.
    text = write_json(tmp_path, value).read_text().splitlines()
    places = [int(fault.split(":")[1]) for fault in refused(tmp_path / "t.json")]
    assert all(text[line - 1].strip() == "[" for line in places)


def test_many_faults_are_counted(tmp_path: Path) -> None:
    value = sample()
    value["rows"] = [["a"]] * 12_000
    value["records"] = 12_000
    found = refused(write_json(tmp_path, value, ".ndjson"))
    assert len(found) == 21
    assert "11980 further" in found[-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("[]", "no JSON"),
        ('{"a": 1} x', "goes on after its end"),
        ('{"a": 1, "a": 2}', "a name twice"),
        ('{"rows": [[1, 2', "cut off"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_text_that_is_no_data_set(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    assert expected in refused(path)[0]


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(b'{"name": "\xe9"}')
    assert "is not UTF-8" in refused(path)[0]


def test_long_files_are_read_in_parts_that_join(tmp_path: Path) -> None:
    value = sample()
    value["rows"] = [[f"p{i}", i, None] for i in range(12_345)]
    value["records"] = 12_345
    for suffix in (".json", ".ndjson"):
        frame = opened(write_json(tmp_path, value, suffix)).frame
        assert frame["B"].cast(pl.Int64).to_list() == list(range(12_345))
