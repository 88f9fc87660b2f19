"""The PRO-ACT reader, rule by rule, on small hand-written folders."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from alsmodel.clinical.units import CM_PER_INCH, KG_PER_LB
from alsmodel.cohort import Cohort, read
from alsmodel.errors import InvalidInput

#: A value that no message may ever show.
ODD = "zq7731"

ITEMS = "Q1_Speech,Q2_Salivation,Q3_Swallowing,Q4_Handwriting,Q5a_Cutting_without_Gastrostomy,Q5b_Cutting_with_Gastrostomy,"
ITEMS += "Q6_Dressing_and_Hygiene,Q7_Turning_in_Bed,Q8_Walking,Q9_Climbing_Stairs,Q10_Respiratory"
REVISED = "R_1_Dyspnea,R_2_Orthopnea,R_3_Respiratory_Insufficiency"
ALSFRS = f"subject_id,{ITEMS},ALSFRS_Delta,ALSFRS_Total,ALSFRS_R_Total,{REVISED},Mode_of_Administration,ALSFRS_Responded_By"

#: subject, items 1-4, 5a, 5b, items 6-9, Q10, day, totals on 40 and 48, items 10-12, mode, respondent.
FULL = "1,4,4,4,3,3,,3,3,3,3,,0,,42,4,4,4,Phone,"
LATER = "1,3,4,4,3,3,,3,3,3,3,,30,,41,4,4,4,,Patient"
TEN = "2,4,4,4,4,4,,4,4,4,4,3,0,39,,,,,,"

BASE: dict[str, str] = {
    "ALSFRS": f"{ALSFRS}\n{FULL}\n{LATER}\n{TEN}\n",
    "DEMOGRAPHICS": "subject_id,Age,Date_of_Birth,Sex,Race_Asian\n1,61,,Male,1\n2,,-20000,Female,\n",
    "DEATHDATA": "subject_id,Subject_Died,Death_Days\n1,Yes,400\n",
}
HISTORY = (
    "subject_id,Site_of_Onset,Site_of_Onset___Bulbar,Site_of_Onset___Limb,Site_of_Onset___Limb_and_Bulbar,"
    "Site_of_Onset___Spine,Site_of_Onset___Other,Onset_Delta,Diagnosis_Delta,Symptom\n"
)
FVC = (
    "subject_id,Subject_Liters_Trial_1,Subject_Liters_Trial_2,Subject_Liters_Trial_3,pct_of_Normal_Trial_1,"
    "pct_of_Normal_Trial_2,pct_of_Normal_Trial_3,subject_normal,Forced_Vital_Capacity_Delta\n"
)
VITALS = "subject_id,Vital_Signs_Delta,Weight,Weight_Units,Height,Height_Units,Pulse,Baseline_Weight,Endpoint_Weight\n"
LABS = "subject_id,Test_Name,Test_Result,Test_Unit,Laboratory_Delta\n"
NFL = "subject_id,Analyte,Matrix,Result,Unit,Collection_Delta\n"
RILUZOLE = "subject_id,Subject_used_Riluzole,Riluzole_use_Delta\n"
CONMEDS = "subject_id,Medication_Coded,Start_Delta,Stop_Delta,Dose,Unit\n"

Write = Callable[..., Path]


def made(folder: Path, tables: Mapping[str, str], name: str = "F_PROACT_{}.csv", bom: bool = True) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    for table, text in (BASE | dict(tables)).items():
        (folder / name.format(table)).write_text(text, encoding="utf-8-sig" if bom else "utf-8")
    return folder


def cohort_of(tmp_path: Path, strict: bool = False, **tables: str) -> Cohort:
    cohort = read(made(tmp_path / "raw", tables), "proact", strict=strict)
    assert ODD not in "".join(cohort.issues["detail"])
    return cohort


def rules(cohort: Cohort, table: str) -> list[tuple[str, int | None, str]]:
    found = cohort.issues.filter(file=f"F_PROACT_{table}.csv").select("rule", "row", "action").rows()
    return [rule for rule in found if rule[0] not in ("column_set_aside", "ten_item_scale")]


def test_a_clean_folder_becomes_a_cohort(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path)
    items = [f"item_{i}" for i in range(1, 13)]
    first, second, third = cohort.assessments.select("participant_id", "day", *items, "item_10_original").rows()
    assert first == ("1", 0.0, 4, 4, 4, 3, 3, 3, 3, 3, 3, 4, 4, 4, None)
    assert second[:3] == ("1", 30.0, 3)
    assert third == ("2", 0.0, 4, 4, 4, 4, 4, 4, 4, 4, 4, None, None, None, 3)
    rest = cohort.assessments.select("gastrostomy", "total_48", "total_40", "scale", "mode", "respondent").rows()
    assert rest == [
        (False, 42, None, "ALSFRS-R", "Phone", None),
        (False, 41, None, "ALSFRS-R", None, "Patient"),
        (False, None, 39, "ALSFRS", None, None),
    ]
    assert cohort.participants.select("participant_id", "sex", "source", "entry_day", "last_contact_day").rows() == [
        ("1", "male", "PRO-ACT", 0.0, 30.0),
        ("2", "female", "PRO-ACT", 0.0, 0.0),
    ]
    assert cohort.participants["age"].to_list() == [61.0, 20000 / 365.25]
    assert cohort.events.rows() == [("1", "death", 400.0, "death, any cause", None)]


def test_totals_and_domains_are_measurements_and_scales_never_mix(tmp_path: Path) -> None:
    found = cohort_of(tmp_path).measurements.filter(day=0.0).select("participant_id", "name", "value").rows()
    assert found == [
        ("1", "alsfrs_r_total", 42.0),
        ("1", "bulbar", 12.0),
        ("1", "fine_motor", 9.0),
        ("1", "gross_motor", 9.0),
        ("1", "respiratory", 12.0),
        ("2", "alsfrs_total", 39.0),
        ("2", "bulbar", 12.0),
        ("2", "fine_motor", 12.0),
        ("2", "gross_motor", 12.0),
    ]


@pytest.mark.parametrize(
    ("row", "rule", "action"),
    [
        (FULL.replace("1,4,4,4,3", f"3,{ODD},4,4,3"), "score_text", "repaired"),
        (FULL.replace("1,4,4,4,3", "3,5,4,4,3"), "score_out_of_range", "repaired"),
        (FULL.replace("1,4,4,4,3", "3,-1,4,4,3"), "score_out_of_range", "repaired"),
        (FULL.replace("1,4,4,4,3", "3,2.5,4,4,3"), "score_not_integer", "repaired"),
        (FULL.replace("1,4,4,4,3,3,,", "3,4,4,4,3,3,3,"), "item_5_both_equal", "repaired"),
        (FULL.replace("1,4,4,4,3,3,,", "3,4,4,4,3,3,2,"), "item_5_both_differ", "repaired"),
        (FULL.replace("1,4", "3,4", 1).replace(",42,", ",40,"), "total_differs", "repaired"),
        (FULL.replace("1,4", "3,4", 1).replace(",42,", ",49,"), "total_out_of_range", "repaired"),
        (TEN.replace("2,4", "3,4", 1).replace(",39,", ",44,"), "total_out_of_range", "repaired"),
        (FULL.replace("1,4", "3,4", 1).replace(",42,", f",{ODD},"), "not_a_number", "repaired"),
        (FULL.replace(",,0,,42", ",,,,42"), "day_missing", "rejected"),
        (FULL.replace(",,0,,42", f",,{ODD},,42"), "day_not_a_number", "rejected"),
        (FULL.replace(",,0,,42", ",,2932896,,42"), "day_out_of_range", "rejected"),
        (FULL.replace("1,4", ",4", 1), "participant_missing", "rejected"),
        (FULL, "duplicate_row", "rejected"),
        (FULL.replace("1,4,4,4,3", "1,3,4,4,3").replace(",42,", ",41,"), "conflicting_row", "rejected"),
        ("3,,,,,,,,,,,,0,,,,,,,", "nothing_recorded", "rejected"),
        (FULL + ",1", "row_shape", "rejected"),
    ],
)
def test_each_fault_of_an_assessment_has_its_rule(tmp_path: Path, row: str, rule: str, action: str) -> None:
    cohort = cohort_of(tmp_path, ALSFRS=BASE["ALSFRS"] + row + "\n")
    assert [r for r in rules(cohort, "ALSFRS") if r[1] is not None] == [(rule, 5, action)]
    kept, repaired, rejected = cohort.flow.filter(file="F_PROACT_ALSFRS.csv").row(0)[2:5]
    assert (kept, repaired, rejected) == (3, int(action == "repaired"), int(action == "rejected"))
    assert cohort.assessments.height == kept + repaired


def test_a_wrong_score_leaves_neither_item_nor_total(tmp_path: Path) -> None:
    row = FULL.replace("1,4,4,4,3", "3,5,4,4,3").replace(",42,", ",43,")
    third = cohort_of(tmp_path, ALSFRS=BASE["ALSFRS"] + row).assessments.filter(participant_id="3").row(0, named=True)
    assert (third["item_1"], third["item_2"], third["total_48"]) == (None, 4, None)


def test_stored_totals_yield_to_the_items_and_stand_in_where_items_are_missing(tmp_path: Path) -> None:
    wrong = FULL.replace("1,4", "3,4", 1).replace(",42,", ",40,")
    partial = FULL.replace("1,4,4,4,3", "4,,4,4,3").replace(",42,", ",38,")
    alone = "5,,,,,,,,,,,,0,,17,,,,,"
    cohort = cohort_of(tmp_path, ALSFRS=BASE["ALSFRS"] + "\n".join((wrong, partial, alone)))
    totals = dict(cohort.assessments.filter(day=0.0).select("participant_id", "total_48").rows())
    assert (totals["3"], totals["4"], totals["5"]) == (42, 38, 17)


def test_item_5_takes_5b_with_a_gastrostomy(tmp_path: Path) -> None:
    tube = FULL.replace("1,4,4,4,3,3,,", "3,4,4,4,3,,2,").replace(",42,", ",41,")
    differ = FULL.replace("1,4,4,4,3,3,,", "4,4,4,4,3,3,2,")
    equal = FULL.replace("1,4,4,4,3,3,,", "5,4,4,4,3,3,3,")
    cohort = cohort_of(tmp_path, ALSFRS=BASE["ALSFRS"] + "\n".join((tube, differ, equal)))
    fifth = {p: (item, tube) for p, item, tube in cohort.assessments.select("participant_id", "item_5", "gastrostomy").rows()}
    assert (fifth["3"], fifth["4"], fifth["5"]) == ((2, True), (None, None), (3, True))


def test_the_fuller_of_two_rows_of_a_day_is_used(tmp_path: Path) -> None:
    sparse, full = FULL.replace("1,4,4,4,3", "3,,,,3").replace(",42,", ",,"), FULL.replace("1,4", "3,4", 1)
    cohort = cohort_of(tmp_path, ALSFRS=BASE["ALSFRS"] + f"{sparse}\n{full}\n")
    assert ("conflicting_row", 5, "rejected") in rules(cohort, "ALSFRS")
    assert cohort.assessments.filter(participant_id="3")["item_1"].item() == 4


@pytest.mark.parametrize(
    ("rows", "expected", "found"),
    [
        ("1,Onset: Bulbar,,,,,,-300,-100,\n", ("bulbar", -300.0, -100.0), []),
        ("1,bulbar,,,,,,-300,,\n", ("bulbar", -300.0, None), []),
        ("1,,,1,0,,,-300,,\n", ("limb", -300.0, None), []),
        ("1,,1.0,1.0,,,,,,\n", ("limb and bulbar", None, None), []),
        ("1,,1,,,1,,,,\n", None, [("row_set_aside", None, "set aside")]),
        ("1,Onset: Limb,1,,,,,,,\n", ("limb", None, None), [("onset_site_conflict", 2, "repaired")]),
        ("1,Limb,,,,,,300,,\n", ("limb", None, None), [("onset_after_baseline", 2, "repaired")]),
        ("1,Limb,,,,,,-10,-90,\n", ("limb", -10.0, -90.0), [("onset_after_diagnosis", 2, "kept")]),
        (f"1,{ODD},,,,,,-300,,\n", (None, -300.0, None), [("unknown_word", 2, "repaired")]),
        (f"1,Limb,,,,,,{ODD},,\n", ("limb", None, None), [("not_a_number", 2, "repaired")]),
        ("1,Limb,,,,,,-9,,\n1,,,,,,,,,Cramps\n", ("limb", -9.0, None), []),
        ("1,Limb,,,,,,-9,,\n1,,,,,,,,,\n", ("limb", -9.0, None), [("row_set_aside", None, "set aside")]),
        ("1,,,,,,,-9,,\n1,Limb,,,,,,,-5,x\n", ("limb", -9.0, -5.0), []),
        ("1,Limb,,,,,,-9,,\n1,Limb,,,,,,-20,,\n", ("limb", -20.0, None), [("history_conflict", 2, "rejected")]),
    ],
)
def test_history(
    tmp_path: Path,
    rows: str,
    expected: tuple[str | None, float | None, float | None] | None,
    found: list[tuple[str, int | None, str]],
) -> None:
    cohort = cohort_of(tmp_path, ALSHISTORY=HISTORY + rows)
    facts = cohort.participants.filter(participant_id="1").select("onset_site", "onset_day", "diagnosis_day").row(0)
    assert facts == (expected or (None, None, None))
    listed = [r for r in rules(cohort, "ALSHISTORY") if r[1] is not None or r[2] == "set aside"]
    assert set(found) <= set(listed)
    assert expected is None or listed == found


@pytest.mark.parametrize(
    ("rows", "events", "found"),
    [
        ("1,Yes,\n", [("1", None)], [("death_day_missing", 2, "kept")]),
        ("1,Yes,20\n", [("1", None)], [("death_before_last_visit", 2, "repaired")]),
        ("1,Yes,30\n", [("1", 30.0)], []),
        ("9,Yes,-4\n", [("9", None)], [("death_before_last_visit", 2, "repaired")]),
        ("1,No,\n", [], []),
        ("1,yes,400\n1,yes,400\n", [("1", 400.0)], [("duplicate_row", 3, "rejected")]),
        ("1,No,\n1,Yes,400\n", [("1", 400.0)], [("death_conflict", 2, "rejected")]),
        ("1,Yes,400\n1,Yes,500\n", [("1", 400.0)], [("death_conflict", 3, "rejected")]),
        ("1,Yes,\n1,Yes,500\n", [("1", 500.0)], [("death_conflict", 2, "rejected")]),
        (f"1,Yes,{ODD}\n", [("1", None)], [("not_a_number", 2, "repaired"), ("death_day_missing", 2, "kept")]),
        (f"1,{ODD},4\n", [], [("unknown_word", 2, "repaired"), ("nothing_recorded", 2, "rejected")]),
    ],
)
def test_deaths(tmp_path: Path, rows: str, events: list[tuple[str, float | None]], found: list[tuple[str, int, str]]) -> None:
    cohort = cohort_of(tmp_path, DEATHDATA="subject_id,Subject_Died,Death_Days\n" + rows)
    assert cohort.events.select("participant_id", "day").rows() == events
    assert rules(cohort, "DEATHDATA") == found


def test_absence_from_the_death_table_says_nothing(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, DEATHDATA="subject_id,Subject_Died,Death_Days\n1,No,\n")
    recorded = cohort.covariates.filter(name="death_recorded").select("participant_id", "text").rows()
    assert recorded == [("1", "not died")]
    assert cohort.events.is_empty()


@pytest.mark.parametrize(
    ("row", "expected", "found"),
    [
        ("1,2.0,2.5,,60,75,,3.2,0\n", {"fvc_litres": 2.5, "fvc_percent": 75.0}, []),
        ("1,2.0,2.5,,,,,4,0\n", {"fvc_litres": 2.5, "fvc_percent": 62.5}, [("percent_recomputed", 2, "repaired")]),
        ("1,2.0,,,,,,,0\n", {"fvc_litres": 2.0}, []),
        ("1,-2.0,2.5,,60,,,,0\n", {"fvc_litres": 2.5, "fvc_percent": 60.0}, [("value_implausible", 2, "repaired")]),
        (f"1,{ODD},2.5,,60,,,,0\n", {"fvc_litres": 2.5, "fvc_percent": 60.0}, [("not_a_number", 2, "repaired")]),
        ("1,,,,,,,3,0\n", {}, [("nothing_recorded", 2, "rejected")]),
        ("1,2.0,,,60,,,,\n", {}, [("day_missing", 2, "rejected")]),
    ],
)
def test_vital_capacity(tmp_path: Path, row: str, expected: dict[str, float], found: list[tuple[str, int, str]]) -> None:
    cohort = cohort_of(tmp_path, FVC=FVC + row)
    values = cohort.measurements.filter(cohort.measurements["name"].str.starts_with("fvc"))
    assert dict(values.select("name", "value").rows()) == expected
    assert rules(cohort, "FVC") == found


def test_slow_vital_capacity_is_found_under_its_doubled_underscores(tmp_path: Path) -> None:
    header = "subject_id,Subject_Liters_Trial_1,Subject_Liters__Trial_2_,pct_of_Normal_Trial_1,Slow_vital_Capacity_Delta\n"
    cohort = cohort_of(tmp_path, SVC=header + "1,2.0,2.4,80,60\n")
    values = cohort.measurements.filter(cohort.measurements["name"].str.starts_with("svc"))
    assert values.select("name", "value", "unit").rows() == [("svc_litres", 2.4, "L"), ("svc_percent", 80.0, "%")]
    assert cohort.participants["last_contact_day"].to_list()[0] == 60.0


@pytest.mark.parametrize(
    ("row", "weight", "height", "found"),
    [
        ("1,0,70,kg,175,Centimeters,,,\n", 70.0, 175.0, []),
        ("1,0,150,POUNDS,70,inches,,,\n", 150 * KG_PER_LB, 70 * CM_PER_INCH, [("unit_converted", 2, "repaired")] * 2),
        ("1,0,70,,,,80,,\n", None, None, [("unit_unknown", 2, "repaired")]),
        (f"1,0,70,{ODD},,,80,,\n", None, None, [("unit_unknown", 2, "repaired")]),
        ("1,0,7.2,kg,70,cm,80,,\n", None, None, [("value_implausible", 2, "repaired")] * 2),
        ("1,0,,kg,,,,71,\n", 71.0, None, [("value_from_fallback", 2, "repaired")]),
        ("1,0,,kg,,,,,72\n", 72.0, None, [("value_from_fallback", 2, "repaired")]),
        ("1,0,,,,,,,\n", None, None, [("nothing_recorded", 2, "rejected")]),
    ],
)
def test_weight_and_height(tmp_path: Path, row: str, weight: float | None, height: float | None, found: list[tuple[str, int, str]]) -> None:
    cohort = cohort_of(tmp_path, VITALSIGNS=VITALS + row)
    assert cohort.measurements.filter(name="weight")["value"].to_list() == ([] if weight is None else [pytest.approx(weight)])
    assert cohort.participants["height_cm"].to_list()[0] == (None if height is None else pytest.approx(height))
    assert rules(cohort, "VITALSIGNS") == found


@pytest.mark.parametrize(
    ("result", "value", "found"),
    [
        (".5", 0.5, []),
        ("12.00", 12.0, []),
        ('"1,200"', 1200.0, [("lab_number_repaired", 2, "repaired")]),
        ('"1,20"', None, [("lab_text", 2, "rejected")]),
        ("<5", None, [("lab_limit", 2, "rejected")]),
        ("negative", None, [("lab_text", 2, "rejected")]),
        ("nan", None, [("lab_text", 2, "rejected")]),
        ("-", None, [("nothing_recorded", 2, "rejected")]),
        ("", None, [("nothing_recorded", 2, "rejected")]),
    ],
)
def test_laboratory_results(tmp_path: Path, result: str, value: float | None, found: list[tuple[str, int, str]]) -> None:
    cohort = cohort_of(tmp_path, LABS=LABS + f"1, Creatine Kinase ,{result},U/L,55\n")
    values = cohort.measurements.filter(name="lab:creatine kinase").select("value", "unit").rows()
    assert values == ([] if value is None else [(value, "U/L")])
    assert rules(cohort, "LABS") == found
    # A sample was taken that day, whatever became of its result.
    assert cohort.participants["last_contact_day"].to_list()[0] == 55.0


@pytest.mark.parametrize(
    ("row", "name", "found"),
    [
        ("1,Neurofilament light chain,SERUM,60,pg/mL,0\n", "nfl_serum", []),
        ("1,Neurofilament light chain,CSF,9000,pg/mL,0\n", "nfl_csf", []),
        ("1,NfL,Plasma,70,pg/mL,0\n", "nfl_plasma", []),
        ("1,NfL,Serum,0,pg/mL,0\n", None, [("nfl_not_positive", 2, "rejected")]),
        ("1,NfL,Serum,QNS,pg/mL,0\n", None, [("lab_text", 2, "rejected")]),
        ("1,NfL,,60,pg/mL,0\n", None, [("matrix_unknown", 2, "rejected")]),
        ("1,Tau,CSF,60,pg/mL,0\n", None, [("row_set_aside", None, "set aside")]),
    ],
)
def test_neurofilament_is_never_pooled_over_specimens(
    tmp_path: Path, row: str, name: str | None, found: list[tuple[str, int | None, str]]
) -> None:
    cohort = cohort_of(tmp_path, Neurofilament=NFL + row)
    values = cohort.measurements.filter(cohort.measurements["name"].str.starts_with("nfl"))["name"].to_list()
    assert values == ([] if name is None else [name])
    assert rules(cohort, "Neurofilament") == found


@pytest.mark.parametrize(
    ("row", "exposure", "found"),
    [
        ("1,Yes,-40\n", (True, -40.0), []),
        ("1,Yes,\n", (True, None), []),
        ("1,No,\n", (False, None), []),
        ("1,,\n", None, [("nothing_recorded", 2, "rejected")]),
        ("1,No,\n1,Yes,3\n", (True, 3.0), [("exposure_conflict", 2, "rejected")]),
    ],
)
def test_missing_riluzole_is_unknown_and_never_no(
    tmp_path: Path, row: str, exposure: tuple[bool, float | None] | None, found: list[tuple[str, int, str]]
) -> None:
    cohort = cohort_of(tmp_path, RILUZOLE=RILUZOLE + row)
    expected = [] if exposure is None else [("1", "riluzole", *exposure)]
    assert cohort.exposures.select("participant_id", "drug", "taken", "start_day").rows() == expected
    assert rules(cohort, "RILUZOLE") == found


@pytest.mark.parametrize(
    ("row", "expected", "found"),
    [
        ("1,RILUTEK 50mg; Baclofen,-9,20,100,mg\n", [("riluzole", -9.0, 20.0, 100.0)], []),
        ("1,Edaravone;Riluzole,1,,,\n", [("edaravone", 1.0, None, None), ("riluzole", 1.0, None, None)], []),
        ("1,Tofersen,1,73299,,\n", [("tofersen", 1.0, None, None)], [("stop_sentinel", 2, "repaired")]),
        ("1,AMX0035,1,1096331,,\n", [("AMX0035", 1.0, None, None)], [("stop_sentinel", 2, "repaired")]),
        ("1,Radicava,30,3,,\n", [("edaravone", 30.0, None, None)], [("exposure_reversed", 2, "repaired")]),
        ("1,Riluzole,,3,twice,\n", [("riluzole", None, 3.0, None)], [("not_a_number", 2, "repaired")]),
        ("1,Baclofen,1,,,\n", [], [("row_set_aside", None, "set aside")]),
    ],
)
def test_medications(
    tmp_path: Path,
    row: str,
    expected: list[tuple[str, float | None, float | None, float | None]],
    found: list[tuple[str, int | None, str]],
) -> None:
    cohort = cohort_of(tmp_path, CONMEDS=CONMEDS + row)
    assert cohort.exposures.select("drug", "start_day", "stop_day", "dose").rows() == expected
    assert rules(cohort, "CONMEDS") == found


def test_a_drug_recorded_both_ways_is_listed(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, RILUZOLE=RILUZOLE + "1,No,\n", CONMEDS=CONMEDS + "1,Riluzole,1,,,\n")
    assert cohort.exposures["taken"].to_list() == [False, True]
    assert cohort.issues.filter(rule="exposure_contradiction")["participant_id"].to_list() == ["1"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("1,,ALS,No", True),
        ("1,SOD1,,", True),
        ("1,No,,No", False),
        ("1,,Alzheimer,Yes", None),
        ("1,,,", None),
        ("1,No,,", None),
    ],
)
def test_family_history_is_true_false_or_unknown(tmp_path: Path, row: str, expected: bool | None) -> None:
    header = "subject_id,Family_Hx_of_ALS_Mutation,Neurological_Disease,Family_Hx_of_Neuro_Disease\n"
    cohort = cohort_of(tmp_path, FAMILYHISTORY=header + row + "\n")
    assert cohort.participants["family_history"].to_list()[0] is expected
    assert cohort.covariates.filter(name="family_mutation")["text"].to_list() == (["SOD1"] if "SOD1" in row else [])


def test_arm_el_escorial_and_strength(tmp_path: Path) -> None:
    grip = "subject_id,Test_Laterality,Test_Result,Test_Unit,MS_Delta\n1,LEFT,50,Pounds,0\n1,left,52,Pounds,0\n"
    muscle = 'subject_id,Test_Name,Test_Location,Test_Laterality,Test_Result,Test_Unit,MS_Delta\n1,"Isometric Muscle '
    muscle += 'Strength, Wrist Extension",WRIST JOINT,Right,20,Pounds,0\n'
    cohort = cohort_of(
        tmp_path,
        TREATMENT="subject_id,Study_Arm\n1,PLACEBO\n2,Active\n",
        ELESCORIAL=f"subject_id,el_escorial\n1,Probable Laboratory Supported\n2,{ODD}\n",
        HANDGRIPSTRENGTH=grip,
        MUSCLESTRENGTH=muscle,
        ADVERSEEVENTS="subject_id,Preferred_Term\n1,Fall\n2,Fall\n",
    )
    assert cohort.participants.select("arm", "el_escorial").rows() == [
        ("placebo", "probable laboratory supported"),
        ("active", None),
    ]
    strength = cohort.measurements.filter(cohort.measurements["name"].str.starts_with("strength"))
    assert strength.select("name", "value", "unit").rows() == [
        ("strength:grip:left", 50.0, "lb"),
        ("strength:grip:left", 52.0, "lb"),
        ("strength:wrist extension:right", 20.0, "lb"),
    ]
    assert cohort.flow.filter(file="F_PROACT_ADVERSEEVENTS.csv").row(0)[1:] == (2, 0, 0, 0, 2)
    aside = cohort.issues.filter(file="F_PROACT_ADVERSEEVENTS.csv", rule="row_set_aside")["detail"].item()
    assert aside.startswith("2 rows")


#: Covariates that do not come from a column without a place.
OF_ALL = ("death_recorded", "last_contact_all_tables")


def covariates(cohort: Cohort, participant: str = "1") -> dict[str, float | str]:
    found = cohort.covariates.filter(participant_id=participant).select("name", "number", "text").rows()
    return {name: text if number is None else number for name, number, text in found if name not in OF_ALL}


HISTORY_TOLD = "subject_id,Site_of_Onset___Other_Specify,Symptom,Symptom_Other_Specify,Location,Location_Other_Specify\n"
FAMILY = (
    "subject_id,Father,Aunt__Maternal_,Other,Neurological_Disease,Family_Hx_of_ALS_Mutation,Family_Hx_of_ALS_Mutation_Other,Other_Specify\n"
)


@pytest.mark.parametrize(
    ("table", "text", "expected"),
    [
        (
            "DEMOGRAPHICS",
            "subject_id,Race_Asian,Race_Caucasian,Ethnicity\n1,1,1.0,Unknown\n",
            {"race": "asian; caucasian", "ethnicity": "Unknown"},
        ),
        ("DEMOGRAPHICS", "subject_id,Race_Asian,Race_Other,Race_Other_Specify\n1,0,1,Mixed\n", {"race": "other", "race_other": "Mixed"}),
        (
            "ALSHISTORY",
            HISTORY_TOLD + "1,,WEAKNESS,,Hand,\n1,,weakness,,HAND,\n1,,OTHER,Yawning,,\n",
            {"first_symptoms": "weakness (hand); other yawning"},
        ),
        ("ALSHISTORY", HISTORY_TOLD + "1,Neck,,,Other,Jaw\n", {"first_symptoms": "(other jaw)", "onset_site_other": "neck"}),
        ("TREATMENT", "subject_id,Study_Arm,Treatment_Group_Delta\n1,Active,3\n", {"treatment_start_day": 3.0}),
        ("HANDGRIPSTRENGTH", "subject_id,Test_Result,MS_Delta,DominantHand\n1,50,0,RIGHT\n1,50,9,Right\n", {"dominant_hand": "right"}),
        (
            "FAMILYHISTORY",
            FAMILY + "1,1,,,ALS,,,\n1,,1,,Alzheimer,,,\n",
            {"family_diseases": "als (father); alzheimer (maternal aunt)", "family_relatives": "father; maternal aunt"},
        ),
        (
            "FAMILYHISTORY",
            FAMILY + "1,,,1,ALS,Other,VAPB,Step-son\n",
            {
                "family_diseases": "als (other, step-son)",
                "family_mutation": "VAPB",
                "family_relatives": "other",
                "family_relatives_other": "step-son",
            },
        ),
        (
            "CONMEDS",
            "subject_id,Medication_Coded,Frequency,Route\n1,Riluzole,BID,PO\n1,Baclofen,TID,PO\n",
            {"riluzole_frequency": "bid", "riluzole_route": "po"},
        ),
    ],
)
def test_columns_without_a_place_are_covariates(tmp_path: Path, table: str, text: str, expected: dict[str, float | str]) -> None:
    plain = {"DEMOGRAPHICS": "subject_id,Age,Sex\n1,61,Male\n"}
    cohort = read(made(tmp_path / "raw", plain | {table: text}), "proact")
    assert covariates(cohort) == expected
    assert cohort.issues.filter(rule="column_unknown").is_empty()


@pytest.mark.parametrize(
    ("duration", "fits"),
    [("731", True), ("24", True), ("2", True), ("24.9", True), ("1000", False), ("30", False), ("Long", True)],
)
def test_a_stated_duration_is_checked_against_the_onset_in_days_months_and_years(tmp_path: Path, duration: str, fits: bool) -> None:
    cohort = cohort_of(tmp_path, ALSHISTORY=f"subject_id,Onset_Delta,Disease_Duration\n1,-731,{duration}\n")
    assert rules(cohort, "ALSHISTORY") == ([] if fits else [("duration_differs", 2, "kept")])
    told = covariates(cohort)["disease_duration"]
    assert told == (duration if duration == "Long" else float(duration))
    assert cohort.participants["onset_day"].to_list()[0] == -731.0


def test_the_last_contact_over_all_tables_stands_beside_the_one_over_measured_tables(tmp_path: Path) -> None:
    drugs = CONMEDS + "1,Baclofen,-9,200,,\n1,Riluzole,1,73299,,\n2,Baclofen,,not known,,\n"
    adverse = "subject_id,Preferred_Term,Start_Date_Delta,End_Date_Delta\n1,Fall,10,45\n2,Fall,7,9999999\n3,Fall,8,\n"
    cohort = cohort_of(tmp_path, CONMEDS=drugs, ADVERSEEVENTS=adverse)
    assert cohort.participants.select("participant_id", "last_contact_day").rows() == [("1", 30.0), ("2", 0.0), ("3", None)]
    last = cohort.covariates.filter(name="last_contact_all_tables").select("participant_id", "number").rows()
    assert last == [("1", 200.0), ("2", 7.0), ("3", 8.0)]
    assert cohort_of(tmp_path / "none").covariates.filter(name="last_contact_all_tables").is_empty()


@pytest.mark.parametrize(
    ("columns", "cells", "pulse"),
    [("Supine_Pulse,Baseline_Supine_Pulse", ",62", 62.0), ("Supine_Pulse,Endpoint_Supine_Pulse", "60,62", 60.0)],
)
def test_baseline_and_end_point_stand_in_where_the_value_of_the_row_is_missing(
    tmp_path: Path, columns: str, cells: str, pulse: float
) -> None:
    cohort = cohort_of(tmp_path, VITALSIGNS=f"subject_id,Vital_Signs_Delta,{columns}\n1,0,{cells}\n")
    assert cohort.measurements.filter(name="supine_pulse")["value"].to_list() == [pulse]
    assert ("value_from_fallback" in cohort.issues["rule"]) is cells.startswith(",")


def test_uncertain_names_of_neurofilament_columns_have_variants(tmp_path: Path) -> None:
    variant = "subject_id,Biomarker,Specimen_Type,Result_Value,Units,Collection_Delta\n1,NfL,CSF,900,pg/mL,3\n"
    cohort = cohort_of(tmp_path, Neurofilament=variant)
    assert cohort.measurements.filter(name="nfl_csf").select("day", "value", "unit").rows() == [(3.0, 900.0, "pg/mL")]
    both = "subject_id,Analyte,Biomarker,Matrix,Result,Collection_Delta\n1,NfL,Tau,CSF,900,3\n"
    cohort = cohort_of(tmp_path / "both", Neurofilament=both)
    assert cohort.measurements.filter(name="nfl_csf").height == 1
    assert cohort.issues.filter(rule="column_unknown")["column"].to_list() == ["Biomarker"]


@pytest.mark.parametrize("name", ["F_PROACT_{}.csv", "PROACT_{}.csv", "{}.CSV"])
def test_every_vintage_of_file_names_is_found(tmp_path: Path, name: str) -> None:
    new = read(made(tmp_path / "a", {}), "proact")
    assert read(made(tmp_path / "b", {}, name=name, bom=False), "proact").digest == new.digest


def test_columns_are_found_in_any_case_and_order(tmp_path: Path) -> None:
    death = "DEATH__DAYS,subject_died,Subject_ID_\n400,Yes,1\n"
    assert cohort_of(tmp_path, DEATHDATA=death).events.height == 1


def test_unknown_and_unplaced_columns_and_files_are_listed(tmp_path: Path) -> None:
    events = "subject_id,Lowest_Level_Term\n1,Fall\n"
    folder = made(tmp_path / "raw", {"DEATHDATA": "subject_id,Subject_Died,Death_Days,Cause\n1,Yes,400,x\n", "ADVERSEEVENTS": events})
    (folder / "F_PROACT_NEWTABLE.csv").write_text("a,b\n1,2\n")
    issues = read(folder, "proact").issues
    listed = set(issues.select("rule", "file", "column").rows())
    assert ("column_unknown", "F_PROACT_DEATHDATA.csv", "Cause") in listed
    assert ("column_set_aside", "F_PROACT_ADVERSEEVENTS.csv", "Lowest_Level_Term") in listed
    assert ("file_unknown", "F_PROACT_NEWTABLE.csv", None) in listed
    assert ("file_absent", "LABS", None) in listed


def test_people_without_assessments_stay_and_are_listed(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, DEMOGRAPHICS=BASE["DEMOGRAPHICS"] + "8,50,,Male,\n", DEATHDATA=BASE["DEATHDATA"] + "9,No,\n")
    listed = cohort.issues.filter(rule="participant_without_assessments")["participant_id"].to_list()
    assert listed == ["8", "9"]
    assert cohort.issues.filter(rule="participant_not_in_demographics")["participant_id"].to_list() == ["9"]
    assert cohort.participants["participant_id"].to_list() == ["1", "2", "8", "9"]
    assert cohort.participant_flow.select("n", "excluded").rows() == [(4, 0), (2, 2)]


@pytest.mark.parametrize(
    ("demographics", "rule", "row"),
    [
        ("1,61,,Male,\n1,62,,Male,\n", "conflicting_row", 3),
        ("1,61,,Male,1\n1,61,,Male,1\n", "duplicate_row", 3),
        ("1,61,,Male,1\n1,61,,Male,\n", "conflicting_row", 3),
        (f"1,61,,Male,{ODD}\n", "unknown_word", 2),
        ("1,610,,Male,\n", "value_implausible", 2),
        (f"1,{ODD},,Male,\n", "not_a_number", 2),
        (f"1,61,,{ODD},\n", "unknown_word", 2),
        ("1,,-20000,Male,\n", "age_from_birth", 2),
        ("1,,20000,Male,\n", "value_implausible", 2),
    ],
)
def test_demographics(tmp_path: Path, demographics: str, rule: str, row: int) -> None:
    cohort = cohort_of(tmp_path, DEMOGRAPHICS="subject_id,Age,Date_of_Birth,Sex,Race_Asian\n" + demographics)
    assert (rule, row) in [r[:2] for r in rules(cohort, "DEMOGRAPHICS")]


def test_structural_faults_come_all_at_once_and_nothing_is_returned(tmp_path: Path) -> None:
    folder = made(tmp_path / "raw", {"LABS": "subject_id;Test_Name\n1;x\n", "DEMOGRAPHICS": "subject_id,Age\n"})
    (folder / "F_PROACT_DEATHDATA.csv").unlink()
    (folder / "F_PROACT_FVC.csv").write_bytes(b"subject_id,Forced_Vital_Capacity_Delta\n1,\x81\n")
    (folder / "F_PROACT_SVC.csv").write_text("subject_id,Subject_Normal\n1,3\n")
    (folder / "PROACT_ALSFRS.csv").write_text(BASE["ALSFRS"])
    with pytest.raises(InvalidInput) as caught:
        read(folder, "proact")
    text = str(caught.value)
    assert len(caught.value.faults) == 7
    for expected in ("semicolon", "no rows", "DEATHDATA", "cp1252", "Slow_vital_Capacity_Delta", "both the table ALSFRS", "releases"):
        assert expected in text


def test_an_optional_table_may_be_empty(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, LABS=LABS, FVC=FVC, CONMEDS=CONMEDS, VITALSIGNS=VITALS, ALSHISTORY=HISTORY, RILUZOLE=RILUZOLE)
    assert cohort.assessments.height == 3


def test_strict_reading_refuses_row_errors_without_their_values(tmp_path: Path) -> None:
    bad = FULL.replace("1,4,4,4,3", f"3,{ODD},4,4,3")
    with pytest.raises(InvalidInput) as caught:
        cohort_of(tmp_path, strict=True, ALSFRS=BASE["ALSFRS"] + bad)
    assert "F_PROACT_ALSFRS.csv:5:Q1_Speech" in str(caught.value)
    assert ODD not in str(caught.value)
    saved = cohort_of(tmp_path, ALSFRS=BASE["ALSFRS"] + bad).save(tmp_path / "saved")
    with pytest.raises(InvalidInput, match="score_text"):
        read(saved, "cohort", strict=True)
    assert cohort_of(tmp_path, strict=True).assessments.height == 3


def test_row_order_of_the_files_does_not_matter(tmp_path: Path) -> None:
    shuffled = f"{ALSFRS}\n{TEN}\n{LATER}\n{FULL}\n"
    assert cohort_of(tmp_path, ALSFRS=shuffled).digest == read(made(tmp_path / "b", {}), "proact").digest
