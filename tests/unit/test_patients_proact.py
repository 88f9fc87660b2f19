"""The PRO-ACT writer: layout, quirks, determinism. Files are read with the csv module only."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alsmodel.patients import VirtualCohort, VirtualParticipants, proact, simulate
from alsmodel.patients.csv_text import decimals, plant
from alsmodel.patients.proact_layout import HEADERS, ProactLayout

N, SEED = 250, 4
Rows = list[dict[str, str]]
ITEMS = (
    "Q1_Speech",
    "Q2_Salivation",
    "Q3_Swallowing",
    "Q4_Handwriting",
    "Q6_Dressing_and_Hygiene",
    "Q7_Turning_in_Bed",
    "Q8_Walking",
    "Q9_Climbing_Stairs",
)
REVISED = ("R_1_Dyspnea", "R_2_Orthopnea", "R_3_Respiratory_Insufficiency")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return proact.write(VirtualCohort(), N, SEED, tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def people() -> VirtualParticipants:
    return simulate(VirtualCohort(), N, SEED)


@pytest.fixture(scope="module")
def read(folder: Path) -> Callable[[str], Rows]:
    def reader(table: str) -> Rows:
        with (folder / f"F_PROACT_{table}.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    return reader


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return result


def later_copies(rows: Rows) -> int:
    return sum(count - 1 for count in Counter(tuple(row.values()) for row in rows).values())


def test_all_seventeen_tables_are_written_with_a_byte_order_mark(folder: Path, truth: dict[str, Any]) -> None:
    assert len(HEADERS) == 17
    assert {path.name for path in folder.iterdir()} == {f"F_PROACT_{name}.csv" for name in HEADERS} | {"truth.json"}
    for path in folder.glob("*.csv"):
        text = path.read_bytes()
        assert text.startswith(b"\xef\xbb\xbfsubject_id,")
        rows = list(csv.reader(text.decode("utf-8-sig").splitlines()))
        assert {len(row) for row in rows} == {len(rows[0])}
        assert truth["rows"][path.stem.removeprefix("F_PROACT_")] == len(rows) - 1 > 0


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(folder: Path, tmp_path: Path) -> None:
    again = proact.write(VirtualCohort(), N, SEED, tmp_path / "a")
    other = proact.write(VirtualCohort(), N, SEED + 1, tmp_path / "b", tables=["ALSFRS"])
    for path in folder.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()
    assert (other / "F_PROACT_ALSFRS.csv").read_bytes() != (folder / "F_PROACT_ALSFRS.csv").read_bytes()


def test_clean_files_hold_exactly_the_simulated_scores(tmp_path: Path, people: VirtualParticipants) -> None:
    clean = ProactLayout(quirks=False, ten_item_share=0.0)
    proact.write_cohort(people, tmp_path, ["ALSFRS", "DEATHDATA"], clean)
    with (tmp_path / "F_PROACT_ALSFRS.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["ALSFRS_Delta"]) >= 0]
    made = people.total >= 0
    assert [int(row["ALSFRS_R_Total"]) for row in rows] == people.total[made].tolist()
    assert [int(row["ALSFRS_Delta"]) for row in rows] == people.visit_day[made].tolist()
    fifth = [row["Q5a_Cutting_without_Gastrostomy"] or row["Q5b_Cutting_with_Gastrostomy"] for row in rows]
    sums = [sum(int(row[name]) for name in (*ITEMS, *REVISED)) + int(five) for row, five in zip(rows, fifth)]
    assert sums == people.total[made].tolist()
    with (tmp_path / "F_PROACT_DEATHDATA.csv").open(encoding="utf-8-sig", newline="") as file:
        died = [row["Death_Days"] for row in csv.DictReader(file) if row["Subject_Died"] == "Yes"]
    assert [int(day) for day in died] == people.end_day[people.event].tolist()
    planted = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))["planted"]
    assert planted["ALSFRS.sum_mismatch"] == planted["DEATHDATA.death_day_missing"] == 0


def test_the_planted_faults_of_the_scores_are_in_the_file(read: Callable[[str], Rows], truth: dict[str, Any]) -> None:
    rows, planted = read("ALSFRS"), truth["planted"]
    five_a, five_b = "Q5a_Cutting_without_Gastrostomy", "Q5b_Cutting_with_Gastrostomy"
    assert sum(row["ALSFRS_Delta"] == "" for row in rows) == planted["ALSFRS.null_delta"]
    assert sum(bool(row[five_a] and row[five_b]) for row in rows) == planted["ALSFRS.both_5a_and_5b"]
    assert sum(bool(row[five_b]) for row in rows) == planted["ALSFRS.gastrostomy_row"]
    assert sum(row["ALSFRS_Delta"].startswith("-") for row in rows) == planted["ALSFRS.negative_day"]
    assert sum(not row["ALSFRS_Total"] and not row["ALSFRS_R_Total"] for row in rows) == planted["ALSFRS.total_missing"]
    assert sum(row["Q4_Handwriting"] == "ND" for row in rows) == planted["ALSFRS.text_score"]
    assert sum(row["Q8_Walking"] == "5" for row in rows) == planted["ALSFRS.score_of_5"]
    assert sum(not row["Q9_Climbing_Stairs"] for row in rows) == planted["ALSFRS.item_missing"]
    assert later_copies(rows) == planted["ALSFRS.duplicate_row"]
    ten = [row for row in rows if row["Q10_Respiratory"]]
    assert len(ten) == planted["ALSFRS.ten_item_row"] > 0
    assert not any(row[name] for row in ten for name in (*REVISED, "ALSFRS_R_Total"))
    unique = {tuple(row.values()): row for row in rows}.values()
    base = Counter(row["subject_id"] for row in unique if row["ALSFRS_Delta"] == "0")
    assert sum(count > 1 for count in base.values()) == planted["ALSFRS.second_baseline"] > 0
    assert sum(map(mismatched, rows)) == planted["ALSFRS.sum_mismatch"]


def mismatched(row: dict[str, str]) -> bool:
    """Whether a complete row, whose two item-5 cells do not contradict, disagrees with its total."""
    total = row["ALSFRS_R_Total"] or row["ALSFRS_Total"]
    five = {row["Q5a_Cutting_without_Gastrostomy"], row["Q5b_Cutting_with_Gastrostomy"]} - {""}
    rest = [row["Q10_Respiratory"]] if row["Q10_Respiratory"] else [row[name] for name in REVISED]
    cells = [*(row[name] for name in ITEMS), *rest]
    if not total or len(five) != 1 or "" in cells or "ND" in cells or "5" in cells:
        return False
    return sum(map(int, cells)) + int(five.pop()) != int(total)


def test_the_planted_faults_about_people_are_in_the_files(read: Callable[[str], Rows], truth: dict[str, Any]) -> None:
    planted, dead = truth["planted"], read("DEATHDATA")
    assert len({row["subject_id"] for row in dead}) == N - planted["DEATHDATA.participant_absent"]
    assert sum(row["Subject_Died"] == "Yes" and not row["Death_Days"] for row in dead) == planted["DEATHDATA.death_day_missing"]
    assert sum(row["Death_Days"] == "1" for row in dead) == planted["DEATHDATA.death_before_last_visit"] > 0
    assert later_copies(dead) == planted["DEATHDATA.duplicate_row"] > 0
    assert not any(row["Death_Days"] for row in dead if row["Subject_Died"] == "No")
    demo = read("DEMOGRAPHICS")
    assert sum(bool(row["Date_of_Birth"]) for row in demo) == planted["DEMOGRAPHICS.date_of_birth"] > 0
    assert not any(row["Age"] and row["Date_of_Birth"] for row in demo)
    assert all(float(row["Date_of_Birth"]) < 0 for row in demo if row["Date_of_Birth"])
    assert sum(not row["Sex"] for row in demo) == planted["DEMOGRAPHICS.sex_missing"]
    assert sum(not row["Age"] and not row["Date_of_Birth"] for row in demo) == planted["DEMOGRAPHICS.age_missing"]
    strangers = {row["subject_id"] for row in demo} - {row["subject_id"] for row in read("ALSFRS")}
    assert len(strangers) == len(demo) - N == planted["DEMOGRAPHICS.participant_without_assessments"] > 0
    drug = read("RILUZOLE")
    assert N - len(drug) == planted["RILUZOLE.participant_absent"] > 0
    assert sum(not row["Subject_used_Riluzole"] for row in drug) == planted["RILUZOLE.empty"]
    missing = sum(row["Subject_used_Riluzole"] == "Yes" and not row["Riluzole_use_Delta"] for row in drug)
    assert 0 < missing <= planted["RILUZOLE.start_missing"]
    assert sum(row["Study_Arm"].isupper() for row in read("TREATMENT")) == planted["TREATMENT.capitals"]


def test_the_planted_faults_of_the_history_are_in_the_file(read: Callable[[str], Rows], truth: dict[str, Any]) -> None:
    rows, planted = read("ALSHISTORY"), truth["planted"]
    dated = [row for row in rows if row["Onset_Delta"]]
    assert len(dated) == N
    assert len(rows) - N == planted["ALSHISTORY.further_row"] > 0
    assert sum(float(row["Onset_Delta"]) > 0 for row in dated) == planted["ALSHISTORY.onset_after_baseline"] > 0
    both = [row for row in dated if row["Diagnosis_Delta"]]
    assert N - len(both) == planted["ALSHISTORY.diagnosis_missing"]
    inverted = sum(float(row["Onset_Delta"]) > float(row["Diagnosis_Delta"]) for row in both)
    assert inverted == planted["ALSHISTORY.onset_after_diagnosis"] > 0
    text = [row for row in dated if row["Site_of_Onset"]]
    assert len(text) == planted["ALSHISTORY.text_site"]
    assert all(row["Site_of_Onset"].startswith("Onset: ") for row in text)
    torn = sum(row["Site_of_Onset"] == "Onset: Limb" and row["Site_of_Onset___Bulbar"] == "1" for row in text)
    assert torn == planted["ALSHISTORY.text_contradicts_flag"] > 0
    assert sum(not row["Site_of_Onset"] for row in dated) == planted["ALSHISTORY.flag_site"]


def test_the_planted_faults_of_the_measurements_are_in_the_files(read: Callable[[str], Rows], truth: dict[str, Any]) -> None:
    planted, vital, labs = truth["planted"], read("VITALSIGNS"), read("LABS")
    assert sum(row["Weight_Units"].lower() == "pounds" for row in vital) == planted["VITALSIGNS.weight_in_pounds"] > 0
    assert sum(row["Height_Units"].lower() == "inches" for row in vital) == planted["VITALSIGNS.height_in_inches"] > 0
    assert {row["Weight_Units"] for row in vital} == {"", "Pounds", "POUNDS", "Kilograms", "kg"}
    assert sum(row["Weight"] == "7.2" for row in vital) == planted["VITALSIGNS.implausible_weight"]
    assert sum(not row["Vital_Signs_Delta"] for row in vital) == planted["VITALSIGNS.null_delta"]
    results = Counter(row["Test_Result"] for row in labs)
    for text in ("<5", "negative", "1,200", "-", ".5", "12.00"):
        assert results[text] == planted[f"LABS.text_result[{text}]"] > 0
    assert sum(not row["Laboratory_Delta"] for row in labs) == planted["LABS.null_delta"]
    fvc = read("FVC")
    empty = sum(not any(row[f"pct_of_Normal_Trial_{k}"] for k in (1, 2, 3)) for row in fvc)
    assert empty == planted["FVC.percent_missing"] > 0
    assert sum(not row["Forced_Vital_Capacity_Delta"] for row in fvc) == planted["FVC.null_delta"]
    assert "subject_normal" in fvc[0]
    assert "Subject_Normal" in read("SVC")[0]
    neuro = read("Neurofilament")
    assert sum(row["Matrix"] == "CSF" for row in neuro) == planted["Neurofilament.csf"]
    assert sum(row["Result"] == "0" for row in neuro) == planted["Neurofilament.zero"]
    assert sum(row["Result"] == "QNS" for row in neuro) == planted["Neurofilament.text"]


def test_medications_hold_the_exposures(read: Callable[[str], Rows], truth: dict[str, Any], people: VirtualParticipants) -> None:
    rows, planted = read("CONMEDS"), truth["planted"]
    als = [row for row in rows if row["Medication_Coded"].split(";")[0].lower() in ("riluzole", "edaravone", "tofersen")]
    assert len(als) == planted["CONMEDS.als_drug_row"]
    assert sum(";" in row["Medication_Coded"] for row in rows) == planted["CONMEDS.several_drugs"]
    assert sum(row["Medication_Coded"].isupper() for row in rows) == planted["CONMEDS.capitals"]
    stops = Counter(row["Stop_Delta"] for row in rows)
    assert stops["73299"] == planted["CONMEDS.sentinel[73299]"] > 0
    assert stops["1096331"] == planted["CONMEDS.sentinel[1096331]"] > 0
    assert sum(not row["Start_Delta"] for row in als) == planted["CONMEDS.als_drug_start_missing"] > 0
    began = (people.exposure_start <= np.ceil(people.end_month * 365.25 / 12)[:, None]).sum()
    assert len(als) == began


def test_unknown_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Unknown PRO-ACT tables ALSFSR"):
        proact.write(VirtualCohort(), 5, 1, tmp_path, tables=["ALSFSR"])


def test_a_cohort_of_three_can_be_written(tmp_path: Path) -> None:
    assert proact.write(VirtualCohort(), 3, 1, tmp_path) == tmp_path
    assert len(list(tmp_path.iterdir())) == 18


def test_decimals_agree_with_formatting_one_by_one() -> None:
    values = np.array([-3.25, 0.0, np.nan, 12.5, 7.04])
    assert decimals(values, 2).tolist() == ["-3.25", "0.00", "", "12.50", "7.04"]
    wide = np.array([1e9, 2.0])
    assert decimals(wide).tolist() == ["1000000000", "2"]


def test_planted_rows_are_disjoint_and_at_least_one() -> None:
    rows = plant(np.random.default_rng(1).permutation(100), {"a": 0.001, "b": 0.1, "c": 0.0})
    assert [len(rows[name]) for name in "abc"] == [1, 10, 0]
    assert not set(rows["a"]) & set(rows["b"])


def test_the_benchmark_settings_reach_the_sizes_asked_for() -> None:
    spec, layout = proact.benchmark_settings()
    visits = (simulate(spec, 1500, 1).total >= 0).sum(axis=1)
    # 12,000 people are 8 times as many; four SEs of their mean are allowed for.
    low = visits.mean() - 4 * visits.std() / np.sqrt(1500)
    assert 12_000 * low > 100_000
    assert 12_000 * low * layout.labs_per_visit > 2_000_000
