"""Make the synthetic data sets of this folder: `python make_data.py` in it. Nobody's data; fixed seed."""

import csv

import numpy as np

MONTHS = np.array([0.0, 1.5, 3.0, 6.0, 9.0, 12.0])


def trial(name: str, people: int, slope_sd: float, missing: float, days: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with open(f"{name}.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["id", "arm", "age", "month", "score"])
        for i in range(people):
            arm, age = i % 2, round(float(rng.normal(0, 1)), 3)
            z = rng.normal(size=2)
            level = 36 + 6.46 * z[0] - 0.8 * age
            slope = -1.03 + 0.25 * arm + slope_sd * (0.2 * z[0] + np.sqrt(1 - 0.04) * z[1]) - 0.1 * age
            stop = rng.exponential(25.0)
            for j, planned in enumerate(MONTHS):
                month = planned if not days or j == 0 else round(float(planned + rng.normal(0, 0.2)), 3)
                skipped = j > 0 and rng.random() < missing
                if planned <= stop and not skipped:
                    score = level + slope * month + 1.77 * rng.normal()
                    out.writerow([i + 1, arm, age, month, round(float(score), 3)])


trial("scheduled", 60, 0.76, 0.1, days=False, seed=20261120)
trial("actual_days", 40, 0.76, 0.1, days=True, seed=20261121)
# No spread of slopes, and a seed whose REML estimate lies on the edge of the parameter space (correlation -1 or 1).
trial("edge", 24, 0.0, 0.1, days=False, seed=20261122)
