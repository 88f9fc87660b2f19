"""Every column of PRO-ACT's public description is held, or set aside by name with a reason."""

import csv
from pathlib import Path

import polars as pl
import pytest

from alsmodel.cohort import Cohort, read
from alsmodel.cohort.forms.mapping import authored_map
from alsmodel.cohort.raw import collapsed

#: Table, column, what becomes of it (target, covariate, set aside), the name it gets, a cell for it, why it is set aside.
COLUMNS = list(csv.DictReader((Path(__file__).parent / "proact_columns.csv").read_text(encoding="utf-8").splitlines()))
NAMES = [f"{c['table']}.{c['column']}" for c in COLUMNS]

#: What else must be in the row of a column for its cell to say anything.
BESIDE: dict[str, dict[str, str]] = {
    "FVC.subject_normal": {"Subject_Liters_Trial_1": "2"},
    "SVC.Subject_Normal": {"Subject_Liters_Trial_1": "2"},
    "VITALSIGNS.Temperature": {"Temperature_Units": "C"},
    "VITALSIGNS.Temperature_Units": {"Temperature": "36.5"},
    "VITALSIGNS.Weight": {"Weight_Units": "kg"},
    "VITALSIGNS.Weight_Units": {"Weight": "150"},
    "VITALSIGNS.Height": {"Height_Units": "cm"},
    "VITALSIGNS.Height_Units": {"Height": "65"},
    "VITALSIGNS.Baseline_Weight": {"Weight_Units": "kg"},
    "VITALSIGNS.Endpoint_Weight": {"Weight_Units": "kg"},
    "DEATHDATA.Death_Days": {"Subject_Died": "Yes"},
    "RILUZOLE.Riluzole_use_Delta": {"Subject_used_Riluzole": "Yes"},
}
#: A row of each table that says as little as a row can.
ROWS: dict[str, dict[str, str]] = {
    "ALSFRS": {"subject_id": "1", "ALSFRS_Delta": "5", "Q9_Climbing_Stairs": "4"},
    "DEMOGRAPHICS": {"subject_id": "1"},
    "DEATHDATA": {"subject_id": "1", "Subject_Died": "No"},
    "ALSHISTORY": {"subject_id": "1"},
    "FVC": {"subject_id": "1", "Forced_Vital_Capacity_Delta": "0", "pct_of_Normal_Trial_1": ""},
    "SVC": {"subject_id": "1", "Slow_vital_Capacity_Delta": "0"},
    "VITALSIGNS": {"subject_id": "1", "Vital_Signs_Delta": "0", "Pulse": "80"},
    "LABS": {"subject_id": "1", "Test_Name": "CK", "Test_Result": "200", "Laboratory_Delta": "0"},
    "Neurofilament": {"subject_id": "1", "Matrix": "Serum", "Result": "60", "Collection_Delta": "0"},
    "RILUZOLE": {"subject_id": "1", "Subject_used_Riluzole": "Yes"},
    "TREATMENT": {"subject_id": "1", "Study_Arm": "Active"},
    "ELESCORIAL": {"subject_id": "1", "el_escorial": "Definite"},
    "FAMILYHISTORY": {"subject_id": "1", "Neurological_Disease": "ALS"},
    "HANDGRIPSTRENGTH": {"subject_id": "1", "Test_Result": "50", "MS_Delta": "0"},
    "MUSCLESTRENGTH": {"subject_id": "1", "Test_Result": "50", "MS_Delta": "0"},
    "CONMEDS": {"subject_id": "1", "Medication_Coded": "Riluzole"},
    "ADVERSEEVENTS": {"subject_id": "1"},
}


def cohort_with(folder: Path, table: str, cells: dict[str, str]) -> Cohort:
    """A folder of the three tables that must be there, and `table`, each with one row."""
    folder.mkdir()
    for name in {"ALSFRS", "DEMOGRAPHICS", "DEATHDATA", table}:
        row = ROWS[name] | (cells if name == table else {})
        (folder / f"PROACT_{name}.csv").write_text(f"{','.join(row)}\n{','.join(row.values())}\n", encoding="utf-8")
    return read(folder, "proact")


def test_the_description_has_17_tables_and_209_columns() -> None:
    assert len({c["table"] for c in COLUMNS}) == 17
    assert len(set(NAMES)) == len(COLUMNS) == 209
    assert {c["fate"] for c in COLUMNS} == {"target", "covariate", "set aside"}
    assert all(bool(c["reason"]) == (c["fate"] == "set aside") == (not c["becomes"]) for c in COLUMNS)


def test_the_mapping_says_of_every_column_what_this_table_says() -> None:
    mapped: dict[tuple[str, str], str] = {}
    aside: set[tuple[str, str]] = set()
    for name, form in authored_map("proact").tables.items():
        mapped |= {(name, collapsed(written)): target for written, target in form.columns.items()}
        aside |= {(name, collapsed(written)) for written in form.set_aside}
    # Merged item 5 is met in releases that the description does not list.
    assert mapped.pop(("ALSFRS", "q5_cutting")) == "item_5"
    assert mapped == {(c["table"], collapsed(c["column"])): c["becomes"] for c in COLUMNS if c["becomes"]}
    assert aside == {(c["table"], collapsed(c["column"])) for c in COLUMNS if c["fate"] == "set aside"}


@pytest.fixture(scope="module")
def bare() -> dict[str, Cohort]:
    """Cohorts of rows without the column, by table and what else is in the row."""
    return {}


@pytest.mark.parametrize("column", COLUMNS, ids=NAMES)
def test_a_cell_changes_the_cohort_unless_its_column_is_set_aside(tmp_path: Path, column: dict[str, str], bare: dict[str, Cohort]) -> None:
    name, written = column["table"], column["column"]
    beside = BESIDE.get(f"{name}.{written}", {})
    key = f"{name}:{beside}"
    if key not in bare:
        bare[key] = cohort_with(tmp_path / "without", name, beside)
    without = bare[key]
    filled = cohort_with(tmp_path / "filled", name, {**beside, written: column["cell"]})
    listed = filled.issues.filter(pl.col("rule").is_in(["column_unknown", "column_set_aside"])).select("rule", "column").rows()
    if column["fate"] == "set aside":
        assert filled.digest == without.digest
        assert listed == [("column_set_aside", written)]
    else:
        assert filled.digest != without.digest
        assert listed == []
        assert filled.issues.filter(pl.col("severity") == "error").is_empty()
    if column["fate"] == "covariate":
        same = [t for t in filled.table_digests if filled.table_digests[t] == without.table_digests[t]]
        assert "covariates" not in same
