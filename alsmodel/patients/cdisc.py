"""Writing a virtual cohort as SDTM domains (DM, QS, MH, DS, EX, RE, LB, PR and SUPPDM), faults included.

The domains hold what the SDTM Implementation Guide 3.3 asks of them; codes of the ALSFRS-R are made up, since there are no official
ones. ``truth/truth.json`` holds the parameters of the cohort and how many rows have each planted fault. Everyone's day 0 is a
calendar day of its own, so that a day taken from the wrong origin is seen.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alsmodel.patients.cdisc_files import Cell, Files, Variable, write_data_set
from alsmodel.patients.csv_text import plant
from alsmodel.patients.participants import VirtualParticipants, simulate
from alsmodel.patients.spec import VirtualCohort
from alsmodel.patients.streams import stream_key, uniforms

FILES_STREAM = 7
STUDY = "ALSVIRT"
_FIRST_START = date(2019, 3, 4)
_ITEMS = (
    ("ALSVR01", "ALSFRS-R01-Speech"),
    ("ALSVR02", "ALSFRS-R02-Salivation"),
    ("ALSVR03", "ALSFRS-R03-Swallowing"),
    ("ALSVR04", "ALSFRS-R04-Handwriting"),
    ("ALSVR05A", "ALSFRS-R05A-Cutting without Gastrostomy"),
    ("ALSVR06", "ALSFRS-R06-Dressing and Hygiene"),
    ("ALSVR07", "ALSFRS-R07-Turning in Bed"),
    ("ALSVR08", "ALSFRS-R08-Walking"),
    ("ALSVR09", "ALSFRS-R09-Climbing Stairs"),
    ("ALSVR10", "ALSFRS-R10-Dyspnea"),
    ("ALSVR11", "ALSFRS-R11-Orthopnea"),
    ("ALSVR12", "ALSFRS-R12-Respiratory Insufficiency"),
)
_WITH_TUBE = ("ALSVR05B", "ALSFRS-R05B-Cutting with Gastrostomy")
_TOTAL = ("ALSVRTOT", "ALSFRS-R Total Score")
_PLACE = {"bulbar": "TONGUE", "limb": "HAND", "limb and bulbar": "BULBAR AND LIMB", "spine": "SPINAL", "respiratory": "DIAPHRAGM"}
_QS_RATES = {"not_done": 0.004, "unknown_test": 0.002, "score_of_5": 0.002, "duplicate_row": 0.004, "day_zero": 0.002, "day_only": 0.01}
_SCREENED_OUT = 3


@dataclass(frozen=True, kw_only=True)
class SdtmLayout:
    """How the domains look.

    Attributes
    ----------
    files : {"xpt", "dataset-json", "ndjson"}
    quirks : bool
        False writes clean domains.
    days : bool
        False leaves --DY out, so that days come from dates.
    """

    files: Files = "xpt"
    quirks: bool = True
    days: bool = True


@dataclass
class _Study:
    """What the domains are written from."""

    people: VirtualParticipants
    layout: SdtmLayout
    key: np.uint64
    planted: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start = [_FIRST_START + timedelta(days=3 * i + i * i % 5) for i in range(self.people.n)]

    def uniform(self, purpose: int, rows: int | None = None) -> NDArray[np.float64]:
        numbers: NDArray[np.float64] = uniforms(self.key, self.people.n if rows is None else rows, purpose, 1)[:, 0]
        return numbers

    def name(self, person: int) -> str:
        return f"{STUDY}-{100 + person % 7}-{1001 + person}"

    def when(self, person: int, day: float) -> tuple[str, float | None]:
        """Date and study day of a day counted from 0; there is no study day 0."""
        return (self.start[person] + timedelta(days=int(day))).isoformat(), (day + 1 if day >= 0 else day) if self.layout.days else None

    def plant(self, domain: str, purpose: int, rows: Sequence[int], rates: dict[str, float]) -> dict[str, set[int]]:
        """Choose disjoint rows for each fault of a domain and count them."""
        order = np.asarray(rows, dtype=np.int64)
        order = order[np.argsort(self.uniform(purpose, order.size), kind="stable")]
        chosen = plant(order, {name: rate if self.layout.quirks else 0.0 for name, rate in rates.items()})
        self.planted.update({f"{domain}.{name}": int(index.size) for name, index in chosen.items()})
        return {name: set(index.tolist()) for name, index in chosen.items()}


def write(spec: VirtualCohort, n: int, seed: int, folder: Path | str, layout: SdtmLayout | None = None) -> Path:
    """Simulate a cohort and write it as SDTM domains.

    Parameters
    ----------
    spec : VirtualCohort
        Settings of the cohort.
    n, seed : int
        Number of participants and seed; the same settings, n and seed give the same bytes.
    folder : path
        Where the domains and ``truth/truth.json`` go; made if missing.
    layout : SdtmLayout, optional

    Returns
    -------
    pathlib.Path
        The folder.
    """
    return write_cohort(simulate(spec, n, seed), folder, layout)


def write_cohort(people: VirtualParticipants, folder: Path | str, layout: SdtmLayout | None = None) -> Path:
    """Write a simulated cohort as SDTM domains; the arguments are those of `write`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    layout = layout if layout is not None else SdtmLayout()
    study = _Study(people, layout, stream_key(people.seed, FILES_STREAM))
    rows = {}
    for name, label, (variables, cells) in (
        ("DM", "Demographics", _demographics(study)),
        ("QS", "Questionnaires", _scores(study)),
        ("MH", "Medical History", _history(study)),
        ("DS", "Disposition", _disposition(study)),
        ("EX", "Exposure", _doses(study)),
        ("RE", "Respiratory System Findings", _capacity(study)),
        ("LB", "Laboratory Test Results", _laboratory(study)),
        ("PR", "Procedures", _procedures(study)),
        ("SUPPDM", "Supplemental Qualifiers for DM", _supplement(study)),
    ):
        write_data_set(name, label, variables, cells, folder, layout.files)
        rows[name] = len(cells)
    truth = people.truth | {"rows": rows, "planted": dict(sorted(study.planted.items()))}
    # In a folder of its own: beside the data sets it would be taken for one.
    (folder / "truth").mkdir(exist_ok=True)
    (folder / "truth" / "truth.json").write_text(json.dumps(truth, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return folder


_Domain = tuple[list[Variable], list[list[Cell]]]


def _variables(*told: str) -> list[Variable]:
    """Variables from "NAME label"; a name that ends in # is a number."""
    made = []
    for text in told:
        name, label = text.split(" ", 1)
        made.append(Variable(name.rstrip("#"), label, "number" if name.endswith("#") else "text"))
    return made


def _demographics(study: _Study) -> _Domain:
    people = study.people
    variables = _variables(
        "STUDYID Study Identifier", "DOMAIN Domain Abbreviation", "USUBJID Unique Subject Identifier", "SUBJID Subject Identifier",
        "RFSTDTC Subject Reference Start Date/Time", "RFPENDTC Date/Time of End of Participation", "DTHDTC Date/Time of Death",
        "DTHFL Subject Death Flag", "SITEID Study Site Identifier", "AGE# Age", "AGEU Age Units", "SEX Sex", "RACE Race",
        "ARMCD Planned Arm Code", "ARM Description of Planned Arm", "ACTARMCD Actual Arm Code", "ACTARM Description of Actual Arm",
        "COUNTRY Country",
    )  # fmt: skip
    rows: list[list[Cell]] = []
    wrong_drug = study.plant("DM", 20, range(people.n), {"other_arm_taken": 0.03})["other_arm_taken"]
    for i in range(people.n):
        end, _ = study.when(i, float(people.end_day[i]))
        dead = bool(people.event[i])
        arms = (("PLACEBO", "Placebo"), ("ACTIVE", "Active"))
        planned, taken = int(people.arm[i]), int(people.arm[i]) ^ (i in wrong_drug)
        rows.append([
            STUDY, "DM", study.name(i), str(1001 + i), study.start[i].isoformat(), end, end if dead else None, "Y" if dead else None,
            str(100 + i % 7), float(np.floor(people.age[i])), "YEARS", "F" if people.sex[i] == "female" else "M", "WHITE",
            *arms[planned], *arms[taken], "USA",
        ])  # fmt: skip
    failures = _SCREENED_OUT if study.layout.quirks else 0
    study.planted["DM.screen_failure"] = failures
    for k in range(failures):
        name = f"{STUDY}-100-{9001 + k}"
        rows.append([STUDY, "DM", name, str(9001 + k), None, None, None, None, "100", 60.0, "YEARS", "M", "WHITE",
                     "SCRNFAIL", "Screen Failure", "SCRNFAIL", "Screen Failure", "USA"])  # fmt: skip
    return variables, rows


def _scores(study: _Study) -> _Domain:
    people = study.people
    variables = _variables(
        "STUDYID Study Identifier", "DOMAIN Domain Abbreviation", "USUBJID Unique Subject Identifier", "QSSEQ# Sequence Number",
        "QSTESTCD Question Short Name", "QSTEST Question Name", "QSCAT Category of Question", "QSORRES Finding in Original Units",
        "QSSTRESC Character Result/Finding in Std Format", "QSSTRESN# Numeric Finding in Standard Units", "QSSTAT Completion Status",
        "VISITNUM# Visit Number", "QSDTC Date/Time of Finding", "QSDY# Study Day of Finding",
    )  # fmt: skip
    rows: list[list[Cell]] = []
    for i in range(people.n):
        assessments = [(float(people.screening_day[i]), people.screening_items[i], False)] if not np.isnan(people.screening_day[i]) else []
        made = np.flatnonzero(people.total[i] >= 0)
        assessments += [(float(people.visit_day[i, v]), people.items[i, v], bool(people.gastrostomy[i, v])) for v in made]
        for visit, (day, items, tube) in enumerate(assessments):
            when, counted = study.when(i, day)
            scored = [(_WITH_TUBE if tube and k == 4 else _ITEMS[k], int(item)) for k, item in enumerate(items)]
            for (code, test), score in [*scored, (_TOTAL, int(items.sum()))]:
                rows.append([STUDY, "QS", study.name(i), None, code, test, "ALSFRS-R", f"Answer {score}", str(score), float(score), None,
                             float(visit + 1), when, counted])  # fmt: skip
        rows.append([STUDY, "QS", study.name(i), None, "EQVAS", "EQ VAS Score", "EQ-5D-5L", "70", "70", 70.0, None, 1.0,
                     *study.when(i, 0.0)])  # fmt: skip
    rows = _spoil_scores(study, rows)
    for number, row in enumerate(rows, 1):
        row[3] = float(number)
    return variables, rows


def _spoil_scores(study: _Study, rows: list[list[Cell]]) -> list[list[Cell]]:
    """Plant the faults, each on item rows of its own; a repeated row comes right after the first."""
    items = [place for place, row in enumerate(rows) if row[6] == "ALSFRS-R" and row[4] != _TOTAL[0]]
    rates = {name: rate for name, rate in _QS_RATES.items() if study.layout.days or not name.startswith("day_")}
    chosen = study.plant("QS", 30, items, rates)
    for place in chosen["not_done"]:
        rows[place][7:11] = [None, None, None, "NOT DONE"]
    for place in chosen["unknown_test"]:
        rows[place][4:6] = ["ALSVR99", "ALSFRS-R99-Whistling"]
    for place in chosen["score_of_5"]:
        rows[place][7:10] = ["Answer 5", "5", 5.0]
    for place in chosen.get("day_zero", ()):
        rows[place][13] = 0.0
    for place in chosen.get("day_only", ()):
        rows[place][12] = None
    return [row for place, row in enumerate(rows) for row in ([row, list(row)] if place in chosen["duplicate_row"] else [row])]


def _history(study: _Study) -> _Domain:
    people = study.people
    variables = _variables(
        "STUDYID Study Identifier", "DOMAIN Domain Abbreviation", "USUBJID Unique Subject Identifier", "MHSEQ# Sequence Number",
        "MHTERM Reported Term for the Medical History", "MHEVDTYP Medical History Event Date Type", "MHCAT Category for Medical History",
        "MHLOC Location of Event", "MHSTDTC Start Date/Time of Medical History Event", "MHSTDY# Study Day of Start",
    )  # fmt: skip
    rows: list[list[Cell]] = []
    partial = study.plant("MH", 40, range(people.n), {"month_only": 0.2})["month_only"]
    for i in range(people.n):
        onset, onset_day = study.when(i, float(people.onset_day[i]))
        diagnosis, diagnosis_day = study.when(i, float(people.diagnosis_day[i]))
        disease = "AMYOTROPHIC LATERAL SCLEROSIS"
        place = _PLACE[str(people.onset_site[i])]
        dated: list[Cell] = [onset[:7], None] if i in partial else [onset, onset_day]
        rows.append([STUDY, "MH", study.name(i), 1.0, disease, "SYMPTOM ONSET", "ALS HISTORY", place, *dated])
        rows.append([STUDY, "MH", study.name(i), 2.0, disease, "DIAGNOSIS", "ALS HISTORY", None, diagnosis, diagnosis_day])
        rows.append([STUDY, "MH", study.name(i), 3.0, "HYPERTENSION", "SYMPTOM ONSET", "GENERAL", None, *study.when(i, -1000.0)])
    return variables, rows


def _disposition(study: _Study) -> _Domain:
    people = study.people
    variables = _variables(
        "STUDYID Study Identifier", "DOMAIN Domain Abbreviation", "USUBJID Unique Subject Identifier", "DSSEQ# Sequence Number",
        "DSTERM Reported Term for the Disposition Event", "DSDECOD Standardized Disposition Term", "DSCAT Category for Disposition Event",
        "DSSTDTC Start Date/Time of Disposition Event", "DSSTDY# Study Day of Start",
    )  # fmt: skip
    rows: list[list[Cell]] = []
    told = {"death": "DEATH", "dropout": "LOST TO FOLLOW-UP", "administrative": "COMPLETED"}
    late = study.plant("DS", 50, np.flatnonzero(people.event).tolist(), {"death_day_differs": 0.05})["death_day_differs"]
    for i in range(people.n):
        rows.append([STUDY, "DS", study.name(i), 1.0, "INFORMED CONSENT OBTAINED", "INFORMED CONSENT OBTAINED", "PROTOCOL MILESTONE",
                     *study.when(i, -14.0)])  # fmt: skip
        what = told[str(people.end_reason[i])]
        day = float(people.end_day[i]) + (9.0 if i in late else 60.0 if what == "LOST TO FOLLOW-UP" else 0.0)
        rows.append([STUDY, "DS", study.name(i), 2.0, what, what, "DISPOSITION EVENT", *study.when(i, day)])
    return variables, rows


def _doses(study: _Study) -> _Domain:
    people = study.people
    variables = _variables(
        "STUDYID Study Identifier", "DOMAIN Domain Abbreviation", "USUBJID Unique Subject Identifier", "EXSEQ# Sequence Number",
        "EXTRT Name of Treatment", "EXDOSE# Dose", "EXDOSU Dose Units", "EXSTDTC Start Date/Time of Treatment",
        "EXENDTC End Date/Time of Treatment", "EXSTDY# Study Day of Start of Treatment", "EXENDY# Study Day of End of Treatment",
    )  # fmt: skip
    rows: list[list[Cell]] = []
    for i in range(people.n):
        first, first_day = study.when(i, 0.0)
        last, last_day = study.when(i, float(people.end_day[i]))
        drug, dose = ("DRUG X", 300.0) if people.arm[i] == 1 else ("PLACEBO", 0.0)
        rows.append([STUDY, "EX", study.name(i), 1.0, drug, dose, "mg", first, last, first_day, last_day])
    return variables, rows


def _capacity(study: _Study) -> _Domain:
    people = study.people
    variables = _variables(
        "STUDYID Study Identifier", "DOMAIN Domain Abbreviation", "USUBJID Unique Subject Identifier", "RESEQ# Sequence Number",
        "RETESTCD Short Name of Respiratory Test", "RETEST Name of Respiratory Test", "REORRES Result or Finding in Original Units",
        "REORRESU Original Units", "RESTRESN# Numeric Result/Finding in Standard Units", "RESTRESU Standard Units",
        "REDTC Date/Time of Collection", "REDY# Study Day of Collection",
    )  # fmt: skip
    rows: list[list[Cell]] = []
    for i in range(people.n):
        for v in np.flatnonzero(~np.isnan(people.vital_capacity[i]) & (people.total[i] >= 0)):
            percent = round(float(people.vital_capacity[i, v]), 1)
            when, counted = study.when(i, float(people.visit_day[i, v]))
            for shown in (percent - 4.0, percent):
                if shown > 1:
                    rows.append([STUDY, "RE", study.name(i), None, "SVCPP", "Percent Predicted Slow Vital Capacity", f"{shown:.1f}", "%",
                                 round(shown, 1), "%", when, counted])  # fmt: skip
            millilitres = round(40.0 * percent)
            rows.append([STUDY, "RE", study.name(i), None, "SVC", "Slow Vital Capacity", str(millilitres), "mL", float(millilitres), "mL",
                         when, counted])  # fmt: skip
    for number, row in enumerate(rows, 1):
        row[3] = float(number)
    return variables, rows


def _laboratory(study: _Study) -> _Domain:
    people = study.people
    variables = _variables(
        "STUDYID Study Identifier", "DOMAIN Domain Abbreviation", "USUBJID Unique Subject Identifier", "LBSEQ# Sequence Number",
        "LBTESTCD Lab Test or Examination Short Name", "LBTEST Lab Test or Examination Name", "LBORRES Result in Original Units",
        "LBORRESU Original Units", "LBSTRESC Character Result/Finding in Std Format", "LBSTRESN# Numeric Result/Finding in Standard Units",
        "LBSTRESU Standard Units", "LBSPEC Specimen Type", "LBDTC Date/Time of Specimen Collection", "LBDY# Study Day of Collection",
    )  # fmt: skip
    rows: list[list[Cell]] = []
    for i in range(people.n):
        for v in np.flatnonzero(~np.isnan(people.nfl[i]) & (people.total[i] >= 0)):
            light = round(float(people.nfl[i, v]), 1)
            when = study.when(i, float(people.visit_day[i, v]))
            rows.append([STUDY, "LB", study.name(i), None, "NFLP", "Neurofilament Light Chain", f"{light}", "pg/mL", f"{light}", light,
                         "pg/mL", "SERUM", *when])  # fmt: skip
            rows.append([STUDY, "LB", study.name(i), None, "CREAT", "Creatinine", "0.8", "mg/dL", "70.7", 70.7, "umol/L", "SERUM", *when])
    limits = study.plant("LB", 60, [place for place, row in enumerate(rows) if row[4] == "NFLP"], {"below_limit": 0.01})["below_limit"]
    for place in limits:
        rows[place][6:10] = ["<1.0", "pg/mL", "<1.0", None]
    for number, row in enumerate(rows, 1):
        row[3] = float(number)
    return variables, rows


def _procedures(study: _Study) -> _Domain:
    people = study.people
    variables = _variables(
        "STUDYID Study Identifier", "DOMAIN Domain Abbreviation", "USUBJID Unique Subject Identifier", "PRSEQ# Sequence Number",
        "PRTRT Reported Name of Procedure", "PRDECOD Standardized Procedure Name", "PRSTDTC Start Date/Time of Procedure",
        "PRSTDY# Study Day of Start of Procedure",
    )  # fmt: skip
    rows: list[list[Cell]] = []
    throat = study.plant("PR", 70, range(people.n), {"tracheostomy": 0.05})["tracheostomy"]
    for i in range(people.n):
        fed = np.flatnonzero(people.gastrostomy[i])
        if fed.size:
            rows.append([STUDY, "PR", study.name(i), 1.0, "PEG tube", "GASTROSTOMY", *study.when(i, float(people.visit_day[i, fed[0]]))])
        if i in throat:
            day = float(np.floor(people.end_day[i] / 2)) + 1.0
            rows.append([STUDY, "PR", study.name(i), 2.0, "Tracheostomy", "TRACHEOSTOMY", *study.when(i, day)])
    return variables, rows


def _supplement(study: _Study) -> _Domain:
    variables = _variables(
        "STUDYID Study Identifier", "RDOMAIN Related Domain", "USUBJID Unique Subject Identifier", "IDVAR Identifying Variable",
        "IDVARVAL Identifying Variable Value", "QNAM Qualifier Variable Name", "QLABEL Qualifier Variable Label", "QVAL Data Value",
    )  # fmt: skip
    rows: list[list[Cell]] = [[STUDY, "DM", study.name(i), None, None, "RACEOTH", "Race, Other", "none"] for i in range(study.people.n)]
    return variables, rows
