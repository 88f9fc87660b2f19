"""Unstructured MMRM fits per CPU second of one core: 2 arms, n = 300, 10% monotone and 5% intermittent missing scores.

Each fit gives the Kenward-Roger standard error and the degrees of freedom (Kenward-Roger's and Satterthwaite's, the same for one
contrast) of the arms' difference at the last visit, expected information; `observed` is printed beside. Data are made from
a fixed seed, untimed. The alternative, run live on two of the data sets, is REML by scoring in numpy, without degrees of
freedom; nlme::gls on one data set of 6 visits when R is there and done within a minute. Ends with one JSON line.

    python benchmarks/mmrm.py [--visits 6|13] [--no-alternative]
"""

import argparse
import hashlib
import json
import math
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is first imported

START = time.process_time()
TARGET = {6: 3000.0, 13: 300.0}
PEOPLE = 300
SEED = 6
BEST_OF = 3
MOST_STEPS = 100
GLS_SECONDS = 60.0

GLS = """
library(nlme)
d <- read.csv("FILE")
go <- function() gls(score ~ 0 + factor(visit) + factor(visit):arm, d, correlation = corSymm(form = ~ visit | id),
                     weights = varIdent(form = ~ 1 | visit), method = "REML")
cat(sum(system.time(try(go(), silent = TRUE))[1:2]))
"""


def make(replicates: int, visits: int):
    """Scores (R, n, V) falling by a point a visit, with a random line per participant, and the arm."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    t = np.arange(1, visits + 1) / visits
    lines = rng.normal(size=(replicates, PEOPLE, 2)) @ np.array([[5.0, 1.0], [0.0, 5.0]])
    scores = 38.0 - 8.0 * t + lines[..., :1] + lines[..., 1:] * t + rng.normal(0, 1.8, (replicates, PEOPLE, visits))
    leaves = np.where(rng.random((replicates, PEOPLE)) < 0.10, rng.integers(1, visits, (replicates, PEOPLE)), visits)
    scores[np.arange(visits) >= leaves[..., None]] = np.nan
    scores[rng.random(scores.shape) < 0.05] = np.nan
    return scores, np.arange(PEOPLE) % 2


def rate(scores, arm, information: str) -> float:
    """Best of three runs, fits per CPU second."""
    from alsmodel.estimators import fit_mmrm

    best = 0.0
    for _ in range(BEST_OF):
        begun = time.process_time()
        fit = fit_mmrm(scores, arm, information=information)
        best = max(best, len(scores) / (time.process_time() - begun))
        assert not fit.failed.any()
    return best


def moments(y, arm):
    """Per pattern of observed visits: the pattern, participants, sums of c c', c y' and y y', c = (1, arm)."""
    import numpy as np

    centred = y - np.nanmean(y, axis=0)
    seen = ~np.isnan(y)
    c, filled = np.column_stack([np.ones(len(arm)), arm]), np.where(seen, centred, 0.0)
    masks, which = np.unique(seen[seen.any(axis=1)], axis=0, return_inverse=True)
    groups = [np.flatnonzero(seen.any(axis=1))[which.ravel() == g] for g in range(len(masks))]
    sums = [np.array([left[i].T @ right[i] for i in groups]) for left, right in ((c, c), (c, filled), (filled, filled))]
    return masks, np.array([len(i) for i in groups], dtype=float), *sums


