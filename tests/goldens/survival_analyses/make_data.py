"""Make the synthetic data of this folder: `python make_data.py` in it. Nobody's data; fixed seed; tied times on purpose."""

import csv

import numpy as np

rng = np.random.default_rng(20261129)
with open("events.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["id", "arm", "stratum", "age", "bulbar", "month", "event"])
    for i in range(160):
        arm, stratum, age, bulbar = i % 2, int(rng.integers(3)), round(rng.normal(62, 10), 1), int(rng.random() < 0.3)
        month = rng.exponential(22.0 * np.exp(0.4 * arm - 0.3 * stratum - 0.02 * (age - 62) - 0.5 * bulbar))
        censored = min(18.0, rng.exponential(60.0)) if i > 1 else 18.0
        # Rounded to half months: ties between events, and between events and censoring.
        out.writerow([i + 1, arm, stratum, age, bulbar, np.ceil(2 * min(month, censored)) / 2, int(month <= censored)])
