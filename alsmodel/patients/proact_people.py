"""The tables about people: history, demographics, death, riluzole, arm, criteria, family."""

import numpy as np
from numpy.typing import NDArray

from alsmodel.patients.csv_text import Table, decimals, labels, quoted
from alsmodel.patients.proact_layout import Source

_SITE_TEXT = {
    "bulbar": "Onset: Bulbar",
    "limb": "Onset: Limb",
    "limb and bulbar": "Onset: Limb and Bulbar",
    "spine": "Onset: Spine",
    "respiratory": "Onset: Other",
}
_SITE_FLAG = {
    "bulbar": "Site_of_Onset___Bulbar",
    "limb": "Site_of_Onset___Limb",
    "limb and bulbar": "Site_of_Onset___Limb_and_Bulbar",
    "spine": "Site_of_Onset___Spine",
    "respiratory": "Site_of_Onset___Other",
}
_SCREEN_FAILURE_ID = 90_000_000
_SYMPTOMS = ("Weakness", "WEAKNESS", "Fasciculations", "Cramps", "Speech", "Swallowing", "Atrophy", "Gait changes")
_LOCATIONS = ("Arm", "Leg", "Hand", "Foot", "Bulbar", "Trunk")
_RELATIVES = ("Father", "Mother", "Brother", "Sister", "Aunt__Maternal_", "Uncle__Paternal_", "Cousin", "Sibling")


def history(source: Source) -> Table:
    """Make ALSHISTORY: one row with site and dates per person, and up to two more with symptoms only."""
    people, u = source.people, source.uniform(20, width=4)
    rows = 1 + np.searchsorted([0.5, 0.8], u[:, 0])
    person = np.repeat(np.arange(people.n), rows)
    first = np.concatenate([[0], np.cumsum(rows)[:-1]])
    table = source.table("ALSHISTORY", person)
    source.planted["ALSHISTORY.further_row"] = int(person.size - people.n)
    text = u[:, 1] < source.layout.text_site_share
    site = np.array([_SITE_TEXT[s] for s in people.onset_site], dtype=object)
    table["Site_of_Onset"][first] = np.where(text, site, "")
    source.planted["ALSHISTORY.text_site"] = int(text.sum())
    source.planted["ALSHISTORY.flag_site"] = int((~text).sum())
    # A flag table has 1 in its own column and 0 or nothing in the others.
    zero = u[:, 2] < 0.3
    for name, flag in _SITE_FLAG.items():
        table[flag][first] = np.where(text, "", np.where(people.onset_site == name, "1", np.where(zero, "0", "")))
    table["Site_of_Onset___Other_Specify"][first] = np.where(people.onset_site == "respiratory", "Respiratory", "")
    draws = source.uniform(21, person.size, width=2)
    table["Symptom"] = labels(list(_SYMPTOMS), (draws[:, 0] * len(_SYMPTOMS)).astype(int))
    table["Location"] = labels(list(_LOCATIONS), (draws[:, 1] * len(_LOCATIONS)).astype(int))
    table["Subject_ALS_History_Delta"] = "0"
    table["Onset_Delta"][first] = decimals(people.onset_day)
    table["Diagnosis_Delta"][first] = decimals(people.diagnosis_day)
    _spoil_history(source, table, first, text)
    return table