def plain_reml(y, arm) -> tuple[float, float]:
    """Restricted log likelihood (without constant) and CPU seconds of Fisher scoring in numpy, by pattern, without df."""
    import numpy as np

    begun = time.process_time()
    masks, count, cc, cy, yy = moments(y, arm)
    visits, q = y.shape[1], 2
    i, j = np.triu_indices(visits)
    twice = np.where(i == j, 1.0, 2.0)
    sigma = np.diag(np.nanvar(y, axis=0))
    for _ in range(MOST_STEPS):
        p, log_det = np.zeros_like(yy), 0.0
        for g, mask in enumerate(masks):
            block = sigma[np.ix_(mask, mask)]
            p[g][np.ix_(mask, mask)] = np.linalg.inv(block)
            log_det += count[g] * np.linalg.slogdet(block)[1]
        xvx = np.einsum("guv,gts->utvs", cc, p, optimize=True).reshape(q * visits, -1)
        xvy = np.einsum("gus,gst->ut", cy, p, optimize=True).ravel()
        phi = np.linalg.inv(xvx)
        beta = (phi @ xvy).reshape(q, visits)
        value = -0.5 * (log_det + np.linalg.slogdet(xvx)[1] + np.sum(p * yy) - beta.ravel() @ xvy)
        across = np.einsum("gut,us->gts", cy, beta)
        middle = yy - across - across.transpose(0, 2, 1) + np.einsum("ut,guv,vs->gts", beta, cc, beta, optimize=True)
        middle += np.einsum("guv,utvs->gts", cc, phi.reshape(q, visits, q, visits), optimize=True)
        gradient = 0.5 * (p @ (middle * (masks[:, :, None] & masks[:, None, :])) @ p - count[:, None, None] * p).sum(axis=0)
        flat = p.reshape(len(p), -1)
        four = (flat.T @ (flat * (0.5 * count)[:, None])).reshape((visits,) * 4)
        a, b, k, n = i[:, None], j[:, None], i[None], j[None]
        information = 0.25 * np.outer(twice, twice) * (four[b, k, n, a] + four[b, n, k, a] + four[a, k, n, b] + four[a, n, k, b])
        score = twice * gradient[i, j]
        step = np.linalg.solve(information, score)
        size, ahead = 1.0, sigma
        while size > 1e-4:
            ahead = sigma.copy()
            ahead[i, j] += size * step
            ahead[j, i] = ahead[i, j]
            if np.linalg.eigvalsh(ahead)[0] > 0.0:
                break
            size *= 0.5
        if step @ score < 1e-8:
            break
        sigma = ahead
    return value, time.process_time() - begun


def gls_seconds(y, arm) -> float | None:
    """CPU seconds of nlme::gls on the same data, without df; None without R or after a minute."""
    import numpy as np

    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.csv"
        i, t = np.nonzero(~np.isnan(y))
        rows = "\n".join(f"{a + 1},{b + 1},{arm[a]},{y[a, b]:.6f}" for a, b in zip(i, t, strict=True))
        path.write_text("id,visit,arm,score\n" + rows + "\n", encoding="utf-8")
        command = ["Rscript", "-e", GLS.replace("FILE", str(path))]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=GLS_SECONDS)
        except subprocess.TimeoutExpired:
            return None
    return float(done.stdout) if done.returncode == 0 and done.stdout else None


def main() -> None:
    """Make the data, time the fits and the alternatives, and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=6, choices=sorted(TARGET))
    parser.add_argument("--no-alternative", action="store_true")
    arguments = parser.parse_args()
    replicates = 600 if arguments.visits == 6 else 100
    scores, arm = make(replicates, arguments.visits)
    from alsmodel.estimators import fit_mmrm

    fit_mmrm(scores[:1], arm)  # compiles
    startup = time.process_time() - START
    expected = rate(scores, arm, "expected")
    observed = rate(scores, arm, "observed")
    fit = fit_mmrm(scores, arm, information="expected")
    plain = gls = None
    if not arguments.no_alternative:
        runs = [plain_reml(scores[r], arm) for r in (0, 1)]
        constant = 0.5 * (fit.observations[:2] - 2 * arguments.visits) * math.log(2.0 * math.pi)
        # The same maximum, or the comparison means nothing.
        assert abs(fit.log_likelihood[:2] + constant - [value for value, _ in runs]).max() < 1e-4
        plain = 2.0 / sum(seconds for _, seconds in runs)
        seconds = gls_seconds(scores[0], arm) if arguments.visits == 6 else None
        gls = None if seconds is None else 1.0 / seconds
    record = {
        "name": "mmrm" if arguments.visits == 6 else "mmrm13",
        "value": round(expected),
        "unit": "fits per CPU second",
        "target": TARGET[arguments.visits],
        "observed_information": round(observed),
        "alternative": "REML by Fisher scoring in numpy by pattern, no degrees of freedom",
        "alternative_value": None if plain is None else round(plain, 3),
        "ratio": None if plain is None else round(expected / plain),
        "peer": "nlme::gls, no degrees of freedom",
        "peer_value": None if gls is None else round(gls, 4),
        "peer_ratio": None if gls is None else round(expected / gls),
        "startup_cpu_s": round(startup, 1),
        "settings": {
            "people": PEOPLE, "visits": arguments.visits, "arms": 2, "monotone": 0.10, "intermittent": 0.05, "covariates": 0,
            "replicates": replicates, "best_of": BEST_OF, "evaluations": round(float(fit.iterations.mean()), 2), "seed": SEED,
        },
        "data_digest": hashlib.sha256(scores.tobytes()).hexdigest(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cache": "warm" if startup < 15 else "cold",
    }  # fmt: skip
    print(json.dumps(record))


if __name__ == "__main__":
    main()
