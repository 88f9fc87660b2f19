"""ADaM data sets to a cohort: analysis days, imputed rows, censoring and end points by worked cases."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alsmodel.clinical.events import DEATH, TRACHEOSTOMY_FREE
from alsmodel.cohort import Cohort
from alsmodel.cohort.cdisc import read_adam
from alsmodel.cohort.endpoints import end_point
from alsmodel.errors import InvalidInput
from alsmodel.patients.cdisc_files import Variable, write_data_set

GOLDENS = Path(__file__).parents[1] / "goldens" / "cdisc"
Row = dict[str, Any]
ADSL: Row = {"USUBJID": "A", "TRTSDT": "2020-03-10", "AGE": 60.0, "SEX": "F", "TRT01P": "Drug X"}
ADQS: Row = {"USUBJID": "A", "PARAMCD": "Q1", "PARAM": "ALSFRS-R01-Speech", "AVAL": 3.0, "ADY": 1.0}
TTE: Row = {"USUBJID": "A", "PARAMCD": "OS", "PARAM": "Overall Survival (days)", "AVAL": 100.0, "ADT": "2020-06-17", "CNSR": 0.0}


def put(folder: Path, name: str, rows: list[Row]) -> None:
    folder.mkdir(exist_ok=True)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    numbers = {column for row in rows for column, cell in row.items() if isinstance(cell, float)}
    variables = [Variable(column, column, "number" if column in numbers else "text") for column in columns]
    write_data_set(name.upper(), name, variables, [[row.get(column) for column in columns] for row in rows], folder, "ndjson")


def study(folder: Path, mapping: dict[str, Any] | None = None, **sets: list[Row] | Row) -> Cohort:
    given = {"adsl": ADSL} | sets
    for name, rows in given.items():
        put(folder, name, rows if isinstance(rows, list) else [rows])
    return read_adam(folder, mapping=mapping)


def rules(cohort: Cohort, file: str) -> list[tuple[str, str | None]]:
    rows = cohort.issues.filter((pl.col("file") == f"{file}.ndjson") & ~pl.col("rule").str.starts_with("column_"))
    return rows.select("rule", "column").rows()


@pytest.mark.parametrize(
    ("dates", "visit", "day"),
    [
        ({"TRTSDT": "2020-03-10"}, {"ADY": 1.0}, 0.0),
        ({"TRTSDT": "2020-03-10"}, {"ADY": -1.0}, -1.0),
        ({"TRTSDT": "2020-03-10"}, {"ADT": "2020-03-12"}, 2.0),
        ({"TRTSDT": None, "RANDDT": "2020-03-09"}, {"ADT": "2020-03-12"}, 3.0),
        ({"TRTSDT": "2020-03-10", "RANDDT": "2020-03-09"}, {"ADT": "2020-03-12"}, 2.0),
        ({"TRTSDT": None}, {"ADY": 15.0}, 14.0),
    ],
)
def test_days(tmp_path: Path, dates: Row, visit: Row, day: float) -> None:
    row = {name: cell for name, cell in ADQS.items() if name != "ADY"} | visit
    cohort = study(tmp_path, adsl={**ADSL, **dates}, adqs=row)
    assert cohort.assessments.select("day", "item_1").rows() == [(day, 3)]


def test_imputed_and_derived_rows_are_set_aside_with_the_reason(tmp_path: Path) -> None:
    rows = [
        {**ADQS, "DTYPE": None, "ANL01FL": "Y", "ABLFL": "Y"},
        {**ADQS, "ADY": 30.0, "AVAL": 1.0, "DTYPE": "LOCF", "ANL01FL": "Y"},
        {**ADQS, "ADY": 29.0, "AVAL": 2.0, "DTYPE": None, "ANL01FL": None},
        {**ADQS, "PARAM": "ALSFRS-R Bulbar Subscore", "AVAL": 9.0},
        {**ADQS, "PARAM": "Pain (0-10)"},
    ]
    cohort = study(tmp_path, adqs=rows)
    # A row that no analysis chose (ANL01FL) was observed all the same.
    assert cohort.assessments.select("day", "item_1").rows() == [(0.0, 3), (28.0, 2)]
    details = cohort.issues.filter(rule="row_set_aside", file="adqs.ndjson")["detail"].to_list()
    assert sorted(detail.split(": ")[1].split(";")[0] for detail in details) == [
        "derived or imputed (DTYPE)",
        "rows of other questionnaires",
        "sums of some items",
    ]
    assert cohort.flow.filter(file="adqs.ndjson").row(0)[1:] == (5, 2, 0, 0, 3)


@pytest.mark.parametrize(
    ("censor", "events", "recorded"),
    [(0.0, [("death", 99.0)], "died"), (1.0, [], "not died"), (2.0, [], "not died")],
)
def test_cnsr_0_means_that_the_event_happened(tmp_path: Path, censor: float, events: list[tuple[str, float]], recorded: str) -> None:
    cohort = study(tmp_path, adtte={**TTE, "CNSR": censor})
    assert cohort.events.select("kind", "day").rows() == events
    assert cohort.covariates.filter(name="death_recorded")["text"].to_list() == [recorded]
    # The natural mistake, CNSR = 1 taken for the event, gives the opposite of each.
    mistaken = censor == 1
    assert censor == 2 or (cohort.events.height == 1) is not mistaken
    assert cohort.participants["last_contact_day"].to_list() == ([None] if censor == 0 else [99.0])


def test_censoring_in_the_pilot_submission() -> None:
    # adam_adtte: CNSR is 0 where EVNTDESC says that the event occurred, in each of its 254 rows.
    import json

    lines = (GOLDENS / "adam_adtte.ndjson").read_text(encoding="utf-8").splitlines()
    names = [column["name"] for column in json.loads(lines[0])["columns"]]
    rows = [dict(zip(names, json.loads(line), strict=True)) for line in lines[1:]]
    assert len(rows) == 254
    assert all(("Event Occured" in row["EVNTDESC"]) == (row["CNSR"] == 0) for row in rows)


def test_the_pilot_submission_is_read(tmp_path: Path) -> None:
    (tmp_path / "adtte.xpt").write_bytes((GOLDENS / "adam_adtte.xpt").read_bytes())
    import json

    lines = (GOLDENS / "adam_adtte.ndjson").read_text(encoding="utf-8").splitlines()
    names = [column["name"] for column in json.loads(lines[0])["columns"]]
    rows = [dict(zip(names, json.loads(line), strict=True)) for line in lines[1:]]
    put(
        tmp_path,
        "adsl",
        [{"USUBJID": row["USUBJID"], "TRTSDT": row["TRTSDT"], "AGE": float(row["AGE"]), "TRT01P": row["TRTP"]} for row in rows],
    )
    cohort = read_adam(tmp_path)
    definition = "Time to First Dermatologic Event"
    assert cohort.provenance["records_events"] == [{"kind": "ttde", "definition": definition}]
    # AVAL counts the first day: day = AVAL - 1.
    expected = {row["USUBJID"]: float(row["AVAL"] - 1) for row in rows if row["CNSR"] == 0}
    assert dict(cohort.events.select("participant_id", "day").rows()) == expected
    point = end_point(cohort, definition)
    assert int(point["happened"].sum()) + int(point["at_entry"].sum()) == len(expected)


@pytest.mark.parametrize(
    ("code", "words", "kind", "definition"),
    [
        ("OS", "Overall Survival", "death", DEATH.tag),
        ("TTD", "Time to Death (Days)", "death", DEATH.tag),
        ("TTD", "Time to All-Cause Death", "death", DEATH.tag),
        ("DTH", "death, any cause", "death", DEATH.tag),
        ("TFS", "Tracheostomy-free survival", "tfs", TRACHEOSTOMY_FREE.tag),
        ("TTDT", "Time to Death or Tracheostomy (days)", "ttdt", TRACHEOSTOMY_FREE.tag),
        ("TTDP", "Time to Death or PAV", "ttdp", "Time to Death or PAV"),
        ("TTDTP", "Time to Death or Tracheostomy or PAV", "ttdtp", "Time to Death or Tracheostomy or PAV"),
        ("TRACH", "tracheostomy", "tracheostomy", "tracheostomy"),
        ("EVENT04", "gastrostomy, day of admission or discharge", "gastrostomy", "gastrostomy, day of admission or discharge"),
        ("EVENT05", "start of non-invasive ventilation, date as recorded", "niv", "start of non-invasive ventilation, date as recorded"),
        ("EVENT06", "tracheostomy or NIV", "event06", "tracheostomy or NIV"),
    ],
)
def test_end_points_carry_their_definition(tmp_path: Path, code: str, words: str, kind: str, definition: str) -> None:
    cohort = study(tmp_path, adtte={**TTE, "PARAMCD": code, "PARAM": words})
    assert cohort.events.select("kind", "day", "definition").rows() == [(kind, 99.0, definition)]
    assert cohort.provenance["records_events"] == [{"kind": kind, "definition": definition}]


def test_a_composite_does_not_record_its_components(tmp_path: Path) -> None:
    rows = [{**TTE, "PARAMCD": "TFS", "PARAM": "Tracheostomy-free survival", "EVNTDESC": "Tracheostomy"}]
    cohort = study(tmp_path, adtte=rows)
    with pytest.raises(InvalidInput, match="death is not recorded"):
        end_point(cohort, DEATH)
    assert end_point(cohort, TRACHEOSTOMY_FREE)["happened"].to_list() == [True]


def test_the_user_says_what_a_parameter_is(tmp_path: Path) -> None:
    cohort = study(tmp_path, adtte={**TTE, "PARAMCD": "EP1", "PARAM": "Primary"}, mapping={"events": {"ep1": "death, any cause"}})
    assert cohort.events["kind"].to_list() == ["death"]


def test_deaths_of_adsl_and_adtte_are_compared(tmp_path: Path) -> None:
    differs = study(tmp_path / "a", adsl={**ADSL, "DTHFL": "Y", "DTHDT": "2020-06-18"}, adtte=TTE)
    assert differs.events.select("kind", "day").rows() == [("death", 100.0)]
    assert rules(differs, "adtte") == [("death_sources_differ", "ADT")]
    unsaid = study(tmp_path / "b", adsl={**ADSL, "DTHFL": None, "DTHADY": None}, adtte=TTE)
    assert unsaid.events.select("kind", "day").rows() == [("death", 99.0)]
    assert rules(unsaid, "adtte") == [("death_sources_differ", "CNSR")]
    agrees = study(tmp_path / "c", adsl={**ADSL, "DTHFL": "Y", "DTHADY": 100.0}, adtte=TTE)
    assert agrees.events.select("kind", "day").rows() == [("death", 99.0)]
    assert rules(agrees, "adtte") == []


def test_an_unreadable_censor_counts_as_unknown(tmp_path: Path) -> None:
    rows = [{**TTE, "CNSR": None}, {**TTE, "USUBJID": "B", "CNSR": 0.5}, {**TTE, "USUBJID": "C", "CNSR": 1.0}]
    cohort = study(tmp_path, adsl=[ADSL, {**ADSL, "USUBJID": "B"}, {**ADSL, "USUBJID": "C"}], adtte=rows)
    assert cohort.events.height == 0
    assert [rule for rule, _ in rules(cohort, "adtte")].count("event_missing") == 2


def test_a_time_without_a_date_is_refused_until_the_user_says_what_it_counts(tmp_path: Path) -> None:
    row = {name: cell for name, cell in TTE.items() if name != "ADT"}
    with pytest.raises(InvalidInput, match="first_day"):
        study(tmp_path / "a", adtte=row)
    assert study(tmp_path / "b", adtte=row, mapping={"first_day": 1}).events["day"].to_list() == [99.0]
    assert study(tmp_path / "c", adtte=row, mapping={"first_day": 0}).events["day"].to_list() == [100.0]
    assert study(tmp_path / "d", adtte={**row, "STARTDT": "2020-03-15"}, mapping={"first_day": 1}).events["day"].to_list() == [104.0]


def test_participants_strata_and_populations(tmp_path: Path) -> None:
    more = {"TRT01A": "Placebo", "ITTFL": "Y", "STRAT1": "bulbar", "STRATAR": 2.0, "SITEID": "7", "STUDYID": "S"}
    adsl = {**ADSL, **more, "DISONSDT": "2019-03-11", "LSTALVDT": "2020-05-10", "SPONSOR": "x"}
    cohort = study(tmp_path, adsl=adsl, adqs=ADQS, mapping={"covariates": {"SPONSOR": "own"}})
    row = cohort.participants.row(0, named=True)
    expected = {"arm": "drug x", "site": "7", "source": "S", "sex": "female", "age": 60.0, "onset_day": -365.0, "last_contact_day": 61.0}
    assert {name: row[name] for name in expected} == expected
    told = cohort.covariates.drop("participant_id").rows()
    covariates = {name: text if number is None else number for name, number, text in told}
    assert covariates == {"actual_arm": "Placebo", "ittfl": "Y", "strat1": "bulbar", "stratar": 2.0, "own": "x"}


def test_laboratory_results(tmp_path: Path) -> None:
    rows = [
        {"USUBJID": "A", "PARAMCD": "NFLP", "PARAM": "Neurofilament Light Chain (pg/mL)", "AVAL": 60.0, "ADY": 1.0, "LBSPEC": "PLASMA"},
        {"USUBJID": "A", "PARAMCD": "ALT", "PARAM": "Alanine Aminotransferase (U/L)", "AVAL": 20.0, "ADY": 1.0, "LBSPEC": "SERUM"},
        {"USUBJID": "A", "PARAMCD": "ALT", "PARAM": "Alanine Aminotransferase (U/L)", "AVAL": 20.0, "ADY": 8.0, "DTYPE": "LOCF"},
    ]
    cohort = study(tmp_path, adlb=rows)
    assert cohort.measurements.select("name", "value", "unit").sort("name").rows() == [
        ("lab:alanine aminotransferase", 20.0, "U/L"),
        ("nfl_plasma", 60.0, "pg/mL"),
    ]


def test_other_data_sets_are_accounted_for(tmp_path: Path) -> None:
    cohort = study(tmp_path, adqs=ADQS, adae=[{"USUBJID": "A", "AETERM": "Fall"}] * 3)
    assert cohort.flow.filter(file="adae.ndjson").row(0)[1:] == (3, 0, 0, 0, 3)
    put(tmp_path / "b", "adqs", [ADQS])
    with pytest.raises(InvalidInput, match="adsl: error: is missing"):
        read_adam(tmp_path / "b")


_CELLS = st.sampled_from(
    [None, "", "A", "B", "ALSFRS-R01-Speech", "Q", "LOCF", "Y", "N", "0", "1", "-1", "2020-03", "9999-12-30", "Overall Survival"]
)
_BASE = {
    "adsl": ("USUBJID", "TRTSDT", "AGE", "SEX", "TRT01P", "DTHFL", "DTHDT", "LSTALVDT", "DISONSDT", "ONSETLOC"),
    "adqs": ("USUBJID", "PARAMCD", "PARAM", "AVAL", "ADT", "ADY", "DTYPE"),
    "adtte": ("USUBJID", "PARAMCD", "PARAM", "AVAL", "ADT", "CNSR"),
    "adlb": ("USUBJID", "PARAMCD", "PARAM", "AVAL", "ADT", "LBSPEC"),
}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_no_cell_can_break_the_reader_and_no_row_is_lost(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    sizes = {}
    for name, columns in _BASE.items():
        rows = data.draw(st.lists(st.tuples(*[_CELLS] * len(columns)), max_size=5))
        write_data_set(name.upper(), name, [Variable(column, column) for column in columns], rows, folder, "ndjson")
        sizes[f"{name}.ndjson"] = len(rows)
    cohort = read_adam(folder)
    assert {row[0]: row[1] for row in cohort.flow.rows()} == sizes
    assert all(row[1] == sum(row[2:]) for row in cohort.flow.rows())
