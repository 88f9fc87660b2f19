"""Writing a virtual cohort as two plain tables: scores by visit, and one row per person with the event."""

import json
from pathlib import Path

import numpy as np

from alsmodel.patients.participants import simulate
from alsmodel.patients.spec import DAYS_PER_MONTH, VirtualCohort


def write_tables(spec: VirtualCohort, n: int, seed: int, folder: Path | str) -> Path:
    """Simulate a cohort and write it as ``long.csv``, ``surv.csv`` and ``truth.json``.

    Parameters
    ----------
    spec : VirtualCohort
        Settings.
    n, seed : int
        Number of participants and seed.
    folder : path
        Where the files go; made if missing.

    Returns
    -------
    pathlib.Path
        The folder.

    Notes
    -----
    ``long.csv``: participant_id, month (from baseline), alsfrs_r_total. ``surv.csv``: participant_id, month (death or end
    of observation), death (1 or 0), age (years), sex, phenotype, onset_site, arm. Scores are written as simulated: with
    rounding and clamping off they are unrounded and may leave 0..48. The screening assessment is left out.
    """
    people = simulate(spec, n, seed)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    person, visit = np.nonzero(~np.isnan(people.score))
    month = (people.visit_day / DAYS_PER_MONTH)[person, visit]
    long = zip((person + 1).tolist(), month.tolist(), people.score[person, visit].tolist())
    surv = zip(
        range(1, n + 1),
        people.end_month.tolist(),
        people.event.astype(int).tolist(),
        people.age.tolist(),
        people.sex.tolist(),
        people.phenotype.tolist(),
        people.onset_site.tolist(),
        np.where(people.arm == 1, "active", "placebo").tolist(),
    )
    _write(folder / "long.csv", "participant_id,month,alsfrs_r_total", long)
    _write(folder / "surv.csv", "participant_id,month,death,age,sex,phenotype,onset_site,arm", surv)
    (folder / "truth.json").write_text(json.dumps(people.truth, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return folder


def _write(path: Path, header: str, rows: "zip[tuple[object, ...]]") -> None:
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_bytes(("\n".join(lines) + "\n").encode("utf-8"))
