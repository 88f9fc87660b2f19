"""Settings, column names and shared context of the PRO-ACT writer.

Every column name here was typed from the description of the public files, apart from the reader's own list: a wrong
name in either must not pass a round trip.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsmodel.patients.csv_text import Column, Table, plant
from alsmodel.patients.participants import VirtualParticipants
from alsmodel.patients.streams import uniforms

STOP_SENTINELS = ("73299", "1096331")


@dataclass(frozen=True, kw_only=True)
class ProactLayout:
    """How the raw files look: coverage of the tables and rates of the quirks. All sizes are settings, not findings.

    Attributes
    ----------
    labs_per_visit : int
        Laboratory rows per visit that was made.
    ten_item_share : float
        Share of people from trials with the original ten-item scale.
    text_site_share : float
        Share of people whose site of onset is text; the others have 0/1 flags.
    birth_share : float
        Share of people with Date_of_Birth in place of Age.
    fvc_share, svc_share, nfl_share, strength_share, el_escorial_share : float
        Share of people who have the table (El Escorial is known for about 29% in the real files).
    riluzole_known : float
        Share of people with a riluzole row; the rest are unknown.
    alive_listed : float
        Share of the living who have a row in the death table.
    quirks : bool
        False writes clean files: no planted faults (coverage and unit mixes stay).
    """

    labs_per_visit: int = 6
    ten_item_share: float = 0.06
    text_site_share: float = 0.6
    birth_share: float = 0.2
    fvc_share: float = 0.8
    svc_share: float = 0.13
    nfl_share: float = 0.5
    strength_share: float = 0.2
    el_escorial_share: float = 0.29
    riluzole_known: float = 0.85
    alive_listed: float = 0.65
    quirks: bool = True


@dataclass(frozen=True)
class Source:
    """What every table is written from.

    Attributes
    ----------
    people : VirtualParticipants
        The cohort.
    subject : array of str, shape (n,)
        Pseudonymous keys.
    key : numpy.uint64
        Stream of the writer's own random numbers.
    layout : ProactLayout
        Settings.
    planted : dict
        "TABLE.quirk" -> number of rows (or people) that have it; filled while tables are made.
    """

    people: VirtualParticipants
    subject: Column
    key: np.uint64
    layout: ProactLayout
    planted: dict[str, int] = field(default_factory=dict)

    def uniform(self, purpose: int, rows: int | None = None, width: int = 1) -> NDArray[np.float64]:
        """Uniform numbers per person (default) or per row; shape (rows,) or (rows, width)."""
        table: NDArray[np.float64] = uniforms(self.key, self.people.n if rows is None else rows, purpose, width)
        return table[:, 0] if width == 1 else table

    def plant(self, table: str, purpose: int, rows: NDArray[np.int64], rates: dict[str, float]) -> dict[str, NDArray[np.int64]]:
        """Choose disjoint rows for each quirk of a table and count them."""
        shuffled = rows[np.argsort(self.uniform(purpose, rows.size), kind="stable")]
        chosen = plant(shuffled, {name: rate if self.layout.quirks else 0.0 for name, rate in rates.items()})
        self.planted.update({f"{table}.{name}": int(index.size) for name, index in chosen.items()})
        return chosen

    def table(self, name: str, person: NDArray[Any]) -> Table:
        """Start a table with one row per entry of `person`."""
        table = Table(HEADERS[name], len(person))
        table["subject_id"] = self.subject[person]
        return table


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.split())


HEADERS: dict[str, tuple[str, ...]] = {
    "ALSFRS": _lines("""
        subject_id Q1_Speech Q2_Salivation Q3_Swallowing Q4_Handwriting Q5a_Cutting_without_Gastrostomy
        Q5b_Cutting_with_Gastrostomy Q6_Dressing_and_Hygiene Q7_Turning_in_Bed Q8_Walking Q9_Climbing_Stairs
        Q10_Respiratory ALSFRS_Delta ALSFRS_Total ALSFRS_R_Total R_1_Dyspnea R_2_Orthopnea
        R_3_Respiratory_Insufficiency Mode_of_Administration ALSFRS_Responded_By"""),
    "ALSHISTORY": _lines("""
        subject_id Site_of_Onset___Bulbar Site_of_Onset___Limb Site_of_Onset___Limb_and_Bulbar
        Site_of_Onset___Other Site_of_Onset___Other_Specify Site_of_Onset___Spine Subject_ALS_History_Delta
        Disease_Duration Symptom Symptom_Other_Specify Location Location_Other_Specify Site_of_Onset Onset_Delta
        Diagnosis_Delta"""),
    "DEMOGRAPHICS": _lines("""
        subject_id Demographics_Delta Age Date_of_Birth Ethnicity Race_Americ_Indian_Alaska_Native Race_Asian
        Race_Black_African_American Race_Hawaiian_Pacific_Islander Race_Unknown Race_Caucasian Race_Other
        Race_Other_Specify Sex"""),
    "DEATHDATA": _lines("subject_id Subject_Died Death_Days"),
    "FVC": _lines("""
        subject_id Subject_Liters_Trial_1 Subject_Liters_Trial_2 Subject_Liters_Trial_3 pct_of_Normal_Trial_1
        pct_of_Normal_Trial_2 pct_of_Normal_Trial_3 Forced_Vital_Capacity_Delta subject_normal
        Forced_Vital_Capacity_Units"""),
    "SVC": _lines("""
        subject_id Subject_Liters_Trial_1 Subject_Liters__Trial_2_ Subject_Liters__Trial_3_ pct_of_Normal_Trial_1
        pct_of_Normal_Trial_2 pct_of_Normal_Trial_3 Slow_vital_Capacity_Delta Subject_Normal
        Slow_Vital_Capacity_Units"""),
    "VITALSIGNS": _lines("""
        subject_id Blood_Pressure_Diastolic Blood_Pressure_Diastolic_Units Blood_Pressure_Systolic
        Blood_Pressure_Systolic_Units Pulse Pulse_Units Respiratory_Rate Respiratory_Rate_Units Temperature
        Temperature_Units Weight Weight_Units Height Height_Units Vital_Signs_Delta Standing_BP_Diastolic
        Standing_BP_Systolic Supine_BP_Diastolic Supine_BP_Systolic Supine_Pulse Standing_Pulse
        Baseline_Standing_BP_Diastolic Baseline_Standing_BP_Systolic Baseline_Supine_BP_Diastolic
        Baseline_Supine_BP_Systolic Baseline_Supine_Pulse Baseline_Standing_Pulse Baseline_Weight
        Endpoint_Standing_BP_Diastolic Endpoint_Standing_BP_Systolic Endpoint_Supine_BP_Diastolic
        Endpoint_Supine_BP_Systolic Endpoint_Supine_Pulse Endpoint_Standing_Pulse Endpoint_Weight"""),
    "LABS": _lines("subject_id Test_Name Test_Result Test_Unit Laboratory_Delta"),
    "Neurofilament": _lines("subject_id Analyte Matrix Result Unit Collection_Delta"),
    "RILUZOLE": _lines("subject_id Subject_used_Riluzole Riluzole_use_Delta"),
    "TREATMENT": _lines("subject_id Study_Arm Treatment_Group_Delta"),
    "ELESCORIAL": _lines("subject_id delta_days el_escorial"),
    "FAMILYHISTORY": _lines("""
        subject_id Family_History_Delta Father Mother Brother Sister Son Daughter Grandfather
        Grandfather__Maternal_ Grandfather__Paternal_ Grandmother Grandmother__Maternal_ Grandmother__Paternal_
        Uncle Uncle__Maternal_ Uncle__Paternal_ Aunt Aunt__Maternal_ Aunt__Paternal_ Cousin Cousin__Maternal_
        Cousin__Paternal_ Nephew Nephew__Maternal_ Nephew__Paternal_ Niece Niece__Maternal_ Niece__Paternal_
        Sibling Other Volunteer Family_Hx_of_ALS_Mutation Family_Hx_of_ALS_Mutation_Other
        Family_Hx_of_Neuro_Disease Family_Hx_of_Neuro_Disease_Other Neurological_Disease
        Neurological_Disease_Other Other_Specify"""),
    "HANDGRIPSTRENGTH": _lines("""
        subject_id Test_Name Test_Category Test_Location Test_Unit Test_Laterality Test_trial Test_Result
        Test_Setting DominantHand MS_Delta"""),
    "MUSCLESTRENGTH": _lines("""
        subject_id Test_Name Test_Category Test_Location Test_Laterality Test_trial Test_Result Test_Unit
        Test_Break MS_Delta"""),
    "CONMEDS": _lines("subject_id Medication_Coded Start_Delta Stop_Delta Dose Unit Frequency Route"),
    "ADVERSEEVENTS": _lines("""
        subject_id Lowest_Level_Term Preferred_Term High_Level_Term High_Level_Group_Term System_Organ_Class
        SOC_Abbreviation SOC_Code Severity Outcome Start_Date_Delta End_Date_Delta"""),
}
"""Column names of the 17 tables."""