def _spoil_history(source: Source, table: Table, first: NDArray[np.int64], text: NDArray[np.bool_]) -> None:
    """Plant onsets after baseline, onsets after diagnosis, and texts that contradict the flags."""
    rates = {"onset_after_baseline": 0.004, "onset_after_diagnosis": 0.004, "diagnosis_missing": 0.01}
    chosen = source.plant("ALSHISTORY", 22, np.arange(source.people.n), rates)
    late = chosen["onset_after_baseline"]
    table["Onset_Delta"][first[late]] = decimals(np.abs(source.people.onset_day[late]))
    # A positive onset day would also lie after a diagnosis, so that row has no diagnosis.
    table["Diagnosis_Delta"][first[late]] = ""
    source.planted["ALSHISTORY.diagnosis_missing"] += int(late.size)
    inverted = chosen["onset_after_diagnosis"]
    table["Onset_Delta"][first[inverted]] = decimals(source.people.diagnosis_day[inverted])
    table["Diagnosis_Delta"][first[inverted]] = decimals(source.people.onset_day[inverted])
    table["Diagnosis_Delta"][first[chosen["diagnosis_missing"]]] = ""
    candidates = np.flatnonzero(text & (source.people.onset_site == "limb"))
    torn = source.plant("ALSHISTORY", 23, candidates, {"text_contradicts_flag": 0.01})["text_contradicts_flag"]
    table["Site_of_Onset___Bulbar"][first[torn]] = "1"


def demographics(source: Source) -> Table:
    """Make DEMOGRAPHICS: Age in whole years, or Date_of_Birth as negative days, never both."""
    people, u = source.people, source.uniform(30, width=4)
    table = source.table("DEMOGRAPHICS", np.arange(people.n))
    born = u[:, 0] < source.layout.birth_share
    source.planted["DEMOGRAPHICS.date_of_birth"] = int(born.sum())
    table["Demographics_Delta"] = decimals(np.floor(u[:, 1] * 30) - 29)
    table["Age"] = np.where(born, "", decimals(np.floor(people.age)))
    table["Date_of_Birth"] = np.where(born, decimals(-people.age * 365.25), "")
    table["Race_Caucasian"] = np.where(u[:, 2] < 0.9, "1", "")
    table["Race_Asian"] = np.where((u[:, 2] >= 0.9) & (u[:, 2] < 0.94), "1", "")
    table["Race_Black_African_American"] = np.where((u[:, 2] >= 0.94) & (u[:, 2] < 0.98), "1", "")
    table["Race_Unknown"] = np.where(u[:, 2] >= 0.98, "1", "")
    table["Ethnicity"] = np.where(u[:, 3] < 0.5, "Non-Hispanic or Latino", "")
    table["Sex"] = np.where(people.sex == "female", "Female", "Male")
    chosen = source.plant("DEMOGRAPHICS", 31, np.arange(people.n), {"sex_missing": 0.005, "age_missing": 0.005})
    table["Sex"][chosen["sex_missing"]] = ""
    table["Age"][chosen["age_missing"]] = ""
    table["Date_of_Birth"][chosen["age_missing"]] = ""
    source.planted["DEMOGRAPHICS.date_of_birth"] -= int(born[chosen["age_missing"]].sum())
    return _screen_failures(source, table)


def _screen_failures(source: Source, table: Table) -> Table:
    """Add people who are in no other table: a key, an age and a sex, and no assessment."""
    name = "participant_without_assessments"
    extra = source.plant("DEMOGRAPHICS", 32, np.arange(source.people.n), {name: 0.004})[name].size
    if not extra:
        return table
    last = table.rows
    table.duplicate(np.full(extra, last - 1))
    for column in ("Date_of_Birth", "Demographics_Delta"):
        table[column][last:] = ""
    table["subject_id"][last:] = [str(_SCREEN_FAILURE_ID + k) for k in range(extra)]
    table["Age"][last:] = "60"
    table["Sex"][last:] = "Female"
    return table


