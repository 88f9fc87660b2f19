"""Wall seconds of a whole power curve: 20 design points x 10,000 replicates x every analysis that is there, on 2 cores.

Design points: 150, 200, 250, 300 and 400 randomised x 4 effects, 7 scheduled visits. Analyses: random slope with Kenward-Roger,
MMRM, Cox, log-rank, RMST, joint rank and win ratio. Starts from an empty results folder, after compilation; true values from
a million twins are included. Peak memory is that of the largest process.

    python benchmarks/power_curve.py [--replicates 10000] [--workers 2] [--sizes 150 ...]
"""

import argparse
import json
import os
import resource
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is first imported

TARGET = 300.0


def main() -> None:
    """Run the curve and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sizes", type=int, nargs="+", default=[150, 200, 250, 300, 400])
    given = parser.parse_args()
    from dataclasses import replace

    from alsmodel.trials import MMRM, RMST, Cox, Effect, JointRank, LogRank, NamedTruth, RandomSlope, Trial, Win, simulate

    homes = {"mmrm": MMRM(information="expected"), "cox": Cox(), "rmst": RMST(horizon=12.0), "joint_rank": JointRank(), "win": Win()}
    there = [analysis for home, analysis in homes.items() if find_spec(f"alsmodel.estimators.{home}")]
    effects = tuple(Effect(name=f"{s:.0%} slowing", slowing=s) for s in (0.0, 0.2, 0.3, 0.4))
    trial = Trial(
        truth=NamedTruth(),
        analyses=(RandomSlope(df_method="kenward-roger"), LogRank(), *there),
        n_per_arm=tuple(n // 2 for n in given.sizes),
        effects=effects,
        replicates=given.replicates,
    )
    simulate(replace(trial, replicates=2, n_per_arm=(20,)), twins=1000)  # compiles
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        found = simulate(trial, workers=given.workers, folder=Path(folder))
        seconds = time.perf_counter() - begun
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = {
        "benchmark": "power_curve",
        "design_points": len(trial.scenarios),
        "replicates": given.replicates,
        "analyses": [a.label for a in trial.analyses],
        "workers": given.workers,
        "value": round(seconds, 1),
        "unit": "wall seconds",
        "target": TARGET,
        "fits_per_s": round(len(trial.scenarios) * given.replicates * len(trial.analyses) / seconds),
        "peak_mib": round(own / 1024),
        "failures": int(found.table["failures"].sum()),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
