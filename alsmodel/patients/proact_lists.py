"""The long lists: laboratory results, medications, adverse events."""

import numpy as np
from numpy.typing import NDArray

from alsmodel.patients.csv_text import Table, decimals, labels, quoted
from alsmodel.patients.proact_layout import STOP_SENTINELS, Source
from alsmodel.patients.spec import DAYS_PER_MONTH

_TESTS: tuple[tuple[str, str, float, float, int], ...] = (
    ("Sodium", "mmol/L", 140.0, 10.0, 0),
    ("Potassium", "mmol/L", 4.2, 1.4, 1),
    ("Creatinine", "mg/dL", 0.8, 0.6, 2),
    ("CK", "IU/L", 220.0, 400.0, 0),
    ("ALT(SGPT)", "IU/L", 28.0, 30.0, 0),
    ("AST(SGOT)", "U/L", 26.0, 24.0, 0),
    ("Hemoglobin", "g/dL", 14.3, 4.0, 1),
    ("White Blood Cell (WBC)", "10E9/L", 6.8, 5.0, 2),
    ("Platelets", "10E9/L", 245.0, 180.0, 0),
    ("Uric Acid", "mg/dL", 5.2, 3.0, 1),
    ("Albumin", "g/dL", 4.3, 1.0, 1),
    ("Glucose", "mg/dL", 98.0, 50.0, 0),
    ("albumin", "g/L", 43.0, 10.0, 0),
    ("CREATININE", "umol/L", 70.0, 50.0, 0),
    ("Bilirubin (Total)", "mg/dL", 0.6, 0.6, 1),
    ("Phosphorus", "", 3.5, 1.5, 1),
)
"""Name, unit, middle and width of plausible results, decimals: invented sizes, with synonyms and mixed units."""

_TEXT_RESULTS = ("<5", "negative", "1,200", "-", ".5", "12.00")
_GRID = 64

_COMEDS = ("Paracetamol", "Baclofen", "Omeprazole", "Vitamin E", "Amitriptyline", "Simvastatin", "Lorazepam")
_EVENTS = (
    ("Fall", "Fall", "Injury, poisoning and procedural complications", "Inj&P"),
    ("Headache", "Headache", "Nervous system disorders", "Nerv"),
    ("Nausea", "Nausea", "Gastrointestinal disorders", "Gastr"),
    ("Constipation", "Constipation", "Gastrointestinal disorders", "Gastr"),
    ("Tiredness", "Fatigue", "General disorders and administration site conditions", "Genrl"),
    ("Cold", "Nasopharyngitis", "Infections and infestations", "Infec"),
)


