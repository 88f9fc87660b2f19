"""Writing a virtual cohort in PRO-ACT's own file layout (2026 names), faults included.

The files hold what the public descriptions of PRO-ACT say of it, with planted quirks; `truth.json` beside them holds
the parameters that generated the data and how many rows have each quirk.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np

from alsmodel.patients.csv_text import Table
from alsmodel.patients.participants import VirtualParticipants, simulate
from alsmodel.patients.proact_layout import HEADERS, ProactLayout, Source
from alsmodel.patients.proact_lists import adverse_events, laboratory, medications
from alsmodel.patients.proact_measures import forced, grip, muscle, neurofilament, slow, vital_signs
from alsmodel.patients.proact_people import (
    deaths,
    demographics,
    el_escorial,
    family,
    history,
    riluzole,
    treatment,
)
from alsmodel.patients.proact_scores import scores
from alsmodel.patients.spec import VirtualCohort
from alsmodel.patients.streams import stream_key

FILES_STREAM = 2

_MAKERS: dict[str, Callable[[Source], Table]] = {
    "ALSFRS": scores,
    "ALSHISTORY": history,
    "DEMOGRAPHICS": demographics,
    "DEATHDATA": deaths,
    "FVC": forced,
    "SVC": slow,
    "VITALSIGNS": vital_signs,
    "LABS": laboratory,
    "Neurofilament": neurofilament,
    "RILUZOLE": riluzole,
    "TREATMENT": treatment,
    "ELESCORIAL": el_escorial,
    "FAMILYHISTORY": family,
    "HANDGRIPSTRENGTH": grip,
    "MUSCLESTRENGTH": muscle,
    "CONMEDS": medications,
    "ADVERSEEVENTS": adverse_events,
}


def write(
    spec: VirtualCohort,
    n: int,
    seed: int,
    folder: Path | str,
    tables: Literal["all"] | Iterable[str] = "all",
    layout: ProactLayout | None = None,
) -> Path:
    """Simulate a cohort and write it as PRO-ACT files.

    Parameters
    ----------
    spec : VirtualCohort
        Settings of the cohort.
    n : int
        Number of participants.
    seed : int
        Seed; the same settings, n and seed give the same bytes.
    folder : path
        Where ``F_PROACT_<TABLE>.csv`` and ``truth.json`` go; made if missing, files of these names are replaced.
    tables : "all" or names
        Tables to write, by the names in `HEADERS`.
    layout : ProactLayout, optional
        Coverage and quirks of the files.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ValueError
        If a table's name is unknown.
    """
    return write_cohort(simulate(spec, n, seed), folder, tables, layout)


def write_cohort(
    people: VirtualParticipants,
    folder: Path | str,
    tables: Literal["all"] | Iterable[str] = "all",
    layout: ProactLayout | None = None,
) -> Path:
    """Write a simulated cohort as PRO-ACT files; the arguments are those of `write`."""
    wanted = tuple(HEADERS) if tables == "all" else tuple(tables)
    unknown = sorted(set(wanted) - set(HEADERS))
    if unknown:
        raise ValueError(f"Unknown PRO-ACT tables {', '.join(unknown)}; known are {', '.join(HEADERS)}.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    layout = layout if layout is not None else ProactLayout()
    key = stream_key(people.seed, FILES_STREAM)
    source = Source(people, subject_ids(people.n, key), key, layout)
    rows = {}
    for name in wanted:
        table = _MAKERS[name](source)
        table.write(folder / f"F_PROACT_{name}.csv")
        rows[name] = table.rows
    _write_truth(people, layout, source.planted, rows, folder)
    return folder


def subject_ids(n: int, key: np.uint64) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Pseudonymous keys: increasing, with gaps, the first m the same for any n."""
    gaps = int(key) % 900 + 100
    return np.array([str(100_000 + 7 * i + (i * gaps) % 7) for i in range(n)], dtype=object)


def _write_truth(people: VirtualParticipants, layout: ProactLayout, planted: dict[str, int], rows: dict[str, int], folder: Path) -> None:
    """Write truth.json: parameters, realised counts, planted quirks."""
    reasons, counts = np.unique(people.end_reason, return_counts=True)
    truth = people.truth | {
        "layout": asdict(layout),
        "rows": rows,
        "planted": dict(sorted(planted.items())),
        "ends": dict(zip(reasons.tolist(), counts.tolist())),
        "assessments": int((people.total >= 0).sum() + (~np.isnan(people.screening_day)).sum()),
    }
    (folder / "truth.json").write_text(json.dumps(truth, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def benchmark_settings(labs_per_visit: int = 19, months_apart: float = 1.4) -> tuple[VirtualCohort, ProactLayout]:
    """Settings of the ingestion benchmark.

    With 12,000 participants they give at least 100,000 assessments, 2,000,000 laboratory rows and 100,000 vital-sign
    rows (a little more of each, since deaths and dropout are random).

    Parameters
    ----------
    labs_per_visit : int
        Laboratory rows per visit.
    months_apart : float
        Months between visits.
    """
    months = tuple(float(m) for m in np.round(np.arange(0.0, 18.0, months_apart), 1))
    return VirtualCohort(visit_months=months, screening_share=0.0), ProactLayout(labs_per_visit=labs_per_visit)
