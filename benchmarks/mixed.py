"""Effective draws per CPU second of the mixed model alone (no association, no effects on the hazard), N = 10,000 x 7 visits, one core.

Counted: mode, judging the quadrature, adaptation and sampling by NUTS, from arrays in memory to draws. ESS is bulk ESS of the slowest
of the score's parameters, minimum over seeds.

    python benchmarks/mixed.py [--participants N] [--seeds 1 2 3]
"""

import argparse
import hashlib
import json
import os
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is first imported

START = time.process_time()
TARGET = 150.0


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    chosen = parser.parse_args()
    import tempfile

    from alsmodel.cohort import read
    from alsmodel.cohort.arrays import joint_data
    from alsmodel.inference import Sampling, fit_data
    from alsmodel.models import JointModel, PiecewiseHazard
    from alsmodel.patients import VirtualCohort
    from alsmodel.patients.tables import write_tables

    mapping = {
        "format": "tables",
        "time_unit": "month",
        "longitudinal": {"file": "long.csv", "participant": "participant_id", "time": "month", "outcomes": ["alsfrs_r_total"]},
        "survival": {
            "file": "surv.csv", "participant": "participant_id", "time": "month", "event": "death", "event_values": [1],
            "event_name": "death", "definition": "simulated", "covariates": ["arm", "age"],
        },
    }  # fmt: skip
    spec = JointModel(slope=("arm",), association=(), baseline_hazard=PiecewiseHazard(intervals=1, nodes=1))
    with tempfile.TemporaryDirectory() as folder:
        cohort = VirtualCohort(rounding=False, clamping=False, dropout=0.0, slope_skew=0.0, drugs=())
        write_tables(cohort, chosen.participants, 1, folder)
        data = joint_data(read(Path(folder), "tables", mapping), spec.selection)
    fit_data(spec, data, Sampling(chains=2, draws=100, tune=50, cores=1), seed=9, method="nuts")  # compiles
    startup = time.process_time() - START
    rows = []
    for seed in chosen.seeds:
        begun = time.process_time()
        made = fit_data(spec, data, Sampling(draws=1000, tune=100, cores=1), seed=seed, method="nuts")
        used = time.process_time() - begun
        own = made.summary.filter(~made.summary["parameter"].str.starts_with("log_hazard"))
        slowest = own.sort("ess_bulk").row(0, named=True)
        rows.append((slowest["ess_bulk"] / used, slowest["parameter"], made.passed, used))
    rate, parameter, _, used = min(rows)
    line = {
        "name": f"mixed model alone, N={data.people}",
        "value": round(rate, 1),
        "unit": "effective draws of the slowest parameter per CPU second",
        "target": TARGET,
        "alternative": "random effects as parameters, centred (recorded)",
        "alternative_value": 7.8,
        "ratio": round(rate / 7.8, 1),
        "peer": None,
        "peer_value": None,
        "peer_ratio": None,
        "slowest": parameter,
        "passed": all(row[2] for row in rows),
        "cpu_s": round(used, 1),
        "startup_cpu_s": round(startup, 1),
        "settings": f"q=2, arm on slope, one hazard level, 4 x 1,000 draws after 100, minimum over seeds {chosen.seeds}",
        "data_digest": hashlib.sha256(data.outcome.tobytes()).hexdigest()[:16],
        "cores": 1,
        "cache": "warm",
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
