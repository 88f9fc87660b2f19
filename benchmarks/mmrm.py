"""Unstructured MMRM fits per CPU second of one core: 2 arms, n = 300, 10% monotone and 5% intermittent missing scores.

Each fit gives the Kenward-Roger standard error and the degrees of freedom (Kenward-Roger's and Satterthwaite's, the same for one
contrast) of the arms' difference at the last visit, expected information; `observed` is printed beside. Data are made from
a fixed seed, untimed. The alternative, run live, is a plain numpy and scipy REML fit without degrees of freedom; nlme::gls
when R is there. Ends with one JSON line.

    python benchmarks/mmrm.py [--visits 6|13] [--no-alternative]
"""

import argparse
import hashlib
import json
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

GLS = """
library(nlme)
d <- read.csv("FILE")
go <- function() gls(score ~ 0 + factor(visit) + factor(visit):arm, d, correlation = corSymm(form = ~ visit | id),
                     weights = varIdent(form = ~ 1 | visit), method = "REML")
invisible(try(go(), silent = TRUE))
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


def plain_reml(y, arm) -> float:
    """CPU seconds of maximising the same restricted likelihood over a Cholesky factor, by pattern, without df."""
    import numpy as np
    from scipy.optimize import minimize

    visits = y.shape[1]
    seen = ~np.isnan(y)
    patterns = [(mask, y[(seen == mask).all(1)][:, mask], arm[(seen == mask).all(1)]) for mask in np.unique(seen, axis=0) if mask.any()]
    lower = np.tril_indices(visits)

    def deviance(x):
        root = np.zeros((visits, visits))
        root[lower] = x
        sigma, value = root @ root.T, 0.0
        xvx, xvy = np.zeros((2 * visits, 2 * visits)), np.zeros(2 * visits)
        for mask, rows, groups in patterns:
            block = sigma[np.ix_(mask, mask)]
            inverse = np.linalg.inv(block)
            value += len(rows) * np.linalg.slogdet(block)[1] + np.einsum("it,ts,is", rows, inverse, rows)
            full = np.zeros((visits, visits))
            full[np.ix_(mask, mask)] = inverse
            c = np.column_stack([np.ones(len(rows)), groups])
            xvx += np.kron(c.T @ c, full)
            part = np.zeros((2, visits))
            part[:, mask] = c.T @ rows @ inverse
            xvy += part.ravel()
        return value + np.linalg.slogdet(xvx)[1] - xvy @ np.linalg.solve(xvx, xvy)

    begun = time.process_time()
    start = np.linalg.cholesky(np.diag(np.nanvar(y, axis=0)))[lower]
    minimize(deviance, start, method="L-BFGS-B", options={"maxiter": 200})
    return time.process_time() - begun


def gls_seconds(y, arm) -> float | None:
    """CPU seconds of nlme::gls on the same data, without df; None without R."""
    import numpy as np

    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.csv"
        i, t = np.nonzero(~np.isnan(y))
        rows = "\n".join(f"{a + 1},{b + 1},{arm[a]},{y[a, b]:.6f}" for a, b in zip(i, t, strict=True))
        path.write_text("id,visit,arm,score\n" + rows + "\n", encoding="utf-8")
        done = subprocess.run(["Rscript", "-e", GLS.replace("FILE", str(path))], capture_output=True, text=True, check=False)
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
        plain = 1.0 / plain_reml(scores[0], arm)
        seconds = gls_seconds(scores[0], arm) if arguments.visits == 6 else None
        gls = None if seconds is None else 1.0 / seconds
    record = {
        "name": "mmrm" if arguments.visits == 6 else "mmrm13",
        "value": round(expected),
        "unit": "fits per CPU second",
        "target": TARGET[arguments.visits],
        "observed_information": round(observed),
        "alternative": "numpy and scipy L-BFGS REML by pattern, no degrees of freedom",
        "alternative_value": None if plain is None else round(plain, 3),
        "ratio": None if plain is None else round(expected / plain),
        "peer": "nlme::gls, no degrees of freedom" if gls else "nlme::gls, 8.8 s per fit, recorded",
        "peer_value": round(gls or 1 / 8.8, 4),
        "peer_ratio": round(expected * 1.0 / (gls or 1 / 8.8)),
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
