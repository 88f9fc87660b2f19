"""The four releases of PRO-ACT: the same cohort from coded workbooks, plain, PROACT_ and F_PROACT_ files."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alsmodel.cohort import Cohort, read
from alsmodel.cohort.proact.coded import field_key
from alsmodel.cohort.raw import collapsed
from alsmodel.errors import InvalidInput
from alsmodel.patients import VirtualCohort, proact
from alsmodel.patients.proact_layout import HEADERS
from alsmodel.patients.proact_vintages import (
    TABLES_OF_2013,
    TABLES_OF_2015,
    TABLES_OF_2022,
    TABLES_OF_2026,
    Vintage,
    spoken,
    write_vintage,
    write_xlsx,
)

STEM = "PROACT_2013_08_12_{}"
BOOK = STEM.format("ALSFRS") + "_Dictionary.csv"
DATA = STEM.format("ALSFRS") + "_Data.xlsx"
#: The least that a folder of 2013 may hold: form -> fields and rows, with participants but no codes.
SMALL: dict[str, tuple[list[str], list[list[str]]]] = {
    "ALSFRS": (["ALSFRS Delta", "1. Speech", "ALSFRS Total"], [["1", "0", "3", ""], ["1", "30", "2", ""]]),
    "Demographics": (["Age", "Sex", "Race - Asian"], [["1", "61", "Male", "1"]]),
    "DEATH": (["Subject Died", "Death Days"], [["1", "Yes", "400"]]),
}
Edit = Callable[[Path], None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return proact.write(VirtualCohort(), 60, 3, tmp_path_factory.mktemp("made"))


def small(folder: Path, coded: bool = True) -> Path:
    """Write SMALL: headings are codes, or the fields' own names."""
    folder.mkdir(parents=True, exist_ok=True)
    for form, (fields, rows) in SMALL.items():
        lines = [f"99|{form}|{1200 + i}|{field}|" for i, field in enumerate(fields)]
        dictionary = "\n".join(["FormID|FormName|FieldID|Field_Name|Value", *lines]) + "\n"
        (folder / f"{STEM.format(form)}_Dictionary.csv").write_text(dictionary)
        headings = [f"V_{1200 + i}" for i in range(len(fields))] if coded else fields
        write_xlsx(folder / f"{STEM.format(form)}_Data.xlsx", [["SubjectID", *headings], *rows])
    return folder


@pytest.mark.parametrize(
    ("vintage", "tables"),
    [("2013", TABLES_OF_2013), ("2015-16", TABLES_OF_2015), ("2022-25", TABLES_OF_2022), ("2026", TABLES_OF_2026)],
)
def test_every_release_gives_the_cohort_of_the_tables_that_it_has(made: Path, tmp_path: Path, vintage: Vintage, tables: list[str]) -> None:
    found = read(write_vintage(made, vintage, tmp_path / "own"), "proact")
    latest = read(write_vintage(made, "2026", tmp_path / "latest", tables), "proact")
    assert found.provenance["vintage"] == vintage
    assert found.digest == latest.digest
    counted = 2 if vintage == "2013" else 0
    assert found.flow["read"].sum() == latest.flow["read"].sum() + counted
    assert found.flow["set_aside"].sum() == latest.flow["set_aside"].sum() + counted
    rules = ["column_unknown", "file_unknown", "unknown_word", "unit_unknown"]
    assert found.issues.filter(pl.col("rule").is_in(rules)).is_empty()
    assert found.measurements.filter(name="nfl_serum").is_empty() is (vintage != "2026")


def test_a_field_of_2013_is_the_column_of_a_later_release() -> None:
    for columns in HEADERS.values():
        for column in columns:
            assert field_key(spoken(column)) == collapsed(column), column


@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("5a. Cutting without Gastrostomy", "Q5a_Cutting_without_Gastrostomy"),
        ("R-1. Dyspnea", "R_1_Dyspnea"),
        ("% of Normal (Trial 1)", "pct_of_Normal_Trial_1"),
        ("Subject Liters (Trial 2)", "Subject_Liters__Trial_2_"),
        ("Race - Black/African American", "Race_Black_African_American"),
        ("Site of Onset - Limb and Bulbar", "Site_of_Onset___Limb_and_Bulbar"),
        ("Cousin (Maternal)", "Cousin__Maternal_"),
        ("el_escorial", "el_escorial"),
    ],
)
def test_field_names_are_spelled_as_columns(field: str, column: str) -> None:
    assert field_key(field) == collapsed(column)


