"""Refits of a simulated trial per CPU second, one core: N = 300, current value, new data each time.

Counted: everything from a trial's arrays to a checked posterior: cutting time into segments and nodes, mode, curvature, judging the
quadrature, weighted draws until Kish's ESS of the smoothed weights is 400 with k-hat below its limit. Data are made before, untimed.
The alternative, run live, is NUTS on the same density, 4 chains of 250 draws.

    python benchmarks/refit.py [--trials N]
"""

import argparse
import hashlib
import json
import os
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is first imported

START = time.process_time()
TARGET = 4.0
PARTICIPANTS = 300
SEED = 1


def trial_of(number: int):
    """One simulated trial as arrays: straight lines, 18 months, a visit every three months, half on active treatment."""
    import tempfile
    from pathlib import Path

    from alsmodel.cohort import read
    from alsmodel.cohort.arrays import joint_data
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
    cohort = VirtualCohort(rounding=False, clamping=False, dropout=0.0, slope_skew=0.0, drugs=())
    with tempfile.TemporaryDirectory() as folder:
        write_tables(cohort, PARTICIPANTS, SEED + number, folder)
        return joint_data(read(Path(folder), "tables", mapping), spec_of().selection)


def spec_of():
    """Arm on slope and hazard, age on the hazard, seven quantile pieces."""
    from alsmodel.models import Covariate, JointModel

    return JointModel(slope=("arm",), hazard=("arm", "age"), covariates={"age": Covariate(centre=60, scale=10)})


def refit(data):
    """Arrays to weighted draws."""
    from alsmodel.inference.checks import ESS
    from alsmodel.inference.importance import weigh
    from alsmodel.inference.refine import prepare

    prepared = prepare(spec_of(), data)
    return weigh(prepared.program, prepared.mode, seed=1, least_ess=ESS), prepared.check.passed


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    chosen = parser.parse_args()
    from alsmodel.inference import Sampling, fit_data

    trials = [trial_of(number) for number in range(chosen.trials + 1)]
    refit(trials[0])  # compiles
    startup = time.process_time() - START
    begun = time.process_time()
    made = [refit(data) for data in trials[1:]]
    used = time.process_time() - begun
    begun = time.process_time()
    chains = fit_data(spec_of(), trials[1], Sampling(draws=250, tune=100, cores=1), seed=1, method="nuts")
    other = 1 / (time.process_time() - begun)
    digest = hashlib.sha256(b"".join(data.outcome.tobytes() + data.event_time.tobytes() for data in trials[1:])).hexdigest()[:16]
    rate = chosen.trials / used
    passed = [weighted.reliable and weighted.ess >= 400 and fine for weighted, fine in made]
    line = {
        "name": f"refit, current value, N={PARTICIPANTS}",
        "value": round(rate, 2),
        "unit": "refits per CPU second",
        "target": TARGET,
        "alternative": "NUTS, 4 x 250 draws, the same density",
        "alternative_value": round(other, 2),
        "alternative_passed": chains.passed,
        "ratio": round(rate / other, 1),
        "peer": None,
        "peer_value": None,
        "peer_ratio": None,
        "passed": f"{sum(passed)} of {len(passed)}",
        "largest_k_hat": round(max(weighted.k_hat for weighted, _ in made), 2),
        "least_ess": round(min(weighted.ess for weighted, _ in made)),
        "mean_draws": sum(weighted.log_weight.size for weighted, _ in made) / len(made),
        "startup_cpu_s": round(startup, 1),
        "settings": "q=2, arm on slope and hazard, age on hazard, 7 pieces; t8 proposal in blocks of 512",
        "data_digest": digest,
        "cores": 1,
        "cache": "warm",
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
