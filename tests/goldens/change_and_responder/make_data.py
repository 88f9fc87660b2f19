"""Make the synthetic data of this folder: `python make_data.py` in it. Nobody's data; fixed seed."""

import csv

import numpy as np

rng = np.random.default_rng(20261129)
with open("people.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["id", "arm", "stratum", "age", "score_0", "score_3", "score_6"])
    for i in range(90):
        arm, stratum, age = i % 3, int(rng.integers(0, 3)), round(float(rng.normal(0, 1)), 3)
        start = float(rng.normal(38 - 0.5 * age, 4 + arm))
        slope = -1.1 + 0.25 * arm + 0.1 * stratum + 0.7 * rng.normal()
        scores = [start + slope * t + 1.8 * rng.normal() for t in (0.0, 3.0, 6.0)]
        lost = int(rng.choice([1, 2, 3, 3, 3, 3]))
        cells = [f"{value:.3f}" if j < lost else "NA" for j, value in enumerate(scores)]
        out.writerow([i + 1, arm, stratum, age, *cells])
