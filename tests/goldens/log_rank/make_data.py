"""Make the synthetic data of this folder: `python make_data.py` in it. Nobody's data; fixed seed; tied times on purpose."""

import csv

import numpy as np

rng = np.random.default_rng(20261121)
with open("events.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["id", "arm", "stratum", "month", "event"])
    for i in range(120):
        arm, stratum = i % 2, int(rng.integers(3))
        month = rng.exponential(20.0 * np.exp(0.4 * arm - 0.3 * stratum))
        censored = min(18.0, rng.exponential(50.0))
        # Rounded to half months: ties between events, and between events and censoring.
        out.writerow([i + 1, arm, stratum, np.ceil(2 * min(month, censored)) / 2, int(month <= censored)])
