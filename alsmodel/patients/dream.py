"""Writing a virtual cohort in the long format of the DREAM ALS challenges: a row per participant, day and feature.

Names of files, columns and features were typed from public descriptions of the challenge's files, apart from the reader's own list.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alsmodel.patients.csv_text import decimals
from alsmodel.patients.participants import VirtualParticipants
from alsmodel.patients.spec import DAYS_PER_MONTH

HEADER = "SubjectID|form_name|feature_name|feature_value|feature_unit|feature_delta"
_ITEMS = [
    "Q1_Speech",
    "Q2_Salivation",
    "Q3_Swallowing",
    "Q4_Handwriting",
    "Q5_Cutting",
    "Q6_Dressing_and_Hygiene",
    "Q7_Turning_in_Bed",
    "Q8_Walking",
    "Q9_Climbing_Stairs",
    "R1_Dyspnea",
    "R2_Orthopnea",
    "R3_Respiratory_Insufficiency",
]
_SUMS = {"mouth": (0, 3), "hands": (3, 5), "trunk": (5, 7), "leg": (7, 9), "respiratory_R": (9, 12)}
_SITES = {"bulbar": "Bulbar", "limb": "Limb", "limb and bulbar": "Limb and Bulbar", "spine": "Spine", "respiratory": "Other"}
_RACES = ("Caucasian", "Asian", "Black/African American", "Unknown")
_TESTS = (
    ("CK", "U/L", 210.0),
    ("Creatinine", "umol/L", 61.0),
    ("Potassium", "mmol/L", 4.1),
    ("Urine Ph", "", 6.0),
    ("Tissue Marker", "", 3.0),
)
#: Share of the participants whose rows go to the file of the spike set.
SPIKE = 0.2


def subject_ids(n: int) -> list[str]:
    """Return the identifiers of `n` participants: increasing, with gaps."""
    return [str(329 + 13 * i) for i in range(n)]


def write_dream(people: VirtualParticipants, folder: Path, repeats: int = 1) -> Path:
    """Write ``all_forms_PROACT.txt``, ``all_forms_validate_spike.txt``, the slopes and the survival responses.

    Parameters
    ----------
    people : VirtualParticipants
        The cohort; screening assessments are left out.
    folder : path
        Where the files go; made if missing.
    repeats : int
        Rows of each laboratory test per visit, under numbered names, to make a long file longer.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    subject = np.array(subject_ids(people.n), dtype=object)
    rows = [*_fixed(people), *_scores(people), *_measured(people), *_laboratory(people, repeats), *_lists(people)]
    first = people.n - int(SPIKE * people.n)
    texts: dict[str, list[str]] = {"PROACT": [HEADER], "validate_spike": [HEADER]}
    for person, form, feature, value, unit, day in rows:
        keys, days = subject[person], decimals(day)
        lines = [f"{key}|{form}|{feature}|{cell}|{unit}|{at}" for key, cell, at in zip(keys, value, days, strict=True)]
        texts["PROACT"] += [line for line, i in zip(lines, person, strict=True) if i < first]
        texts["validate_spike"] += [line for line, i in zip(lines, person, strict=True) if i >= first]
    for name, lines in texts.items():
        (folder / f"all_forms_{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, chosen in (("PROACT", range(first)), ("validate_spike", range(first, people.n))):
        _write_responses(people, folder, name, subject, list(chosen))
    return folder


_Rows = tuple[NDArray[np.int64], str, str, NDArray[np.object_] | list[str], str, NDArray[np.float64]]


def _fixed(people: VirtualParticipants) -> list[_Rows]:
    everyone, none, zero = np.arange(people.n), np.full(people.n, np.nan), np.zeros(people.n)
    took = ["No"] * people.n
    for d, drug in enumerate(people.spec.drugs):
        if drug.name == "riluzole":
            took = ["No" if np.isnan(start) else "Yes" for start in people.exposure_start[:, d]]
    return [
        (everyone, "Demographic", "Age", decimals(people.age, 2), "", zero),
        (everyone, "Demographic", "Gender", [sex[0].upper() for sex in people.sex], "", zero),
        (everyone, "Demographic", "Race", [_RACES[i % 4] for i in everyone], "", zero),
        (everyone, "FamilyHx", "family_ALS_hist", ["Y" if told else "N" for told in people.family_history], "", zero),
        (everyone, "ALSHX", "onset_delta", decimals(people.onset_day), "", zero),
        (everyone, "ALSHX", "diag_delta", decimals(people.diagnosis_day), "", none),
        (everyone, "ALSHX", "onset_site", [_SITES[site] for site in people.onset_site], "", zero),
        (everyone, "Riluzole", "if_use_Riluzole", took, "", none),
        (everyone, "Treatment", "treatment_group", ["Active" if arm == 1 else "Placebo" for arm in people.arm], "", zero + 1),
    ]


def _visits(people: VirtualParticipants) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    person, visit = np.nonzero(people.total >= 0)
    return person, visit, people.visit_day[person, visit]


def _scores(people: VirtualParticipants) -> list[_Rows]:
    """Items, totals and sums of the revised scale; every tenth participant has the ten-item scale."""
    person, visit, day = _visits(people)
    items, tube = people.items[person, visit], people.gastrostomy[person, visit]
    ten = person % 10 == 9
    rows: list[_Rows] = []
    for i, name in enumerate(_ITEMS):
        where = ~ten if i >= 9 else np.full(person.size, True)
        rows.append((person[where], "ALSFRS", name, decimals(items[where, i]), "", day[where]))
    for name, where in (("Q5a_Cutting_without_Gastrostomy", ~tube), ("Q5b_Cutting_with_Gastrostomy", tube)):
        rows.append((person[where], "ALSFRS", name, decimals(items[where, 4]), "", day[where]))
    rows.append((person[ten], "ALSFRS", "Q10_Respiratory", decimals(items[ten, 9]), "", day[ten]))
    rows.append((person[ten], "ALSFRS", "ALSFRS_Total", decimals(items[ten, :10].sum(axis=1)), "", day[ten]))
    rows.append((person[~ten], "ALSFRS", "ALSFRS_R_Total", decimals(items[~ten].sum(axis=1)), "", day[~ten]))
    for name, (start, stop) in _SUMS.items():
        rows.append((person, "ALSFRS", name, decimals(items[:, start:stop].sum(axis=1)), "", day))
    return rows


def _measured(people: VirtualParticipants) -> list[_Rows]:
    person, visit, day = _visits(people)
    first = visit == 0
    weight, tall = people.weight_kg[person, visit], people.height_cm[person]
    pounds = person % 3 == 0
    kilograms = decimals(weight[~pounds], 1)
    percent = people.vital_capacity[person, visit]
    return [
        (person, "FVC", "fvc_percent", decimals(percent, 1), "%", day),
        (person, "FVC", "fvc", decimals(percent * 0.04, 2), "L", day),
        (person, "FVC", "fvc_normal", ["4.00"] * person.size, "L", day),
        (person[~pounds], "Vitals", "weight", kilograms, "kg", day[~pounds]),
        (person[pounds], "Vitals", "weight", decimals(weight[pounds] / 0.45359237, 2), "Pounds", day[pounds]),
        (person[first], "Vitals", "height", decimals(tall[first], 1), "Centimeters", day[first]),
        (person, "Vitals", "BMI", decimals(weight / (tall / 100) ** 2, 1), "", day),
        (person, "Vitals", "bp_systolic", ["130"] * person.size, "MMHG", day),
        (person, "Vitals", "pulse", decimals(60 + person % 30), "BPM", day),
    ]


def _laboratory(people: VirtualParticipants, repeats: int) -> list[_Rows]:
    person, _, day = _visits(people)
    rows: list[_Rows] = []
    for k in range(repeats):
        for name, unit, level in _TESTS:
            value = decimals(level + (person + day) % 7, 2)
            rows.append((person, "Lab Test", name if k == 0 else f"{name} {k}", value, unit, day))
    return rows


def _lists(people: VirtualParticipants) -> list[_Rows]:
    """Adverse events and medications, whose features may be called like anything, and an unknown feature."""
    some = np.arange(0, people.n, 3)
    late = np.floor(people.end_month[some] * DAYS_PER_MONTH) + 5
    return [
        (some, "Adverse Event", "weight", ["MILD"] * some.size, "", late),
        (some, "Concomitant Medication", "Riluzole", ["Y"] * some.size, "mg", late - 1),
        (some, "Other", "shoe_size", ["43"] * some.size, "", late),
    ]


def _write_responses(people: VirtualParticipants, folder: Path, name: str, subject: NDArray[np.object_], chosen: list[int]) -> None:
    slopes = [f"{subject[i]}|{people.slope[i]:.4f}" for i in chosen]
    (folder / f"ALSFRS_slope_{name}.txt").write_text("\n".join(["SubjectID|ALSFRS_slope", *slopes]) + "\n", encoding="utf-8")
    ends = [f"{subject[i]}|{people.end_day[i]:.0f}|{int(people.event[i])}" for i in chosen]
    (folder / f"surv_response_{name}.txt").write_text("\n".join(["SubjectID|time_event|status", *ends]) + "\n", encoding="utf-8")