def laboratory(source: Source) -> Table:
    """Make LABS, the largest table: `labs_per_visit` results at every visit, as text."""
    people = source.people
    person, visit = np.nonzero(people.total >= 0)
    each = source.layout.labs_per_visit
    person, visit = np.repeat(person, each), np.repeat(visit, each)
    rows = person.size
    place = np.tile(np.arange(each), rows // each if each else 0)
    test = place % len(_TESTS)
    value = (source.uniform(160, rows) * _GRID).astype(np.int64)
    table = source.table("LABS", person)
    table["Test_Name"] = np.array([name for name, *_ in _TESTS], dtype=object)[test]
    table["Test_Unit"] = np.array([unit for _, unit, *_ in _TESTS], dtype=object)[test]
    grid = np.array(
        [[f"{middle + width * (k / (_GRID - 1) - 0.5):.{digits}f}" for k in range(_GRID)] for _, _, middle, width, digits in _TESTS],
        dtype=object,
    )
    table["Test_Result"] = grid[test, value]
    table["Laboratory_Delta"] = decimals(people.visit_day[person, visit])
    rates = {f"text_result[{text}]": 0.002 for text in _TEXT_RESULTS} | {"null_delta": 0.001}
    chosen = source.plant("LABS", 161, np.arange(rows), rates)
    for text in _TEXT_RESULTS:
        table["Test_Result"][chosen[f"text_result[{text}]"]] = quoted(text)
    table["Laboratory_Delta"][chosen["null_delta"]] = ""
    return table


def medications(source: Source) -> Table:
    """Make CONMEDS: exposures to the three ALS drugs with their days, and others, some cells holding several drugs.

    A drug that was not stopped has an empty stop day, or one of two sentinels that stand for none.
    """
    people = source.people
    taken, drug = np.nonzero(~np.isnan(people.exposure_start))
    other = np.repeat(np.arange(people.n), np.searchsorted([0.3, 0.6, 0.85], source.uniform(170)))
    names = np.array([d.name.capitalize() for d in people.spec.drugs], dtype=object)
    u = source.uniform(171, other.size, width=3)
    begin = -np.floor(600.0 * u[:, 0])
    length = np.floor(10.0 + 400.0 * u[:, 1])
    spare = labels(list(_COMEDS), (u[:, 2] * len(_COMEDS)).astype(int))
    end = np.ceil(people.end_month * DAYS_PER_MONTH)
    stop = np.concatenate([people.exposure_stop[taken, drug], begin + length])
    person = np.concatenate([taken, other])
    name = np.concatenate([names[drug], spare])
    start = np.concatenate([people.exposure_start[taken, drug], begin])
    als = np.concatenate([np.full(taken.size, True), np.full(other.size, False)])
    # What would have happened after the end of observation is not in the record.
    seen = start <= end[person]
    order = np.lexsort((start, person))
    order = order[seen[order]]
    person, name, start, stop, als = person[order], name[order], start[order], stop[order], als[order]
    stop = np.where(stop >= end[person], np.nan, stop)
    table = source.table("CONMEDS", person)
    table["Medication_Coded"] = name
    table["Start_Delta"] = decimals(start)
    table["Stop_Delta"] = decimals(stop)
    table["Route"] = "PO"
    source.planted["CONMEDS.als_drug_row"] = int(als.sum())
    _spoil_medications(source, table, np.isnan(stop), als)
    return table


def _spoil_medications(source: Source, table: Table, unstopped: NDArray[np.bool_], als: NDArray[np.bool_]) -> None:
    """Plant cells with several drugs, capitals, missing starts, and sentinels in place of no stop."""
    rates = {"several_drugs": 0.05, "capitals": 0.05}
    chosen = source.plant("CONMEDS", 172, np.arange(table.rows), rates)
    medication = table["Medication_Coded"]
    several = chosen["several_drugs"]
    medication[several] = [f"{cell}; Ascorbic acid" for cell in medication[several]]
    medication[chosen["capitals"]] = [cell.upper() for cell in medication[chosen["capitals"]]]
    sentinels = {f"sentinel[{text}]": 0.03 for text in STOP_SENTINELS}
    chosen = source.plant("CONMEDS", 173, np.flatnonzero(unstopped), sentinels)
    for text in STOP_SENTINELS:
        table["Stop_Delta"][chosen[f"sentinel[{text}]"]] = text
    unknown = source.plant("CONMEDS", 174, np.flatnonzero(als), {"als_drug_start_missing": 0.01})
    table["Start_Delta"][unknown["als_drug_start_missing"]] = ""


def adverse_events(source: Source) -> Table:
    """Make ADVERSEEVENTS: none to three per person, within observation."""
    people = source.people
    person = np.repeat(np.arange(people.n), np.searchsorted([0.4, 0.7, 0.9], source.uniform(180)))
    u = source.uniform(181, person.size, width=3)
    start = np.floor(u[:, 0] * people.end_month[person] * DAYS_PER_MONTH)
    event = (u[:, 1] * len(_EVENTS)).astype(int)
    order = np.lexsort((start, person))
    person, start, event, u = person[order], start[order], event[order], u[order]
    table = source.table("ADVERSEEVENTS", person)
    for column, k in (
        ("Lowest_Level_Term", 0),
        ("Preferred_Term", 1),
        ("System_Organ_Class", 2),
        ("SOC_Abbreviation", 3),
    ):
        table[column] = labels([quoted(entry[k]) for entry in _EVENTS], event)
    table["Severity"] = labels(["MILD", "MODERATE", "SEVERE"], (u[:, 2] * 2.2).astype(int))
    table["Start_Date_Delta"] = decimals(start)
    last = np.floor(people.end_month[person] * DAYS_PER_MONTH)
    table["End_Date_Delta"] = decimals(np.minimum(start + np.floor(20.0 * u[:, 2]), last))
    return table
