"""Null trials for the benchmarks of survival and ranks: 300 participants, 7 visits over 18 months, a fixed seed."""

import hashlib
import json
import os
import time
from collections.abc import Callable

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is first imported

START = time.process_time()
PEOPLE, REPLICATES = 300, 1000


def make(whole: bool = True):
    """Scores (R, n, 7), event time, event, arm, strata, covariates; about 35% events, 20% dropout, 3% of visits missed."""
    import numpy as np

    rng = np.random.default_rng(20261129)
    months = np.arange(7) * 3.0
    shape = (REPLICATES, PEOPLE)
    slope = -rng.gamma(2.0, 0.5, shape)
    death, gone = rng.exponential(22.0 / np.exp(-0.5 * (slope + 1.0))), rng.exponential(80.0, shape)
    followed = np.minimum(gone, 18.0)
    event_time, event = np.minimum(death, followed), (death <= followed).astype(np.int64)
    scores = 38.0 + rng.normal(0, 5.5, (*shape, 1)) + slope[..., None] * months + rng.normal(0, 1.8, (*shape, 7))
    scores = np.clip(np.round(scores) if whole else scores, 0, 48)
    scores[(months > event_time[..., None]) | ((rng.random(scores.shape) < 0.03) & (months > 0))] = np.nan
    return scores, event_time, event, np.arange(PEOPLE) % 2, rng.integers(0, 4, PEOPLE), rng.normal(size=(PEOPLE, 3))


def per_second(call: Callable[[], object], fits: int, rounds: int = 3) -> float:
    """Fits per CPU second, the best of three rounds after one that compiles."""
    call()
    best = float("inf")
    for _ in range(rounds):
        begun = time.process_time()
        call()
        best = min(best, time.process_time() - begun)
    return fits / best


def report(name: str, value: float, target: float | None, alternative: str | None, other: float | None, settings: str, data) -> None:
    """Print the JSON line of one row."""
    digest = hashlib.sha256(b"".join(array.tobytes() for array in data)).hexdigest()[:16]
    line = {
        "name": f"{name}, n={PEOPLE}",
        "value": round(value),
        "unit": "fits per CPU second",
        "target": target,
        "alternative": alternative,
        "alternative_value": None if other is None else round(other, 1),
        "ratio": None if other is None else round(value / other),
        "peer": None,
        "peer_value": None,
        "peer_ratio": None,
        "startup_cpu_s": round(time.process_time() - START, 1),
        "settings": settings,
        "data_digest": digest,
        "cores": 1,
        "cache": "warm",
    }
    print(json.dumps(line), flush=True)