def test_headings_may_be_the_fields_own_names(tmp_path: Path) -> None:
    coded, named = read(small(tmp_path / "coded"), "proact"), read(small(tmp_path / "named", coded=False), "proact")
    assert coded.digest == named.digest
    assert coded.assessments["item_1"].to_list() == [3, 2]
    assert coded.covariates.filter(name="race")["text"].to_list() == ["asian"]
    assert [file["name"] for file in coded.provenance["dictionaries"]] == [f"{STEM.format(f)}_Dictionary.csv" for f in (*SMALL,)]


def test_a_fault_in_a_workbook_is_named_by_its_code_and_keeps_its_cell(tmp_path: Path) -> None:
    folder = small(tmp_path)
    write_xlsx(
        folder / f"{STEM.format('ALSFRS')}_Data.xlsx", [["SubjectID", "V_1200", "V_1201", "V_9"], ["1", "0", "7", "x"], ["1", "9", "4", ""]]
    )
    issues = read(folder, "proact").issues
    wrong = issues.filter(rule="score_out_of_range").row(0, named=True)
    assert (wrong["file"], wrong["row"], wrong["column"], wrong["value"]) == (
        f"{STEM.format('ALSFRS')}_Data.xlsx[Sheet1]",
        2,
        "V_1201",
        "7",
    )
    assert issues.filter(rule="column_unknown").select("file", "column").rows() == [(wrong["file"], "V_9")]


@pytest.mark.parametrize("line", ["(3484 row(s) affected)", "(1 row affected)", "( 7108 ROWS AFFECTED )"])
def test_the_line_that_counts_rows_is_set_aside_by_rule(tmp_path: Path, line: str) -> None:
    folder = small(tmp_path)
    write_xlsx(folder / f"{STEM.format('DEATH')}_Data.xlsx", [["SubjectID", "V_1200", "V_1201"], ["1", "Yes", "400"], [line, "", ""]])
    cohort = read(folder, "proact")
    assert cohort.participants["participant_id"].to_list() == ["1"]
    flow = cohort.flow.filter(pl.col("file").str.contains("DEATH")).row(0)[1:]
    assert flow == (2, 1, 0, 0, 1)
    assert cohort.issues.filter(rule="row_count_line")["detail"].str.starts_with("1 rows").all()
    # Text of another kind in that column stays a participant.
    assert cohort.events.height == 1


def _gone(name: str) -> Edit:
    return lambda folder: (folder / name).unlink()


def _written(name: str, text: str) -> Edit:
    def edit(folder: Path) -> None:
        (folder / name).write_text(text)

    return edit


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (_gone(BOOK), [DATA, "has no dictionary"]),
        (_gone(DATA), ["ALSFRS", "is missing"]),
        (_written(BOOK, "FormID,FieldID\n1,2\n"), [BOOK, "comma"]),
        (_written(BOOK, "FormID|Field\n1|2\n"), [f"{BOOK}:1:FieldID", f"{BOOK}:1:Field_Name"]),
        (_written(BOOK, "FieldID|Field_Name\n1200|ALSFRS Delta\n1200|Age\n"), [f"{BOOK}:V_1200", "two names"]),
        (_written(BOOK, "FieldID|Field_Name\n1200|ALSFRS Delta\n1201|ALSFRS Delta\n"), ["V_1201", "two columns one name"]),
        (_written(BOOK, "FieldID|Field_Name\n1201|1. Speech\n"), ["ALSFRS_Delta", "no such column"]),
        (_written(DATA, "no workbook"), [DATA, "cannot be read as a spreadsheet"]),
        (lambda folder: write_xlsx(folder / DATA, [["SubjectID", "V_1200", "V_1201"]]), [DATA, "no rows"]),
        (lambda folder: write_xlsx(folder / "ALSFRS_Data.xlsx", [["SubjectID"], ["1"]]), ["are both the form ALSFRS"]),
        (_written("F_PROACT_LABS.csv", "subject_id\n1\n"), [DATA, "F_PROACT_LABS.csv", "2013, 2026"]),
    ],
)
def test_structural_faults_of_the_coded_release(tmp_path: Path, edit: Edit, expected: list[str]) -> None:
    folder = small(tmp_path)
    edit(folder)
    with pytest.raises(InvalidInput) as caught:
        read(folder, "proact")
    for text in expected:
        assert text in str(caught.value), text


