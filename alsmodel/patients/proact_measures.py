"""The tables of measurements: vital capacity, vital signs, neurofilament, strength."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsmodel.patients.csv_text import Table, decimals
from alsmodel.patients.proact_layout import Source

_KG_PER_POUND = 0.45359237
_CM_PER_INCH = 2.54


def _visits(source: Source, who: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Person and visit number of every visit that was made by these people."""
    person, visit = np.nonzero((source.people.total >= 0) & who[:, None])
    return person, visit


def _litres(source: Source) -> NDArray[np.float64]:
    """Predicted litres from height and age: rough values for the size of the numbers only (invented)."""
    people = source.people
    level = np.where(people.sex == "male", -4.0, -3.6) + 0.053 * people.height_cm - 0.025 * people.age
    return np.clip(level, 1.8, 7.0)


def forced(source: Source) -> Table:
    """Make FVC: three trials, with the percentage left out in some rows."""
    person, visit = _visits(source, source.uniform(100) < source.layout.fvc_share)
    litres = ("Subject_Liters_Trial_1", "Subject_Liters_Trial_2", "Subject_Liters_Trial_3")
    table = source.table("FVC", person)
    _spirometry(source, table, 101, person, visit, litres, "subject_normal", "Forced_Vital_Capacity_Delta")
    table["Forced_Vital_Capacity_Units"] = "Liters"
    rates = {"percent_missing": 0.2, "null_delta": 0.004, "duplicate_row": 0.002}
    chosen = source.plant("FVC", 103, np.arange(table.rows), rates)
    for trial in (1, 2, 3):
        table[f"pct_of_Normal_Trial_{trial}"][chosen["percent_missing"]] = ""
    table["Forced_Vital_Capacity_Delta"][chosen["null_delta"]] = ""
    table.duplicate(chosen["duplicate_row"])
    return table


def slow(source: Source) -> Table:
    """Make SVC: the same for few people, under names with doubled underscores."""
    person, visit = _visits(source, source.uniform(110) < source.layout.svc_share)
    litres = ("Subject_Liters_Trial_1", "Subject_Liters__Trial_2_", "Subject_Liters__Trial_3_")
    table = source.table("SVC", person)
    _spirometry(source, table, 111, person, visit, litres, "Subject_Normal", "Slow_vital_Capacity_Delta")
    table["Slow_Vital_Capacity_Units"] = "Liters"
    return table


def _spirometry(
    source: Source,
    table: Table,
    purpose: int,
    person: NDArray[np.int64],
    visit: NDArray[np.int64],
    litres: tuple[str, str, str],
    normal: str,
    day: str,
) -> None:
    """Fill three trials; the best is the simulated value, the others are up to 8% lower or were not done."""
    people, predicted = source.people, _litres(source)[person]
    best = people.vital_capacity[person, visit]
    draws = source.uniform(purpose, person.size, width=4)
    order = (draws[:, 3] * 3).astype(int)
    for trial in range(3):
        percent = np.where(order == trial, best, best * (1.0 - 0.08 * draws[:, trial]))
        percent = np.where((order != trial) & (draws[:, trial] > 0.85), np.nan, percent)
        table[litres[trial]] = decimals(percent * predicted / 100.0, 2)
        table[f"pct_of_Normal_Trial_{trial + 1}"] = decimals(percent, 1)
    table[normal] = decimals(predicted, 2)
    table[day] = decimals(people.visit_day[person, visit])


def vital_signs(source: Source) -> Table:
    """Make VITALSIGNS: every visit, and a last contact of those who did not die.

    Units are a person's own: kilograms or pounds, centimetres or inches, in several spellings. Height is at baseline.
    """
    people = source.people
    person, visit = _visits(source, np.full(people.n, True))
    leaving = np.flatnonzero(~people.event)
    last_day = np.floor(people.end_month[leaving] * 365.25 / 12)
    person_all = np.concatenate([person, leaving])
    day = np.concatenate([people.visit_day[person, visit], last_day])
    weight = np.concatenate([people.weight_kg[person, visit], np.full(leaving.size, np.nan)])
    order = np.lexsort((day, person_all))
    person, day, weight = person_all[order], day[order], weight[order]
    table = source.table("VITALSIGNS", person)
    table["Vital_Signs_Delta"] = decimals(day)
    baseline = (day == 0) & ~np.isnan(weight)
    _weigh(source, table, person, weight, baseline)
    _pressures(source, table, person.size)
    rates = {"implausible_weight": 0.001, "null_delta": 0.002, "duplicate_row": 0.002}
    chosen = source.plant("VITALSIGNS", 121, np.flatnonzero(~np.isnan(weight) & ~baseline), rates)
    table["Weight"][chosen["implausible_weight"]] = "7.2"
    table["Vital_Signs_Delta"][chosen["null_delta"]] = ""
    table.duplicate(chosen["duplicate_row"])
    for unit, kind in (("pounds", "Weight"), ("inches", "Height")):
        name = f"VITALSIGNS.{kind.lower()}_in_{unit}"
        source.planted[name] = sum(cell.lower() == unit for cell in table[f"{kind}_Units"])
    return table