def deaths(source: Source) -> Table:
    """Make DEATHDATA: all deaths, some of the living; absence says nothing."""
    people = source.people
    listed = people.event | (source.uniform(40) < source.layout.alive_listed)
    person = np.flatnonzero(listed)
    source.planted["DEATHDATA.participant_absent"] = int(people.n - person.size)
    table = source.table("DEATHDATA", person)
    dead = people.event[person]
    table["Subject_Died"] = np.where(dead, "Yes", "No")
    table["Death_Days"] = np.where(dead, decimals(people.end_day[person]), "")
    rates = {"death_day_missing": 0.03, "death_before_last_visit": 0.01}
    visits = (people.total[person] >= 0).sum(axis=1)
    chosen = source.plant("DEATHDATA", 41, np.flatnonzero(dead & (visits > 1)), rates)
    table["Death_Days"][chosen["death_day_missing"]] = ""
    early = chosen["death_before_last_visit"]
    table["Death_Days"][early] = "1"
    copies = source.plant("DEATHDATA", 42, np.arange(table.rows), {"duplicate_row": 0.01})["duplicate_row"]
    source.planted["DEATHDATA.death_day_missing"] += int(np.isin(copies, chosen["death_day_missing"]).sum())
    source.planted["DEATHDATA.death_before_last_visit"] += int(np.isin(copies, early).sum())
    table.duplicate(copies)
    return table


def riluzole(source: Source) -> Table:
    """Make RILUZOLE: Yes with the day of start, No, or no row at all, which means unknown."""
    people = source.people
    drug = [d.name for d in people.spec.drugs].index("riluzole") if _has(source, "riluzole") else None
    person = np.flatnonzero(source.uniform(50) < source.layout.riluzole_known)
    source.planted["RILUZOLE.participant_absent"] = int(people.n - person.size)
    table = source.table("RILUZOLE", person)
    start = np.full(person.size, np.nan) if drug is None else people.exposure_start[person, drug]
    table["Subject_used_Riluzole"] = np.where(np.isnan(start), "No", "Yes")
    table["Riluzole_use_Delta"] = decimals(start)
    chosen = source.plant("RILUZOLE", 51, np.arange(person.size), {"empty": 0.005, "start_missing": 0.02})
    table["Subject_used_Riluzole"][chosen["empty"]] = ""
    for rows in chosen.values():
        table["Riluzole_use_Delta"][rows] = ""
    return table


def _has(source: Source, drug: str) -> bool:
    return any(d.name == drug for d in source.people.spec.drugs)


def treatment(source: Source) -> Table:
    """Make TREATMENT: the arm, in capitals in older extracts."""
    people = source.people
    table = source.table("TREATMENT", np.arange(people.n))
    table["Study_Arm"] = np.where(people.arm == 1, "Active", "Placebo")
    table["Treatment_Group_Delta"] = "0"
    older = source.plant("TREATMENT", 60, np.arange(people.n), {"capitals": 0.05})["capitals"]
    arm = table["Study_Arm"]
    arm[older] = [cell.upper() for cell in arm[older]]
    return table


def el_escorial(source: Source) -> Table:
    """Make ELESCORIAL for the share of people who have it."""
    person = np.flatnonzero(source.uniform(70) < source.layout.el_escorial_share)
    table = source.table("ELESCORIAL", person)
    table["el_escorial"] = source.people.el_escorial[person].astype(object)
    table["delta_days"] = decimals(np.floor(source.uniform(71) * 30)[person] - 29)
    return table


def family(source: Source) -> Table:
    """Make FAMILYHISTORY: a row per affected relative, or one row that says there is none."""
    people, u = source.people, source.uniform(80, width=3)
    known = u[:, 0] < 0.7
    rows = np.where(known, np.where(people.family_history & (u[:, 1] < 0.5), 2, 1), 0)
    person = np.repeat(np.arange(people.n), rows)
    table = source.table("FAMILYHISTORY", person)
    table["Family_History_Delta"] = "0"
    affected = people.family_history[person]
    which = (source.uniform(81, person.size) * len(_RELATIVES)).astype(int)
    for k, relative in enumerate(_RELATIVES):
        table[relative] = np.where(affected & (which == k), "1", "")
    table["Neurological_Disease"] = np.where(affected, "ALS", "")
    gene = people.gene[person].astype(object)
    table["Family_Hx_of_ALS_Mutation"] = np.where(gene != "", gene, np.where(affected, "", "No"))
    table["Family_Hx_of_Neuro_Disease"] = np.where(affected, "Yes", np.where(u[:, 2][person] < 0.2, quoted("No, none known"), "No"))
    return table
