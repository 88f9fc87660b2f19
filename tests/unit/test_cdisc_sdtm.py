"""SDTM domains to a cohort: days, items, arms, deaths and units by worked cases, and a virtual trial whose truth is known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alsmodel.cohort import Cohort
from alsmodel.cohort.cdisc import read_sdtm
from alsmodel.cohort.cdisc.scale import known_words, words_of
from alsmodel.errors import InvalidInput
from alsmodel.patients import VirtualCohort, VirtualParticipants, simulate
from alsmodel.patients.cdisc import SdtmLayout, write_cohort
from alsmodel.patients.cdisc_files import Files, Variable, write_data_set

Row = dict[str, Any]
DM: Row = {"USUBJID": "A", "RFSTDTC": "2020-03-10", "AGE": 60.0, "SEX": "M", "ARM": "Placebo"}
QS: Row = {"USUBJID": "A", "QSCAT": "ALSFRS-R", "QSTESTCD": "X1", "QSTEST": "Speech", "QSSTRESN": 3.0, "QSDY": 1.0}
NAMES = ("Speech", "Salivation", "Swallowing", "Handwriting", "Cutting without Gastrostomy", "Dressing and Hygiene", "Turning in Bed",
         "Walking", "Climbing Stairs", "Dyspnea", "Orthopnea", "Respiratory Insufficiency")  # fmt: skip


def put(folder: Path, name: str, *rows: Row) -> None:
    """Write a domain; the columns are those of all rows, a number where any cell is one."""
    folder.mkdir(exist_ok=True)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    numbers = {column for row in rows for column, cell in row.items() if isinstance(cell, float)}
    variables = [Variable(column, column, "number" if column in numbers else "text") for column in columns]
    write_data_set(name.upper(), name, variables, [[row.get(column) for column in columns] for row in rows], folder, "ndjson")


def study(folder: Path, mapping: dict[str, Any] | None = None, strict: bool = False, **domains: list[Row] | Row) -> Cohort:
    given = {"dm": DM} | domains
    for name, rows in given.items():
        put(folder, name, *(rows if isinstance(rows, list) else [rows]))
    return read_sdtm(folder, mapping=mapping, strict=strict)


def rules(cohort: Cohort, file: str) -> list[tuple[str, str | None]]:
    rows = cohort.issues.filter((pl.col("file") == f"{file}.ndjson") & ~pl.col("rule").str.starts_with("column_"))
    return [row for row in rows.select("rule", "column").rows() if row[0] != "participant_without_assessments"]


@pytest.mark.parametrize(
    ("visit", "start", "day", "found"),
    [
        # There is no study day 0: SDTM Implementation Guide 3.3, 4.4.4. The cohort's day 0 is study day 1.
        ({"QSDY": 1.0}, "2020-03-10", 0.0, []),
        ({"QSDY": -1.0}, "2020-03-10", -1.0, []),
        ({"QSDY": 30.0}, "2020-03-10", 29.0, []),
        ({"QSDTC": "2020-03-10"}, "2020-03-10", 0.0, []),
        ({"QSDTC": "2020-03-09"}, "2020-03-10", -1.0, []),
        ({"QSDTC": "2020-03-11T14:30"}, "2020-03-10T08:00", 1.0, []),
        ({"QSDY": 1.0, "QSDTC": "2020-03-10"}, "2020-03-10", 0.0, []),
        ({"QSDY": 0.0, "QSDTC": "2020-03-09"}, "2020-03-10", -1.0, [("study_day_zero", "QSDY")]),
        ({"QSDY": 0.0}, "2020-03-10", None, [("study_day_zero", "QSDY"), ("day_missing", "QSDY")]),
        ({"QSDY": 5.0, "QSDTC": "2020-03-10"}, "2020-03-10", 4.0, [("day_differs", "QSDY")]),
        ({"QSDTC": "2020-03"}, "2020-03-10", 5.0, [("date_incomplete", "QSDTC")]),
        ({"QSDTC": "2020"}, "2020-03-10", 113.0, [("date_incomplete", "QSDTC")]),
        ({"QSDTC": "2020---15"}, "2020-03-10", 113.0, [("date_incomplete", "QSDTC")]),
        ({"QSDTC": "last week"}, "2020-03-10", None, [("date_unreadable", "QSDTC"), ("day_unusable", "QSDTC")]),
        ({"QSDTC": "last week", "QSDY": 3.0}, "2020-03-10", 2.0, [("date_unreadable", "QSDTC")]),
        ({"QSDY": 8.0}, None, 7.0, []),
        ({"QSDTC": "2020-03-10"}, None, None, [("origin_missing", "QSDTC"), ("day_missing", "QSDTC")]),
        ({"QSDY": 99999.0}, "2020-03-10", None, [("value_implausible", "QSDY"), ("day_missing", "QSDY")]),
    ],
)
def test_days(tmp_path: Path, visit: Row, start: str | None, day: float | None, found: list[tuple[str, str]]) -> None:
    row = {name: cell for name, cell in QS.items() if name != "QSDY"} | visit
    cohort = study(tmp_path, dm={**DM, "RFSTDTC": start}, qs=row)
    assert cohort.assessments["day"].to_list() == ([] if day is None else [day])
    assert rules(cohort, "qs") == found


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("ALSFRS-R01-Speech", "speech"),
        ("ALSFRS-R - Speech", "speech"),
        ("ALSFRS0101-Speech", "speech"),
        ("1. Speech", "speech"),
        ("Q1 Speech", "speech"),
        ("ALSFRS-R05A-Cutting w/o Gastrostomy", "cutting w o gastrostomy"),
        ("5b: Cutting Food with Gastrostomy", "cutting food with gastrostomy"),
        ("R-1 Dyspnea", "dyspnea"),
        ("ALSFRS-R Total Score", "total"),
        ("ALSFRS-R: Climbing stairs score", "climbing stairs"),
        ("Turning in Bed and Adjusting Bed Clothes", "turning in bed and adjusting bed clothes"),
    ],
)
def test_words_of_a_test(written: str, plain: str) -> None:
    assert words_of(pl.Series([written])).to_list() == [plain]
    assert plain in known_words()


@pytest.mark.parametrize(
    ("category", "test", "item"),
    [
        ("ALSFRS-R", "Speech", "item_1"),
        ("ALS FUNCTIONAL RATING SCALE - REVISED", "Walking", "item_8"),
        (None, "ALSFRS-R12-Respiratory Insufficiency", "item_12"),
        ("ALSFRS-R", "Cutting", "item_5"),
        ("ALSFRS-R", "Cutting without Gastrostomy", "item_5"),
        ("ALSFRS-R", "Cutting with Gastrostomy", "item_5"),
        ("ALSFRS", "Respiratory", "item_10_original"),
    ],
)
def test_items_are_found_by_their_words(tmp_path: Path, category: str | None, test: str, item: str) -> None:
    # A code that ends in another number than the item's: numbers are not read.
    cohort = study(tmp_path, qs={**QS, "QSCAT": category, "QSTEST": test, "QSTESTCD": "ALSFRS02"})
    row = cohort.assessments.row(0, named=True)
    assert [name for name in row if name.startswith("item_") and row[name] is not None] == [item]
    expected = {"Cutting without Gastrostomy": False, "Cutting with Gastrostomy": True}.get(test)
    assert row["gastrostomy"] is expected


def test_a_ten_item_total_is_not_a_total_on_48(tmp_path: Path) -> None:
    total = {**QS, "QSTEST": "Total Score", "QSSTRESN": 30.0}
    ten = study(tmp_path / "a", qs=[{**total, "QSCAT": "ALSFRS"}])
    assert ten.assessments.select("total_40", "total_48", "scale").rows() == [(30, None, "ALSFRS")]
    # The category does not say "revised", but one of its tests is an item that the ten-item scale lacks.
    twelve = study(tmp_path / "b", qs=[{**total, "QSCAT": "ALSFRS"}, {**QS, "QSCAT": "ALSFRS", "QSTEST": "Orthopnea"}])
    assert twelve.assessments.select("total_40", "total_48", "scale").rows() == [(None, 30, "ALSFRS-R")]


def test_an_unknown_test_of_the_scale_is_an_issue_and_never_guessed(tmp_path: Path) -> None:
    rows = [{**QS, "QSTEST": test, "QSTESTCD": f"ALS{place}"} for place, test in enumerate(["Speech", "Whistling", "Swallowing"], 1)]
    cohort = study(tmp_path, qs=rows)
    assert ("item_unknown", "QSTEST") in rules(cohort, "qs")
    assert cohort.assessments.select("item_1", "item_2", "item_3").rows() == [(3, None, 3)]
    assert cohort.flow.filter(file="qs.ndjson").row(0)[1:] == (3, 2, 0, 1, 0)


def test_codes_of_the_user_count_before_words(tmp_path: Path) -> None:
    rows = [{"USUBJID": "A", "QSTESTCD": code, "QSSTRESN": 2.0, "QSDY": 1.0} for code in ("MYQ1", "MYQ2")]
    with_codes = study(tmp_path / "a", qs=rows, mapping={"items": {"myq1": "item_9", "MYQ2": "item_5b"}})
    assert with_codes.assessments.select("item_9", "item_5", "gastrostomy").rows() == [(2, 2, True)]
    without = study(tmp_path / "b", qs=rows)
    assert without.assessments.height == 0
    assert without.flow.filter(file="qs.ndjson")["set_aside"].item() == 2


def test_a_wrong_mapping_is_refused_with_everything_wrong_in_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="item_13"):
        study(tmp_path, qs=QS, mapping={"items": {"A": "item_13"}})
    with pytest.raises(InvalidInput, match="nothing_known"):
        study(tmp_path, qs=QS, mapping={"nothing_known": 1})


@pytest.mark.parametrize(
    ("cells", "score", "fate"),
    [
        ({"QSSTRESN": 3.0, "QSSTRESC": "3", "QSORRES": "Some problems"}, 3, (1, 0, 0, 0)),
        ({"QSSTRESC": "2", "QSORRES": "Intelligible with repeating"}, 2, (1, 0, 0, 0)),
        ({"QSORRES": "1"}, 1, (1, 0, 0, 0)),
        ({"QSSTRESC": "Normal", "QSORRES": "4"}, 4, (1, 0, 0, 0)),
        ({"QSSTRESC": "Normal"}, None, (0, 0, 1, 0)),
        ({"QSSTRESN": 3.0, "QSSTAT": "NOT DONE"}, None, (0, 0, 0, 1)),
        ({"QSSTRESN": 7.0}, None, (0, 0, 1, 0)),
    ],
)
def test_results(tmp_path: Path, cells: Row, score: int | None, fate: tuple[int, ...]) -> None:
    row = {name: cell for name, cell in QS.items() if name != "QSSTRESN"} | cells
    cohort = study(tmp_path, qs=row)
    assert cohort.assessments["item_1"].to_list() == ([] if score is None else [score])
    kept, repaired, rejected, aside = cohort.flow.filter(file="qs.ndjson").row(0)[2:]
    assert (kept + repaired, rejected, aside) == (fate[0] + fate[1], fate[2], fate[3])


@pytest.mark.parametrize("domain", ["QS", "FT", "RS"])
def test_the_scale_is_read_from_any_of_three_domains(tmp_path: Path, domain: str) -> None:
    row = {name.replace("QS", domain, 1): cell for name, cell in QS.items()}
    cohort = study(tmp_path, **{domain.lower(): row})
    assert cohort.assessments.select("day", "item_1").rows() == [(0.0, 3)]
    assert rules(cohort, domain.lower()) == []


def test_a_day_in_two_data_sets_is_used_once(tmp_path: Path) -> None:
    ft = {name.replace("QS", "FT", 1): cell for name, cell in QS.items()} | {"FTSTRESN": 1.0}
    cohort = study(tmp_path, ft=[ft, {**ft, "FTDY": 9.0}], qs=[QS, {**QS, "QSDY": 20.0}])
    assert cohort.assessments.select("day", "item_1").rows() == [(0.0, 1), (8.0, 1), (19.0, 3)]
    assert rules(cohort, "qs") == [("repeated_elsewhere", None)]


def test_split_questionnaires_and_supplements_are_accounted_for(tmp_path: Path) -> None:
    other = {"USUBJID": "A", "QSCAT": "EQ-5D", "QSTEST": "Mobility", "QSTESTCD": "EQ1", "QSSTRESN": 1.0, "QSDY": 1.0}
    put(tmp_path, "relrec", {"STUDYID": "S", "RDOMAIN": "QS"})
    cohort = study(tmp_path, qsal=QS, qseq=[other, other], suppqs={"USUBJID": "A", "QNAM": "X", "QVAL": "y"})
    assert cohort.assessments.height == 1
    assert {row[0]: row[1:] for row in cohort.flow.rows()} == {
        "dm.ndjson": (1, 1, 0, 0, 0),
        "qsal.ndjson": (1, 1, 0, 0, 0),
        "qseq.ndjson": (2, 0, 0, 0, 2),
        "suppqs.ndjson": (1, 0, 0, 0, 1),
    }
    assert cohort.issues.filter(rule="file_unknown")["file"].to_list() == ["relrec.ndjson"]


@pytest.mark.parametrize(
    ("cells", "arm", "exclusion", "actual"),
    [
        ({"ARM": "Drug X", "ARMCD": "X", "ACTARM": "Placebo"}, "drug x", None, "Placebo"),
        ({"ARM": None, "ARMCD": "X", "ACTARMCD": "X"}, "x", None, "X"),
        ({"ARM": "Screen Failure", "ARMCD": "SCRNFAIL"}, None, "screen failure", None),
        ({"ARM": "Not Assigned", "ARMCD": "NOTASSGN", "ACTARM": "Not Assigned"}, None, "not assigned to an arm", None),
        ({"ARM": None, "ARMNRS": "SCREEN FAILURE"}, None, "screen failure", None),
        ({"ARM": "Drug X", "ARMNRS": "ASSIGNED, NOT TREATED", "ACTARM": None}, "drug x", None, None),
        ({"ARM": "Drug X", "ARMCD": "X", "ACTARM": "Not Treated", "ACTARMCD": "NOTTRT"}, "drug x", None, None),
    ],
)
def test_the_assigned_arm_is_the_arm(tmp_path: Path, cells: Row, arm: str | None, exclusion: str | None, actual: str | None) -> None:
    cohort = study(tmp_path, dm={**DM, **cells}, qs=QS)
    assert cohort.participants.select("arm", "exclusion").rows() == [(arm, exclusion)]
    assert cohort.covariates.filter(name="actual_arm")["text"].to_list() == ([] if actual is None else [actual])


@pytest.mark.parametrize(
    ("cells", "age"),
    [
        ({"AGE": 61.0, "AGEU": "YEARS"}, 61.0),
        ({"AGE": 732.0, "AGEU": "MONTHS"}, 61.0),
        ({"AGE": 61.0, "AGEU": "FORTNIGHTS"}, None),
        ({"AGE": None, "BRTHDTC": "1960-03-10"}, 21915 / 365.25),
        ({"AGE": 61.0, "BRTHDTC": "1900"}, 61.0),
    ],
)
def test_ages(tmp_path: Path, cells: Row, age: float | None) -> None:
    cohort = study(tmp_path, dm={**DM, **cells}, qs=QS)
    assert cohort.participants["age"].to_list() == [pytest.approx(age) if age else None]


@pytest.mark.parametrize(
    ("dm", "ds", "death", "found"),
    [
        ({"DTHFL": "Y", "DTHDTC": "2020-06-18"}, None, [100.0], []),
        ({"DTHFL": None, "DTHDTC": "2020-06-18"}, None, [100.0], []),
        ({"DTHFL": "Y", "DTHDTC": None}, None, [None], []),
        ({"DTHFL": None, "DTHDTC": None}, None, [], []),
        ({}, {"DSDECOD": "DEATH", "DSSTDTC": "2020-06-18"}, [100.0], []),
        ({}, {"DSDECOD": "COMPLETED", "DSSTDTC": "2020-06-18"}, [], []),
        ({"DTHFL": "Y", "DTHDTC": "2020-06-18"}, {"DSDECOD": "DEATH", "DSSTDTC": "2020-06-18"}, [100.0], []),
        # The earlier day of DS is not used: DM says when, DS says that it ended the participation.
        ({"DTHFL": "Y", "DTHDTC": "2020-06-18"}, {"DSDECOD": "DEATH", "DSSTDTC": "2020-06-01"}, [100.0],
         [("death_sources_differ", "DSSTDTC")]),
        ({"DTHFL": None, "DTHDTC": None}, {"DSDECOD": "DEATH", "DSSTDTC": "2020-06-18"}, [100.0], [("death_sources_differ", "DSDECOD")]),
        ({"DTHFL": "Y", "DTHDTC": None}, {"DSDECOD": "DEATH", "DSSTDTC": "2020-06-18"}, [100.0], []),
    ],
)  # fmt: skip
def test_deaths(tmp_path: Path, dm: Row, ds: Row | None, death: list[float | None], found: list[tuple[str, str]]) -> None:
    domains: dict[str, Any] = {"dm": {**DM, **dm}, "qs": QS} | ({"ds": {"USUBJID": "A", **ds}} if ds else {})
    cohort = study(tmp_path, **domains)
    assert cohort.events.filter(kind="death")["day"].to_list() == death
    assert set(cohort.events["definition"]) <= {"death, any cause"}
    assert rules(cohort, "ds") == found


def test_the_day_of_being_declared_lost_is_no_contact(tmp_path: Path) -> None:
    lost = {"USUBJID": "A", "DSDECOD": "LOST TO FOLLOW-UP", "DSSTDTC": "2021-03-10"}
    withdrawn = {"USUBJID": "A", "DSDECOD": "WITHDRAWAL BY SUBJECT", "DSSTDTC": "2020-03-20"}
    cohort = study(tmp_path, qs=QS, ds=[lost, withdrawn])
    assert cohort.participants["last_contact_day"].to_list() == [10.0]
    ended = study(tmp_path / "b", dm={**DM, "RFPENDTC": "2020-05-10"}, qs=QS)
    assert ended.participants["last_contact_day"].to_list() == [61.0]


@pytest.mark.parametrize(
    ("row", "onset", "precision", "diagnosis", "site"),
    [
        ({"MHTERM": "ALS", "MHEVDTYP": "SYMPTOM ONSET", "MHSTDTC": "2019-03-11", "MHLOC": "TONGUE"}, -365.0, "day", None, "bulbar"),
        ({"MHTERM": "ALS", "MHEVDTYP": "SYMPTOM ONSET", "MHSTDTC": "2019-03", "MHLOC": "HAND"}, -361.0, "month", None, "limb"),
        ({"MHTERM": "ALS", "MHEVDTYP": "SYMPTOM ONSET", "MHSTDTC": "2019"}, -253.0, "year", None, None),
        ({"MHTERM": "ALS", "MHEVDTYP": "SYMPTOM ONSET", "MHSTDY": -365.0}, -365.0, "day", None, None),
        ({"MHTERM": "AMYOTROPHIC LATERAL SCLEROSIS", "MHEVDTYP": "DIAGNOSIS", "MHSTDTC": "2020-03-09"}, None, None, -1.0, None),
        ({"MHTERM": "WEAKNESS", "MHCAT": "ALS HISTORY", "MHEVDTYP": "SYMPTOM ONSET", "MHSTDTC": "2020-03-09"}, -1.0, "day", None, None),
        ({"MHTERM": "ALS symptom onset", "MHSTDTC": "2020-03-09"}, -1.0, "day", None, None),
        ({"MHTERM": "ALZHEIMER'S DISEASE", "MHEVDTYP": "SYMPTOM ONSET", "MHSTDTC": "2004-05-28"}, None, None, None, None),
        ({"MHTERM": "FAMILY HISTORY OF ALS", "MHEVDTYP": "DIAGNOSIS", "MHSTDTC": "2004-05-28"}, None, None, None, None),
        ({"MHTERM": "BALSAM ALLERGY", "MHEVDTYP": "DIAGNOSIS", "MHSTDTC": "2004-05-28"}, None, None, None, None),
    ],
)
def test_history(tmp_path: Path, row: Row, onset: float | None, precision: str | None, diagnosis: float | None, site: str | None) -> None:
    cohort = study(tmp_path, qs=QS, mh={"USUBJID": "A", **row})
    facts = ("onset_day", "onset_precision", "diagnosis_day", "onset_site")
    assert cohort.participants.select(facts).rows() == [(onset, precision, diagnosis, site)]
    as_event = {name.replace("MH", "CE", 1): cell for name, cell in row.items() if name != "MHEVDTYP"}
    if "MHEVDTYP" not in row:
        again = study(tmp_path / "ce", qs=QS, ce={"USUBJID": "A", **as_event})
        assert again.participants.select(facts).rows() == [(onset, precision, diagnosis, site)]


def test_vital_capacity_is_the_best_try_in_litres(tmp_path: Path) -> None:
    row = {"USUBJID": "A", "REDY": 1.0}
    rows = [
        {**row, "RETESTCD": "SVCPP", "RESTRESN": 70.0, "RESTRESU": "%"},
        {**row, "RETESTCD": "SVCPP", "RESTRESN": 75.0, "RESTRESU": "%"},
        {**row, "RETESTCD": "SVC", "RESTRESN": 3100.0, "RESTRESU": "mL"},
        {**row, "RETESTCD": "FVC", "REORRES": "2.9", "REORRESU": "L"},
        {**row, "RETESTCD": "FVC", "RESTRESN": 3.5, "RESTRESU": "cups", "REDY": 9.0},
        {**row, "RETESTCD": "FEV1", "RESTRESN": 2.0, "RESTRESU": "L"},
    ]
    cohort = study(tmp_path, re=rows)
    values = cohort.measurements.select("name", "value", "unit").sort("name").rows()
    assert values == [("fvc_litres", 2.9, "L"), ("svc_litres", 3.1, "L"), ("svc_percent", 75.0, "%")]
    assert cohort.flow.filter(file="re.ndjson").row(0)[1:] == (6, 2, 1, 1, 2)
    assert {"unit_unknown", "unit_converted", "row_set_aside"} <= {rule for rule, _ in rules(cohort, "re")}


def test_laboratory_results_keep_specimens_apart(tmp_path: Path) -> None:
    row = {"USUBJID": "A", "LBDY": 1.0, "LBSTRESU": "pg/mL"}
    rows = [
        {**row, "LBTESTCD": "NFLP", "LBTEST": "Neurofilament Light Chain", "LBSPEC": "SERUM", "LBSTRESN": 60.0},
        {**row, "LBTESTCD": "NFLP", "LBTEST": "Neurofilament Light Chain", "LBSPEC": "CSF", "LBSTRESN": 9000.0},
        {**row, "LBTESTCD": "NFLP", "LBTEST": "Neurofilament Light Chain", "LBSTRESN": 50.0},
        {**row, "LBTESTCD": "GLUC", "LBTEST": "Glucose", "LBSPEC": "URINE", "LBSTRESN": 1.0},
        {**row, "LBTESTCD": "GLUC", "LBTEST": "Glucose", "LBSPEC": "SERUM", "LBSTRESN": 5.0},
        {**row, "LBTESTCD": "NFHP", "LBTEST": "pNfH", "LBSPEC": "SERUM", "LBSTRESC": "<25"},
        {**row, "LBTESTCD": "ALT", "LBTEST": "ALT", "LBSTAT": "NOT DONE"},
    ]
    cohort = study(tmp_path, lb=rows)
    values = cohort.measurements.select("name", "value").sort("name").rows()
    assert values == [("lab:glucose", 5.0), ("lab:glucose, urine", 1.0), ("nfl_csf", 9000.0), ("nfl_serum", 60.0)]
    assert {("matrix_unknown", "LBSPEC"), ("lab_limit", "LBSTRESN")} <= set(rules(cohort, "lb"))


def test_vital_signs_doses_and_medications(tmp_path: Path) -> None:
    signs = [
        {"USUBJID": "A", "VSDY": 1.0, "VSTESTCD": "WEIGHT", "VSSTRESN": 154.324, "VSSTRESU": "LB"},
        {"USUBJID": "A", "VSDY": 1.0, "VSTESTCD": "SYSBP", "VSPOS": "STANDING", "VSSTRESN": 120.0, "VSSTRESU": "mmHg"},
        {"USUBJID": "A", "VSDY": 1.0, "VSTESTCD": "SYSBP", "VSPOS": "SITTING", "VSSTRESN": 125.0, "VSSTRESU": "mmHg"},
        {"USUBJID": "A", "VSDY": 1.0, "VSTESTCD": "BMI", "VSSTRESN": 22.0},
    ]
    doses = {"USUBJID": "A", "EXTRT": "DRUG X", "EXDOSE": 300.0, "EXDOSU": "mg", "EXSTDY": 1.0, "EXENDTC": "2020-04-08"}
    taken = [
        {"USUBJID": "A", "CMTRT": "Rilutek", "CMDECOD": "RILUZOLE", "CMSTDTC": "2020-01-01"},
        {"USUBJID": "A", "CMTRT": "Radicava", "CMOCCUR": "N"},
        {"USUBJID": "A", "CMTRT": "Aspirin"},
    ]
    cohort = study(tmp_path, vs=signs, ex=doses, cm=taken)
    values = cohort.measurements.select("name", "value").sort("name").rows()
    assert values == [("standing_systolic_bp", 120.0), ("systolic_bp", 125.0), ("weight", pytest.approx(70.0, abs=1e-3))]
    exposures = cohort.exposures.select("drug", "taken", "start_day", "stop_day", "dose", "dose_unit").sort("drug").rows()
    assert exposures == [("drug x", True, 0.0, 29.0, 300.0, "mg"), ("riluzole", True, -69.0, None, None, None)]
    assert cohort.flow.filter(file="cm.ndjson").row(0)[1:] == (3, 1, 0, 0, 2)


@pytest.mark.parametrize(
    ("row", "event"),
    [
        ({"PRTRT": "Tracheostomy", "PRSTDY": 100.0}, [("tracheostomy", 99.0, "tracheostomy")]),
        ({"PRTRT": "Tracheostomy"}, [("tracheostomy", None, "tracheostomy")]),
        ({"PRTRT": "Tracheostomy", "PRSTDY": 100.0, "PROCCUR": "N"}, []),
        ({"PRTRT": "Tracheostomy", "PRSTAT": "NOT DONE"}, []),
        ({"PRTRT": "Tracheostomy tube change", "PRSTDY": 100.0}, []),
        ({"PRTRT": "Non-invasive ventilation", "PRSTDY": 100.0}, [("niv", 99.0, "NIV started, hours not recorded")]),
        ({"PRTRT": "Permanent assisted ventilation", "PRSTDY": 1.0}, [("pav", 0.0, "PAV, hours not recorded")]),
        ({"PRTRT": "Invasive mechanical ventilation", "PRSTDY": 1.0},
         [("invasive_ventilation", 0.0, "invasive ventilation, hours not recorded")]),
        ({"PRTRT": "PEG placement", "PRSTDY": 1.0}, [("gastrostomy", 0.0, "gastrostomy")]),
        ({"PRTRT": "Lumbar puncture", "PRSTDY": 1.0}, []),
    ],
)  # fmt: skip
def test_procedures_are_events_with_their_definition(tmp_path: Path, row: Row, event: list[tuple[str, float | None, str]]) -> None:
    cohort = study(tmp_path, qs=QS, pr={"USUBJID": "A", **row})
    assert cohort.events.select("kind", "day", "definition").rows() == event
    recorded = {entry["kind"] for entry in cohort.provenance["records_events"]}
    # A folder with procedures records tracheostomies; without deaths it does not record death.
    assert recorded == {"tracheostomy"} | {kind for kind, _, _ in event}


def test_what_a_source_records_is_what_its_domains_hold(tmp_path: Path) -> None:
    only = study(tmp_path / "a", qs=QS)
    assert only.provenance["records_events"] == []
    deaths = study(tmp_path / "b", dm={**DM, "DTHFL": None, "DTHDTC": None}, qs=QS)
    assert deaths.provenance["records_events"] == [{"kind": "death", "definition": "death, any cause"}]


def test_columns_that_the_user_names(tmp_path: Path) -> None:
    dm = {**DM, "STRATUM": "EU", "ONSDTC": "2019-03-11"}
    cohort = study(tmp_path, dm=dm, qs=QS, mapping={"covariates": {"STRATUM": "region"}, "columns": {"ONSDTC": "onset_day"}})
    assert cohort.covariates.select("name", "text").rows() == [("region", "EU")]
    assert cohort.participants["onset_day"].to_list() == [-365.0]
    listed = study(tmp_path / "b", dm=dm, qs=QS).issues.filter(rule="column_unknown")["column"].to_list()
    assert sorted(listed) == ["ONSDTC", "STRATUM"]


def test_structural_faults_come_all_at_once(tmp_path: Path) -> None:
    put(tmp_path, "qs", QS)
    put(tmp_path, "ex", {"USUBJID": "A", "EXDOSE": 1.0})
    (tmp_path / "lb.json").write_text("{")
    (tmp_path / "mh.xpt").write_bytes(b"nothing")
    with pytest.raises(InvalidInput) as caught:
        read_sdtm(tmp_path)
    text = str(caught.value)
    assert all(part in text for part in ("lb.json", "mh.xpt", "ex.ndjson:EXTRT"))
    put(tmp_path, "dm", DM)
    (tmp_path / "dm.xpt").write_bytes((Path(__file__).parents[1] / "goldens" / "cdisc" / "sdtm_dm.xpt").read_bytes())
    with pytest.raises(InvalidInput, match="are both the data set dm"):
        read_sdtm(tmp_path)
    with pytest.raises(InvalidInput, match="holds no data set"):
        study_of_nothing(tmp_path / "empty")
    put(tmp_path / "c", "qs", QS)
    with pytest.raises(InvalidInput, match="dm: error: is missing"):
        read_sdtm(tmp_path / "c")


def study_of_nothing(folder: Path) -> Cohort:
    folder.mkdir()
    return read_sdtm(folder)


def test_strict_reading_names_the_row_and_not_the_cell(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        study(tmp_path, qs=[QS, {**QS, "QSTEST": "Walking", "QSSTRESN": 7.0}], strict=True)
    assert "qs.ndjson:2:QSSTRESN" in str(caught.value)
    assert "7" not in str(caught.value)


def test_the_sample_of_a_trial_of_another_disease_is_read(tmp_path: Path) -> None:
    goldens = Path(__file__).parents[1] / "goldens" / "cdisc"
    for path in goldens.glob("sdtm_*.xpt"):
        (tmp_path / path.name.removeprefix("sdtm_")).write_bytes(path.read_bytes())
    cohort = read_sdtm(tmp_path)
    assert (cohort.participants.height, cohort.assessments.height) == (18, 0)
    # By eye from sdtm_dm.ndjson: CDISC002 died on 2013-01-14, 60 days after 2012-11-15.
    assert cohort.events.filter(participant_id="CDISC002").select("kind", "day").rows() == [("death", 60.0)]
    assert cohort.participants["onset_day"].null_count() == 18
    assert sorted(cohort.flow.select("file", "read").rows()) == [("dm.xpt", 18), ("ds.xpt", 53), ("mh.xpt", 17), ("qsph.xpt", 330)]


@pytest.fixture(scope="module")
def people() -> VirtualParticipants:
    return simulate(VirtualCohort(), 80, 5)


def truth_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "truth" / "truth.json").read_text()))


def name_of(person: int) -> str:
    return f"ALSVIRT-{100 + person % 7}-{1001 + person}"


def test_the_three_kinds_of_file_give_the_same_cohort(tmp_path: Path, people: VirtualParticipants) -> None:
    kinds: tuple[Files, ...] = ("xpt", "dataset-json", "ndjson")
    folders = [write_cohort(people, tmp_path / files, SdtmLayout(files=files)) for files in kinds]
    assert len({read_sdtm(folder).digest for folder in folders}) == 1


def test_study_days_and_dates_give_the_same_cohort(tmp_path: Path, people: VirtualParticipants) -> None:
    with_days = read_sdtm(write_cohort(people, tmp_path / "a", SdtmLayout(files="ndjson", quirks=False)))
    dates_only = read_sdtm(write_cohort(people, tmp_path / "b", SdtmLayout(files="ndjson", quirks=False, days=False)))
    assert with_days.digest == dates_only.digest
    assert with_days.issues.filter(severity="error").height == 0


def test_a_clean_virtual_trial_comes_back_as_it_was_simulated(tmp_path: Path, people: VirtualParticipants) -> None:
    cohort = read_sdtm(write_cohort(people, tmp_path, SdtmLayout(files="ndjson", quirks=False)))
    names = [name_of(i) for i in range(people.n)]
    facts = {row["participant_id"]: row for row in cohort.participants.iter_rows(named=True)}
    assert sorted(facts) == sorted(names)
    for i, name in enumerate(names):
        assert facts[name]["arm"] == ("active" if people.arm[i] == 1 else "placebo")
        assert facts[name]["age"] == np.floor(people.age[i])
        assert facts[name]["onset_day"] == people.onset_day[i]
        assert facts[name]["diagnosis_day"] == people.diagnosis_day[i]
        assert facts[name]["onset_site"] == people.onset_site[i]
        assert facts[name]["last_contact_day"] == people.end_day[i]
    deaths = dict(cohort.events.filter(kind="death").select("participant_id", "day").rows())
    assert deaths == {names[i]: people.end_day[i] for i in np.flatnonzero(people.event)}
    expected = {
        (names[i], float(people.visit_day[i, v])): (int(people.total[i, v]), *people.items[i, v].tolist(), bool(people.gastrostomy[i, v]))
        for i, v in zip(*np.nonzero(people.total >= 0))
    }
    items = [f"item_{k}" for k in range(1, 13)]
    found = {row[:2]: row[2:] for row in cohort.assessments.select("participant_id", "day", "total_48", *items, "gastrostomy").iter_rows()}
    screened = {(names[i], float(people.screening_day[i])) for i in np.flatnonzero(~np.isnan(people.screening_day))}
    assert {key: row for key, row in found.items() if key not in screened} == expected
    assert set(found) == set(expected) | screened


def test_planted_faults_are_found_one_by_one(tmp_path: Path, people: VirtualParticipants) -> None:
    folder = write_cohort(people, tmp_path, SdtmLayout(files="ndjson"))
    cohort, truth = read_sdtm(folder), truth_of(folder)
    planted = truth["planted"]
    counts = {(file, rule): n for file, rule, n in cohort.issues.group_by("file", "rule").len().iter_rows()}
    for rule, name in {
        ("qs", "item_unknown"): "QS.unknown_test",
        ("qs", "score_out_of_range"): "QS.score_of_5",
        ("qs", "duplicate_row"): "QS.duplicate_row",
        ("qs", "study_day_zero"): "QS.day_zero",
        ("mh", "date_incomplete"): "MH.month_only",
        ("lb", "lab_limit"): "LB.below_limit",
        ("ds", "death_sources_differ"): "DS.death_day_differs",
    }.items():
        assert planted[name] > 0
        assert counts[f"{rule[0]}.ndjson", rule[1]] == planted[name], name
    assert cohort.participants.filter(exclusion="screen failure").height == planted["DM.screen_failure"] == 3
    both = cohort.covariates.filter(name="actual_arm").join(cohort.participants, on="participant_id")
    assert both.filter(pl.col("text").str.to_lowercase() != pl.col("arm")).height == planted["DM.other_arm_taken"]
    assert cohort.events.filter(kind="tracheostomy").height == planted["PR.tracheostomy"]


def test_every_row_of_every_domain_is_accounted_for(tmp_path: Path, people: VirtualParticipants) -> None:
    folder = write_cohort(people, tmp_path, SdtmLayout(files="ndjson"))
    flow = {row[0]: row[1:] for row in read_sdtm(folder).flow.rows()}
    assert {file.split(".")[0].upper(): counts[0] for file, counts in flow.items()} == truth_of(folder)["rows"]
    assert all(counts[0] == sum(counts[1:]) for counts in flow.values())


_CELLS = st.one_of(
    st.none(),
    st.sampled_from(["", ".", "A", "B", "9999-12-30", "2020-03", "2020-13-45", "-", "Y", "N", "DEATH", "ALS", "=1+1", "é", "1e400"]),
    st.sampled_from(["ALSFRS-R", "Speech", "Total Score", "SVC", "NFLP", "WEIGHT", "mL", "NOT DONE", "SCRNFAIL", "5", "-1", "0", "1"]),
)
_BASE = {
    "dm": ("USUBJID", "RFSTDTC", "AGE", "AGEU", "SEX", "ARM", "ARMCD", "DTHFL", "DTHDTC", "RFPENDTC"),
    "qs": ("USUBJID", "QSTESTCD", "QSTEST", "QSCAT", "QSORRES", "QSSTRESC", "QSSTAT", "QSDTC", "QSDY"),
    "mh": ("USUBJID", "MHTERM", "MHEVDTYP", "MHLOC", "MHSTDTC"),
    "ds": ("USUBJID", "DSDECOD", "DSSTDTC", "DSSTDY"),
    "re": ("USUBJID", "RETESTCD", "RESTRESC", "RESTRESU", "REDTC"),
    "lb": ("USUBJID", "LBTESTCD", "LBTEST", "LBSTRESC", "LBSPEC", "LBDTC"),
    "vs": ("USUBJID", "VSTESTCD", "VSSTRESC", "VSSTRESU", "VSDTC"),
    "pr": ("USUBJID", "PRTRT", "PROCCUR", "PRSTDTC"),
    "ex": ("USUBJID", "EXTRT", "EXDOSE", "EXSTDTC", "EXENDTC"),
}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_no_cell_can_break_the_reader_and_no_row_is_lost(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    sizes = {}
    for name, columns in _BASE.items():
        rows = data.draw(st.lists(st.tuples(*[_CELLS] * len(columns)), max_size=4))
        cells = [dict(zip(columns, row, strict=True)) | {"USUBJID": row[0] if row[0] != "." else "A"} for row in rows]
        put(folder, name, *cells) if cells else put_empty(folder, name, columns)
        sizes[f"{name}.ndjson"] = len(cells)
    cohort = read_sdtm(folder)
    assert {row[0]: row[1] for row in cohort.flow.rows()} == sizes
    assert all(row[1] == sum(row[2:]) for row in cohort.flow.rows())


def put_empty(folder: Path, name: str, columns: tuple[str, ...]) -> None:
    write_data_set(name.upper(), name, [Variable(column, column) for column in columns], [], folder, "ndjson")
