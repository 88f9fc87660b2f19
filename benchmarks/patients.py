"""Virtual participants per CPU second: total, event and dropout at 7 visits, one core.

python benchmarks/patients.py [--replicates 2000]
"""

import argparse
import json
import os
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is first imported

TARGET = 1_000_000
PEOPLE = 400


def main() -> None:
    """Time the generator on the default truth with deaths through the trajectory, dropout and missed visits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=2000)
    replicates = parser.parse_args().replicates
    import alsmodel  # noqa: F401  (points numba at its cache)
    from alsmodel.trials import Effect, NamedTruth, Trial
    from alsmodel.trials.block import trial_keys
    from alsmodel.trials.world import assign, enrol, observe

    effect = Effect(name="25% slowing", slowing=0.25, hazard_ratio=0.75)
    trial = Trial(truth=NamedTruth(), effects=(effect,), n_per_arm=(PEOPLE // 2,))
    keys = trial_keys(trial, 0, 250)

    def once() -> int:
        enrolled = enrol(trial, keys, PEOPLE)
        arm = assign(trial.design, enrolled, keys)
        return int(observe(trial.design, trial.population, enrolled, effect, arm, keys).scores.shape[0]) * PEOPLE

    once()  # compiles
    made, begun = 0, time.process_time()
    while made < replicates * PEOPLE:
        made += once()
    used = time.process_time() - begun
    rate = made / used
    found = {
        "benchmark": "patients",
        "participants": made,
        "cpu_s": round(used, 2),
        "value": round(rate),
        "unit": "participants per CPU second",
    }
    print(json.dumps(found | {"target": TARGET, "ratio": round(rate / TARGET, 2)}))


if __name__ == "__main__":
    main()