def _weigh(
    source: Source,
    table: Table,
    person: NDArray[np.int64],
    weight: NDArray[np.float64],
    baseline: NDArray[np.bool_],
) -> None:
    """Fill weight and height in each person's units."""
    u = source.uniform(120, width=3)[person]
    pounds, inches = u[:, 0] < 0.3, u[:, 1] < 0.3
    table["Weight"] = decimals(np.where(pounds, weight / _KG_PER_POUND, weight), 1)
    names = np.where(pounds, np.where(u[:, 2] < 0.7, "Pounds", "POUNDS"), np.where(u[:, 2] < 0.7, "Kilograms", "kg"))
    table["Weight_Units"] = np.where(np.isnan(weight), "", names)
    tall = np.where(baseline, source.people.height_cm[person], np.nan)
    table["Height"] = decimals(np.where(inches, tall / _CM_PER_INCH, tall), 1)
    names = np.where(inches, np.where(u[:, 2] < 0.7, "Inches", "inches"), np.where(u[:, 2] < 0.7, "Centimeters", "cm"))
    table["Height_Units"] = np.where(baseline, names, "")
    # Some trials repeat the baseline weight in a column of its own.
    table["Baseline_Weight"] = np.where(baseline & (u[:, 2] < 0.1), table["Weight"], "")


def _pressures(source: Source, table: Table, rows: int) -> None:
    """Fill the other vital signs with unrelated plausible values."""
    for k, (name, mean, spread, unit) in enumerate(
        (
            ("Blood_Pressure_Systolic", 130.0, 30.0, "MMHG"),
            ("Blood_Pressure_Diastolic", 80.0, 20.0, "MMHG"),
            ("Pulse", 76.0, 24.0, "BEATS/MIN"),
            ("Respiratory_Rate", 17.0, 6.0, "BREATHS/MIN"),
        )
    ):
        table[name] = decimals(mean + spread * (source.uniform(122 + k, rows) - 0.5))
        table[f"{name}_Units"] = unit
    table["Temperature"] = decimals(36.2 + source.uniform(126, rows), 1)
    table["Temperature_Units"] = "C"


def neurofilament(source: Source) -> Table:
    """Make Neurofilament: serum at visits, CSF in a few at baseline (tens of thousands), some zeros."""
    people = source.people
    u = source.uniform(130, width=2)
    person, visit = _visits(source, u[:, 0] < source.layout.nfl_share)
    spinal = (u[:, 1][person] < 0.1) & (visit == 0)
    fluid = np.concatenate([np.zeros(person.size, dtype=np.int64), np.ones(int(spinal.sum()), dtype=np.int64)])
    value = people.nfl[person, visit]
    value = np.concatenate([value, 250.0 * value[spinal]])
    day = np.concatenate([people.visit_day[person, visit], people.visit_day[person[spinal], 0]])
    person = np.concatenate([person, person[spinal]])
    order = np.lexsort((fluid, day, person))
    person, fluid, value, day = person[order], fluid[order], value[order], day[order]
    table = source.table("Neurofilament", person)
    table["Analyte"] = "Neurofilament light chain"
    case = source.uniform(131, person.size) < 0.1
    table["Matrix"] = np.where(fluid == 1, "CSF", np.where(case, "SERUM", "Serum"))
    table["Result"] = decimals(value, 1)
    table["Unit"] = "pg/mL"
    table["Collection_Delta"] = decimals(day)
    source.planted["Neurofilament.csf"] = int((fluid == 1).sum())
    chosen = source.plant("Neurofilament", 132, np.flatnonzero(fluid == 0), {"zero": 0.003, "text": 0.002})
    table["Result"][chosen["zero"]] = "0"
    table["Result"][chosen["text"]] = "QNS"
    return table


def grip(source: Source) -> Table:
    """Make HANDGRIPSTRENGTH: both sides, two trials per visit, pounds."""
    person, day, side, trial, force = _forces(source, 140, 60.0)
    table = source.table("HANDGRIPSTRENGTH", person)
    table["Test_Name"] = "Hand Grip Strength"
    table["Test_Category"] = "Hand Grip"
    table["Test_Location"] = "Hand"
    table["Test_Unit"] = "Pounds"
    lower = source.uniform(141, person.size) < 0.1
    table["Test_Laterality"] = np.where(side == 0, np.where(lower, "Left", "LEFT"), np.where(lower, "Right", "RIGHT"))
    table["Test_trial"] = np.where(source.uniform(142, person.size) < 0.02, "", decimals(trial))
    table["Test_Result"] = decimals(force, 1)
    table["DominantHand"] = "RIGHT"
    table["MS_Delta"] = decimals(day)
    return table


def muscle(source: Source) -> Table:
    """Make MUSCLESTRENGTH: wrist extension, both sides, two trials per visit, pounds."""
    person, day, side, trial, force = _forces(source, 150, 25.0)
    table = source.table("MUSCLESTRENGTH", person)
    table["Test_Name"] = '"Isometric Muscle Strength, Wrist Extension"'
    table["Test_Category"] = "Isometric Muscle Strength"
    joint = source.uniform(151, person.size) < 0.1
    table["Test_Location"] = np.where(joint, "WristJoint", "WRIST JOINT")
    table["Test_Laterality"] = np.where(side == 0, "LEFT", "RIGHT")
    table["Test_trial"] = decimals(trial)
    table["Test_Result"] = decimals(force, 1)
    table["Test_Unit"] = "Pounds"
    table["MS_Delta"] = decimals(day)
    return table


def _forces(source: Source, purpose: int, level: float) -> tuple[NDArray[Any], ...]:
    """Person, day, side, trial and force of a strength table; force falls with the hand items."""
    people = source.people
    person, visit = _visits(source, source.uniform(purpose + 5) < source.layout.strength_share)
    hands = np.repeat(people.items[person, visit, 3:6].sum(axis=1) / 12.0, 4)
    person, visit = np.repeat(person, 4), np.repeat(visit, 4)
    place = np.arange(person.size) % 4
    noise = source.uniform(purpose + 6, person.size)
    force = level * (0.05 + hands) * (0.8 + 0.4 * noise)
    return person, people.visit_day[person, visit], place // 2, place % 2 + 1, force