def test_structural_faults_of_several_forms_come_at_once(tmp_path: Path) -> None:
    folder = small(tmp_path)
    (folder / BOOK).unlink()
    (folder / f"{STEM.format('DEATH')}_Data.xlsx").unlink()
    (folder / f"{STEM.format('Demographics')}_Dictionary.csv").write_text("x\n")
    with pytest.raises(InvalidInput) as caught:
        read(folder, "proact")
    assert len(caught.value.faults) == 4


@pytest.mark.parametrize(
    ("first", "second"),
    [("alsfrs.csv", "F_PROACT_LABS.csv"), ("PROACT_ALSFRS.csv", "Svc.csv"), ("F_PROACT_ALSFRS.csv", "PROACT_LABS.csv")],
)
def test_files_of_two_releases_in_one_folder_are_refused_by_name(tmp_path: Path, first: str, second: str) -> None:
    for name in (first, second):
        (tmp_path / name).write_text("subject_id\n1\n")
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, "proact")
    told = [fault for fault in caught.value.faults if "releases" in fault.message]
    assert len(told) == 1
    assert first in told[0].place
    assert second in told[0].place


def test_files_of_no_table_do_not_make_a_release(tmp_path: Path) -> None:
    folder = small(tmp_path)
    for name in ("notes.csv", "F_PROACT_NEWTABLE.csv", "readme.txt"):
        (folder / name).write_text("a\n1\n")
    cohort = read(folder, "proact")
    assert cohort.provenance["vintage"] == "2013"
    assert cohort.issues.filter(rule="file_unknown")["file"].to_list() == ["F_PROACT_NEWTABLE.csv", "notes.csv"]


def test_a_dictionary_beside_a_later_release_is_no_release(made: Path, tmp_path: Path) -> None:
    folder = write_vintage(made, "2022-25", tmp_path)
    (folder / "PROACT_ALSFRS_Dictionary.csv").write_text("FieldID|Field_Name\n1|x\n")
    assert read(folder, "proact").provenance["vintage"] == "2022-25"


edits = st.lists(
    st.tuples(
        st.integers(0, 5), st.floats(0, 1), st.integers(0, 30), st.sampled_from([b"", b"|", b'"', b"\n", b"V_", b"\x00", b"\xe9", b"9"])
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(changes=edits)
def test_a_damaged_coded_folder_is_read_or_refused(tmp_path: Path, changes: list[tuple[int, float, int, bytes]]) -> None:
    paths = sorted(small(tmp_path).iterdir())
    for which, where, length, splice in changes:
        data = paths[which].read_bytes()
        start = int(where * len(data))
        paths[which].write_bytes(data[:start] + splice + data[start + length :])
    try:
        cohort: Cohort = read(tmp_path, "proact")
    except InvalidInput:
        return
    parts = cohort.flow.select(pl.sum_horizontal("kept", "repaired", "rejected", "set_aside")).to_series()
    assert parts.to_list() == cohort.flow["read"].to_list()


def test_the_order_of_the_columns_and_of_the_dictionary_does_not_matter(made: Path, tmp_path: Path) -> None:
    folder = write_vintage(made, "2013", tmp_path / "as_made")
    expected = read(folder, "proact")
    for path in folder.glob("*_Dictionary.csv"):
        header, *lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\r\n".join([header, *lines[::-1]]) + "\r\n", encoding="utf-8-sig")
    rows = [line.split(",") for line in (made / "F_PROACT_DEATHDATA.csv").read_text(encoding="utf-8-sig").splitlines()]
    (book,) = folder.glob("*DEATH_Data.xlsx")
    assert [row[0] for row in rows[:1]] == ["subject_id"]
    names = [["Death Days", "SubjectID", "Subject Died"], *([day, subject, died] for subject, died, day in rows[1:])]
    write_xlsx(book, names)
    assert read(folder, "proact").digest == expected.digest
