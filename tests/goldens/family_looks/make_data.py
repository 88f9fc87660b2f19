"""Make the synthetic statistics of this folder: `python make_data.py` in it. Nobody's data; fixed seed.

Trials of four correlated hypotheses at three looks. Information strays from the plan at every look; trials overrun or end short.
"""

import csv

import numpy as np
from scipy.stats import norm

TRIALS, MAXIMA, MEANS = 120, np.array([30.0, 12.0, 5.0, 80.0]), np.array([2.6, 2.9, 2.2, 3.0])
PLAN = np.array([[0.4, 0.3, 0.45, 0.5], [0.7, 0.65, 0.8, 0.75], [1.0, 1.0, 1.0, 1.0]])

rng = np.random.default_rng(20261130)
root = np.linalg.cholesky(np.full((4, 4), 0.4) + 0.6 * np.eye(4))
with open("trials.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["trial", "hypothesis", "look", "information", "p"])
    for trial in range(1, TRIALS + 1):
        gains = np.diff(PLAN, axis=0, prepend=0.0) * rng.uniform(0.6, 1.3, (3, 4))
        fraction = np.cumsum(gains, axis=0)
        # Interim looks stay below the planned maximum, and every look gains.
        fraction[:2] = np.minimum(fraction[:2], [[0.6], [0.97]])
        gains = np.diff(fraction, axis=0, prepend=0.0)
        score = np.cumsum(rng.standard_normal((3, 4)) @ root.T * np.sqrt(gains) + MEANS * gains, axis=0)
        p = norm.sf(score / np.sqrt(fraction))
        for h in range(4):
            for look in range(3):
                out.writerow([trial, h + 1, look + 1, repr(float(fraction[look, h] * MAXIMA[h])), repr(float(p[look, h]))])
