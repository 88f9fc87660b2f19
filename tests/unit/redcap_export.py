"""A REDCap export written by hand from a known truth: longitudinal events, a repeating instrument, checkboxes, codes, blanks."""

import csv
import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

ITEMS = ("1", "2", "3", "4", "5a", "5b", "6", "7", "8", "9", "10", "11", "12")
HEADER = (
    *("record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "redcap_data_access_group"),
    *(
        "sex",
        "dob",
        "onset_date",
        "onset___1",
        "onset___2",
        "onset___3",
        "diagnosis_date",
        "familial",
        "contact_email",
        "demographics_complete",
    ),
    *("visit_date", *(f"alsfrs_r_{item}" for item in ITEMS), "alsfrs_r_total", "alsfrsr_complete", "weight", "visit_complete"),
    *("fvc_date", "fvc_l", "fvc_pct", "spirometry_complete"),
    *("riluzole", "died", "death_date", "exit_complete"),
)
ANSWERS = {
    "item_5a": "alsfrs_r_5a",
    "weight_unit": "kg",
    "female": "2",
    "onset_1": "bulbar",
    "onset_2": "limb",
    "onset_3": "respiratory",
    "yes_01": "1",
    "died": "1",
}
_SITES = {1: "bulbar", 2: "limb", 3: "respiratory"}


@dataclass
class Truth:
    """What the export says, in the words of the canonical tables."""

    participants: list[dict[str, object]] = field(default_factory=list)
    assessments: list[dict[str, object]] = field(default_factory=list)
    measurements: list[tuple[str, float, str, float]] = field(default_factory=list)
    events: list[tuple[str, str, float]] = field(default_factory=list)
    exposures: list[tuple[str, str, bool]] = field(default_factory=list)


def generate(n: int = 30, seed: int = 4) -> tuple[list[dict[str, str]], Truth]:
    """Return the rows of an export, each column -> cell, and the truth."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, str]] = []
    truth = Truth()
    for person in range(1, n + 1):
        _person(str(person), rng, rows, truth)
    return rows, truth


def _person(record: str, rng: np.random.Generator, rows: list[dict[str, str]], truth: Truth) -> None:
    first = dt.date(2021, 1, 1) + dt.timedelta(days=int(rng.integers(500)))
    born, onset = first - dt.timedelta(days=int(rng.integers(15_000, 29_000))), first - dt.timedelta(days=int(rng.integers(200, 1500)))
    diagnosis = onset + dt.timedelta(days=int(rng.integers(30, 190)))
    site, woman, familial = int(rng.integers(1, 4)), bool(rng.integers(2)), bool(rng.integers(2))
    rows.append(
        {
            "record_id": record, "redcap_event_name": "screening_arm_1", "redcap_data_access_group": f"centre_{rng.integers(3)}",
            "sex": "2" if woman else "1", "dob": f"{born}", "onset_date": f"{onset}", "diagnosis_date": f"{diagnosis}",
            **{f"onset___{i}": "1" if i == site else "0" for i in _SITES}, "familial": str(int(familial)),
            "contact_email": f"someone{record}@example.org", "demographics_complete": "2",
        }
    )  # fmt: skip
    truth.participants.append(
        {
            "participant_id": record, "sex": "female" if woman else "male", "age": (first - born).days / 365.25, "family_history": familial,
            "onset_day": float((onset - first).days), "diagnosis_day": float((diagnosis - first).days), "onset_site": _SITES[site],
            "site": rows[-1]["redcap_data_access_group"],
        }
    )  # fmt: skip
    for visit in range(int(rng.integers(2, 5))):
        _visit(record, visit, first + dt.timedelta(days=91 * visit), 91.0 * visit, rng, rows, truth)
    died, riluzole = bool(rng.integers(2)), bool(rng.integers(2))
    death = first + dt.timedelta(days=700 + int(rng.integers(300)))
    rows.append(
        {
            "record_id": record, "redcap_event_name": "exit_arm_1", "riluzole": str(int(riluzole)), "died": str(int(died)),
            "death_date": f"{death}" if died else "", "exit_complete": "2",
        }
    )  # fmt: skip
    truth.exposures.append((record, "riluzole", riluzole))
    if died:
        truth.events.append((record, "death", float((death - first).days)))


def _visit(record: str, visit: int, date: dt.date, day: float, rng: np.random.Generator, rows: list[dict[str, str]], truth: Truth) -> None:
    event, scores, tube = f"month_{3 * visit}_arm_1", rng.integers(0, 5, 12), bool(rng.random() < 0.3)
    items = {f"alsfrs_r_{i + 1}": str(score) for i, score in enumerate(scores) if i != 4}
    items |= {"alsfrs_r_5b" if tube else "alsfrs_r_5a": str(scores[4])}
    weight = round(float(rng.uniform(50, 90)), 1)
    rows.append(
        {
            "record_id": record, "redcap_event_name": event, "visit_date": f"{date}", **items, "alsfrs_r_total": str(scores.sum()),
            "alsfrsr_complete": "2", "weight": f"{weight}", "visit_complete": "2",
            # Older exports fill unticked boxes in the rows of other events.
            **{f"onset___{i}": "0" for i in _SITES},
        }
    )  # fmt: skip
    truth.assessments.append(
        {
            "participant_id": record,
            "day": day,
            **{f"item_{i + 1}": int(s) for i, s in enumerate(scores)},
            "gastrostomy": tube,
            "total_48": int(scores.sum()),
        }
    )
    truth.measurements.append((record, day, "weight", weight))
    for instance in range(1, int(rng.integers(1, 3)) + 1):
        litres, percent = round(float(rng.uniform(1, 5)), 2), int(rng.integers(30, 120))
        rows.append(
            {
                "record_id": record, "redcap_event_name": event, "redcap_repeat_instrument": "spirometry",
                "redcap_repeat_instance": str(instance), "fvc_date": f"{date + dt.timedelta(days=instance)}", "fvc_l": f"{litres}",
                "fvc_pct": str(percent), "spirometry_complete": "2",
            }
        )  # fmt: skip
        truth.measurements.append((record, day + instance, "fvc_litres", litres))
        truth.measurements.append((record, day + instance, "fvc_percent", float(percent)))


def frame_of(rows: list[dict[str, str]]) -> pl.DataFrame:
    """Return the rows as text, nothing as null."""
    return pl.DataFrame([{name: row.get(name) or None for name in HEADER} for row in rows], schema=dict.fromkeys(HEADER, pl.String))


def write_csv(rows: list[dict[str, str]], path: Path, *, delimiter: str = ",", encoding: str = "utf-8", newline: str = "\n") -> Path:
    """Write the rows as delimited text."""
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, HEADER, restval="", delimiter=delimiter, lineterminator=newline)
        writer.writeheader()
        writer.writerows(rows)
    return path


def answer(text: str, answers: dict[str, str]) -> str:
    """Return a proposed mapping with its questions answered."""
    for name, said in answers.items():
        assert f'\n{name} = "?"\n' in text, name
        text = text.replace(f'\n{name} = "?"\n', f'\n{name} = "{said}"\n')
    return text
